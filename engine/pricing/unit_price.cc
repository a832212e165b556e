#include "engine/pricing/unit_price.h"

#include <algorithm>

namespace purser::pricing {
namespace {

using Wide = unsigned __int128;

constexpr Wide kMaxInt64 = static_cast<Wide>(std::numeric_limits<int64_t>::max());

Wide Gcd(Wide a, Wide b) {
  while (b != 0) {
    const Wide rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

// value x 10^times; nothing if that leaves 127 bits.
std::optional<Wide> TimesTen(Wide value, int times) {
  for (; times > 0; --times) {
    if (value > (~Wide{0} >> 1) / 10) return std::nullopt;
    value *= 10;
  }
  return value;
}

// numerator / denominator in lowest terms, over femto-dollars where that is a whole number.
std::optional<UnitPrice> Normalise(Wide numerator, Wide denominator) {
  const Wide divisor = Gcd(numerator, denominator);
  if (divisor > 1) {
    numerator /= divisor;
    denominator /= divisor;
  }
  if (denominator <= kFemtosPerNano && kFemtosPerNano % static_cast<uint64_t>(denominator) == 0) {
    const Wide femtos = numerator * (kFemtosPerNano / static_cast<uint64_t>(denominator));
    if (numerator <= kMaxInt64 && femtos <= kMaxInt64) {
      return UnitPrice{static_cast<int64_t>(femtos), kFemtosPerNano};
    }
  }
  if (numerator > kMaxInt64 || denominator > kMaxInt64) return std::nullopt;
  return UnitPrice{static_cast<int64_t>(numerator), static_cast<int64_t>(denominator)};
}

}  // namespace

std::optional<UnitPrice> MakeUnitPrice(Decimal usd, int64_t per) {
  if (usd.negative() || per <= 0) return std::nullopt;
  if (usd.zero()) return UnitPrice{};
  // Nano-dollars a unit = digits x 10^(exponent + 9) / per.
  const int shift = usd.exponent + 9;
  const auto numerator = TimesTen(static_cast<Wide>(usd.digits), std::max(shift, 0));
  const auto denominator = TimesTen(static_cast<Wide>(per), std::max(-shift, 0));
  if (!numerator || !denominator) return std::nullopt;
  return Normalise(*numerator, *denominator);
}

std::optional<Fraction> ParseFraction(std::string_view text) {
  const size_t slash = text.find('/');
  const auto top = ParseDecimal(text.substr(0, slash));
  const auto bottom = slash == std::string_view::npos ? Decimal{1, 0} : ParseDecimal(text.substr(slash + 1));
  if (!top || !bottom || top->digits <= 0 || bottom->digits <= 0) return std::nullopt;
  const int shift = top->exponent - bottom->exponent;
  const auto numerator = TimesTen(static_cast<Wide>(top->digits), std::max(shift, 0));
  const auto denominator = TimesTen(static_cast<Wide>(bottom->digits), std::max(-shift, 0));
  if (!numerator || !denominator) return std::nullopt;
  const Wide divisor = Gcd(*numerator, *denominator);
  if (*numerator / divisor > kMaxInt64 || *denominator / divisor > kMaxInt64) return std::nullopt;
  return Fraction{static_cast<int64_t>(*numerator / divisor), static_cast<int64_t>(*denominator / divisor)};
}

std::optional<UnitPrice> Multiply(UnitPrice price, Fraction factor) {
  return Normalise(
      static_cast<Wide>(static_cast<uint64_t>(price.numerator)) * static_cast<uint64_t>(factor.numerator),
      static_cast<Wide>(static_cast<uint64_t>(price.denominator)) *
          static_cast<uint64_t>(factor.denominator));
}

}  // namespace purser::pricing
