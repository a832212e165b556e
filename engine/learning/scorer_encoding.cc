#include "engine/learning/scorer_encoding.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "engine/routing/prompt_features.h"

namespace purser::learning {

void EncodeWeights(const std::vector<float>& weights, int bucket_bits, routing::HashedWeights* encoded) {
  float largest = 0;
  for (const float weight : weights) largest = std::max(largest, std::abs(weight));
  if (!(largest > 0)) return;
  const double step = double{largest} / 127;
  encoded->set_bucket_bits(bucket_bits);
  encoded->set_step(step);
  for (const float weight : weights) {
    encoded->mutable_weights()->push_back(static_cast<char>(std::lround(weight / step)));
  }
}

routing::LearnedScorer EncodeScorer(const LinearModel& model, const LabelledRows& rows) {
  routing::LearnedScorer proto;
  proto.set_version(routing::kPromptFeaturesVersion);
  proto.set_bias(model.bias);
  for (int s = 0; s < routing::kStructureFeatures; ++s) {
    routing::Structure* structure = proto.add_structure();
    structure->set_name(std::string(routing::kStructureNames[s]));
    structure->set_mean(model.mean[s]);
    structure->set_deviation(model.deviation[s]);
    structure->set_weight(model.structure_weight[s]);
  }
  if (!model.weight[kWords].empty())
    EncodeWeights(model.weight[kWords], rows.bucket_bits[kWords], proto.mutable_words());
  if (!model.weight[kTrigrams].empty())
    EncodeWeights(model.weight[kTrigrams], rows.bucket_bits[kTrigrams], proto.mutable_trigrams());
  return proto;
}

}  // namespace purser::learning
