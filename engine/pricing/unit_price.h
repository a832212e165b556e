#ifndef PURSER_ENGINE_PRICING_UNIT_PRICE_H_
#define PURSER_ENGINE_PRICING_UNIT_PRICE_H_

#include <cstdint>
#include <optional>
#include <string_view>

#include "engine/pricing/money.h"
#include "policies/decimal.h"

namespace purser::pricing {

// Unit prices made from decimals, exactly.

// `usd` dollars for `per` counted units. Nothing if the price is negative or cannot be held exactly (more
// than some nine billion dollars a unit, more than 18 digits of fraction). `per` > 0.
std::optional<UnitPrice> MakeUnitPrice(Decimal usd, int64_t per);

// An exact factor: "1.1", "11/10". Positive.
struct Fraction {
  int64_t numerator = 1;
  int64_t denominator = 1;
};
std::optional<Fraction> ParseFraction(std::string_view text);

// price x factor, exact; nothing if it cannot be held.
std::optional<UnitPrice> Multiply(UnitPrice price, Fraction factor);

}  // namespace purser::pricing

#endif  // PURSER_ENGINE_PRICING_UNIT_PRICE_H_
