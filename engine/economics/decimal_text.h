#ifndef PURSER_ENGINE_ECONOMICS_DECIMAL_TEXT_H_
#define PURSER_ENGINE_ECONOMICS_DECIMAL_TEXT_H_

#include <cstdint>
#include <optional>
#include <string>

#include "policies/decimal.h"

namespace purser::economics {

// value / 10^digits as the shortest exact decimal: (1050, 9) -> "0.00000105".
inline std::string DecimalText(__int128 value, int digits) { return ToPlainString({value, -digits}); }

// k if `number` is 10^k.
inline std::optional<int> PowerOfTen(int64_t number) {
  int power = 0;
  for (; number > 1 && number % 10 == 0; number /= 10) ++power;
  if (number != 1) return std::nullopt;
  return power;
}

}  // namespace purser::economics

#endif  // PURSER_ENGINE_ECONOMICS_DECIMAL_TEXT_H_
