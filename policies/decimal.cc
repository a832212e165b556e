#include "policies/decimal.h"

#include <algorithm>
#include <charconv>

namespace purser {
namespace {

using Wide = unsigned __int128;

constexpr int kMaxDigits = 30;
constexpr int kMaxExponent = 60;

}  // namespace

std::optional<Decimal> ParseDecimal(std::string_view text) {
  Decimal value;
  bool negative = false;
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) {
    negative = text[0] == '-';
    text.remove_prefix(1);
  }
  int digits = 0, significant = 0;
  bool in_fraction = false;
  size_t i = 0;
  for (; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '.' && !in_fraction) {
      in_fraction = true;
      continue;
    }
    if (c < '0' || c > '9') break;
    ++digits;
    if (c != '0' || significant > 0) ++significant;
    if (significant > kMaxDigits) return std::nullopt;
    value.digits = value.digits * 10 + (c - '0');
    if (in_fraction) --value.exponent;
  }
  if (digits == 0) return std::nullopt;
  if (value.digits != 0 && value.exponent < -kMaxExponent) return std::nullopt;
  if (i < text.size()) {
    if (text[i] != 'e' && text[i] != 'E') return std::nullopt;
    ++i;
    if (i + 1 < text.size() && text[i] == '+' && text[i + 1] != '-') ++i;
    int exponent = 0;
    const auto [end, error] = std::from_chars(text.data() + i, text.data() + text.size(), exponent);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    const bool in_range = exponent <= kMaxExponent && exponent >= -kMaxExponent;
    if (!in_range && value.digits != 0) return std::nullopt;
    value.exponent += in_range ? exponent : 0;
  }
  while (value.digits != 0 && value.digits % 10 == 0) {
    value.digits /= 10;
    ++value.exponent;
  }
  if (value.digits == 0) value.exponent = 0;
  if (negative) value.digits = -value.digits;
  return value;
}

std::string ToPlainString(Decimal value, int shift) {
  const bool negative = value.negative();
  Wide rest = negative ? -static_cast<Wide>(value.digits) : static_cast<Wide>(value.digits);
  if (rest == 0) return "0";
  std::string digits;  // Last digit first.
  for (; rest != 0; rest /= 10) digits.push_back(static_cast<char>('0' + static_cast<int>(rest % 10)));
  const int exponent = value.exponent + shift;
  if (exponent > 0) digits.insert(0, static_cast<size_t>(exponent), '0');
  size_t decimals = exponent < 0 ? static_cast<size_t>(-exponent) : 0;
  if (digits.size() <= decimals) digits.append(decimals + 1 - digits.size(), '0');
  std::reverse(digits.begin(), digits.end());
  if (decimals > 0) {
    digits.insert(digits.size() - decimals, ".");
    while (digits.back() == '0') digits.pop_back();
    if (digits.back() == '.') digits.pop_back();
  }
  return negative ? "-" + digits : digits;
}

std::string WithCommas(int64_t number) {
  std::string digits = std::to_string(number);
  const size_t first = number < 0 ? 1 : 0;
  for (size_t i = digits.size(); i > first + 3;) digits.insert(i -= 3, ",");
  return digits;
}

}  // namespace purser
