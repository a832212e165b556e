#ifndef PURSER_ENGINE_LEARNING_TRAFFIC_KINDS_H_
#define PURSER_ENGINE_LEARNING_TRAFFIC_KINDS_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/learning/quality_metrics.h"
#include "purser/scorer.pb.h"

namespace purser::learning {

// What tells that a sum in words needs the strong model says nothing of a question of law: a linear scorer
// that is fitted to both at once loses on each. So each kind of traffic gets a scorer of its own, and a gate
// (a ridge regression on hashed words for each kind) that tells which kind a prompt looks most like.

// Prompts that belong together: those of one file, or of one ledger.
struct Traffic {
  std::string name;
  std::vector<Labelled> prompts;
};

// How surely a prompt shows which kind it is of: the share of prompts that a gate tells rightly which was not
// fitted on them, the mean over kinds. Deterministic. Takes 2 to routing::Scorer::kMaxKinds kinds, none
// empty.
double ShareRecognised(std::span<const Traffic> traffic, uint64_t seed);

// Below this share the kinds are not kinds: fit one scorer to all of their prompts.
inline constexpr double kMinShareRecognised = 0.9;

// One scorer of all kinds, given those that were fitted to each. Deterministic.
routing::LearnedScorer CombineScorers(std::span<const Traffic> traffic,
                                      std::span<const routing::LearnedScorer> scorers);

}  // namespace purser::learning

#endif  // PURSER_ENGINE_LEARNING_TRAFFIC_KINDS_H_
