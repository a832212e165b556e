#ifndef PURSER_POLICIES_AMOUNT_H_
#define PURSER_POLICIES_AMOUNT_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace purser {

// Money as people write it, and as everything else counts it: int64 nano-dollars, so that $0.000000001 is the
// smallest amount and about ±$9.2 billion the largest. No floating point on the way in or out.

inline constexpr int64_t kNanosPerDollar = 1'000'000'000;

// Reads an exact decimal amount of dollars: "5", "0.25", "-1.5", "$1250.00", "2.5e-06".
// Errors (INVALID_ARGUMENT, naming the text): not a number, or one with a comma, which can be read in two
// ways; finer than a nano-dollar; beyond int64.
absl::StatusOr<int64_t> ParseUsd(std::string_view text);

// Writes the shortest exact decimal: 5000000000 -> "5", 3027000 -> "0.003027", -1 -> "-0.000000001".
std::string FormatUsd(int64_t nano_usd);

// For people: a dollar sign, thousands separators and `decimals` digits (0-9), rounded half away from zero:
// "$1,234.50", "-$0.07".
std::string FormatUsdRounded(int64_t nano_usd, int decimals);

// For people, where an amount stands for itself: two decimals from a dollar on (and for nothing), four from a
// cent on, six below.
std::string FormatUsdForReading(int64_t nano_usd);

}  // namespace purser

#endif  // PURSER_POLICIES_AMOUNT_H_
