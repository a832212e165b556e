#include "engine/estimates/token_correction.h"

#include <algorithm>
#include <cmath>

namespace purser::estimates {
namespace {

// The word: two logarithms (base 2) of factors as 24-bit fixed point, and how many calls were observed.
constexpr double kLogUnit = 1 << 20;
constexpr double kMaxLog = 3;  // Factors 1/8 ... 8.
constexpr int kMaxCount = 0xffff;
constexpr double kBoundQuantile = 0.99;
constexpr int64_t kFewTokens = 16;
constexpr int kEnoughForBound = 32;

struct State {
  double log_median;
  double log_spread;  // From the median to the high quantile.
  int count;
};

double TakeLog(uint64_t word, int shift) {
  // Sign-extends 24 bits.
  const auto fixed = static_cast<int32_t>(static_cast<uint32_t>(word >> shift) << 8) >> 8;
  return std::clamp(fixed / kLogUnit, -kMaxLog, kMaxLog);
}

uint64_t PutLog(double value, int shift) {
  const auto fixed = static_cast<int32_t>(std::lround(std::clamp(value, -kMaxLog, kMaxLog) * kLogUnit));
  return static_cast<uint64_t>(static_cast<uint32_t>(fixed) & 0xffffff) << shift;
}

State Unpack(uint64_t word) {
  return {.log_median = TakeLog(word, 40),
          .log_spread = TakeLog(word, 16),
          .count = static_cast<int>(word & kMaxCount)};
}

uint64_t Pack(const State& state) {
  return PutLog(state.log_median, 40) | PutLog(state.log_spread, 16) | static_cast<uint64_t>(state.count);
}

// Moves towards the quantile `q` of the ratios: up by step * q where one is above, down by step * (1 - q)
// where it is below; at rest where the two balance.
double Step(double at, double ratio, double q, double step) {
  if (ratio > at) return std::min(at + step * q, ratio);
  return std::max(at - step * (1 - q), ratio);
}

int64_t RoundUp(double tokens) {
  constexpr double kLargest = 9.2e18;
  return static_cast<int64_t>(std::ceil(std::clamp(tokens, 0.0, kLargest)));
}

}  // namespace

void TokenCorrection::Observe(int64_t estimated_tokens, int64_t realised_tokens) {
  if (estimated_tokens < kFewTokens || realised_tokens <= 0) return;
  const double ratio =
      std::clamp(std::log2(static_cast<double>(realised_tokens) / static_cast<double>(estimated_tokens)),
                 -kMaxLog, kMaxLog);
  uint64_t word = state_.load(std::memory_order_relaxed);
  uint64_t next;
  do {
    State state = Unpack(word);
    const double step = std::max(1.0 / (state.count + 4), 1.0 / 256);
    state.log_median = Step(state.log_median, ratio, 0.5, step);
    // The high quantile moves with the median. It is rarely passed: what passes it moves it far, what does
    // not lets it sink slowly; so it starts when the median has settled.
    if (state.count >= kEnoughForBound / 2)
      state.log_spread = Step(state.log_spread, ratio - state.log_median, kBoundQuantile, step);
    state.count = std::min(state.count + 1, kMaxCount);
    next = Pack(state);
  } while (!state_.compare_exchange_weak(word, next, std::memory_order_relaxed));
}

double TokenCorrection::expected_factor() const {
  return std::exp2(Unpack(state_.load(std::memory_order_relaxed)).log_median);
}

double TokenCorrection::bound_factor() const {
  const State state = Unpack(state_.load(std::memory_order_relaxed));
  if (state.count < kEnoughForBound) return 0;
  return std::exp2(std::min(state.log_median + std::max(0.0, state.log_spread), kMaxLog));
}

int TokenCorrection::observations() const { return Unpack(state_.load(std::memory_order_relaxed)).count; }

int64_t TokenCorrection::Expected(int64_t estimated_tokens) const {
  return RoundUp(static_cast<double>(estimated_tokens) * expected_factor());
}

int64_t TokenCorrection::Bound(int64_t estimated_tokens, int64_t bound_tokens) const {
  return RoundUp(std::max(static_cast<double>(estimated_tokens) * bound_factor(),
                          static_cast<double>(bound_tokens) * expected_factor()));
}

}  // namespace purser::estimates
