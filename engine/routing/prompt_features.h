#ifndef PURSER_ENGINE_ROUTING_PROMPT_FEATURES_H_
#define PURSER_ENGINE_ROUTING_PROMPT_FEATURES_H_

#include <array>
#include <cstdint>
#include <string_view>

#include "engine/routing/text_measures.h"

namespace purser::routing {

// What the learned scorer sees of a prompt. Training and scoring share this file, so that they see the same.

inline constexpr int kPromptFeaturesVersion = 1;

namespace internal {
constexpr uint64_t Mix(uint64_t x) {  // splitmix64's finalizer, https://prng.di.unimi.it/splitmix64.c
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
  return x ^ (x >> 31);
}
constexpr bool IsAlpha(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || static_cast<uint8_t>(c) >= 0x80;
}
constexpr bool IsDigit(char c) { return c >= '0' && c <= '9'; }
constexpr bool IsSpace(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }
}  // namespace internal

// Calls visit(hash) for every word, every pair of neighbouring words, and the stem (first five bytes) of
// longer words. Words are lower-cased; a number is one of five words by its number of digits; other marks are
// words of one byte.
template <typename Visit>
void ForEachWordFeature(std::string_view prompt, Visit visit) {
  using internal::Mix;
  uint64_t previous = 0x50555253;
  uint64_t before_previous = 0x50555254;
  size_t at = 0;
  while (at < prompt.size()) {
    const char c = prompt[at];
    if (internal::IsSpace(c)) {
      ++at;
      continue;
    }
    uint64_t word = 14695981039346656037ull;
    if (internal::IsAlpha(c)) {
      int bytes = 0;
      uint64_t stem = 0;
      while (at < prompt.size() && internal::IsAlpha(prompt[at])) {
        const char raw = prompt[at++];
        const uint8_t byte = static_cast<uint8_t>(raw >= 'A' && raw <= 'Z' ? raw + 32 : raw);
        word = (word ^ byte) * 1099511628211ull;
        if (++bytes == 5) stem = word;
      }
      if (bytes > 5) visit(Mix(stem ^ 0x5354454d));
    } else if (internal::IsDigit(c)) {
      uint64_t digits = 0;
      while (at < prompt.size() && internal::IsDigit(prompt[at])) {
        ++digits;
        ++at;
      }
      word = 0x4e554d00 + (digits < 5 ? digits : 5);
    } else {
      word = 0x4d41524b00 + static_cast<uint8_t>(c);
      ++at;
    }
    visit(Mix(word));
    visit(Mix(previous * 3 + word));
    visit(Mix(before_previous * 5 + word));
    visit(Mix(before_previous * 9 + previous * 3 + word));
    before_previous = previous;
    previous = word;
  }
}

inline constexpr int kStructureFeatures = 25;
inline constexpr std::array<std::string_view, kStructureFeatures> kStructureNames = {
    "log_bytes",        "log_words",       "word_length",    "log_numbers",    "log_sentences",
    "log_list_items",   "log_math",        "log_code",       "log_lines",      "capitals",
    "long_words",       "log_constraints", "digits",         "log_commas",     "commas_a_word",
    "log_parentheses",  "log_negations",   "negates",        "log_quantities", "log_conditions",
    "log_longest_line", "log_line_length", "extreme_length", "question",       "complexity"};
// The last: what a person would guess of the prompt's complexity from the rest. Learning starts from it.
inline constexpr int kComplexityFeature = kStructureFeatures - 1;
std::array<double, kStructureFeatures> StructureOf(const TextMeasures& measures);

}  // namespace purser::routing

#endif  // PURSER_ENGINE_ROUTING_PROMPT_FEATURES_H_
