#include "engine/routing/language_of_text.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <iterator>

namespace purser::routing {
namespace {

constexpr size_t kMaxBytes = 4096;
constexpr int kMaxWords = 100;

// ---- Scripts.

struct Range {
  char32_t first;
  char32_t last;
  int script;  // In kScripts.
};
constexpr std::array<std::string_view, 12> kScripts = {"latin",  "greek",      "cyrillic", "hebrew",
                                                       "arabic", "devanagari", "bengali",  "tamil",
                                                       "thai",   "hangul",     "kana",     "han"};
enum Script {
  kLatin,
  kGreek,
  kCyrillic,
  kHebrew,
  kArabic,
  kDevanagari,
  kBengali,
  kTamil,
  kThai,
  kHangul,
  kKana,
  kHan
};

// Blocks of Unicode 15 (https://www.unicode.org/Public/15.0.0/ucd/Blocks.txt) that hold the letters of living
// languages.
constexpr Range kRanges[] = {
    {'A', 'Z', kLatin},          {'a', 'z', kLatin},        {0xC0, 0x24F, kLatin},
    {0x370, 0x3FF, kGreek},      {0x400, 0x52F, kCyrillic}, {0x590, 0x5FF, kHebrew},
    {0x600, 0x6FF, kArabic},     {0x750, 0x77F, kArabic},   {0x8A0, 0x8FF, kArabic},
    {0x900, 0x97F, kDevanagari}, {0x980, 0x9FF, kBengali},  {0xB80, 0xBFF, kTamil},
    {0xE00, 0xE7F, kThai},       {0x1100, 0x11FF, kHangul}, {0x1E00, 0x1EFF, kLatin},
    {0x1F00, 0x1FFF, kGreek},    {0x3040, 0x30FF, kKana},   {0x3130, 0x318F, kHangul},
    {0x3400, 0x4DBF, kHan},      {0x4E00, 0x9FFF, kHan},    {0xAC00, 0xD7AF, kHangul},
    {0xFB50, 0xFDFF, kArabic},   {0xFE70, 0xFEFF, kArabic},
};

int ScriptOf(char32_t letter) {
  for (const Range& range : kRanges) {
    if (letter < range.first) return -1;
    if (letter <= range.last)
      return letter == 0xD7 || letter == 0xF7 ? -1 : range.script;  // Not the two signs.
  }
  return -1;
}

// The code point at `at`, which moves past it. A byte that opens none counts as U+FFFD.
char32_t Next(std::string_view text, size_t* at) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t first = byte((*at)++);
  if (first < 0x80) return first;
  const int more = first >= 0xF0 && first < 0xF8 ? 3 : first >= 0xE0 ? 2 : first >= 0xC0 ? 1 : 0;
  if (more == 0 || first >= 0xF8 || *at + static_cast<size_t>(more) > text.size()) return 0xFFFD;
  char32_t point = first & (0x3F >> more);
  for (int i = 0; i < more; ++i) {
    if ((byte(*at + static_cast<size_t>(i)) & 0xC0) != 0x80) return 0xFFFD;
    point = point << 6 | (byte(*at + static_cast<size_t>(i)) & 0x3F);
  }
  *at += static_cast<size_t>(more);
  return point;
}

// ---- Languages.

struct Language {
  std::string_view code;
  std::string_view words;  // That are frequent and short: eight bytes at most.
};
constexpr Language kLanguages[] = {
    {"en", "the and of to is in that you for what how are with this it can does do a my on be or who why"},
    {"de",
     "der die das und ist nicht ein eine ich zu den wie was mit für auf dem von im bitte einen mir sind"},
    {"fr", "le la les et est une des que pour dans qui je vous pas du comment un en ce sur au quelle moi"},
    {"es", "el los las y es una que para por con no cómo qué del mi un en la lo se cuál como"},
    {"it", "il di che è una per non con sono gli come della mi un la le e in cosa del"},
    {"pt", "o os as e é uma que para não com do da como você um em no na por qual meu"},
    {"nl", "de het een en van is dat niet ik voor met op hoe wat zijn mijn te naar"},
    {"sv", "och att det är en som på för med inte jag av till hur vad den om har"},
    {"pl", "w na się nie jest że do z co jak i to czy mi o dla"},
    {"tr", "ve bir bu için ile mi ne nasıl da de çok var ben mı"},
    {"ru", "и в не на что как это для по с мне я"},
    {"uk", "і в не на що як це для та з мені я є"},
    {"bg", "и в не на че как за от се да ми"},
    {"ar", "في من على ما هل هو أن لا إلى"},
    {"fa", "از در به که را این با من چه"},
};
constexpr size_t kLanguageCount = std::size(kLanguages);

// Told by their script alone.
constexpr std::string_view kByScript[] = {"el", "he", "th", "ko", "ja", "zh"};
constexpr auto kCodes = [] {
  std::array<std::string_view, kLanguageCount + std::size(kByScript)> codes;
  auto end = std::copy(std::begin(kByScript), std::end(kByScript), codes.begin());
  for (const Language& language : kLanguages) *end++ = language.code;
  return codes;
}();

// A word of eight bytes at most as one number, ASCII capitals lowered; 0: it is longer.
constexpr uint64_t KeyOf(std::string_view word) {
  if (word.size() > 8) return 0;
  uint64_t key = 0;
  for (const char c : word) key = key << 8 | static_cast<uint8_t>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  return key;
}

struct Entry {
  uint64_t key = 0;
  uint32_t languages = 0;  // A bit each.
};

template <typename Visit>
constexpr void ForEachWord(std::string_view words, Visit visit) {
  for (size_t begin = 0; begin < words.size();) {
    const size_t end = std::min(words.find(' ', begin), words.size());
    visit(words.substr(begin, end - begin));
    begin = end + 1;
  }
}

constexpr size_t CountWords() {
  size_t count = 0;
  for (const Language& language : kLanguages) ForEachWord(language.words, [&](std::string_view) { ++count; });
  return count;
}

// Sorted by key; a word of two languages stands there twice.
constexpr auto kWords = [] {
  std::array<Entry, CountWords()> entries;
  size_t count = 0;
  for (size_t i = 0; i < kLanguageCount; ++i) {
    ForEachWord(kLanguages[i].words, [&](std::string_view word) {
      entries[count++] = {KeyOf(word), 1u << i};
    });
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.key < b.key; });
  return entries;
}();
static_assert(kWords.front().key != 0, "a word is longer than eight bytes");

