#ifndef PURSER_CACHE_NEIGHBOURS_H_
#define PURSER_CACHE_NEIGHBOURS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace purser::cache {

// The nearest of a fixed set of vectors, by cosine: through the cache's HNSW graph (graph_index.h), or by
// comparing with all where there are few. For what is looked up beside the cache, such as recorded outcomes.
//
// Immutable. Find may be called from any thread; it does not allocate once a thread has called it.
class Neighbours {
 public:
  static constexpr size_t kMaxFound = 32;  // That one search finds.

  struct Neighbour {
    uint32_t index = 0;  // Of the vector, in the order given to Build.
    float similarity = 0;
  };

  // `vectors`: one after the other, `dimension` components each, of any length but 0; null if one has no
  // direction. Takes some 0.2 ms each where there are more than a thousand.
  static std::unique_ptr<const Neighbours> Build(std::span<const float> vectors, size_t dimension);

  virtual ~Neighbours() = default;

  // Up to out.size() and kMaxFound neighbours of at least `least` similarity, best first; says how many. None
  // for a vector of another dimension, or of length 0.
  virtual size_t Find(std::span<const float> vector, float least, std::span<Neighbour> out) const = 0;
  virtual size_t size() const = 0;
  virtual size_t dimension() const = 0;
};

}  // namespace purser::cache

#endif  // PURSER_CACHE_NEIGHBOURS_H_
