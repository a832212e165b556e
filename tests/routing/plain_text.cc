#include "tests/routing/plain_text.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <utility>

#include "re2/re2.h"

namespace purser::routing {
namespace {

// ---- Measures.

// Names of what is counted beside policy::Measure.
constexpr int kLetters = 1000;
constexpr int kNonLatinLetters = 1001;
using Counts = std::map<int, double>;

// Arrows, operators, boxes and their like; what is no ASCII and none of them is a letter.
#define PURSER_SIGNS "\\x{2000}-\\x{2bff}×÷"
#define PURSER_LETTER "(?:[A-Za-z]|[^\\x{0}-\\x{7f}" PURSER_SIGNS "])"

// Bytes that are no UTF-8 as letters of the Latin script.
std::string Readable(re2::StringPiece text) {
  static const RE2 kAny("((?s:.))");
  std::string readable;
  while (!text.empty()) {
    std::string one;
    if (!RE2::Consume(&text, kAny, &one)) {
      one = "ÿ";
      text.remove_prefix(1);
    }
    readable += one;
  }
  return readable;
}

bool Is(const std::string& text, const char* regex) { return RE2::FullMatch(text, regex); }
int Occurrences(const std::string& text, const RE2& regex) {
  int count = 0;
  for (re2::StringPiece rest(text); RE2::FindAndConsume(&rest, regex);) ++count;
  return count;
}

int KindOf(const std::string& word) {
  static const std::map<std::string, int> kKinds = {
      {"must", policy::CONSTRAINTS},     {"exactly", policy::CONSTRAINTS}, {"without", policy::CONSTRAINTS},
      {"only", policy::CONSTRAINTS},     {"half", policy::QUANTITIES},     {"twice", policy::QUANTITIES},
      {"than", policy::QUANTITIES},      {"each", policy::QUANTITIES},     {"if", policy::CONDITIONS},
      {"suppose", policy::CONDITIONS},   {"when", policy::CONDITIONS},     {"not", policy::NEGATIONS},
      {"except", policy::NEGATIONS},     {"false", policy::NEGATIONS},     {"never", policy::NEGATIONS},
      {"remaining", policy::QUANTITIES}, {"after", policy::CONDITIONS},    {"no", policy::NEGATIONS}};
  std::string lower = word;
  for (char& c : lower) c = static_cast<char>(tolower(c));
  const auto found = kKinds.find(lower);
  return found == kKinds.end() ? -1 : found->second;
}

void CountWord(const std::string& word, Counts* counts) {
  static const RE2 kLetter(PURSER_LETTER);
  static const RE2 kNonLatin("[^\\x{0}-\\x{36f}]");
  static const RE2 kProgramName("[a-z][A-Z]|_");
  static const RE2 kMath("[±²³π]");
  (*counts)[policy::TEXT_WORDS] += 1;
  (*counts)[kLetters] += Occurrences(word, kLetter);
  (*counts)[kNonLatinLetters] += Occurrences(word, kNonLatin);
  (*counts)[policy::CODE_MARKS] += RE2::PartialMatch(word, kProgramName) ? 1 : 0;
  (*counts)[policy::MATH_MARKS] += Occurrences(word, kMath);
  (*counts)[KindOf(word)] += 1;
}

// A sign between `before` and `next`, which are spaces at the ends of the text. Says how many bytes it is
// long with what belongs to it.
size_t CountSign(const std::string& before, const std::string& sign, const std::string& next,
                 Counts* counts) {
  const auto is_of_word = [](const std::string& c) { return Is(c, "[A-Za-z0-9]|[^\\x{0}-\\x{7f}]"); };
  if (sign == ",") (*counts)[policy::COMMAS] += 1;
  if (sign == "?") (*counts)[policy::QUESTION_MARKS] += 1;
  if (Is(sign, "[.!?]") && (is_of_word(before) || Is(before, "[)\"]")) && Is(next, "[ \t\r\n]")) {
    (*counts)[policy::SENTENCES] += 1;
  }
  if (Is(sign + next, "==|=>|->|</|<=|\\|\\||&&|::|//|\\(\\)")) {
    (*counts)[policy::CODE_MARKS] += 1;
    return 2;
  }
  if (Is(sign, "[{};]") && Is(next, "[ \n]")) (*counts)[policy::CODE_MARKS] += 1;
  const bool math = Is(sign, "[=^+]") || (sign == "*" && next != " ") ||
                    (sign == "\\" && Is(next, "[A-Za-z]")) ||
                    (sign == "_" && is_of_word(before) && is_of_word(next)) ||
                    Is(sign, "[\\x{2190}-\\x{22ff}\\x{2070}-\\x{209c}×÷]");
  if (math) (*counts)[policy::MATH_MARKS] += 1;
  return sign.size();
}

void CountPiece(const std::string& piece, Counts* counts) {
  static const RE2 kWord("(" PURSER_LETTER "(?:" PURSER_LETTER
                         "|[0-9]|'[A-Za-z]|_[^\\x{0}-/:-@\\[-`{-\\x{7f}" PURSER_SIGNS "])*)");
  static const RE2 kNumber("([0-9](?:[0-9]|[.,][0-9])*)");
  static const RE2 kCoefficient("([a-z])(?:[\\x{0}-/:-@\\[-`{-\\x{7f}]|$)");
  static const RE2 kItem("(?:[-*](?: |$)|•|[A-Za-z][.)](?: |$)|[0-9]{1,3}[.)](?: |$))");
  static const RE2 kFence("(``+)");
  static const RE2 kBlank("([ \\t\\r\\n]+)");
  static const RE2 kAny("((?s:.))");
  const std::string text = Readable(piece);
  re2::StringPiece rest(text);
  bool line_begins = true;
  std::string before = " ";
  while (!rest.empty()) {
    std::string token;
    re2::StringPiece next = rest;
    if (RE2::Consume(&next, kBlank, &token)) {
      line_begins |= token.find('\n') != std::string::npos;
      rest = next;
      before = " ";
      continue;
    }
    re2::StringPiece line = rest;
    if (line_begins && RE2::Consume(&line, kItem)) (*counts)[policy::LIST_ITEMS] += 1;
    line_begins = false;
    if (RE2::Consume(&next, kWord, &token)) {
      CountWord(token, counts);
    } else if (RE2::Consume(&next, kNumber, &token)) {
      (*counts)[policy::NUMBERS] += 1;
      (*counts)[policy::TEXT_WORDS] += 1;
      std::string coefficient;
      re2::StringPiece after = next;
      if (RE2::Consume(&after, kCoefficient, &coefficient)) {
        (*counts)[policy::MATH_MARKS] += 1;
        next.remove_prefix(1);
      }
    } else if (RE2::Consume(&next, kFence, &token)) {
      (*counts)[policy::CODE_MARKS] += 1;
    } else {
      RE2::Consume(&next, kAny, &token);
      re2::StringPiece after = next;
      std::string following = " ";
      RE2::Consume(&after, kAny, &following);
      next = rest;
      next.remove_prefix(CountSign(before, token, following, counts));
    }
    before = text.substr(text.size() - next.size() - 1, 1);
    if ((before[0] & 0x80) != 0) before = "é";  // Of a word, whatever it was.
    rest = next;
  }
}

// ---- Writing.

// In the order of writing.h.
const std::vector<std::pair<std::string, const RE2*>>& Scripts() {
  static const auto* const kScripts =
      new std::vector<std::pair<std::string, const RE2*>>{{"latin", new RE2("\\p{Latin}")},
                                                          {"greek", new RE2("\\p{Greek}")},
                                                          {"cyrillic", new RE2("\\p{Cyrillic}")},
                                                          {"hebrew", new RE2("\\p{Hebrew}")},
                                                          {"arabic", new RE2("\\p{Arabic}")},
                                                          {"devanagari", new RE2("\\p{Devanagari}")},
                                                          {"bengali", new RE2("\\p{Bengali}")},
                                                          {"tamil", new RE2("\\p{Tamil}")},
                                                          {"thai", new RE2("\\p{Thai}")},
                                                          {"hangul", new RE2("\\p{Hangul}")},
                                                          {"kana", new RE2("[\\p{Hiragana}\\p{Katakana}]")},
                                                          {"han", new RE2("\\p{Han}")}};
  return *kScripts;
}

// The first hundred.
std::vector<std::string> WordsOf(const std::string& text) {
  static const RE2 kWord("([\\p{L}\\p{M}]+)");
  std::vector<std::string> words;
  std::string word;
  for (re2::StringPiece rest(text); words.size() < 100 && RE2::FindAndConsume(&rest, kWord, &word);) {
    words.push_back(word);
  }
  return words;
}

// Which languages use a word all the time; of the words that random_policies.cc draws.
std::set<std::string> LanguagesOf(std::string word) {
  static const std::map<std::string, std::set<std::string>> kLanguages = {{"the", {"en"}},
                                                                          {"and", {"en"}},
                                                                          {"this", {"en"}},
                                                                          {"with", {"en"}},
                                                                          {"a", {"en"}},
                                                                          {"is", {"en", "nl"}},
                                                                          {"in", {"en", "it"}},
                                                                          {"do", {"en", "pt", "pl"}},
                                                                          {"und", {"de"}},
                                                                          {"der", {"de"}},
                                                                          {"den", {"de", "sv"}},
                                                                          {"les", {"fr"}},
                                                                          {"que", {"fr", "es", "pt"}},
                                                                          {"la", {"fr", "es", "it"}},
                                                                          {"un", {"fr", "es", "it"}},
                                                                          {"el", {"es"}},
                                                                          {"y", {"es"}},
                                                                          {"como", {"es", "pt"}},
                                                                          {"che", {"it"}},
                                                                          {"e", {"it", "pt"}},
                                                                          {"é", {"pt"}},
                                                                          {"het", {"nl"}},
                                                                          {"de", {"nl", "tr"}},
                                                                          {"och", {"sv"}},
                                                                          {"i", {"pl"}},
                                                                          {"się", {"pl"}},
                                                                          {"mi", {"es", "it", "pl", "tr"}},
                                                                          {"için", {"tr"}},
                                                                          {"и", {"ru", "bg"}},
                                                                          {"что", {"ru"}},
                                                                          {"я", {"ru", "uk"}},
                                                                          {"не", {"ru", "uk", "bg"}},
                                                                          {"що", {"uk"}},
                                                                          {"от", {"bg"}},
                                                                          {"في", {"ar"}},
                                                                          {"من", {"ar", "fa"}},
                                                                          {"که", {"fa"}}};
  for (char& c : word) c = static_cast<char>(tolower(c));
  const auto found = kLanguages.find(word);
  return found == kLanguages.end() ? std::set<std::string>() : found->second;
}

// ---- Scorers.

// splitmix64's finalizer.
uint64_t Scattered(uint64_t x) {
  x ^= x >> 30;
  x *= 0xbf58476d1ce4e5b9u;
  x ^= x >> 27;
  x *= 0x94d049bb133111ebu;
  return x ^ x >> 31;
}

// The weights of every three bytes in a row of " word ", over the square root of how many there are.
double Trigrams(const HashedWeights& hashed, const std::string& prompt) {
  static const RE2 kRun("([^ \\n\\t\\r\\f\\v]+)", RE2::Latin1);
  double sum = 0;
  double count = 0;
  std::string run;
  for (re2::StringPiece rest(prompt); RE2::FindAndConsume(&rest, kRun, &run);) {
    run = " " + run + " ";
    for (size_t i = 0; i + 3 <= run.size(); ++i) {
      uint64_t three = 0x545249;
      three <<= 8;
      for (const char c : run.substr(i, 3)) three = three << 8 | static_cast<uint8_t>(tolower(c));
      sum += static_cast<signed char>(hashed.weights()[Scattered(three) >> (64 - hashed.bucket_bits())]);
      ++count;
    }
  }
  return count == 0 ? 0 : hashed.step() * sum / std::sqrt(count);
}

}  // namespace

double PlainMeasure(policy::Measure measure, const std::vector<std::string>& pieces) {
  Counts counts;
  for (const std::string& piece : pieces) {
    counts[policy::TEXT_BYTES] += static_cast<double>(piece.size());
    CountPiece(piece, &counts);
  }
  if (measure == policy::WORD_LENGTH) {
    return counts[policy::TEXT_WORDS] == 0 ? 0 : counts[kLetters] / counts[policy::TEXT_WORDS];
  }
  if (measure == policy::NON_LATIN_SHARE) {
    return counts[kLetters] == 0 ? 0 : counts[kNonLatinLetters] / counts[kLetters];
  }
  return counts[measure];
}

std::string PlainScript(const std::string& text) {
  std::string letters;
  for (const std::string& word : WordsOf(text)) letters += word;
  std::map<std::string, int> counts;
  for (const auto& [script, letter] : Scripts()) counts[script] = Occurrences(letters, *letter);
  // One kana among eight letters of han, and it is Japanese.
  if (counts["kana"] * 8 > counts["han"]) {
    counts["kana"] += counts["han"];
    counts["han"] = 0;
  }
  std::string most;
  for (const auto& [script, letter] : Scripts()) {
    if (counts[script] > (most.empty() ? 0 : counts[most])) most = script;
  }
  return most;
}

std::string PlainLanguage(const std::string& text) {
  static const std::map<std::string, std::string> kByScript = {
      {"greek", "el"}, {"hebrew", "he"}, {"thai", "th"}, {"hangul", "ko"},
      {"kana", "ja"},  {"han", "zh"},    {"", ""}};
  const auto by_script = kByScript.find(PlainScript(text));
  if (by_script != kByScript.end()) return by_script->second;
  const std::vector<std::string> words = WordsOf(text);
  std::map<std::string, int> counts;
  for (const std::string& word : words) {
    for (const std::string& language : LanguagesOf(word)) ++counts[language];
  }
  for (const auto& [language, count] : counts) {
    // Two words more than any other language; one in a text of a dozen.
    const int needed = words.size() <= 12 ? 1 : 2;
    const bool ahead = std::all_of(counts.begin(), counts.end(), [&](const auto& other) {
      return other.first == language || count - other.second >= needed;
    });
    if (ahead && count >= needed) return language;
  }
  return "";
}

double PlainScorer(const LearnedScorer& scorer, const std::string& prompt) {
  const auto count = [&](policy::Measure measure) { return PlainMeasure(measure, {prompt}); };
  double score = scorer.bias();
  for (const Structure& structure : scorer.structure()) {
    if (structure.weight() == 0) continue;
    const std::string& name = structure.name();
    double value = 0;
    if (name == "log_bytes") value = std::log(1 + count(policy::TEXT_BYTES));
    if (name == "log_words") value = std::log(1 + count(policy::TEXT_WORDS));
    if (name == "word_length") value = count(policy::WORD_LENGTH);
    if (name == "log_numbers") value = std::log(1 + count(policy::NUMBERS));
    if (name == "log_math") value = std::log(1 + count(policy::MATH_MARKS));
    if (name == "log_code") value = std::log(1 + count(policy::CODE_MARKS));
    if (name == "commas_a_word") value = count(policy::COMMAS) / std::max(1.0, count(policy::TEXT_WORDS));
    if (name == "negates") value = count(policy::NEGATIONS) > 0 ? 1 : 0;
    if (name == "question") value = count(policy::QUESTION_MARKS) > 0 ? 1 : 0;
    score += structure.weight() * (value - structure.mean()) / structure.deviation();
  }
  return score + Trigrams(scorer.trigrams(), prompt);
}

}  // namespace purser::routing
