#ifndef PURSER_ENGINE_ROUTING_PROMPT_FEATURES_H_
#define PURSER_ENGINE_ROUTING_PROMPT_FEATURES_H_

#include <array>
#include <cstdint>
#include <string_view>

#include "engine/routing/text_measures.h"

namespace purser::routing {

// What the learned scorer sees of a prompt. Training and scoring share this file, so that they see the same.

inline constexpr int kPromptFeaturesVersion = 3;

// Hashed words have 2^bits buckets.
inline constexpr int kMaxBucketBits = 22;

namespace internal {
constexpr uint64_t Mix(uint64_t x) {  // splitmix64's finalizer, https://prng.di.unimi.it/splitmix64.c
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
  return x ^ (x >> 31);
}
constexpr uint8_t Lower(char c) { return static_cast<uint8_t>(c >= 'A' && c <= 'Z' ? c + 32 : c); }
constexpr bool IsWordByte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         static_cast<uint8_t>(c) >= 0x80;
}
constexpr bool IsSpace(char c) {
  return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

// The steps of structure, as hashes: each measure in half octaves, so that a linear scorer can tell middling
// from both short and long.
inline constexpr int kSteps = 9;
std::array<uint64_t, kSteps> StepsOf(const TextMeasures& measures);

// Which buckets have been met, without allocating. Full, it holds no more.
class BucketSet {
 public:
  // False if it is there already, or there is no room.
  bool Add(uint32_t bucket) {
    size_t at = (bucket * 0x9e3779b1u) >> (32 - kSlotBits);
    for (; slots_[at] != 0; at = (at + 1) % kSlots) {
      if (slots_[at] == bucket + 1) return false;
    }
    if (size_ == kMaxEntries) return false;
    slots_[at] = bucket + 1;
    ++size_;
    return true;
  }
  int size() const { return size_; }
  bool full() const { return size_ == kMaxEntries; }

 private:
  static constexpr int kSlotBits = 12;
  static constexpr size_t kSlots = size_t{1} << kSlotBits;
  static constexpr int kMaxEntries = kSlots * 3 / 4;
  std::array<uint32_t, kSlots> slots_ = {};
  int size_ = 0;
};
}  // namespace internal

// Calls visit(bucket) once for every bucket that a word of the prompt, a pair of neighbouring words or a step
// of its structure falls into, and says how many there were. Words are runs of letters, digits and "_" in
// lower case. Of a prompt with more than 3,072 buckets, some 9 KB, the rest is not read.
template <typename Visit>
int ForEachWordBucket(std::string_view prompt, const TextMeasures& measures, int bits, Visit visit) {
  internal::BucketSet seen;
  const auto add = [&](uint64_t hash) {
    const auto bucket = static_cast<uint32_t>(hash >> (64 - bits));
    if (seen.Add(bucket)) visit(bucket);
  };
  for (const uint64_t step : internal::StepsOf(measures)) add(step);
  uint64_t previous = 0;
  for (size_t at = 0; at < prompt.size() && !seen.full();) {
    if (!internal::IsWordByte(prompt[at])) {
      ++at;
      continue;
    }
    uint64_t word = 14695981039346656037ull;  // FNV-1a
    for (; at < prompt.size() && internal::IsWordByte(prompt[at]); ++at) {
      word = (word ^ internal::Lower(prompt[at])) * 1099511628211ull;
    }
    add(internal::Mix(word));
    if (previous != 0) add(internal::Mix(previous * 3 + word));
    previous = word;
  }
  return seen.size();
}

// Calls visit(bucket) for every three bytes in a row, in lower case, of each run without spaces, a space
// before and after it included; says how many there were. A bucket is visited as often as it occurs.
template <typename Visit>
int ForEachTrigramBucket(std::string_view prompt, int bits, Visit visit) {
  int count = 0;
  uint32_t window = ' ';
  bool in_run = false;
  const auto push = [&](uint8_t byte) {
    window = (window << 8 | byte) & 0xffffff;
    visit(static_cast<uint32_t>(internal::Mix(window + 0x54524900000000ull) >> (64 - bits)));
    ++count;
  };
  for (size_t at = 0; at <= prompt.size(); ++at) {
    if (at < prompt.size() && !internal::IsSpace(prompt[at])) {
      if (in_run) {
        push(internal::Lower(prompt[at]));
      } else {
        window = static_cast<uint32_t>(' ') << 8 | internal::Lower(prompt[at]);
        in_run = true;
      }
    } else if (in_run) {
      push(' ');
      in_run = false;
    }
  }
  return count;
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
