#ifndef PURSER_CACHE_SKETCH_H_
#define PURSER_CACHE_SKETCH_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace purser::cache {

// Turns unit vectors into bits such that similar vectors differ in few of them: subtract the namespace's
// mean, rotate at random (three rounds of sign flips and Hadamard transforms), keep the sign of each
// coordinate. Two vectors at an angle t differ in each bit with probability t / pi (Goemans and Williamson
// 1995; Charikar 2002); the mean comes off first because vectors that share a direction would agree in most
// bits whatever they mean.
//
// Immutable, thread-safe.
class Sketcher {
 public:
  // `dimension`: of the vectors, padded. `mean`: of the vectors that will be sketched; empty: zero.
  Sketcher(size_t dimension, std::vector<float> mean);

  // 64-bit words of a sketch; at least 2.
  size_t words() const { return words_; }
  std::span<const float> mean() const { return mean_; }

  // Writes words() words and returns the vector's distance from the mean. Allocates only on a thread's first
  // calls.
  float Sketch(const float* unit, uint64_t* out) const;

  // The most bits that may differ between a query at distance `query_norm` from the mean and a vector at a
  // distance between `least_norm` and `most_norm`, if their cosine is at least `threshold`: the expected
  // number at that angle and 3.5 standard deviations more, so that about 0.02 % of those exactly at the
  // threshold are overlooked, and far fewer of those above.
  struct Cuts {
    uint32_t first;  // Among the first 64 bits ...
    uint32_t both;   // ... the first 128 ...
    uint32_t all;    // ... all.
  };
  Cuts CutsFor(float threshold, float query_norm, float least_norm, float most_norm) const;

 private:
  size_t dimension_;
  size_t words_;
  std::vector<float> mean_;
};

}  // namespace purser::cache

#endif  // PURSER_CACHE_SKETCH_H_
