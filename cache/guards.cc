#include "cache/guards.h"

#include <algorithm>
#include <array>
#include <bit>

#include "cache/guard_words.h"
#include "cache/hash.h"

namespace purser::cache {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsUpper(char c) { return c >= 'A' && c <= 'Z'; }
bool IsLower(char c) { return c >= 'a' && c <= 'z'; }
bool IsHigh(char c) { return static_cast<unsigned char>(c) >= 0x80; }
bool IsLetter(char c) { return IsUpper(c) || IsLower(c) || IsHigh(c); }
bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

uint64_t HashOf(std::string_view bytes) { return HashBytes(bytes).low; }

uint64_t Combine(uint64_t a, uint64_t b) {
  const uint64_t both[2] = {a, b};
  return HashOf({reinterpret_cast<const char*>(both), sizeof(both)});
}

// Signs of money, as the units of guard_words.cc.
std::string_view CurrencyAt(std::string_view text) {
  if (text.starts_with("$")) return "usd";
  if (text.starts_with("\xE2\x82\xAC")) return "eur";
  if (text.starts_with("\xC2\xA3")) return "gbp";
  if (text.starts_with("\xC2\xA5")) return "jpy";
  if (text.starts_with("\xE2\x82\xB9")) return "inr";
  return {};
}

uint64_t UnitOf(std::string_view word) {
  const WordClass of_word = ClassOfWord(word);
  return of_word.kind == WordClass::kUnit ? uint64_t{of_word.value} + 1 : 0;
}

// Scripts that tell a text's language apart: which block of Unicode the first two bytes of a letter are in.
int ScriptOf(unsigned char lead, unsigned char next) {
  if (lead < 0xCD) return 1;                                   // Latin and its accents.
  if (lead == 0xCD || lead == 0xCE || lead == 0xCF) return 2;  // Greek.
  if (lead >= 0xD0 && lead <= 0xD3) return 3;                  // Cyrillic.
  if (lead == 0xD6 || lead == 0xD7) return 4;                  // Hebrew.
  if (lead >= 0xD8 && lead <= 0xDB) return 5;                  // Arabic.
  if (lead == 0xE0) return next >= 0xB8 ? 7 : 6;               // Thai; scripts of India.
  if (lead == 0xE3 && next >= 0x81 && next <= 0x83) return 8;  // Kana.
  if (lead >= 0xE3 && lead <= 0xE9) return 9;                  // Han.
  if (lead >= 0xEA && lead <= 0xED) return 10;                 // Hangul.
  return 0;
}

bool Contains(const std::vector<uint64_t>& sorted, uint64_t value) {
  return std::binary_search(sorted.begin(), sorted.end(), value);
}

}  // namespace

// One pass over the text.
struct Facts::Reader {
  explicit Reader(Facts* facts, std::string_view text) : out(*facts), text(text) {}

  void Run() {
    out.lower_.assign(text);
    for (char& c : out.lower_) {
      if (IsUpper(c)) c = static_cast<char>(c + 32);
    }
    bool sentence = true;
    size_t at = 0;
    while (at < text.size()) {
      const char c = text[at];
      if (const size_t quoted = TakeQuote(at); quoted > 0) {
        at += quoted;
        sentence = false;
      } else if (IsDigit(c)) {
        at += TakeNumber(at);
        sentence = false;
      } else if (const std::string_view currency = CurrencyAt(text.substr(at)); !currency.empty()) {
        pending_unit = UnitOf(currency);
        at += c == '$' ? 1 : (c == '\xC2' ? 2 : 3);
      } else if (c == '%') {
        GiveUnitToLast(UnitOf("percent"));
        ++at;
      } else if (IsLetter(c) || c == '_' || c == '/' || c == '@' || c == '-') {
        at += TakeWord(at, sentence);
        sentence = false;
      } else {
        if (c == '.' || c == '!' || c == '?' || c == '\n' || c == ':') sentence = true;
        ++at;
      }
    }
    FlushNumber();
    FindNames();
    FindLanguage();
    std::sort(out.numbers_.begin(), out.numbers_.end());
    std::sort(out.dates_.begin(), out.dates_.end());
    std::sort(out.code_.begin(), out.code_.end());
    std::sort(out.words_.begin(), out.words_.end());
  }

