#ifndef PURSER_ENGINE_PRICING_QUOTE_H_
#define PURSER_ENGINE_PRICING_QUOTE_H_

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "engine/pricing/meter.h"
#include "engine/pricing/model_prices.h"
#include "engine/pricing/usage.h"

namespace purser::pricing {

// A candidate priced for a request before dispatch.

// What a call is expected to use, and the most it can.
struct QuoteInput {
  // Of the whole input. `most_` is an upper bound: the estimate's, or what the caller counted.
  int64_t input_tokens = 0;
  int64_t most_input_tokens = 0;
  // Of the input: what the provider's prompt cache is expected to hold (a worst case never counts on it), and
  // what the caller asks it to keep.
  int64_t cached_tokens = 0;
  int64_t cache_write_tokens = 0;
  bool cache_write_1h = false;     // Kept for an hour, else five minutes.
  int64_t audio_input_tokens = 0;  // Of the input.
  int64_t image_input_tokens = 0;  // Of the input.
  int64_t images = 0;              // Images sent, for models that bill by the image.
  // Output, reasoning included.
  int64_t output_tokens = 0;
  int64_t most_output_tokens = 0;  // The cap that is sent with the request, else the model's own.
  // At most this many.
  int64_t web_searches = 0;
  int64_t tool_calls = 0;  // That the provider bills: its own tools, not the caller's functions.
  int64_t requests = 1;
  int64_t output_images = 0;

  std::string_view region;  // Where the call runs. Empty: not said.
  int64_t time_nanos = 0;
};

struct QuoteItem {
  Meter meter = Meter::kInputTokens;
  int64_t units = 0;
  int64_t most_units = 0;
  UnitPrice price;       // Of the expected units; of a marginal rate, of the last of them.
  UnitPrice most_price;  // Of the most units: the dearest that can be reached.
  int64_t nanos = 0;
  int64_t most_nanos = 0;
};

// The arithmetic of one candidate's price. Amounts are rounded up, item by item.
class Quote {
 public:
  static constexpr int kMostItems = 12;  // More than the meters of a QuoteInput.

  // False: something that the request uses has no rate here (see unpriced), or no sheet applies. Then the
  // amounts are meaningless: the candidate must not be chosen, unless the policy says otherwise.
  bool priced = false;
  MeterSet unpriced;
  const Sheet* sheet = nullptr;

  int64_t expected_nanos = 0;
  int64_t worst_nanos = 0;  // >= expected_nanos.

  std::span<const QuoteItem> items() const { return {items_.data(), static_cast<size_t>(count_)}; }

  Quote() {}
  void Clear() {
    priced = false;
    unpriced = {};
    sheet = nullptr;
    expected_nanos = worst_nanos = 0;
    count_ = 0;
  }
  // The next item, to be filled in whole. There is room for every item that MakeQuote adds.
  QuoteItem& Append() { return items_[count_++]; }

 private:
  int count_ = 0;
  // Not cleared: only the first count_ are ever read.
  union {
    std::array<QuoteItem, kMostItems> items_;
  };
};

struct PricedCandidate {
  const ModelPrices* prices = nullptr;
  ServiceTier service_tier = ServiceTier::kUnstated;
};

// Cannot fail, does not allocate. `prices` may be null: unpriced.
//
// The worst case takes the most units at the highest tier that can be reached, no cached tokens, cache-write
// rates for what is to be kept, and the dearest of output and reasoning for the whole output cap. It
// saturates at kMostNanos.
void MakeQuote(const PricedCandidate& candidate, const QuoteInput& input, Quote* quote);
inline Quote MakeQuote(const PricedCandidate& candidate, const QuoteInput& input) {
  Quote quote;
  MakeQuote(candidate, input, &quote);
  return quote;
}

}  // namespace purser::pricing

#endif  // PURSER_ENGINE_PRICING_QUOTE_H_
