#ifndef PURSER_ENGINE_PRICING_METER_FACTS_H_
#define PURSER_ENGINE_PRICING_METER_FACTS_H_

#include <purser/meter.h>

#include <array>
#include <cstdint>
#include <iterator>
#include <string_view>

namespace purser::pricing {

// A meter is a point in a small space: what is counted (tokens, seconds, pages ...), its direction, its
// modality and its kind. One that says less includes those that say more.
enum class Counted : uint8_t {
  kTokens,
  kMicroseconds,  // Meters named ..._seconds: usage may be fractional, so microseconds are counted.
  kCharacters,
  kPixels,
  kImages,
  kPages,
  kMessages,
  kQueries,
  kRequests,
  kSessions,
  kToolCalls,
  kRerankSearches,
  kVectorSearches,
  kCredits,
};
enum class Direction : uint8_t { kAny, kInput, kOutput };
enum class Modality : uint8_t { kAny, kText, kAudio, kImage, kVideo, kGpu };
enum class Kind : uint8_t {
  kAny,
  kCacheRead,
  kCacheWrite,
  kReasoning,
  kCitation,
  kTool,
  kAnnotated,
  kWebSearch,
  kSocialSearch,
  kStorageSearch,
  kCodeExecution,
};
// A finer distinction within a kind: how long a cache write is kept, how much a web search reads.
enum class Grade : uint8_t { kAny, k5Minutes, k1Hour, kLow, kMedium, kHigh };

// X(enumerator, name, counted, direction, modality, kind, grade)
#define PURSER_TOKEN_METERS(X, Prefix, prefix, suffix, d, k, g)                      \
  X(Prefix##Tokens, prefix suffix "_tokens", kTokens, d, kAny, k, g)                 \
  X(Prefix##TextTokens, prefix "_text" suffix "_tokens", kTokens, d, kText, k, g)    \
  X(Prefix##AudioTokens, prefix "_audio" suffix "_tokens", kTokens, d, kAudio, k, g) \
  X(Prefix##ImageTokens, prefix "_image" suffix "_tokens", kTokens, d, kImage, k, g) \
  X(Prefix##VideoTokens, prefix "_video" suffix "_tokens", kTokens, d, kVideo, k, g)

#define PURSER_METERS(X)                                                                                    \
  PURSER_TOKEN_METERS(X, kInput, "input", "", kInput, kAny, kAny)                                           \
  PURSER_TOKEN_METERS(X, kInputTool, "input", "_tool", kInput, kTool, kAny)                                 \
  PURSER_TOKEN_METERS(X, kCacheRead, "cache", "_read", kInput, kCacheRead, kAny)                            \
  PURSER_TOKEN_METERS(X, kCacheWrite, "cache", "_write", kInput, kCacheWrite, kAny)                         \
  PURSER_TOKEN_METERS(X, kCacheWrite5m, "cache", "_write_5m", kInput, kCacheWrite, k5Minutes)               \
  PURSER_TOKEN_METERS(X, kCacheWrite1h, "cache", "_write_1h", kInput, kCacheWrite, k1Hour)                  \
  PURSER_TOKEN_METERS(X, kOutput, "output", "", kOutput, kAny, kAny)                                        \
  PURSER_TOKEN_METERS(X, kOutputReasoning, "output", "_reasoning", kOutput, kReasoning, kAny)               \
  PURSER_TOKEN_METERS(X, kOutputCitation, "output", "_citation", kOutput, kCitation, kAny)                  \
  X(kSeconds, "seconds", kMicroseconds, kAny, kAny, kAny, kAny)                                             \
  X(kInputSeconds, "input_seconds", kMicroseconds, kInput, kAny, kAny, kAny)                                \
  X(kOutputSeconds, "output_seconds", kMicroseconds, kOutput, kAny, kAny, kAny)                             \
  X(kAudioSeconds, "audio_seconds", kMicroseconds, kAny, kAudio, kAny, kAny)                                \
  X(kInputAudioSeconds, "input_audio_seconds", kMicroseconds, kInput, kAudio, kAny, kAny)                   \
  X(kOutputAudioSeconds, "output_audio_seconds", kMicroseconds, kOutput, kAudio, kAny, kAny)                \
  X(kInputVideoSeconds, "input_video_seconds", kMicroseconds, kInput, kVideo, kAny, kAny)                   \
  X(kOutputVideoSeconds, "output_video_seconds", kMicroseconds, kOutput, kVideo, kAny, kAny)                \
  X(kGpuSeconds, "gpu_seconds", kMicroseconds, kAny, kGpu, kAny, kAny)                                      \
  X(kInputCharacters, "input_characters", kCharacters, kInput, kAny, kAny, kAny)                            \
  X(kOutputCharacters, "output_characters", kCharacters, kOutput, kAny, kAny, kAny)                         \
  X(kInputPixels, "input_pixels", kPixels, kInput, kAny, kAny, kAny)                                        \
  X(kOutputPixels, "output_pixels", kPixels, kOutput, kAny, kAny, kAny)                                     \
  X(kInputImages, "input_images", kImages, kInput, kAny, kAny, kAny)                                        \
  X(kOutputImages, "output_images", kImages, kOutput, kAny, kAny, kAny)                                     \
  X(kInputDocumentPages, "input_document_pages", kPages, kInput, kAny, kAny, kAny)                          \
  X(kInputAnnotatedDocumentPages, "input_annotated_document_pages", kPages, kInput, kAny, kAnnotated, kAny) \
  X(kInputTextMessages, "input_text_messages", kMessages, kInput, kText, kAny, kAny)                        \
  X(kQueries, "queries", kQueries, kAny, kAny, kAny, kAny)                                                  \
  X(kRequests, "requests", kRequests, kAny, kAny, kAny, kAny)                                               \
  X(kSessions, "sessions", kSessions, kAny, kAny, kAny, kAny)                                               \
  X(kToolCalls, "tool_calls", kToolCalls, kAny, kAny, kAny, kAny)                                           \
  X(kWebSearches, "web_searches", kToolCalls, kAny, kAny, kWebSearch, kAny)                                 \
  X(kWebSearchesLow, "web_searches_low", kToolCalls, kAny, kAny, kWebSearch, kLow)                          \
  X(kWebSearchesMedium, "web_searches_medium", kToolCalls, kAny, kAny, kWebSearch, kMedium)                 \
  X(kWebSearchesHigh, "web_searches_high", kToolCalls, kAny, kAny, kWebSearch, kHigh)                       \
  X(kSocialSearches, "social_searches", kToolCalls, kAny, kAny, kSocialSearch, kAny)                        \
  X(kStorageSearches, "storage_searches", kToolCalls, kAny, kAny, kStorageSearch, kAny)                     \
  X(kCodeExecutions, "code_executions", kToolCalls, kAny, kAny, kCodeExecution, kAny)                       \
  X(kRerankSearches, "rerank_searches", kRerankSearches, kAny, kAny, kAny, kAny)                            \
  X(kVectorSearches, "vector_searches", kVectorSearches, kAny, kAny, kAny, kAny)                            \
  X(kCredits, "credits", kCredits, kAny, kAny, kAny, kAny)

struct MeterFacts {
  Meter meter;
  std::string_view name;  // In price books, usage and reports: "cache_read_tokens".
  Counted counted;
  Direction direction;
  Modality modality;
  Kind kind;
  Grade grade;
};

inline constexpr MeterFacts kMeterFacts[] = {
#define PURSER_METER_FACTS(e, name, c, d, m, k, g) \
  {Meter::e, name, Counted::c, Direction::d, Modality::m, Kind::k, Grade::g},
    PURSER_METERS(PURSER_METER_FACTS)
#undef PURSER_METER_FACTS
};
#undef PURSER_METERS
#undef PURSER_TOKEN_METERS
static_assert(std::size(kMeterFacts) == kMeterCount);
static_assert(
    [] {
      for (int i = 0; i < kMeterCount; ++i) {
        if (kMeterFacts[i].meter != static_cast<Meter>(i)) return false;
      }
      return true;
    }(),
    "the table lists the meters in the order of the enum");

constexpr const MeterFacts& FactsOf(Meter meter) { return kMeterFacts[static_cast<int>(meter)]; }

// What a count of 1 of this meter's unit is in Usage: 1, but 1,000,000 (microseconds) of the seconds.
constexpr int64_t UnitScale(Meter meter) {
  return FactsOf(meter).counted == Counted::kMicroseconds ? 1'000'000 : 1;
}

// True if every unit of `inner` is also one of `outer`. A meter includes itself.
constexpr bool Includes(Meter outer, Meter inner) {
  const MeterFacts& o = FactsOf(outer);
  const MeterFacts& i = FactsOf(inner);
  return o.counted == i.counted && (o.direction == Direction::kAny || o.direction == i.direction) &&
         (o.modality == Modality::kAny || o.modality == i.modality) &&
         (o.kind == Kind::kAny || o.kind == i.kind) && (o.grade == Grade::kAny || o.grade == i.grade);
}

// True if a unit can be one of both: neither says what the other denies.
constexpr bool Overlap(Meter a, Meter b) {
  const MeterFacts& x = FactsOf(a);
  const MeterFacts& y = FactsOf(b);
  const auto agree = [](auto p, auto q) {
    return static_cast<int>(p) == 0 || static_cast<int>(q) == 0 || p == q;
  };
  return x.counted == y.counted && agree(x.direction, y.direction) && agree(x.modality, y.modality) &&
         agree(x.kind, y.kind) && agree(x.grade, y.grade);
}

// The meters that `outer` includes, without itself.
MeterSet IncludedIn(Meter outer);

}  // namespace purser::pricing

#endif  // PURSER_ENGINE_PRICING_METER_FACTS_H_
