#include "engine/economics/decimal_text.h"

#include <algorithm>

namespace purser::economics {

std::string DecimalText(__int128 value, int digits) {
  const bool negative = value < 0;
  unsigned __int128 rest =
      negative ? -static_cast<unsigned __int128>(value) : static_cast<unsigned __int128>(value);
  std::string reversed;
  bool shown = false;  // Trailing zeros of the fraction are not.
  for (int i = 0; i < digits; ++i, rest /= 10) {
    const char digit = static_cast<char>('0' + static_cast<int>(rest % 10));
    shown = shown || digit != '0';
    if (shown) reversed += digit;
  }
  if (!reversed.empty()) reversed += '.';
  do {
    reversed += static_cast<char>('0' + static_cast<int>(rest % 10));
    rest /= 10;
  } while (rest != 0);
  if (negative) reversed += '-';
  std::reverse(reversed.begin(), reversed.end());
  return reversed;
}

std::optional<int> PowerOfTen(int64_t number) {
  int power = 0;
  for (; number > 1 && number % 10 == 0; number /= 10) ++power;
  if (number != 1) return std::nullopt;
  return power;
}

}  // namespace purser::economics
