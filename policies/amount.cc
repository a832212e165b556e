#include "policies/amount.h"

#include <limits>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "policies/decimal.h"

namespace purser {
namespace {

absl::Status NotAnAmount(std::string_view text, std::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat(
      "\"", absl::string_view(text.data(), text.size()), "\" ", absl::string_view(why.data(), why.size()),
      "; expected dollars as digits with a point, such as \"0.50\""));
}

uint64_t Magnitude(int64_t value) {
  return value < 0 ? ~static_cast<uint64_t>(value) + 1 : static_cast<uint64_t>(value);
}

}  // namespace

absl::StatusOr<int64_t> ParseUsd(std::string_view text) {
  std::string_view rest = text;
  const bool negative = !rest.empty() && rest[0] == '-';
  if (!rest.empty() && (rest[0] == '-' || rest[0] == '+')) rest.remove_prefix(1);
  if (!rest.empty() && rest[0] == '$') rest.remove_prefix(1);
  const bool begins = !rest.empty() && (rest[0] == '.' || absl::ascii_isdigit(rest[0]));
  // "0,50" is half a dollar to half of the world and "1,250" is not the same number to everybody.
  if (rest.find(',') != std::string_view::npos) {
    return NotAnAmount(text, "is not an amount, since a comma can be a point or part thousands");
  }
  const std::optional<Decimal> usd = begins ? ParseDecimal(rest) : std::nullopt;
  if (!usd) return NotAnAmount(text, "is not an amount, or has too many digits for one");
  if (usd->zero()) return 0;

  int shift = usd->exponent + 9;  // nano-dollars = digits x 10^shift.
  if (shift < 0) return NotAnAmount(text, "is finer than a nano-dollar (9 decimals)");
  constexpr __int128 kMax = std::numeric_limits<int64_t>::max();
  __int128 nanos = usd->digits;
  for (; shift > 0 && nanos <= kMax; --shift) nanos *= 10;
  if (nanos > kMax) return NotAnAmount(text, "is beyond what an amount can hold");
  return static_cast<int64_t>(negative ? -nanos : nanos);
}

std::string FormatUsd(int64_t nano_usd) { return ToPlainString({nano_usd, -9}); }

std::string FormatUsdRounded(int64_t nano_usd, int decimals) {
  uint64_t unit = kNanosPerDollar;
  for (int i = 0; i < decimals; ++i) unit /= 10;
  const uint64_t magnitude = Magnitude(nano_usd);
  const uint64_t rounded = magnitude / unit + (magnitude % unit >= unit - unit / 2 ? 1 : 0);
  const uint64_t per_dollar = kNanosPerDollar / unit;
  std::string text = absl::StrCat(nano_usd < 0 && rounded != 0 ? "-$" : "$",
                                  WithCommas(static_cast<int64_t>(rounded / per_dollar)));
  if (decimals > 0) {
    const std::string fraction = absl::StrCat(rounded % per_dollar);
    absl::StrAppend(&text, ".", std::string(decimals - fraction.size(), '0'), fraction);
  }
  return text;
}

std::string FormatUsdForReading(int64_t nano_usd) {
  const bool dollars = nano_usd >= kNanosPerDollar || nano_usd <= -kNanosPerDollar || nano_usd == 0;
  const bool cents = nano_usd >= kNanosPerDollar / 100 || nano_usd <= -kNanosPerDollar / 100;
  return FormatUsdRounded(nano_usd, dollars ? 2 : cents ? 4 : 6);
}

}  // namespace purser