  // Something between quotation marks; 0 if there is none here.
  size_t TakeQuote(size_t at) {
    static constexpr std::pair<std::string_view, std::string_view> kMarks[] = {
        {"\"", "\""}, {"`", "`"}, {"\xE2\x80\x9C", "\xE2\x80\x9D"}, {"\xC2\xAB", "\xC2\xBB"}, {"'", "'"}};
    for (const auto& [open, close] : kMarks) {
      if (!text.substr(at).starts_with(open)) continue;
      const bool after_word = at > 0 && (IsLetter(text[at - 1]) || IsDigit(text[at - 1]));
      if (open == "'" && after_word) return 0;
      const size_t begin = at + open.size();
      const size_t end = text.find(close, begin);
      if (end == std::string_view::npos || end == begin || end - begin > 400) return 0;
      const std::string_view inside = text.substr(begin, end - begin);
      if (open == "'" && (IsSpace(inside.front()) || (end + 1 < text.size() && IsLetter(text[end + 1]))))
        return 0;
      if (open == "`") {
        out.code_.push_back(HashOf(inside));
      } else {
        out.quotes_.push_back(HashOf(std::string_view(out.lower_).substr(begin, end - begin)));
      }
      return end + close.size() - at;
    }
    return 0;
  }

  // Digits with what is glued to them: "1,000.50", "10:30", "2024-05-01", "5pm", "20kg", "3rd", "mp3" not.
  size_t TakeNumber(size_t at) {
    FlushNumber();
    size_t end = at;
    bool date = false;
    std::array<char, 48> digits;
    size_t size = 0;
    while (end < text.size()) {
      const char c = text[end];
      const bool between = end + 1 < text.size() && IsDigit(text[end + 1]);
      if (IsDigit(c) || ((c == '.' || c == ':' || c == '-' || c == '/') && between)) {
        if (c == ':' || c == '-' || c == '/') date = true;
        if (size < digits.size()) digits[size++] = c;
      } else if (c != ',' || !between) {
        break;
      }
      ++end;
    }
    std::string_view number(digits.data(), size);
    if (std::count(number.begin(), number.end(), '.') == 1) {
      while (number.ends_with('0')) number.remove_suffix(1);
      if (number.ends_with('.')) number.remove_suffix(1);
    }
    const size_t tail = end;
    while (end < text.size() && IsLetter(text[end])) ++end;
    const std::string_view glued = std::string_view(out.lower_).substr(tail, end - tail);
    if (date) {
      out.dates_.push_back(Combine(HashOf(number), HashOf(glued)));
      return end - at;
    }
    number_waits = true;
    number_value = HashOf(number);
    number_unit = pending_unit;
    pending_unit = 0;
    if (glued == "am" || glued == "pm") {
      number_waits = false;
      out.dates_.push_back(Combine(number_value, HashOf(glued)));
    } else if (glued == "st" || glued == "nd" || glued == "rd" || glued == "th") {
    } else if (!glued.empty()) {
      const uint64_t unit = UnitOf(glued);
      number_unit = unit != 0 ? unit : HashOf(glued);
    }
    return end - at;
  }

  void GiveUnitToLast(uint64_t unit) {
    if (number_waits && number_unit == 0) {
      number_unit = unit;
      FlushNumber();
    }
  }

  void FlushNumber() {
    if (number_waits) out.numbers_.push_back(Combine(number_value, number_unit));
    number_waits = false;
    spelled = 0;
  }

