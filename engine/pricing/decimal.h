#ifndef PURSER_ENGINE_PRICING_DECIMAL_H_
#define PURSER_ENGINE_PRICING_DECIMAL_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "engine/pricing/money.h"

namespace purser::pricing {

// Exact decimals as price tables write them: "3", "0.0375", "4.063e-7", "1.2999000000000001e-07". No floating
// point.

// digits x 10^exponent.
struct Decimal {
  __int128 digits = 0;
  int exponent = 0;
  bool negative() const { return digits < 0; }
  bool zero() const { return digits == 0; }
};

// Nothing if it is not a decimal, has more than 30 significant digits, or an exponent beyond ±60.
std::optional<Decimal> ParseDecimal(std::string_view text);

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

// The decimal without an exponent: "0.0000004063". With `shift`, of value x 10^shift: ("3e-6", 6) -> "3".
std::string Plain(Decimal value, int shift = 0);

}  // namespace purser::pricing

#endif  // PURSER_ENGINE_PRICING_DECIMAL_H_
