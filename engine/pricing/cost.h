#ifndef PURSER_ENGINE_PRICING_COST_H_
#define PURSER_ENGINE_PRICING_COST_H_

#include <purser/usage.h>

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "engine/pricing/meter_facts.h"
#include "engine/pricing/model_prices.h"

namespace purser::pricing {

// What a call really cost, from what it really used.

struct CostItem {
  Meter meter = Meter::kInputTokens;
  int64_t units = 0;  // Billed under this meter: without what more specific meters of the sheet bill.
  UnitPrice price;
  int64_t nanos = 0;  // units x price, rounded half to even.
};

enum class CostState : uint8_t {  // From good to bad.
  kPriced,
  kPartlyPriced,   // Some of what was used has no rate (see unpriced): the total is too low.
  kUnpriced,       // No sheet applies, or nothing that was used has a rate: the total is unknown, not zero.
  kContradictory,  // The usage contradicts itself (more cached than read): see at_fault.
  kOverflow,
};

struct Cost {
  static constexpr int kMaxItems = 24;

  CostState state = CostState::kUnpriced;
  int64_t total_nanos = 0;               // Meaningful if kPriced or kPartlyPriced.
  int64_t input_nanos = 0;               // Of it, items of direction input,
  int64_t output_nanos = 0;              // and output. The rest has no direction (requests, tool calls).
  MeterSet unpriced;                     // Used, and without a rate.
  Meter at_fault = Meter::kInputTokens;  // If kContradictory.
  const Sheet* sheet = nullptr;

  std::span<const CostItem> items() const { return {items_.data(), static_cast<size_t>(count_)}; }
  Cost() {}
  void Clear() {
    state = CostState::kUnpriced;
    total_nanos = input_nanos = output_nanos = 0;
    unpriced = {};
    at_fault = Meter::kInputTokens;
    sheet = nullptr;
    count_ = 0;
  }
  bool Append(const CostItem& item) {
    if (count_ == kMaxItems) return false;
    items_[count_++] = item;
    return true;
  }
  // One sentence: what is wrong, naming the meters. Empty if kPriced. Allocates.
  std::string Explain() const;

 private:
  int count_ = 0;
  // Not cleared: only the first count_ are ever read.
  union {
    std::array<CostItem, kMaxItems> items_;
  };
};

// Prices `usage`. The tier is the one that the usage says was served, else `tier` (what was asked for).
// Cannot fail, does not allocate. A model with a rate per request charges one request per call, unless usage
// says how many.
void Realize(const ModelPrices& prices, const Usage& usage, ServiceTier tier, std::string_view region,
             int64_t time_nanos, Cost* cost);
inline Cost Realize(const ModelPrices& prices, const Usage& usage, ServiceTier tier, std::string_view region,
                    int64_t time_nanos) {
  Cost cost;
  Realize(prices, usage, tier, region, time_nanos, &cost);
  return cost;
}

// The exact sums of items x prices as decimals in dollars, before the rounding to nano-dollars of each item:
// what to compare with a provider's own published arithmetic. Rounded to 18 decimals where a price is not a
// finite decimal.
struct ExactCost {
  std::string total;
  std::string input;
  std::string output;
};
ExactCost ExactDecimals(const Cost& cost);

}  // namespace purser::pricing

#endif  // PURSER_ENGINE_PRICING_COST_H_
