#ifndef PURSER_CACHE_TRIAL_H_
#define PURSER_CACHE_TRIAL_H_

#include <array>
#include <cstdint>

namespace purser::cache {

// What verified mode saw when it decided about one request, so that it can learn once the right answer is
// known. A plain value; opaque to callers.
struct Trial {
  static constexpr int kFeatures = 12;
  uint64_t name_space_id = 0;  // Of the namespace, within this cache.
  uint64_t entry_id = 0;       // The entry that was, or would have been, the answer. 0: there was none.
  uint64_t answer_hash = 0;    // Of its answer key: tells whether a stored answer agrees.
  uint64_t model_version = 0;  // Of the learned model that gave the score.
  float score = 0.0F;          // Estimated chance of being right, 0 to 1.
  float propensity = 1.0F;     // Chance with which the right answer was going to be asked for.
  std::array<float, kFeatures> features{};
};

}  // namespace purser::cache

#endif  // PURSER_CACHE_TRIAL_H_
