#ifndef PURSER_ENGINE_BASE_SATURATING_H_
#define PURSER_ENGINE_BASE_SATURATING_H_

#include <cstdint>
#include <limits>

namespace purser {

// a + b, or the largest int64 where the sum is above it: a limit that nothing affordable reaches. The sum
// must not be below the smallest int64.
constexpr int64_t AddSaturating(int64_t a, int64_t b) {
  int64_t sum = 0;
  return __builtin_add_overflow(a, b, &sum) ? std::numeric_limits<int64_t>::max() : sum;
}

}  // namespace purser

#endif  // PURSER_ENGINE_BASE_SATURATING_H_