// How often words of each language occur.
class LanguageCounts {
 public:
  void Add(std::string_view word) {
    ++words_;
    const uint64_t key = KeyOf(word);
    if (key == 0) return;
    auto entry = std::lower_bound(kWords.begin(), kWords.end(), key,
                                  [](const Entry& a, uint64_t wanted) { return a.key < wanted; });
    for (; entry != kWords.end() && entry->key == key; ++entry) ++counts_[std::countr_zero(entry->languages)];
  }
  int words() const { return words_; }

  // The language that is ahead of all others, by two words, or by one in a text of a few.
  std::string_view Winner() const {
    size_t best = 0;
    for (size_t i = 1; i < kLanguageCount; ++i) best = counts_[i] > counts_[best] ? i : best;
    int second = 0;
    for (size_t i = 0; i < kLanguageCount; ++i) second = i == best ? second : std::max(second, counts_[i]);
    const int ahead = counts_[best] - second;
    return ahead >= 2 || (ahead == 1 && words_ <= 12) ? kLanguages[best].code : std::string_view();
  }

 private:
  std::array<int, kLanguageCount> counts_ = {};
  int words_ = 0;
};

std::string_view LanguageOf(Script script, const LanguageCounts& counts) {
  switch (script) {
    case kGreek:
      return "el";
    case kHebrew:
      return "he";
    case kThai:
      return "th";
    case kHangul:
      return "ko";
    case kKana:
      return "ja";
    case kHan:
      return "zh";
    default:
      return counts.Winner();
  }
}

}  // namespace

std::span<const std::string_view> Scripts() { return kScripts; }
std::span<const std::string_view> Languages() { return kCodes; }

Writing WritingOf(std::string_view text) {
  text = text.substr(0, kMaxBytes);
  std::array<int, kScripts.size()> letters = {};
  LanguageCounts counts;
  size_t word = 0;  // Where it begins.
  bool in_word = false;
  for (size_t at = 0; at < text.size() && counts.words() < kMaxWords;) {
    const size_t here = at;
    const int script = ScriptOf(Next(text, &at));
    if (script >= 0) {
      ++letters[script];
      if (!in_word) word = here;
      in_word = true;
    } else if (in_word) {
      counts.Add(text.substr(word, here - word));
      in_word = false;
    }
  }
  if (in_word) counts.Add(text.substr(word));

  // Japanese mixes kana with han, of which there may be more.
  if (letters[kKana] * 8 > letters[kHan]) {
    letters[kKana] += letters[kHan];
    letters[kHan] = 0;
  }
  const auto most = std::max_element(letters.begin(), letters.end());
  if (*most == 0) return {};
  const auto script = static_cast<Script>(most - letters.begin());
  return {kScripts[script], LanguageOf(script, counts)};
}

}  // namespace purser::routing
