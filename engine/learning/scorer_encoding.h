#ifndef PURSER_ENGINE_LEARNING_SCORER_ENCODING_H_
#define PURSER_ENGINE_LEARNING_SCORER_ENCODING_H_

#include <vector>

#include "engine/learning/labelled_rows.h"
#include "engine/learning/linear_model.h"
#include "purser/scorer.pb.h"

namespace purser::learning {

// What was fitted to `rows`, as a scorer reads it: weights are rounded to 127 steps of the largest one.

// Nothing, if all weights are zero.
void EncodeWeights(const std::vector<float>& weights, int bucket_bits, routing::HashedWeights* encoded);

routing::LearnedScorer EncodeScorer(const LinearModel& model, const LabelledRows& rows);

}  // namespace purser::learning

#endif  // PURSER_ENGINE_LEARNING_SCORER_ENCODING_H_
