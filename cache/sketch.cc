#include "cache/sketch.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <memory>
#include <mutex>
#include <numbers>

#include "cache/kernels.h"

namespace purser::cache {
namespace {

constexpr int kRounds = 3;

// The random signs of the rotation of vectors of one size, the same in every process.
struct Signs {
  explicit Signs(size_t size) {
    uint64_t state = size;
    for (std::vector<float>& round : rounds) {
      round.resize(size);
      for (float& sign : round) {
        // splitmix64 (Steele, Lea and Flood 2014).
        state += 0x9E3779B97F4A7C15;
        uint64_t bits = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9;
        bits = (bits ^ (bits >> 27)) * 0x94D049BB133111EB;
        sign = (bits >> 63) != 0 ? -1.0F : 1.0F;
      }
    }
  }
  std::array<std::vector<float>, kRounds> rounds;
};

// `size` is a power of two.
const Signs& SignsFor(size_t size) {
  static std::array<std::once_flag, 64> once;
  static std::array<std::unique_ptr<const Signs>, 64> all;
  const auto log = static_cast<size_t>(std::countr_zero(size));
  std::call_once(once[log], [log, size] { all[log] = std::make_unique<const Signs>(size); });
  return *all[log];
}

// Probability that a bit differs, by the cosine, which is rounded down.
class FlipTable {
 public:
  FlipTable() {
    for (size_t i = 0; i <= kSteps; ++i) {
      const double cosine = 2.0 * static_cast<double>(i) / kSteps - 1.0;
      flip_[i] = static_cast<float>(std::acos(cosine) / std::numbers::pi);
    }
  }
  float At(float cosine) const {
    return flip_[static_cast<size_t>(std::clamp((cosine + 1.0F) * (kSteps / 2), 0.0F, float{kSteps}))];
  }

 private:
  static constexpr int kSteps = 2048;
  std::array<float, kSteps + 1> flip_;
};

uint32_t Cut(float bits, float flip) {
  return static_cast<uint32_t>(bits * flip + 3.5F * std::sqrt(bits * flip * (1.0F - flip)) + 1.0F);
}

}  // namespace

Sketcher::Sketcher(size_t dimension, std::vector<float> mean)
    : dimension_(dimension), words_(std::max<size_t>(2, (dimension + 63) / 64)), mean_(std::move(mean)) {
  mean_.resize(dimension);
}

float Sketcher::Sketch(const float* unit, uint64_t* out) const {
  const size_t size = std::max<size_t>(128, std::bit_ceil(dimension_));
  const Signs& signs = SignsFor(size);
  thread_local std::vector<float> rotated;
  if (rotated.size() < size) rotated.resize(size);
  const Kernels& kernels = BestKernels();
  const float square = kernels.subtract(unit, mean_.data(), rotated.data(), dimension_);
  std::fill(rotated.begin() + static_cast<ptrdiff_t>(dimension_),
            rotated.begin() + static_cast<ptrdiff_t>(size), 0.0F);
  for (const std::vector<float>& round : signs.rounds) kernels.rotate(rotated.data(), round.data(), size);
  kernels.sign_bits(rotated.data(), 64 * words_, out);
  return std::sqrt(square);
}

Sketcher::Cuts Sketcher::CutsFor(float threshold, float query_norm, float least_norm, float most_norm) const {
  static const FlipTable flips;
  // Unit vectors with this cosine are sqrt(2 - 2 cos) apart, and stay so when the mean comes off: the angle
  // follows from the triangle's three sides. Over the vectors' norms it is largest where the line from the
  // mean touches the circle around the query, or at an end of the range.
  const float apart = std::max(2.0F - 2.0F * threshold, 0.0F) + 1e-4F;
  const float query_square = query_norm * query_norm;
  float cosine = -1.0F;
  if (query_square > apart && least_norm > 0.0F) {
    const auto at = [&](float norm) {
      return (query_square + norm * norm - apart) / (2.0F * query_norm * norm);
    };
    cosine = at(std::clamp(std::sqrt(query_square - apart), least_norm, most_norm));
  } else if (most_norm > 0.0F && query_norm > 0.0F && least_norm > 0.0F) {
    cosine = (query_square + least_norm * least_norm - apart) / (2.0F * query_norm * least_norm);
  }
  const float flip = flips.At(std::clamp(cosine, -1.0F, 1.0F));
  return {Cut(64.0F, flip), Cut(128.0F, flip), Cut(64.0F * static_cast<float>(words_), flip)};
}

}  // namespace purser::cache
