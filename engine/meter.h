#ifndef PURSER_ENGINE_METER_H_
#define PURSER_ENGINE_METER_H_

#include <bit>
#include <cstdint>
#include <optional>
#include <string_view>

namespace purser {

// What a provider counts and bills.
//
// A meter that says less *includes* those that say more: input_tokens includes cache_read_tokens, which
// includes cache_audio_read_tokens, which input_audio_tokens includes as well. So:
//
// - Counts are inclusive totals: input_tokens is everything that was read, cached or not.
// - A meter without a rate bills as part of the meter that includes it (reasoning as output, cached as
//   input): leaving a rate out never makes anything free.
//
// Meters named ..._seconds count microseconds, since usage may be fractional. The names are those of
// genai-prices' units, extended by what LiteLLM's table prices as well.
enum class Meter : uint8_t {
  kInputTokens,
  kInputTextTokens,
  kInputAudioTokens,
  kInputImageTokens,
  kInputVideoTokens,
  kInputToolTokens,
  kInputToolTextTokens,
  kInputToolAudioTokens,
  kInputToolImageTokens,
  kInputToolVideoTokens,
  kCacheReadTokens,
  kCacheReadTextTokens,
  kCacheReadAudioTokens,
  kCacheReadImageTokens,
  kCacheReadVideoTokens,
  kCacheWriteTokens,
  kCacheWriteTextTokens,
  kCacheWriteAudioTokens,
  kCacheWriteImageTokens,
  kCacheWriteVideoTokens,
  kCacheWrite5mTokens,
  kCacheWrite5mTextTokens,
  kCacheWrite5mAudioTokens,
  kCacheWrite5mImageTokens,
  kCacheWrite5mVideoTokens,
  kCacheWrite1hTokens,
  kCacheWrite1hTextTokens,
  kCacheWrite1hAudioTokens,
  kCacheWrite1hImageTokens,
  kCacheWrite1hVideoTokens,
  kOutputTokens,
  kOutputTextTokens,
  kOutputAudioTokens,
  kOutputImageTokens,
  kOutputVideoTokens,
  kOutputReasoningTokens,
  kOutputReasoningTextTokens,
  kOutputReasoningAudioTokens,
  kOutputReasoningImageTokens,
  kOutputReasoningVideoTokens,
  kOutputCitationTokens,
  kOutputCitationTextTokens,
  kOutputCitationAudioTokens,
  kOutputCitationImageTokens,
  kOutputCitationVideoTokens,
  kSeconds,
  kInputSeconds,
  kOutputSeconds,
  kAudioSeconds,
  kInputAudioSeconds,
  kOutputAudioSeconds,
  kInputVideoSeconds,
  kOutputVideoSeconds,
  kGpuSeconds,
  kInputCharacters,
  kOutputCharacters,
  kInputPixels,
  kOutputPixels,
  kInputImages,
  kOutputImages,
  kInputDocumentPages,
  kInputAnnotatedDocumentPages,
  kInputTextMessages,
  kQueries,
  kRequests,
  kSessions,
  kToolCalls,
  kWebSearches,
  kWebSearchesLow,
  kWebSearchesMedium,
  kWebSearchesHigh,
  kSocialSearches,
  kStorageSearches,
  kCodeExecutions,
  kRerankSearches,
  kVectorSearches,
  kCredits,
};
inline constexpr int kMeterCount = static_cast<int>(Meter::kCredits) + 1;

// In price books, usage and reports: "cache_read_tokens". Static.
std::string_view NameOf(Meter meter);
std::optional<Meter> FindMeter(std::string_view name);

// A set of meters; a value of two words.
class MeterSet {
 public:
  constexpr bool Has(Meter m) const { return (words_[Index(m) >> 6] >> (Index(m) & 63)) & 1; }
  constexpr void Add(Meter m) { words_[Index(m) >> 6] |= uint64_t{1} << (Index(m) & 63); }
  constexpr void Remove(Meter m) { words_[Index(m) >> 6] &= ~(uint64_t{1} << (Index(m) & 63)); }
  constexpr bool empty() const { return (words_[0] | words_[1]) == 0; }
  constexpr int size() const { return std::popcount(words_[0]) + std::popcount(words_[1]); }
  friend constexpr MeterSet operator&(MeterSet a, MeterSet b) {
    return MeterSet(a.words_[0] & b.words_[0], a.words_[1] & b.words_[1]);
  }
  friend constexpr MeterSet operator|(MeterSet a, MeterSet b) {
    return MeterSet(a.words_[0] | b.words_[0], a.words_[1] | b.words_[1]);
  }
  friend constexpr MeterSet operator-(MeterSet a, MeterSet b) {
    return MeterSet(a.words_[0] & ~b.words_[0], a.words_[1] & ~b.words_[1]);
  }
  constexpr bool operator==(const MeterSet&) const = default;

  // Calls f(Meter) for each member, in the order of the enum.
  template <typename F>
  constexpr void ForEach(F f) const {
    for (int w = 0; w < 2; ++w) {
      for (uint64_t bits = words_[w]; bits != 0; bits &= bits - 1) {
        f(static_cast<Meter>(w * 64 + std::countr_zero(bits)));
      }
    }
  }

  constexpr MeterSet() = default;

 private:
  constexpr MeterSet(uint64_t low, uint64_t high) : words_{low, high} {}
  static constexpr int Index(Meter m) { return static_cast<int>(m); }
  uint64_t words_[2] = {0, 0};
};
static_assert(kMeterCount <= 128);

}  // namespace purser

#endif  // PURSER_ENGINE_METER_H_