  size_t TakeWord(size_t at, bool starts_sentence) {
    size_t end = at;
    while (end < text.size() && !IsSpace(text[end]) && text[end] != '"' && text[end] != ',' &&
           text[end] != ';' && text[end] != '?' && text[end] != '!') {
      ++end;
    }
    std::string_view raw = text.substr(at, end - at);
    while (!raw.empty() && (raw.ends_with('.') || raw.ends_with(':') || raw.ends_with('\'') ||
                            raw.ends_with('-') || (raw.ends_with(')') && !raw.ends_with("()")))) {
      raw.remove_suffix(1);
    }
    if (LooksLikeCode(raw)) {
      FlushNumber();
      out.code_.push_back(HashOf(raw));
      return std::max<size_t>(raw.size(), 1);
    }
    // An ordinary word: letters, apostrophes, digits; "c++" and "c#" too.
    size_t size = 0;
    while (size < raw.size() &&
           (IsLetter(raw[size]) || IsDigit(raw[size]) || (raw[size] == '\'' && size > 0) ||
            ((raw[size] == '+' || raw[size] == '#') && size > 0 && IsLetter(raw[0])))) {
      ++size;
    }
    if (size == 0) return 1;
    Classify(text.substr(at, size), std::string_view(out.lower_).substr(at, size), starts_sentence);
    return size;
  }

  static bool LooksLikeCode(std::string_view word) {
    if (word.size() < 2) return false;
    bool camel = false;
    bool letters = false;
    bool digits = false;
    size_t slashes = 0;
    bool mark = false;
    for (size_t i = 0; i < word.size(); ++i) {
      const char c = word[i];
      letters |= IsLetter(c);
      digits |= IsDigit(c);
      slashes += c == '/';
      mark |= c == '_' || c == '@' || c == '=' || c == '{' || c == '(' || c == '<' || c == '\\';
      if (i > 0 && IsUpper(c) && IsLower(word[i - 1])) camel = true;
      if (c == '.' && i > 0 && i + 1 < word.size() && IsLetter(word[i - 1]) && IsLetter(word[i + 1]))
        mark = true;
      if (c == ':' && i + 1 < word.size() && word[i + 1] == ':') mark = true;
    }
    if (!letters) return false;
    return mark || camel || slashes > 1 || word.starts_with('/') || word.starts_with("--") || digits;
  }

  void Classify(std::string_view raw, std::string_view lower, bool starts_sentence) {
    std::array<char, 32> plain;
    size_t size = 0;
    for (const char c : lower) {
      if (c != '\'' && size < plain.size()) plain[size++] = c;
    }
    std::string_view word(plain.data(), size);
    if (lower.ends_with("'s")) word.remove_suffix(1);
    const WordClass of_word = ClassOfWord(word);
    // "five past ten" and "five to ten".
    if (number_waits && word == "past") Count(ClassOfWord("after"));
    if (number_waits && word == "to") Count(ClassOfWord("before"));
    if (of_word.kind == WordClass::kUnit && number_waits) {
      GiveUnitToLast(uint64_t{of_word.value} + 1);
    } else if (number_waits && number_unit == 0 && (word == "am" || word == "pm")) {
      number_waits = false;
      out.dates_.push_back(Combine(number_value, HashOf(word)));
    } else if (of_word.kind == WordClass::kNumber && ContinuesNumber(of_word.value)) {
      number_value = HashOf(std::to_string(spelled));
    } else {
      FlushNumber();
      Count(of_word);
    }
    NotePhrase(word, of_word);
    NoteDenial(word);
    for (uint32_t bits = CommonWordOf(word); bits != 0; bits &= bits - 1) {
      ++common_words[static_cast<size_t>(std::countr_zero(bits))];
    }
    const uint64_t hash = HashOf(word);
    out.words_.push_back(hash);
    const bool named = IsUpper(raw[0]) && word != "i" && word != "im" && word != "id" && word != "ive" &&
                       word != "ill" && of_word.kind == WordClass::kPlain;
    out.tokens_.push_back({raw, hash, starts_sentence, named});
    NoteScript(raw);
  }

  void Count(const WordClass& of_word) {
    switch (of_word.kind) {
      case WordClass::kPlain:
        break;
      case WordClass::kNumber: {
        number_waits = true;
        spelled = of_word.value;
        number_value = HashOf(std::to_string(spelled));
        number_unit = 0;
        break;
      }
      case WordClass::kDate:
        out.dates_.push_back(of_word.value);
        break;
      case WordClass::kUnit:
        out.units_.push_back(of_word.value);
        break;
      case WordClass::kNegation:
        out.negated_ = true;
        break;
      case WordClass::kOpposite: {
        const size_t pair = of_word.value / 2U;
        out.opposites_[of_word.value % 2U][pair / 64] |= uint64_t{1} << (pair % 64);
        break;
      }
      case WordClass::kLanguage:
        out.languages_.push_back(of_word.value);
        break;
    }
  }

