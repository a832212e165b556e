#ifndef PURSER_ENGINE_PRICING_MODEL_PRICES_H_
#define PURSER_ENGINE_PRICING_MODEL_PRICES_H_

#include <purser/usage.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/pricing/meter_facts.h"
#include "engine/pricing/money.h"

namespace purser::pricing {

// How a rate changes with size.
enum class TierRule : uint8_t {
  kWhole,     // The tier that the size falls in prices every unit.
  kMarginal,  // Each tier prices the units that fall in it.
};

// Applies above `start`, or from `start` on if the rate is inclusive.
struct PriceTier {
  int64_t start = 0;
  UnitPrice price;
};

// What one meter costs on one sheet.
struct MeterRate {
  Meter meter = Meter::kInputTokens;
  UnitPrice base;
  UnitPrice highest;             // The highest of base and tiers.
  std::vector<PriceTier> tiers;  // By ascending start.
  TierRule rule = TierRule::kWhole;
  bool inclusive = false;
  // What decides the tier: the whole input (kInputTokens, with what was cached) for most, the meter's own
  // units for others.
  Meter sized_by = Meter::kInputTokens;
  int64_t minimum = 0;  // Units that are billed at least, if any are.
  // The other meters of the sheet that this one includes: their units are not billed again.
  MeterSet priced_within;
};

// A daily window on some days of the week. Across midnight if end <= begin; equal: the whole day.
struct TimeWindow {
  int32_t begin_second = 0;  // Of the day, from 0.
  int32_t end_second = 0;    // Exclusive.
  uint8_t weekdays = 0x7f;   // Bit 0 Monday ... bit 6 Sunday, of the day on which the window begins.
  // The clock that the day and the seconds are read on: seconds east of UTC, from a moment on. Ascending;
  // empty: UTC.
  struct Offset {
    int64_t from_nanos;
    int32_t seconds_east;
  };
  std::vector<Offset> offsets;

  bool Contains(int64_t time_nanos) const;
};

// The rates of nearly every sheet: token prices at whole femto-dollars, at most one threshold of the whole
// input's size above which each call is repriced, no minimums, no fee per request. Three columns of a table,
// so that a quote is a handful of 64-bit products without a look-up.
struct FlatRates {
  // Femto-dollars a token, each already what bills the meter (its own rate or its parent's). -1: unpriced;
  // the cache columns are priced wherever input is.
  struct Column {
    int64_t input = -1;
    int64_t cache_read = -1;
    int64_t cache_write_5m = -1;
    int64_t cache_write_1h = -1;
    int64_t output = -1;
    int64_t highest_output = -1;  // Of output and reasoning.
  };
  bool serves = false;  // False: this sheet says more than fits here.
  int64_t above = INT64_MAX;
  Column base;           // Inputs up to `above`.
  Column upper;          // Larger inputs.
  Column highest_reach;  // The more expensive of the two, rate by rate: the worst case of an input that may
                         // be larger.

  const Column& At(int64_t input_tokens) const { return input_tokens > above ? upper : base; }
  const Column& HighestUpTo(int64_t input_tokens) const {
    return input_tokens > above ? highest_reach : base;
  }
};

// One price list of a model: its rates, and when it applies.
struct Sheet {
  // Conditions; all must hold.
  uint8_t service_tiers = 0;                // Bit per ServiceTier; 0: any.
  std::vector<std::string> regions;         // Empty: any. "eu" also holds for "eu-west-1".
  std::vector<std::string> regions_except;  // Not empty: any region that is said, but these.
  int64_t from_nanos = INT64_MIN;           // Inclusive.
  int64_t until_nanos = INT64_MAX;          // Exclusive.
  std::vector<TimeWindow> windows;          // Empty: always.
  bool unconditional = true;

  // The more specific meters first: those that a rate's priced_within names stand before it.
  std::vector<MeterRate> rates;
  MeterSet priced;
  // For each meter the index in `rates` of what bills a unit of it: its own rate, else the rate of the
  // nearest meter that includes it; -1: unpriced.
  int8_t billed_by[kMeterCount];
  FlatRates flat;
};

// What one model costs at one provider, and what the price books know of it. Immutable.
struct ModelPrices {
  std::string id;        // "gpt-4o"
  std::string provider;  // The book's id of it: "openai"
  std::string mode;      // "chat", "embedding", "rerank", "image_generation" ...; empty: not said.

  // Facts. 0: not known.
  int64_t context_window = 0;  // Tokens of input and output together.
  int64_t max_input_tokens = 0;
  int64_t max_output_tokens = 0;
  uint32_t capabilities = 0;        // Bits as purser::Need: what the books say the model can do.
  bool capabilities_known = false;  // False: the books say nothing, so nothing follows from a missing bit.

  // In the order of priority: the first that applies is the one.
  std::vector<Sheet> sheets;

  // The sheet for a call; null if none applies (the model is unpriced then). A service tier without a sheet
  // of its own is billed as standard.
  const Sheet* SheetFor(ServiceTier tier, std::string_view region, int64_t time_nanos) const;

  // The sheet that SheetFor answers at every region and time; null if that depends on them.
  const Sheet* SheetAlwaysFor(ServiceTier tier) const;
};

}  // namespace purser::pricing

#endif  // PURSER_ENGINE_PRICING_MODEL_PRICES_H_
