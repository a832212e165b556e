#ifndef PURSER_ENGINE_LEARNING_QUALITY_METRICS_H_
#define PURSER_ENGINE_LEARNING_QUALITY_METRICS_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace purser::learning {

// How well a score tells which prompts need the strong one of two models.
//
// A router sends the prompts of the highest scores to the strong model and the rest to the weak one; each
// threshold gives a share of strong calls and an accuracy. PGR (performance gap recovered) is that accuracy
// on the scale on which the weak model alone is 0 and the strong one alone is 1. The measures are those of
// "RouteLLM: Learning to Route LLMs with Preference Data" (Ong et al., 2024,
// https://arxiv.org/abs/2406.18665), over every threshold:
//
//   APGR    the mean of PGR over all shares of strong calls from 0 to 1; 0.5 for a router that knows nothing
//   CPT(x)  the smallest share of strong calls that recovers x of the gap

// One prompt, and whether (or how well, 0 to 1) each model answered it.
struct Labelled {
  std::string prompt;
  double strong = 0;
  double weak = 0;
  // What the prompt is about, if the data say so ("subject" or "group"); training uses it, scoring never.
  std::string group;
};

// Reads lines of {"prompt", "strong", "weak"}, with "subject" or "group" if there. Errors name file and line.
absl::StatusOr<std::vector<Labelled>> ReadLabelled(const std::string& path);

struct RoutingQuality {
  double apgr = 0;
  double cpt50 = 1;
  double cpt80 = 1;
  // The smallest share of strong calls whose accuracy is that of the strong model alone.
  double strong_share_at_equal_quality = 1;
};

// `scores` by prompt, higher: needs the strong model more. Prompts of equal score are taken in no order:
// between them the accuracy is interpolated. FAILED_PRECONDITION if the strong model is not better than the
// weak one, for then there is no gap to recover.
absl::StatusOr<RoutingQuality> MeasureRouting(std::span<const double> scores, std::span<const Labelled> data);

double MeanStrong(std::span<const Labelled> data);
double MeanWeak(std::span<const Labelled> data);

// What a router is compared with, as scores.
std::vector<double> LengthScores(std::span<const Labelled> data);
// One score for all: every threshold sends all prompts to one model.
std::vector<double> ConstantScores(std::span<const Labelled> data);
// Repeatable: the same seed, the same scores.
std::vector<double> RandomScores(std::span<const Labelled> data, uint64_t seed);

}  // namespace purser::learning

#endif  // PURSER_ENGINE_LEARNING_QUALITY_METRICS_H_
