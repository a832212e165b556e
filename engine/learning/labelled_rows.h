#ifndef PURSER_ENGINE_LEARNING_LABELLED_ROWS_H_
#define PURSER_ENGINE_LEARNING_LABELLED_ROWS_H_

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/learning/quality_metrics.h"
#include "engine/routing/prompt_features.h"

namespace purser::learning {

// Labelled prompts as training sees them: read once, fitted often.

// A prompt's hashed buckets, ascending, and how much of each, as routing::Scorer::Score weighs them: their
// number over the square root of the number of all.
struct HashedRow {
  std::vector<uint32_t> bucket;
  std::vector<float> share;
};

// The two kinds of hashed features.
enum Family { kWords, kTrigrams, kFamilies };

struct LabelledRows {
  std::array<int, kFamilies> bucket_bits = {};
  std::array<std::vector<HashedRow>, kFamilies> hashed;  // By prompt.
  std::vector<std::array<double, routing::kStructureFeatures>> structure;
  std::vector<double> gain;  // Strong less weak.
  std::vector<int> group;    // 0: none.
  int groups = 1;

  size_t size() const { return gain.size(); }
};

// Trigrams have 2^16 buckets or, if that is less, as many as words.
LabelledRows ReadRows(std::span<const Labelled> data, int bucket_bits);

}  // namespace purser::learning

#endif  // PURSER_ENGINE_LEARNING_LABELLED_ROWS_H_
