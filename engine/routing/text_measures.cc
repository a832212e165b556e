#include "engine/routing/text_measures.h"

#include <algorithm>
#include <array>

namespace purser::routing {
namespace {

enum Kind : uint8_t { kOther, kLetter, kCapital, kDigit, kSpace, kNewline, kEnd, kMark, kLead };

constexpr std::array<Kind, 256> MakeKinds() {
  std::array<Kind, 256> kinds = {};
  for (int c = 'a'; c <= 'z'; ++c) kinds[c] = kLetter;
  for (int c = 'A'; c <= 'Z'; ++c) kinds[c] = kCapital;
  for (int c = '0'; c <= '9'; ++c) kinds[c] = kDigit;
  for (const char c : {' ', '\t', '\r'}) kinds[static_cast<uint8_t>(c)] = kSpace;
  kinds['\n'] = kNewline;
  for (const char c : {'.', '!', '?'}) kinds[static_cast<uint8_t>(c)] = kEnd;
  for (const char c :
       {'=', '^', '\\', '{', '}', '(', ';', '-', '_', '`', '<', '*', '+', '|', '&', ':', '/'}) {
    kinds[static_cast<uint8_t>(c)] = kMark;
  }
  for (int c = 0x80; c < 0x100; ++c) kinds[c] = kLead;
  return kinds;
}
constexpr std::array<Kind, 256> kKinds = MakeKinds();

Kind KindOf(char c) { return kKinds[static_cast<uint8_t>(c)]; }
bool IsLetter(char c) { return KindOf(c) == kLetter || KindOf(c) == kCapital; }
bool IsWordByte(char c) { return IsLetter(c) || KindOf(c) == kDigit || KindOf(c) == kLead; }

// A word by its last eight bytes, letters in lower case, and its length: no two of the words below, and
// hardly two of the language, share both.
struct WordKey {
  uint64_t last_bytes = 0;
  uint32_t length = 0;

  constexpr void Add(char c) {
    const bool capital = c >= 'A' && c <= 'Z';
    last_bytes = last_bytes << 8 | static_cast<uint8_t>(capital ? c + 32 : c);
    ++length;
  }
  constexpr bool operator==(const WordKey&) const = default;
};
constexpr WordKey KeyOf(std::string_view word) {
  WordKey key;
  for (const char c : word) key.Add(c);
  return key;
}

enum class WordKind : uint8_t { kNone, kConstraint, kNegation, kQuantity, kCondition };

struct KindWord {
  std::string_view word;
  WordKind kind;
};
constexpr KindWord kKindWords[] = {
    {"must", WordKind::kConstraint},       {"exactly", WordKind::kConstraint},
    {"only", WordKind::kConstraint},       {"without", WordKind::kConstraint},
    {"unless", WordKind::kConstraint},     {"avoid", WordKind::kConstraint},
    {"ensure", WordKind::kConstraint},     {"require", WordKind::kConstraint},
    {"requires", WordKind::kConstraint},   {"required", WordKind::kConstraint},
    {"should", WordKind::kConstraint},     {"cannot", WordKind::kConstraint},
    {"always", WordKind::kConstraint},     {"precisely", WordKind::kConstraint},
    {"within", WordKind::kConstraint},     {"both", WordKind::kConstraint},
    {"strictly", WordKind::kConstraint},   {"limit", WordKind::kConstraint},
    {"constraint", WordKind::kConstraint}, {"constraints", WordKind::kConstraint},
    {"satisfy", WordKind::kConstraint},    {"satisfies", WordKind::kConstraint},
    {"not", WordKind::kNegation},          {"except", WordKind::kNegation},
    {"least", WordKind::kNegation},        {"false", WordKind::kNegation},
    {"incorrect", WordKind::kNegation},    {"never", WordKind::kNegation},
    {"no", WordKind::kNegation},           {"neither", WordKind::kNegation},
    {"nor", WordKind::kNegation},          {"half", WordKind::kQuantity},
    {"twice", WordKind::kQuantity},        {"third", WordKind::kQuantity},
    {"quarter", WordKind::kQuantity},      {"percent", WordKind::kQuantity},
    {"times", WordKind::kQuantity},        {"than", WordKind::kQuantity},
    {"each", WordKind::kQuantity},         {"every", WordKind::kQuantity},
    {"per", WordKind::kQuantity},          {"rest", WordKind::kQuantity},
    {"left", WordKind::kQuantity},         {"total", WordKind::kQuantity},
    {"average", WordKind::kQuantity},      {"more", WordKind::kQuantity},
    {"less", WordKind::kQuantity},         {"fewer", WordKind::kQuantity},
    {"remaining", WordKind::kQuantity},    {"double", WordKind::kQuantity},
    {"triple", WordKind::kQuantity},       {"if", WordKind::kCondition},
    {"then", WordKind::kCondition},        {"suppose", WordKind::kCondition},
    {"assume", WordKind::kCondition},      {"given", WordKind::kCondition},
    {"when", WordKind::kCondition},        {"after", WordKind::kCondition},
    {"before", WordKind::kCondition},
};

// Open addressing; a quarter full, so that a word of none is mostly settled by one load.
class WordKinds {
 public:
  constexpr WordKinds() {
    for (const KindWord& word : kKindWords) {
      const WordKey key = KeyOf(word.word);
      size_t at = SlotOf(key);
      while (keys_[at].length != 0) at = (at + 1) % kSlots;
      keys_[at] = key;
      kinds_[at] = word.kind;
    }
  }
  WordKind Find(const WordKey& key) const {
    for (size_t at = SlotOf(key); keys_[at].length != 0; at = (at + 1) % kSlots) {
      if (keys_[at] == key) return kinds_[at];
    }
    return WordKind::kNone;
  }

