#ifndef PURSER_POLICIES_DECIMAL_H_
#define PURSER_POLICIES_DECIMAL_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace purser {

// Exact decimals as people and price tables write them: "3", "0.0375", "4.063e-7", "1.2999000000000001e-07".
// No floating point.

// digits x 10^exponent.
struct Decimal {
  __int128 digits = 0;
  int exponent = 0;
  bool negative() const { return digits < 0; }
  bool zero() const { return digits == 0; }
};

// In lowest terms: `digits` does not end in 0. Nothing if it is not a decimal, has more than 30 significant
// digits, or an exponent beyond ±60.
std::optional<Decimal> ParseDecimal(std::string_view text);

// The shortest decimal without an exponent: "0.0000004063". With `shift`, of value x 10^shift: ("3e-6", 6) ->
// "3".
std::string ToPlainString(Decimal value, int shift = 0);

// For people: 1234567 -> "1,234,567".
std::string WithCommas(int64_t number);

}  // namespace purser

#endif  // PURSER_POLICIES_DECIMAL_H_
