#ifndef PURSER_ENGINE_LEARNING_LINEAR_MODEL_H_
#define PURSER_ENGINE_LEARNING_LINEAR_MODEL_H_

#include <array>
#include <span>
#include <vector>

#include "engine/learning/labelled_rows.h"

namespace purser::learning {

// One ridge regression of how much better the strong model answers. What is not fitted but chosen, by
// cross-validation, is in Settings.

struct Settings {
  double penalty = 3;
  // How much of a row's square length is words, and how much trigrams.
  std::array<double, kFamilies> family_share = {1, 0};
  // Of standardised structure, against rows of length about 1. 0: structure does not count.
  double structure_scale = 0.15;
  double group_share = 0;  // How much of the label is its group's mean.
};

// score = bias + hashed weights . shares + sum of structure weight * standardised structure.
struct LinearModel {
  double bias = 0;
  std::array<std::vector<float>, kFamilies> weight;  // By bucket; empty: the family does not count.
  std::array<double, routing::kStructureFeatures> mean = {};
  std::array<double, routing::kStructureFeatures> deviation = {};
  std::array<double, routing::kStructureFeatures> structure_weight = {};

  double Score(const LabelledRows& rows, int prompt) const;
  // Adds `share` of another model that was fitted under the same scales.
  void Add(const LinearModel& other, double share);
};

// What can be read off the chosen prompts without their labels.
struct RowScales {
  std::array<std::vector<float>, kFamilies> bucket;  // Rarer buckets count more; 0: too rare.
  std::array<double, routing::kStructureFeatures> mean = {};
  std::array<double, routing::kStructureFeatures> deviation = {};
};

RowScales MeasureScales(const LabelledRows& rows, std::span<const int> chosen);

// Fits to the chosen prompts, whose scales these are. Deterministic.
LinearModel FitModel(const LabelledRows& rows, std::span<const int> chosen, const RowScales& scales,
                     const Settings& settings);

}  // namespace purser::learning

#endif  // PURSER_ENGINE_LEARNING_LINEAR_MODEL_H_
