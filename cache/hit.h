#ifndef PURSER_CACHE_HIT_H_
#define PURSER_CACHE_HIT_H_

#include <array>
#include <cstdint>
#include <string_view>

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

// What the guards and checks found against the most similar entry.
enum class Veto : uint8_t {
  kNone,
  kNumber,
  kDate,
  kUnit,
  kNegation,
  kOpposite,
  kName,
  kQuote,
  kCode,
  kLanguage,
};
inline constexpr int kVetoes = 10;
std::string_view VetoName(Veto veto);  // "number", "opposite" ...

struct Hit {
  enum Kind : uint8_t { kNone, kExact, kSemantic };
  Kind kind = kNone;
  // Verified mode drew this would-be hit for an audit: `kind` is kNone, ask the model and Store its answer.
  bool audit = false;
  // No exact hit, and a semantic look-up would need an embedding, which the query does not bring. A caller
  // that can make one may look up again with it.
  bool wants_embedding = false;
  // Why the most similar entry above the threshold is not the answer. May stand beside a hit on another one.
  Veto veto = Veto::kNone;
  float similarity =
      0.0F;               // Cosine of the entry that hit; on a miss of the nearest seen above the threshold.
  uint64_t entry_id = 0;  // Of the entry that hit.
  int64_t age_nanos = 0;  // Since it was stored.
  int64_t saved_nano_usd = 0;  // What the call that it spares would have cost.
  // Cache::generation() at the time of the look-up; hand it to Store, so that an answer that was asked for
  // before an invalidation does not come in after it.
  uint64_t generation = 0;
  // Verified mode's note of what it saw. Hand it to Store (after a miss or an audit) or to Feedback.
  Trial trial = {};
};

}  // namespace purser::cache

#endif  // PURSER_CACHE_HIT_H_
