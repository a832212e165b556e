#ifndef PURSER_ENGINE_PRICING_QUOTE_H_
#define PURSER_ENGINE_PRICING_QUOTE_H_

#include <purser/usage.h>

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/base/region.h"
#include "engine/pricing/flat_quote.h"
#include "engine/pricing/meter_facts.h"
#include "engine/pricing/model_prices.h"
#include "engine/pricing/quote_input.h"

namespace purser::pricing {

// A candidate priced for a request before dispatch.

struct QuoteItem {
  Meter meter = Meter::kInputTokens;
  int64_t units = 0;
  int64_t most_units = 0;
  UnitPrice price;       // Of the expected units; of a marginal rate, of the last of them.
  UnitPrice most_price;  // Of the most units: the highest that can be reached.
  int64_t nanos = 0;
  int64_t most_nanos = 0;
};

// The arithmetic of one candidate's price. Amounts are rounded up, item by item.
class Quote {
 public:
  static constexpr int kMaxItems = 12;  // More than the meters of a QuoteInput.

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
    std::array<QuoteItem, kMaxItems> items_;
  };
};

// What a candidate is quoted by. Made once, when a policy is compiled.
struct PricedCandidate {
  PricedCandidate() = default;
  PricedCandidate(const ModelPrices* model_prices, ServiceTier tier = ServiceTier::kUnstated,  // NOLINT
                  std::vector<std::string> runs_in = {})
      : prices(model_prices),
        service_tier(tier),
        regions(std::move(runs_in)),
        always(model_prices == nullptr ? nullptr : model_prices->SheetAlwaysFor(tier)) {}

  const ModelPrices* prices = nullptr;
  ServiceTier service_tier = ServiceTier::kUnstated;
  std::vector<std::string> regions;  // Where it runs. Empty: not said.
  // The sheet that applies at every region and time; null: it has to be looked for.
  const Sheet* always = nullptr;

  // Null: none applies.
  const Sheet* SheetFor(const QuoteInput& input) const {
    if (always != nullptr || prices == nullptr) return always;
    return prices->SheetFor(service_tier, RegionOf(input.region), input.time_nanos);
  }
  // Where a call is billed that has to run in `requested`: in the first of the candidate's regions that lies
  // there. Quotes and realized costs have to agree on it.
  std::string_view RegionOf(std::string_view requested) const {
    for (const std::string& region : regions) {
      if (requested.empty() || IsInRegion(region, requested)) return region;
    }
    return requested;
  }
};

// What a choice between candidates needs of a quote.
struct QuoteTotals {
  bool priced = false;  // False: the amounts are 0 and mean nothing.
  int64_t expected_nanos = 0;
  int64_t worst_nanos = 0;  // >= expected_nanos.
};

// Cannot fail, does not allocate. `prices` may be null: unpriced.
//
// The worst case takes the most units at the highest tier that can be reached, no cached tokens, cache-write
// rates for what is to be kept, and the more expensive of output and reasoning for the whole output cap. It
// saturates at kMaxNanos.
void MakeQuote(const PricedCandidate& candidate, const QuoteInput& input, Quote* quote);
inline Quote MakeQuote(const PricedCandidate& candidate, const QuoteInput& input) {
  Quote quote;
  MakeQuote(candidate, input, &quote);
  return quote;
}

// The same amounts without the items: what is asked of every candidate, where MakeQuote shows the arithmetic
// of the one that was chosen.
// Inline, so that the amounts never pass through memory.
QuoteTotals MakeLongQuoteTotals(const Sheet* sheet, const QuoteInput& input);
inline QuoteTotals MakeQuoteTotals(const PricedCandidate& candidate, const QuoteInput& input) {
  const Sheet* sheet = candidate.SheetFor(input);
  if (sheet == nullptr || !sheet->flat.serves || !IsPlainText(input)) [[unlikely]] {
    return MakeLongQuoteTotals(sheet, input);
  }
  QuoteTotals totals;
  const MeterSet unpriced = QuoteFlat(
      sheet->flat, input,
      [&totals](Meter, int64_t units, int64_t most_units, int64_t femtos, int64_t most_femtos) {
        totals.expected_nanos = AddSaturating(totals.expected_nanos, ChargeFemtosUp(units, femtos));
        totals.worst_nanos = AddSaturating(totals.worst_nanos, ChargeFemtosUp(most_units, most_femtos));
      });
  if (!unpriced.empty()) [[unlikely]]
    return {};
  totals.priced = true;
  return totals;
}

}  // namespace purser::pricing

#endif  // PURSER_ENGINE_PRICING_QUOTE_H_
