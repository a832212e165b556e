#include "engine/budget/amounts.h"

#include <algorithm>

#include "policies/amount.h"
#include "policies/decimal.h"

namespace purser::budget {

std::string_view DimensionName(Dimension dimension) {
  static constexpr std::string_view kNames[kDimensions] = {"usd", "tokens", "output_tokens", "requests",
                                                           "steps"};
  return kNames[static_cast<int>(dimension)];
}

std::string AmountText(std::string_view dimension, int64_t amount) {
  if (dimension != DimensionName(Dimension::kUsd)) return WithCommas(amount);
  const std::string usd = FormatUsd(amount);
  return amount < 0 ? "-$" + usd.substr(1) : "$" + usd;
}

std::string AmountWithUnit(Dimension dimension, int64_t amount) {
  std::string text = AmountText(dimension, amount);
  if (dimension == Dimension::kUsd) return text;
  std::string unit(DimensionName(dimension));
  std::replace(unit.begin(), unit.end(), '_', ' ');
  if (amount == 1) unit.pop_back();
  return text + " " + unit;
}

Amounts Beyond(const Amounts& amounts, const Amounts& counted) {
  Amounts beyond;
  for (int i = 0; i < kDimensions; ++i) beyond.of[i] = std::max<int64_t>(0, amounts.of[i] - counted.of[i]);
  return beyond;
}

}  // namespace purser::budget
