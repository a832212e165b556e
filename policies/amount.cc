#include "policies/amount.h"

#include <limits>

#include "absl/numeric/int128.h"
#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace purser {
namespace {

absl::Status Bad(std::string_view text, std::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("\"", absl::string_view(text.data(), text.size()), "\" ",
                                                 absl::string_view(why.data(), why.size()),
                                                 "; expected dollars as a decimal, such as \"0.25\""));
}

uint64_t Magnitude(int64_t value) {
  return value < 0 ? ~static_cast<uint64_t>(value) + 1 : static_cast<uint64_t>(value);
}

}  // namespace

absl::StatusOr<int64_t> ParseUsd(std::string_view text) {
  // More digits than any int64 of nano-dollars has, leading and trailing zeros aside, so the sum below cannot
  // wrap.
  constexpr int kMaxDigits = 30;
  std::string_view rest = text;
  bool negative = false;
  if (!rest.empty() && (rest[0] == '-' || rest[0] == '+')) {
    negative = rest[0] == '-';
    rest.remove_prefix(1);
  }
  if (!rest.empty() && rest[0] == '$') rest.remove_prefix(1);

  absl::int128 digits = 0;
  int digit_count = 0, significant = 0, fraction_digits = 0;
  bool in_fraction = false;
  while (!rest.empty()) {
    const char c = rest[0];
    if (absl::ascii_isdigit(c)) {
      ++digit_count;
      if (c != '0' || significant > 0) ++significant;
      if (significant > kMaxDigits) return Bad(text, "has more digits than an amount can hold");
      digits = digits * 10 + (c - '0');
      if (in_fraction) ++fraction_digits;
    } else if (c == '.' && !in_fraction) {
      in_fraction = true;
    } else if (c != ',' || in_fraction || digit_count == 0) {
      break;
    }
    rest.remove_prefix(1);
  }
  if (digit_count == 0) return Bad(text, "is not an amount");

  int exponent = 0;
  if (!rest.empty() && (rest[0] == 'e' || rest[0] == 'E')) {
    rest.remove_prefix(1);
    const bool plus = !rest.empty() && rest[0] == '+';
    if (plus) rest.remove_prefix(1);
    const bool digit_follows = !rest.empty() && (absl::ascii_isdigit(rest[0]) || (rest[0] == '-' && !plus));
    if (!digit_follows || !absl::SimpleAtoi(absl::string_view(rest.data(), rest.size()), &exponent)) {
      return Bad(text, "is not an amount");
    }
    rest = {};
  }
  if (!rest.empty()) return Bad(text, "is not an amount");
  if (digits == 0) return 0;
  if (exponent > 64 || exponent < -4096) return Bad(text, "is beyond what an amount can hold");

  // nano-dollars = digits * 10^shift.
  int shift = 9 - fraction_digits + exponent;
  for (; shift < 0; ++shift) {
    if (digits % 10 != 0) return Bad(text, "is finer than a nano-dollar (9 decimals)");
    digits /= 10;
  }
  for (; shift > 0; --shift) {
    digits *= 10;
    if (digits > std::numeric_limits<int64_t>::max()) break;
  }
  if (digits > std::numeric_limits<int64_t>::max()) return Bad(text, "is beyond what an amount can hold");
  const int64_t nanos = static_cast<int64_t>(digits);
  return negative ? -nanos : nanos;
}

std::string FormatUsd(int64_t nano_usd) {
  const uint64_t magnitude = Magnitude(nano_usd);
  std::string text = absl::StrCat(nano_usd < 0 ? "-" : "", magnitude / kNanosPerDollar);
  if (const uint64_t fraction = magnitude % kNanosPerDollar; fraction != 0) {
    absl::StrAppend(&text, ".", absl::Dec(fraction, absl::kZeroPad9));
    while (text.back() == '0') text.pop_back();
  }
  return text;
}

std::string FormatUsdRounded(int64_t nano_usd, int decimals) {
  uint64_t unit = kNanosPerDollar;
  for (int i = 0; i < decimals; ++i) unit /= 10;
  const uint64_t magnitude = Magnitude(nano_usd);
  const uint64_t rounded = magnitude / unit + (magnitude % unit >= unit - unit / 2 ? 1 : 0);
  const uint64_t per_dollar = kNanosPerDollar / unit;
  std::string dollars = absl::StrCat(rounded / per_dollar);
  for (int i = static_cast<int>(dollars.size()) - 3; i > 0; i -= 3) dollars.insert(i, ",");
  std::string text = absl::StrCat(nano_usd < 0 && rounded != 0 ? "-$" : "$", dollars);
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
