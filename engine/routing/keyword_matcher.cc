#include "engine/routing/keyword_matcher.h"

#include <deque>

#include "absl/status/status.h"

namespace purser::routing {
namespace {

bool IsAsciiWord(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}
bool IsWord(char c) { return IsAsciiWord(c) || c == '_' || static_cast<uint8_t>(c) >= 0x80; }

char Fold(char c) {
  if (c >= 'A' && c <= 'Z') return static_cast<char>(c + 32);
  if (c == '\n' || c == '\t' || c == '\r') return ' ';
  return c;
}

}  // namespace

absl::StatusOr<int> KeywordMatcher::Add(std::string_view keyword) {
  if (keyword.empty()) return absl::InvalidArgumentError("the keyword is empty");
  std::string folded(keyword);
  for (char& c : folded) c = Fold(c);
  keywords_.push_back(std::move(folded));
  anywhere_.push_back(false);
  return static_cast<int>(keywords_.size()) - 1;
}

absl::StatusOr<int> KeywordMatcher::AddAnywhere(std::string_view text) {
  const absl::StatusOr<int> number = Add(text);
  if (number.ok()) anywhere_[*number] = true;
  return number;
}

void KeywordMatcher::Compile() {
  // Class 0: bytes of no keyword.
  for (const std::string& keyword : keywords_) {
    for (const char c : keyword) {
      uint16_t& byte_class = class_of_[static_cast<uint8_t>(c)];
      if (byte_class == 0) byte_class = static_cast<uint16_t>(classes_++);
    }
  }
  for (int c = 0; c < 256; ++c) {
    const char folded = Fold(static_cast<char>(c));
    class_of_[c] = class_of_[static_cast<uint8_t>(folded)];
  }
  // The trie: rows of 0 for "no child".
  next_.assign(classes_, 0);
  first_output_.assign(1, -1);
  same_text_.assign(keywords_.size(), -1);
  for (size_t k = 0; k < keywords_.size(); ++k) {
    uint32_t row = 0;
    for (const char c : keywords_[k]) {
      const size_t edge = row * classes_ + class_of_[static_cast<uint8_t>(c)];
      if (next_[edge] == 0) {
        next_[edge] = static_cast<uint32_t>(first_output_.size());
        next_.resize(next_.size() + classes_, 0);
        first_output_.push_back(-1);
      }
      row = next_[edge];
    }
    same_text_[k] = first_output_[row];
    first_output_[row] = static_cast<int>(k);
  }
  // Breadth first: where no child exists, go where the longest proper suffix would.
  const size_t rows = first_output_.size();
  output_link_.assign(rows, 0);
  std::vector<uint32_t> suffix(rows, 0);
  std::deque<uint32_t> queue;
  for (uint32_t c = 0; c < classes_; ++c) {
    if (next_[c] != 0) queue.push_back(next_[c]);
  }
  while (!queue.empty()) {
    const uint32_t row = queue.front();
    queue.pop_front();
    const uint32_t fallback = suffix[row];
    output_link_[row] = static_cast<int>(first_output_[fallback] >= 0 ? fallback : output_link_[fallback]);
    for (uint32_t c = 0; c < classes_; ++c) {
      uint32_t& child = next_[row * classes_ + c];
      const uint32_t elsewhere = next_[fallback * classes_ + c];
      if (child == 0) {
        child = elsewhere;
      } else {
        suffix[child] = elsewhere;
        queue.push_back(child);
      }
    }
  }
  for (uint32_t& target : next_) {
    const bool output = first_output_[target] >= 0 || output_link_[target] > 0;
    target = target * classes_ | (output ? kHasOutput : 0);
  }
}

bool KeywordMatcher::IsWhole(int number, std::string_view text, size_t end) const {
  if (anywhere_[number]) return true;
  const std::string& keyword = keywords_[number];
  const size_t begin = end - keyword.size();
  if (IsAsciiWord(keyword.front()) && begin > 0 && IsWord(text[begin - 1])) return false;
  return !(IsAsciiWord(keyword.back()) && end < text.size() && IsWord(text[end]));
}

bool KeywordMatcher::Find(int number, std::string_view text, std::string_view* where) const {
  const std::string& keyword = keywords_[number];
  for (size_t begin = 0; begin + keyword.size() <= text.size(); ++begin) {
    size_t same = 0;
    while (same < keyword.size() && Fold(text[begin + same]) == keyword[same]) ++same;
    if (same == keyword.size() && IsWhole(number, text, begin + same)) {
      *where = text.substr(begin, keyword.size());
      return true;
    }
  }
  return false;
}

}  // namespace purser::routing
