#ifndef PURSER_ENGINE_ROUTING_TRAINING_H_
#define PURSER_ENGINE_ROUTING_TRAINING_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/routing/evaluation.h"
#include "engine/routing/scorer.pb.h"

namespace purser::routing {

// Fits a Scorer to labelled prompts: ridge regression of how much better the strong model answers, on hashed
// words and on structure. How strongly each is held back is chosen by cross-validation inside the data.
// Deterministic: the same data and options give the same scorer, byte for byte.

struct FitOptions {
  uint64_t seed = 1;     // Deals the prompts out to the folds.
  int folds = 5;         // At least 2.
  int rounds = 0;        // How often the prompts are dealt out anew. 0: until about 6,000 have been scored.
  int bucket_bits = 18;  // 2^18 weights of a byte each.
};

// Mean and spread (standard deviation) over the folds.
struct Spread {
  double mean = 0;
  double deviation = 0;
};

// What came out on prompts that were not fitted on.
struct FitReport {
  size_t prompts = 0;
  int folds = 0;  // All rounds together.
  Spread scorer;
  Spread length_only;
  Spread random;
  double constant = 0.5;  // By definition.
  // What cross-validation chose.
  double word_penalty = 0;
  double structure_scale = 0;
  double group_share = 0;

  // Better than constant, random and length-only, on average.
  bool Wins() const {
    return scorer.mean > length_only.mean && scorer.mean > random.mean && scorer.mean > constant;
  }
};

struct Fitted {
  LearnedScorer scorer;
  FitReport report;
};

// INVALID_ARGUMENT: too few prompts (at least 50 are needed), or options out of range. FAILED_PRECONDITION:
// the strong model is not better on them. A scorer that does not win is returned with its report; the caller
// decides.
absl::StatusOr<Fitted> FitScorer(std::span<const Labelled> data, const FitOptions& options);

}  // namespace purser::routing

#endif  // PURSER_ENGINE_ROUTING_TRAINING_H_