 private:
  static constexpr size_t kSlots = 256;
  // Fibonacci hashing: Knuth, The Art of Computer Programming 3, 6.4.
  static constexpr size_t SlotOf(const WordKey& key) {
    return static_cast<size_t>((key.last_bytes + key.length) * 0x9e3779b97f4a7c15ull >> 56);
  }
  std::array<WordKey, kSlots> keys_ = {};
  std::array<WordKind, kSlots> kinds_ = {};
};
constexpr WordKinds kWordKinds;

struct CodePoint {
  uint32_t value = 0;
  int bytes = 1;
};

CodePoint Decode(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) -> uint32_t {
    return at + i < text.size() ? static_cast<uint8_t>(text[at + i]) : 0;
  };
  const auto follows = [&](size_t i) { return (byte(i) & 0xC0) == 0x80; };
  const uint32_t lead = byte(0);
  if (lead >= 0xC2 && lead < 0xE0 && follows(1)) return {(lead & 0x1F) << 6 | (byte(1) & 0x3F), 2};
  if (lead >= 0xE0 && lead < 0xF0 && follows(1) && follows(2)) {
    return {(lead & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F), 3};
  }
  if (lead >= 0xF0 && lead < 0xF5 && follows(1) && follows(2) && follows(3)) {
    return {(lead & 0x07) << 18 | (byte(1) & 0x3F) << 12 | (byte(2) & 0x3F) << 6 | (byte(3) & 0x3F), 4};
  }
  return {0, 1};
}

// General punctuation to supplemental mathematical operators, where signs live: arrows, operators, boxes.
bool IsSign(uint32_t point) { return (point >= 0x2000 && point < 0x2C00) || point == 0xD7 || point == 0xF7; }
bool IsMathSign(uint32_t point) {
  return point == 0xB1 || point == 0xB2 || point == 0xB3 || point == 0xD7 || point == 0xF7 ||
         (point >= 0x2190 && point <= 0x22FF) || (point >= 0x2070 && point <= 0x209C) || point == 0x3C0;
}

// The counting of one text; `at_` walks over it once.
class Pass {
 public:
  Pass(std::string_view text, TextMeasures* out) : text_(text), out_(*out) {}

  void Run() {
    out_.bytes += static_cast<int32_t>(text_.size());
    bool line_open = false;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      const Kind kind = KindOf(c);
      if (kind == kNewline) {
        line_open = false;
        ++at_;
        EndLine();
        continue;
      }
      if (kind == kSpace) {
        ++at_;
        continue;
      }
      if (!line_open) {
        line_open = true;
        ++out_.lines;
        if (OpensItem()) ++out_.list_items;
      }
      switch (kind) {
        case kLetter:
        case kCapital:
        case kLead:
          Word();
          break;
        case kDigit:
          Number();
          break;
        case kEnd:
          End(c);
          break;
        case kMark:
          Mark(c);
          break;
        default:
          if (c == ',') ++out_.commas;
          ++at_;
      }
    }
    EndLine();
  }

