#ifndef PURSER_ENGINE_LEARNING_TRAINING_H_
#define PURSER_ENGINE_LEARNING_TRAINING_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/learning/linear_model.h"
#include "engine/learning/quality_metrics.h"
#include "purser/scorer.pb.h"

namespace purser::learning {

// Fits a routing::Scorer to labelled prompts: ridge regression of how much better the strong model answers,
// on hashed words, on three letters in a row and on structure. Which of them, and how strongly they are held
// back, is chosen by cross-validation inside the data; what the best few choices fit is blended.
// Deterministic: the same data and options give the same scorer, byte for byte.

// Fewer say nothing.
inline constexpr size_t kMinPrompts = 50;

struct FitOptions {
  uint64_t seed = 1;     // Deals the prompts out to the folds.
  int folds = 5;         // 2 to 20.
  int deals = 0;         // How often the prompts are dealt out to choose. 0: until about 6,000 were scored.
  int report_deals = 5;  // How often they are dealt again to report, at least 1.
  int bucket_bits = 18;  // 2^18 weights of a byte each.
};

// Mean and spread (standard deviation).
struct Spread {
  double mean = 0;
  double deviation = 0;
};
Spread SpreadOf(std::span<const double> values);

// APGR on prompts that were not fitted on: mean and spread over trials. Every prompt is scored once a trial.
struct FitReport {
  size_t prompts = 0;
  int trials = 0;
  Spread scorer;
  Spread length_only;
  Spread random;
  double constant = 0.5;  // By definition.
  // Of any of these, by the number and noise of the labels it was measured with: what other prompts of the
  // same kind might give. Spreads over deals of the same prompts are smaller.
  double standard_error = 0;
  int blended = 0;  // Settings that are blended; the best of them:
  Settings chosen;

  // Better than constant, random and length-only, on average.
  bool Wins() const {
    return scorer.mean > length_only.mean && scorer.mean > random.mean && scorer.mean > constant;
  }
};

struct Fitted {
  routing::LearnedScorer scorer;
  // Over deals other than those by which the settings were chosen, but of the same prompts: some thousandths
  // too good. HoldOut is not.
  FitReport report;
};

// INVALID_ARGUMENT: too few prompts (at least 50 are needed), or options out of range. FAILED_PRECONDITION:
// the strong model is not better on them. A scorer that does not win is returned with its report; the caller
// decides.
absl::StatusOr<Fitted> FitScorer(std::span<const Labelled> data, const FitOptions& options);

// What a scorer is worth on prompts of which nothing was known when it was fitted, settings included:
// `trials` times, fits on `fitted` prompts (0: half of them) drawn at random, and measures on all others.
// `chosen` is that of the last trial. Errors as FitScorer.
absl::StatusOr<FitReport> HoldOut(std::span<const Labelled> data, const FitOptions& options, int trials,
                                  size_t fitted);

}  // namespace purser::learning

#endif  // PURSER_ENGINE_LEARNING_TRAINING_H_
