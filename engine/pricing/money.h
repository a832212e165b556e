#ifndef PURSER_ENGINE_PRICING_MONEY_H_
#define PURSER_ENGINE_PRICING_MONEY_H_

#include <cstdint>
#include <limits>

#include "engine/base/saturating.h"

namespace purser::pricing {

// Exact prices and the one rounding each line item gets.
//
// A UnitPrice is an exact fraction of a nano-dollar per counted unit. Nearly every published price is a whole
// number of femto-dollars a token ($0.000001 per million), so that is the common denominator: products are
// 128-bit and the division is by a constant. Any other fraction ($1 per hour, counted in microseconds) keeps
// its own denominator.

inline constexpr int64_t kFemtosPerNano = 1'000'000;
// What a sum that does not fit saturates at: about $9.2 billion. It can never pass for an affordable amount.
inline constexpr int64_t kMaxNanos = std::numeric_limits<int64_t>::max();

struct UnitPrice {
  int64_t numerator = 0;
  int64_t denominator = kFemtosPerNano;  // > 0

  bool operator==(const UnitPrice&) const = default;
};

// Never less than `units` at `price` is worth; kMaxNanos if it does not fit. `units` >= 0. For quotes.
inline int64_t ChargeUp(int64_t units, UnitPrice price) {
  const unsigned __int128 product =
      static_cast<unsigned __int128>(static_cast<uint64_t>(units)) * static_cast<uint64_t>(price.numerator);
  if (price.denominator == kFemtosPerNano) [[likely]] {
    if (product >> 63 == 0) [[likely]] {
      return static_cast<int64_t>((static_cast<uint64_t>(product) + (kFemtosPerNano - 1)) / kFemtosPerNano);
    }
  }
  const uint64_t divisor = static_cast<uint64_t>(price.denominator);
  const unsigned __int128 quotient = product / divisor + (product % divisor != 0 ? 1 : 0);
  return quotient > static_cast<uint64_t>(kMaxNanos) ? kMaxNanos : static_cast<int64_t>(quotient);
}

// The nearest nano-dollar, ties to the even one; kMaxNanos if it does not fit. `units` >= 0. For realized
// costs.
int64_t ChargeHalfEven(int64_t units, UnitPrice price);

// True if a is more expensive than b.
inline bool MoreExpensive(UnitPrice a, UnitPrice b) {
  if (a.denominator == b.denominator) [[likely]] {
    return a.numerator > b.numerator;
  }
  return static_cast<__int128>(a.numerator) * b.denominator >
         static_cast<__int128>(b.numerator) * a.denominator;
}

}  // namespace purser::pricing

#endif  // PURSER_ENGINE_PRICING_MONEY_H_
