#ifndef PURSER_ENGINE_ROUTING_OUTCOME_NEIGHBOURS_H_
#define PURSER_ENGINE_ROUTING_OUTCOME_NEIGHBOURS_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "cache/neighbours.h"

namespace purser::routing {

// How well a candidate will answer a request, from how well it answered the recorded requests nearest to it.
// Guarded: a share among few neighbours says little, so what is estimated is the limit that the true share is
// above with the stated confidence (Clopper and Pearson's, exact for independent outcomes); and it abstains
// where fewer recorded requests are near than the policy asks for.
//
// Immutable and thread-safe. Estimating does not allocate once a thread has done it, and cannot fail.
class OutcomeNeighbours {
 public:
  // As policy.proto's Outcomes; the defaults are those of the policy.
  struct Options {
    std::string embedding_model;
    std::string candidate;
    int neighbours = 16;            // 1 to cache::Neighbours::kMaxFound.
    int least_neighbours = 5;       // 1 to `neighbours`.
    double least_similarity = 0.8;  // Above 0, at most 1.
    double confidence = 0.9;        // Above 0.5, below 1.
  };

  struct Outcome {
    std::vector<float> embedding;  // All of one dimension, none of length 0.
    float good = 0;                // 0 to 1.
  };

  enum class Abstains : uint8_t {
    kNo,
    kNoEmbedding,  // The caller passed none ...
    kOtherModel,   // ... or one of another model, or of another dimension.
    kTooFewNear,
  };

  struct Estimated {
    Abstains abstains = Abstains::kNo;
    int near = 0;      // Recorded requests that were near enough, at most Options::neighbours.
    double good = 0;   // Share of them that was answered well.
    double least = 0;  // Similarity of the farthest of them.
    // The lower limit of the true share, of `good` in quarters of a request, both rounded down (the limit to
    // a millionth); kNone if it abstains.
    double guarded = kNone;
  };
  static constexpr double kNone = -1;

  // INVALID_ARGUMENT: options out of range, no outcomes, or embeddings without a direction or of several
  // dimensions.
  static absl::StatusOr<std::shared_ptr<const OutcomeNeighbours>> Create(std::span<const Outcome> outcomes,
                                                                         const Options& options);

  // Reads lines of {"embedding": [...], "outcomes": {"candidate": true, "other": 0.5}, "embedding_model"?}
  // and keeps those that tell of the candidate, by this embedding model. Errors name file and line.
  static absl::StatusOr<std::shared_ptr<const OutcomeNeighbours>> Load(const std::string& path,
                                                                       const Options& options);

  Estimated Estimate(std::span<const float> embedding, std::string_view embedding_model) const;

  const Options& options() const { return options_; }
  size_t size() const { return good_.size(); }

 private:
  OutcomeNeighbours(const Options& options, std::unique_ptr<const cache::Neighbours> neighbours,
                    std::vector<float> good);

  const Options options_;
  const std::unique_ptr<const cache::Neighbours> neighbours_;
  const std::vector<float> good_;  // By index.
  // The limit by how many were near, and by how many quarters of them were good: it takes some 20 us to
  // compute.
  std::vector<std::vector<double>> limits_;
};

}  // namespace purser::routing

#endif  // PURSER_ENGINE_ROUTING_OUTCOME_NEIGHBOURS_H_
