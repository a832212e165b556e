#include "engine/routing/pattern_matcher.h"

#include <algorithm>
#include <bit>
#include <limits>

#include "absl/strings/str_cat.h"
#include "re2/filtered_re2.h"

namespace purser::routing {
namespace {

// Of the regexes' shared automaton. RE2's default is 8 MiB; a policy of a thousand regexes needs more before
// it falls back.
constexpr int64_t kSetBytes = 64 << 20;

// Shorter literals are in every text.
constexpr int kMinLiteral = 3;
// The set reads a text about as fast as two regexes do one by one.
constexpr int kMaxOneByOne = 3;

// Letters beyond ASCII that RE2 takes for "k" and "s" where case does not matter: the Kelvin sign and the
// long s. A text that holds one may match without the literal.
constexpr std::string_view kFoldsToAscii[] = {"\u212A", "\u017F"};
constexpr int kFoldOwner = std::numeric_limits<int>::min();

void SetBit(uint64_t* bits, int at) { bits[at >> 6] |= uint64_t{1} << (at & 63); }

re2::StringPiece Piece(std::string_view text) { return re2::StringPiece(text.data(), text.size()); }

RE2::Options OptionsFor(bool case_sensitive) {
  RE2::Options options(RE2::Quiet);
  options.set_case_sensitive(case_sensitive);
  options.set_never_capture(true);
  options.set_max_mem(kSetBytes);
  return options;
}

// In a set all regexes share one option: case is folded by a flag in the text.
std::string InSet(std::string_view regex, bool case_sensitive) {
  // No group around it: a \Q that nothing ends would swallow what closes the group.
  return absl::StrCat(case_sensitive ? "" : "(?i)", absl::string_view(regex.data(), regex.size()));
}

}  // namespace

absl::StatusOr<int> PatternMatcher::AddRegex(std::string_view regex, bool case_sensitive) {
  auto compiled = std::make_unique<RE2>(Piece(regex), OptionsFor(case_sensitive));
  if (!compiled->ok()) return absl::InvalidArgumentError(compiled->error());
  if (set_ == nullptr) set_ = std::make_unique<RE2::Set>(OptionsFor(true), RE2::UNANCHORED);
  std::string error;
  if (set_->Add(InSet(regex, case_sensitive), &error) < 0) return absl::InvalidArgumentError(error);
  const int number = size();
  const int in_set = static_cast<int>(regexes_.size());
  regexes_.push_back(number);
  always_.resize(in_set / 64 + 1);
  patterns_.push_back({std::move(compiled), -1});
  AddLiterals(regex, case_sensitive, in_set);
  return number;
}

// RE2 tells which literals a match needs at least one of; they are in lower case. None: it needs none. Its
// lower case of letters beyond ASCII is not ours, so that such a regex is always tried.
void PatternMatcher::AddLiterals(std::string_view regex, bool case_sensitive, int in_set) {
  re2::FilteredRE2 filter(kMinLiteral);
  int id = 0;
  std::vector<std::string> literals;
  if (filter.Add(Piece(regex), OptionsFor(case_sensitive), &id) == RE2::NoError) filter.Compile(&literals);
  const bool ascii = std::all_of(literals.begin(), literals.end(), [](const std::string& literal) {
    return std::all_of(literal.begin(), literal.end(), [](char c) { return static_cast<uint8_t>(c) < 0x80; });
  });
  if (literals.empty() || !ascii) {
    always_[in_set >> 6] |= uint64_t{1} << (in_set & 63);
    return;
  }
  for (const std::string& literal : literals) {
    if (keywords_.AddAnywhere(literal).ok()) keyword_owner_.push_back(~in_set);
  }
}

absl::StatusOr<int> PatternMatcher::AddKeyword(std::string_view keyword) {
  if (!keyword.empty() && keyword.find_first_not_of(" \t\r\n") == std::string_view::npos)
    return absl::InvalidArgumentError("the keyword is blank");
  const absl::StatusOr<int> added = keywords_.Add(keyword);
  if (!added.ok()) return added.status();
  const int number = size();
  keyword_owner_.push_back(number);
  patterns_.push_back({nullptr, *added});
  return number;
}

absl::Status PatternMatcher::Compile() {
  for (const std::string_view letter : kFoldsToAscii) {
    if (set_ != nullptr && keywords_.AddAnywhere(letter).ok()) keyword_owner_.push_back(kFoldOwner);
  }
  keywords_.Compile();
  if (set_ != nullptr && !set_->Compile()) {
    return absl::ResourceExhaustedError(
        "the regexes of this part together are too large; expected fewer, or simpler ones");
  }
  return absl::OkStatus();
}

void PatternMatcher::MatchTogether(std::string_view text, uint64_t* seen, Scratch* scratch) const {
  RE2::Set::ErrorInfo error{RE2::Set::kNoError};
  if (way_ != Way::kOneByOne) {
    if (set_->Match(Piece(text), &scratch->matches, &error)) {
      for (const int in_set : scratch->matches) SetBit(seen, regexes_[in_set]);
      return;
    }
    if (error.kind == RE2::Set::kNoError) return;
  }
  for (const int number : regexes_) {
    if (RE2::PartialMatch(Piece(text), *patterns_[number].regex)) SetBit(seen, number);
  }
}

void PatternMatcher::Match(std::string_view text, uint64_t* seen, Scratch* scratch) const {
  scratch->possible.assign(always_.begin(), always_.end());
  uint64_t* possible = scratch->possible.data();
  int left = 0;
  if (!keywords_.empty()) {
    keywords_.Match(text, [&](int keyword) {
      const int owner = keyword_owner_[keyword];
      if (owner >= 0) {
        SetBit(seen, owner);
      } else if (owner == kFoldOwner) {
        left = kMaxOneByOne + 1;
      } else {
        SetBit(possible, ~owner);
      }
    });
  }
  for (const uint64_t word : scratch->possible) left += std::popcount(word);
  if (set_ != nullptr && (left > kMaxOneByOne || way_ != Way::kUsual)) {
    MatchTogether(text, seen, scratch);
    return;
  }
  for (size_t word = 0; word < scratch->possible.size(); ++word) {
    for (uint64_t bits = possible[word]; bits != 0; bits &= bits - 1) {
      const int number = regexes_[word * 64 + std::countr_zero(bits)];
      if (RE2::PartialMatch(Piece(text), *patterns_[number].regex)) SetBit(seen, number);
    }
  }
}

bool PatternMatcher::Find(int number, std::string_view text, std::string_view* where) const {
  const Pattern& pattern = patterns_[number];
  if (pattern.regex == nullptr) return keywords_.Find(pattern.keyword, text, where);
  // never_capture() still tells where the whole match stands.
  re2::StringPiece match;
  if (!pattern.regex->Match(Piece(text), 0, text.size(), RE2::UNANCHORED, &match, 1)) return false;
  *where = std::string_view(match.data(), match.size());
  return true;
}

}  // namespace purser::routing