  // "two hundred", "twenty five", "two hundred fifty": one number, spelled in several words.
  bool ContinuesNumber(uint64_t next) {
    if (!number_waits || spelled == 0 || number_unit != 0) return false;
    const bool scales = next == 100 || next == 1000 || next == 1'000'000 || next == 1'000'000'000;
    if (scales && spelled < next) {
      spelled *= next;
    } else if (next < 10 && spelled % 10 == 0 && spelled % 100 >= 20) {
      spelled += next;
    } else if (next < 100 && spelled % 100 == 0) {
      spelled += next;
    } else {
      return false;
    }
    return true;
  }

  // What two words mean together: "log in" and "log out", "this week" and "last week".
  void NotePhrase(std::string_view word, const WordClass& of_word) {
    if (after_particle_verb && (word == "in" || word == "up" || word == "out")) {
      Count(ClassOfWord(word == "out" ? "logout" : "login"));
    }
    after_particle_verb = IsParticleVerb(word);
    const bool time = of_word.kind == WordClass::kUnit || of_word.kind == WordClass::kDate ||
                      word == "quarter" || word == "night" || word == "season";
    if (relative_time != 0 && time) {
      out.dates_.push_back(Combine(HashOf(word), static_cast<uint64_t>(relative_time)));
    }
    relative_time = RelativeTime(word);
  }

  void NoteDenial(std::string_view word) {
    for (const std::string_view prefix : {"un", "dis", "non"}) {
      if (word.size() < prefix.size() + 3 || !word.starts_with(prefix)) continue;
      out.denials_.emplace_back(HashOf(word), HashOf(word.substr(prefix.size())));
    }
  }

  void NoteScript(std::string_view raw) {
    for (size_t i = 0; i < raw.size(); ++i) {
      const auto lead = static_cast<unsigned char>(raw[i]);
      if (lead >= 0x80 && lead < 0xC0) continue;
      const int script = ScriptOf(lead, i + 1 < raw.size() ? static_cast<unsigned char>(raw[i + 1]) : 0);
      ++scripts[static_cast<size_t>(script)];
    }
  }

  // Capitalised words inside a sentence; in a text of capitals, none.
  void FindNames() {
    size_t capitals = 0;
    size_t inside = 0;
    for (const Token& token : out.tokens_) {
      inside += !token.starts_sentence;
      capitals += token.capitalised && !token.starts_sentence;
    }
    if (inside > 2 && capitals * 3 > inside * 2) return;
    for (const Token& token : out.tokens_) {
      if (token.capitalised && !token.starts_sentence) out.names_.push_back(token.lower);
    }
  }

  void FindLanguage() {
    // Kana means Japanese, however much Han is in it.
    if (scripts[8] > 0) scripts[8] += scripts[9];
    const auto most = std::max_element(scripts.begin() + 1, scripts.end());
    out.script_ = *most > 0 ? static_cast<int>(most - scripts.begin()) : 0;
    const auto best = std::max_element(common_words.begin(), common_words.end());
    const int count = *best;
    int second = 0;
    for (auto it = common_words.begin(); it != common_words.end(); ++it) {
      if (it != best) second = std::max(second, *it);
    }
    if (count >= 2 && count > second) out.language_ = static_cast<int>(best - common_words.begin()) + 1;
  }

  Facts& out;
  std::string_view text;
  bool number_waits = false;  // A number was read, and its unit may follow.
  uint64_t number_value = 0;
  uint64_t spelled = 0;  // The number that waits, if it was a word.
  uint64_t number_unit = 0;
  uint64_t pending_unit = 0;  // Of a currency sign before a number.
  bool after_particle_verb = false;
  int relative_time = 0;  // Of the word before.
  std::array<int, 11> scripts{};
  std::array<int, kCommonLanguages> common_words{};
};

void Facts::Read(std::string_view text) {
  tokens_.clear();
  words_.clear();
  denials_.clear();
  numbers_.clear();
  dates_.clear();
  units_.clear();
  names_.clear();
  quotes_.clear();
  code_.clear();
  languages_.clear();
  opposites_[0] = {};
  opposites_[1] = {};
  negated_ = false;
  script_ = 0;
  language_ = 0;
  Reader(this, text).Run();
}

