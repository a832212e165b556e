#ifndef PURSER_ENGINE_ROUTING_SCORER_ENCODING_H_
#define PURSER_ENGINE_ROUTING_SCORER_ENCODING_H_

#include <vector>

#include "engine/routing/labelled_rows.h"
#include "engine/routing/linear_model.h"
#include "engine/routing/scorer.pb.h"

namespace purser::routing {

// What was fitted to `rows`, as a scorer reads it: weights are rounded to 127 steps of the largest one.

// Nothing, if all weights are zero.
void EncodeWeights(const std::vector<float>& weights, int bucket_bits, HashedWeights* encoded);

LearnedScorer EncodeScorer(const LinearModel& model, const LabelledRows& rows);

}  // namespace purser::routing

#endif  // PURSER_ENGINE_ROUTING_SCORER_ENCODING_H_
