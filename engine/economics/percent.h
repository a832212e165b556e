#ifndef PURSER_ENGINE_ECONOMICS_PERCENT_H_
#define PURSER_ENGINE_ECONOMICS_PERCENT_H_

#include <cstdint>
#include <string>

#include "absl/strings/str_format.h"

namespace purser::economics {

// 0.1234 -> "12.3 %".
inline std::string Percent(double share, int decimals = 1) {
  return absl::StrFormat("%.*f %%", decimals, share * 100);
}

// "12.3 %" of part in whole; "-" if whole is 0.
inline std::string PercentOf(int64_t part, int64_t whole, int decimals = 1) {
  if (whole == 0) return "-";
  return absl::StrFormat("%.*f %%", decimals, 100.0 * static_cast<double>(part) / static_cast<double>(whole));
}

}  // namespace purser::economics

#endif  // PURSER_ENGINE_ECONOMICS_PERCENT_H_
