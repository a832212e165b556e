#ifndef PURSER_CACHE_EMBEDDER_H_
#define PURSER_CACHE_EMBEDDER_H_

#include <span>
#include <string_view>

namespace purser::cache {

// Turns text into a vector whose direction says what the text is about. Implementations are immutable once
// made, thread-safe, and do not allocate after a thread's first call.
class Embedder {
 public:
  virtual ~Embedder() = default;

  // Names the model and its version. Vectors of different ids are never compared.
  virtual std::string_view id() const = 0;
  virtual int dimension() const = 0;
  // Fills `out` (of `dimension()` floats) and returns true; false if nothing can be said of this text (it is
  // empty, say), and `out` is then unspecified. Need not be normalised.
  virtual bool Embed(std::string_view text, std::span<float> out) const = 0;
};

}  // namespace purser::cache

#endif  // PURSER_CACHE_EMBEDDER_H_