// "Safe" and "unsafe": a word of the one is denied in the other, where each has but its own.
bool Facts::Denies(const Facts& a, const Facts& b) {
  return std::any_of(a.denials_.begin(), a.denials_.end(), [&](const auto& denial) {
    return Contains(b.words_, denial.second) && !Contains(b.words_, denial.first) &&
           !Contains(a.words_, denial.second);
  });
}

// "Does alice owe bob" and "does bob owe alice": the same words, but for two that changed places across
// others.
bool Facts::SwapsTwoWords(const Facts& a, const Facts& b) {
  if (a.tokens_.size() != b.tokens_.size()) return false;
  std::array<size_t, 2> differ{};
  size_t count = 0;
  for (size_t i = 0; i < a.tokens_.size(); ++i) {
    if (a.tokens_[i].lower == b.tokens_[i].lower) continue;
    if (count == differ.size()) return false;
    differ[count++] = i;
  }
  return count == 2 && differ[1] > differ[0] + 1 &&
         a.tokens_[differ[0]].lower == b.tokens_[differ[1]].lower &&
         a.tokens_[differ[1]].lower == b.tokens_[differ[0]].lower;
}

Veto Conflict(const Facts& a, const Facts& b) {
  if (a.script_ != b.script_ && a.script_ != 0 && b.script_ != 0) return Veto::kLanguage;
  if (a.language_ != b.language_ && a.language_ != 0 && b.language_ != 0) return Veto::kLanguage;
  if (a.languages_ != b.languages_) return Veto::kLanguage;
  if (a.numbers_ != b.numbers_) return Veto::kNumber;
  if (a.dates_ != b.dates_) return Veto::kDate;
  if (a.units_ != b.units_) return Veto::kUnit;
  if (a.quotes_ != b.quotes_) return Veto::kQuote;
  if (a.code_ != b.code_) return Veto::kCode;
  if (a.negated_ != b.negated_) return Veto::kNegation;
  for (size_t i = 0; i < a.opposites_[0].size(); ++i) {
    const uint64_t a_only_one = a.opposites_[0][i] & ~a.opposites_[1][i];
    const uint64_t a_only_other = a.opposites_[1][i] & ~a.opposites_[0][i];
    const uint64_t b_only_one = b.opposites_[0][i] & ~b.opposites_[1][i];
    const uint64_t b_only_other = b.opposites_[1][i] & ~b.opposites_[0][i];
    if (((a_only_one & b_only_other) | (a_only_other & b_only_one)) != 0) return Veto::kOpposite;
  }
  if (Facts::Denies(a, b) || Facts::Denies(b, a)) return Veto::kOpposite;
  if (Facts::SwapsTwoWords(a, b)) return Veto::kName;
  // A name that the other text does not mention at all ...
  const auto unknown = [](const std::vector<uint64_t>& names, const std::vector<uint64_t>& words) {
    return std::any_of(names.begin(), names.end(),
                       [&words](uint64_t name) { return !Contains(words, name); });
  };
  if (unknown(a.names_, b.words_) || unknown(b.names_, a.words_)) return Veto::kName;
  // ... or mentions in another order, at the beginning of a sentence too ("Ann owes Bob", "Bob owes Ann").
  const auto is_name = [&](uint64_t word) {
    return std::find(a.names_.begin(), a.names_.end(), word) != a.names_.end() ||
           std::find(b.names_.begin(), b.names_.end(), word) != b.names_.end();
  };
  auto in_a = a.tokens_.begin();
  auto in_b = b.tokens_.begin();
  for (;;) {
    while (in_a != a.tokens_.end() && !is_name(in_a->lower)) ++in_a;
    while (in_b != b.tokens_.end() && !is_name(in_b->lower)) ++in_b;
    if (in_a == a.tokens_.end() || in_b == b.tokens_.end()) return Veto::kNone;
    if (in_a->lower != in_b->lower) return Veto::kName;
    ++in_a;
    ++in_b;
  }
}

}  // namespace purser::cache
