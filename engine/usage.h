#ifndef PURSER_ENGINE_USAGE_H_
#define PURSER_ENGINE_USAGE_H_

#include <purser/meter.h>

#include <array>
#include <cstdint>
#include <string_view>

namespace purser {

// Which of a provider's price lists a call was served under. The providers' many names for the same thing
// ("default", "auto", "on_demand" ...) are one here.
enum class ServiceTier : uint8_t { kUnstated, kStandard, kBatch, kFlex, kPriority, kFast, kScale };
inline constexpr int kServiceTierCount = 7;

// "batch", "flex", "priority" ...; also the providers' synonyms, in any case. kUnstated for "" and for names
// that no price list of ours distinguishes.
ServiceTier ParseServiceTier(std::string_view name);
std::string_view NameOf(ServiceTier tier);  // "standard"; "" for kUnstated.

// What a call used, in one convention for all providers: counts are inclusive totals (<purser/meter.h>). A
// value: fixed size, no heap.
//
// Unknown is not zero: only meters that were Set are known. A meter that is not known but includes known ones
// is worth their sum where they cannot overlap; where they can, pricing says that it is missing.
class Usage {
 public:
  // `units` >= 0, in the meter's counted unit (tokens; microseconds of the ..._seconds).
  void Set(Meter meter, int64_t units) {
    units_[static_cast<int>(meter)] = units;
    known_.Add(meter);
  }
  // Adds to what is known; false, changing nothing, if the sum does not fit.
  bool Add(Meter meter, int64_t units) {
    int64_t sum;
    if (__builtin_add_overflow(Units(meter), units, &sum)) return false;
    Set(meter, sum);
    return true;
  }

  bool Has(Meter meter) const { return known_.Has(meter); }
  int64_t Units(Meter meter) const { return units_[static_cast<int>(meter)]; }  // 0 if not known.
  MeterSet known() const { return known_; }
  bool empty() const { return known_.empty(); }

  // As the response says, or as the caller knows.
  ServiceTier service_tier = ServiceTier::kUnstated;

  // The counts that ledgers and budgets ask for.
  int64_t input_tokens() const { return Units(Meter::kInputTokens); }
  int64_t output_tokens() const { return Units(Meter::kOutputTokens); }
  int64_t cache_read_tokens() const { return Units(Meter::kCacheReadTokens); }
  int64_t cache_write_tokens() const { return Units(Meter::kCacheWriteTokens); }
  int64_t reasoning_tokens() const { return Units(Meter::kOutputReasoningTokens); }

 private:
  std::array<int64_t, kMeterCount> units_{};
  MeterSet known_;
};

}  // namespace purser

#endif  // PURSER_ENGINE_USAGE_H_
