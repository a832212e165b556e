#include "engine/budget/amounts.h"

namespace purser::budget {

std::string_view DimensionName(Dimension dimension) {
  static constexpr std::string_view kNames[kDimensions] = {"usd", "tokens", "output_tokens", "requests",
                                                           "steps"};
  return kNames[static_cast<int>(dimension)];
}

}  // namespace purser::budget
