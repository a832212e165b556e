#ifndef PURSER_ENGINE_ECONOMICS_DECIMAL_TEXT_H_
#define PURSER_ENGINE_ECONOMICS_DECIMAL_TEXT_H_

#include <cstdint>
#include <optional>
#include <string>

namespace purser::economics {

// value / 10^digits as the shortest exact decimal: (1050, 9) -> "0.00000105".
std::string DecimalText(__int128 value, int digits);

// k if `number` is 10^k.
std::optional<int> PowerOfTen(int64_t number);

}  // namespace purser::economics

#endif  // PURSER_ENGINE_ECONOMICS_DECIMAL_TEXT_H_
