#ifndef PURSER_CACHE_GUARD_WORDS_H_
#define PURSER_CACHE_GUARD_WORDS_H_

#include <cstdint>
#include <string_view>

namespace purser::cache {

// What a word means to the guards.
struct WordClass {
  enum Kind : uint8_t {
    kPlain,
    kNumber,  // value: the number.
    kDate,    // value: which month, day of the week, or relative day.
    kUnit,    // value: which unit or currency.
    kNegation,
    kOpposite,  // value: 2 * pair + side.
    kLanguage,  // value: which language, human or of programming.
  };
  Kind kind = kPlain;
  uint32_t value = 0;
};

// Of a word in lower case.
WordClass ClassOfWord(std::string_view word);

// Which language's commonest words this is one of: bits, by the numbers that LanguageOf gives from 1.
// 0: of none.
uint32_t CommonWordOf(std::string_view word);
inline constexpr int kCommonLanguages = 7;

// What "log", "sign" and "check" are to "in" and "out": a verb whose meaning the particle turns round.
bool IsParticleVerb(std::string_view word);

// 1: "this", "current"; 2: "last", "previous"; 3: "next", "coming": before a time. 0: none of these.
int RelativeTime(std::string_view word);

// Pairs of opposites.
inline constexpr int kMaxOpposites = 256;

}  // namespace purser::cache

#endif  // PURSER_CACHE_GUARD_WORDS_H_
