#ifndef PURSER_ENGINE_BUDGET_AMOUNTS_H_
#define PURSER_ENGINE_BUDGET_AMOUNTS_H_

#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

namespace purser::budget {

// What budgets count.
enum class Dimension : uint8_t { kUsd, kTokens, kOutputTokens, kRequests, kSteps };
inline constexpr int kDimensions = 5;

// "usd", "tokens", "output_tokens", "requests", "steps": the fields of a Budget in a policy.
std::string_view DimensionName(Dimension dimension);

// An amount for people: "$0.25", "-$1.5", "1,200" of a dimension with that name.
std::string AmountText(std::string_view dimension, int64_t amount);
inline std::string AmountText(Dimension dimension, int64_t amount) {
  return AmountText(DimensionName(dimension), amount);
}
// With what is counted: "$0.25", "1,200 output tokens", "1 step".
std::string AmountWithUnit(Dimension dimension, int64_t amount);

// No limit. Also the largest amount: sums stop here instead of wrapping round.
inline constexpr int64_t kUnlimited = std::numeric_limits<int64_t>::max();

// What one call uses, or an account holds, in each dimension. Money in nano-dollars. Never negative.
struct Amounts {
  std::array<int64_t, kDimensions> of = {};

  int64_t& operator[](Dimension d) { return of[static_cast<int>(d)]; }
  int64_t operator[](Dimension d) const { return of[static_cast<int>(d)]; }
  friend bool operator==(const Amounts&, const Amounts&) = default;

  // `tokens` is input and output together.
  static Amounts Call(int64_t nano_usd, int64_t tokens, int64_t output_tokens, int64_t steps = 1) {
    return {{nano_usd, tokens, output_tokens, 1, steps}};
  }
  static Amounts Unlimited() { return {{kUnlimited, kUnlimited, kUnlimited, kUnlimited, kUnlimited}}; }
};

// In each dimension what `amounts` has more than `counted`; never negative.
Amounts Beyond(const Amounts& amounts, const Amounts& counted);

}  // namespace purser::budget

#endif  // PURSER_ENGINE_BUDGET_AMOUNTS_H_
