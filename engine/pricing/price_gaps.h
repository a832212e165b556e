#ifndef PURSER_ENGINE_PRICING_PRICE_GAPS_H_
#define PURSER_ENGINE_PRICING_PRICE_GAPS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "engine/pricing/quote.h"

namespace purser::pricing {

// When, from `now_nanos` on, a call with text in and text out has no price at this candidate, and why: one
// sentence for each stretch of time, in order, with the dates (UTC) on which prices run out and begin. Empty:
// it always has one. Sheets that hold at some hours only are looked at every quarter of an hour of a week.
std::vector<std::string> DescribePriceGaps(const PricedCandidate& candidate, int64_t now_nanos);

}  // namespace purser::pricing

#endif  // PURSER_ENGINE_PRICING_PRICE_GAPS_H_