 private:
  char Next(size_t ahead = 1) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : ' '; }
  char Before() const { return at_ > 0 ? text_[at_ - 1] : ' '; }

  bool OpensItem() const {
    const char c = text_[at_];
    const char next = Next();
    if (c == '-' || c == '*') return next == ' ';
    if (static_cast<uint8_t>(c) == 0xE2)
      return static_cast<uint8_t>(next) == 0x80 && static_cast<uint8_t>(Next(2)) == 0xA2;
    if (IsLetter(c)) return (next == ')' || next == '.') && Next(2) == ' ';
    if (KindOf(c) != kDigit) return false;
    size_t ahead = 1;
    while (ahead < 3 && KindOf(Next(ahead)) == kDigit) ++ahead;
    return (Next(ahead) == '.' || Next(ahead) == ')') && Next(ahead + 1) == ' ';
  }

  void EndLine() {
    out_.longest_line = std::max(out_.longest_line, static_cast<int32_t>(at_ - line_begin_));
    line_begin_ = at_;
  }

  void Word() {
    WordKey key;
    const size_t begin = at_;
    int32_t letters = 0;
    bool inner_capital = false;
    bool lower_before = false;
    while (at_ < text_.size()) {
      // Most of most texts: a run of small letters.
      const size_t run = at_;
      while (at_ < text_.size() && KindOf(text_[at_]) == kLetter) {
        key.last_bytes = key.last_bytes << 8 | static_cast<uint8_t>(text_[at_++]);
      }
      if (at_ > run) {
        letters += static_cast<int32_t>(at_ - run);
        key.length += static_cast<uint32_t>(at_ - run);
        lower_before = true;
        continue;
      }
      const char c = text_[at_];
      const Kind kind = KindOf(c);
      if (kind == kLead) {
        const CodePoint point = Decode(text_, at_);
        const bool ends = IsSign(point.value);
        // A sign ends the word, and is stepped over, and counted, where it would open the next.
        if (ends && at_ > begin) break;
        if (IsMathSign(point.value)) ++out_.math_marks;
        if (ends) {
          at_ += point.bytes;
          break;
        }
        ++letters;
        if (point.value >= 0x370) ++out_.non_latin_letters;
        for (int i = 0; i < point.bytes; ++i) key.Add(text_[at_ + i]);
        at_ += point.bytes;
        lower_before = false;
        continue;
      }
      if (kind == kCapital) {
        ++letters;
        ++out_.capitals;
        inner_capital |= lower_before;
        lower_before = false;
      } else if (kind == kDigit) {
        lower_before = false;
      } else if (c == '\'' && at_ > begin && IsLetter(Next())) {
        lower_before = false;
      } else if (c == '_' && at_ > begin && IsWordByte(Next())) {
        inner_capital = true;  // names_like_this are program text as much as camelCase.
      } else {
        break;
      }
      key.Add(c);
      ++at_;
    }
    if (letters == 0) return;
    out_.letters += letters;
    ++out_.words;
    if (at_ - begin >= 8) ++out_.long_words;
    if (inner_capital) ++out_.code_marks;
    switch (kWordKinds.Find(key)) {
      case WordKind::kNone:
        break;
      case WordKind::kConstraint:
        ++out_.constraints;
        break;
      case WordKind::kNegation:
        ++out_.negations;
        break;
      case WordKind::kQuantity:
        ++out_.quantities;
        break;
      case WordKind::kCondition:
        ++out_.conditions;
        break;
    }
  }

  void Number() {
    ++out_.numbers;
    ++out_.words;
    while (at_ < text_.size()) {
      const Kind kind = KindOf(text_[at_]);
      const bool inner = (text_[at_] == ',' || text_[at_] == '.') && KindOf(Next()) == kDigit;
      if (kind != kDigit && !inner) break;
      if (kind == kDigit) ++out_.digits;
      ++at_;
    }
    // "2x": a coefficient; "5th" and "10km" are not.
    if (at_ < text_.size() && KindOf(text_[at_]) == kLetter && !IsWordByte(Next())) {
      ++out_.math_marks;
      ++at_;
    }
  }

  void End(char c) {
    if (c == '?') ++out_.question_marks;
    const Kind next = KindOf(Next());
    if ((IsWordByte(Before()) || Before() == ')' || Before() == '"') && (next == kSpace || next == kNewline))
      ++out_.sentences;
    ++at_;
  }

  void Mark(char c) {
    const char next = Next();
    size_t bytes = 1;
    switch (c) {
      case '=':
        if (next == '=' || next == '>') {
          ++out_.code_marks;
          bytes = 2;
        } else {
          ++out_.math_marks;
        }
        break;
      case '^':
      case '+':
      case '*':
        if (c != '*' || next != ' ') ++out_.math_marks;
        break;
      case '\\':
        if (IsLetter(next)) ++out_.math_marks;
        break;
      case '_':
        if (IsWordByte(Before()) && IsWordByte(next)) ++out_.math_marks;
        break;
      case '`':
        if (next == '`') {
          ++out_.code_marks;
          while (Next(bytes) == '`') ++bytes;
        }
        break;
      case '{':
      case '}':
      case ';':
        if (next == '\n' || next == ' ' || at_ + 1 == text_.size()) ++out_.code_marks;
        break;
      case '(':
        ++out_.parentheses;
        if (next == ')') {
          ++out_.code_marks;
          bytes = 2;
        }
        break;
      case '-':
      case '<':
      case '|':
      case '&':
      case ':':
      case '/':
        if ((c == '-' && next == '>') || (c == '<' && (next == '/' || next == '=')) ||
            (next == c && c != '-' && c != '<')) {
          ++out_.code_marks;
          bytes = 2;
        }
        break;
      default:
        break;
    }
    at_ += bytes;
    if (at_ > text_.size()) at_ = text_.size();
  }

  std::string_view text_;
  TextMeasures& out_;
  size_t at_ = 0;
  size_t line_begin_ = 0;
};

}  // namespace

void Measure(std::string_view text, TextMeasures* measures) { Pass(text, measures).Run(); }

}  // namespace purser::routing
