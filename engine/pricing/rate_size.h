#ifndef PURSER_ENGINE_PRICING_RATE_SIZE_H_
#define PURSER_ENGINE_PRICING_RATE_SIZE_H_

#include <cstdint>

#include "engine/pricing/model_prices.h"

namespace purser::pricing {

// Which price a size reaches. Small and inline: quotes are made for every candidate of every request.

inline bool Reaches(const MeterRate& rate, int64_t size, const PriceTier& tier) {
  return rate.inclusive ? size >= tier.start : size > tier.start;
}

// The price of a rate whose tiers price everything (TierRule::kWhole) at `size`.
inline UnitPrice PriceAt(const MeterRate& rate, int64_t size) {
  UnitPrice price = rate.base;
  for (const PriceTier& tier : rate.tiers) {
    if (!Reaches(rate, size, tier)) break;
    price = tier.price;
  }
  return price;
}

// The highest price that any size up to `most` reaches. Tiers may get cheaper with size.
inline UnitPrice HighestUpTo(const MeterRate& rate, int64_t most) {
  UnitPrice price = rate.base;
  for (const PriceTier& tier : rate.tiers) {
    if (!Reaches(rate, most, tier)) break;
    if (MoreExpensive(tier.price, price)) price = tier.price;
  }
  return price;
}

// Calls charge(units, price) for each tier that `units` of a marginal rate fall in.
template <typename Charge>
void ForEachMarginalTier(const MeterRate& rate, int64_t units, Charge charge) {
  int64_t from = 0;
  UnitPrice price = rate.base;
  // With an inclusive rate the unit numbered `start` is the first of its tier.
  const int64_t shift = rate.inclusive ? 1 : 0;
  for (const PriceTier& tier : rate.tiers) {
    const int64_t until = tier.start - (tier.start > 0 ? shift : 0);
    if (units <= until) break;
    if (until > from) charge(until - from, price);
    from = until > from ? until : from;
    price = tier.price;
  }
  if (units > from) charge(units - from, price);
}

}  // namespace purser::pricing

#endif  // PURSER_ENGINE_PRICING_RATE_SIZE_H_
