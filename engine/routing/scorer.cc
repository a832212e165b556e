#include "engine/routing/scorer.h"

#include <cmath>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "engine/routing/prompt_features.h"
#include "policies/textproto.h"

namespace purser::routing {
namespace {

// Weights may be left out.
absl::Status CheckWeights(const HashedWeights& weights) {
  if (weights.weights().empty()) return absl::OkStatus();
  if (weights.bucket_bits() < 1 || weights.bucket_bits() > kMostBucketBits ||
      weights.weights().size() != size_t{1} << weights.bucket_bits()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the scorer has ", weights.weights().size(), " weights; expected 2^bucket_bits"));
  }
  if (!std::isfinite(weights.step())) {
    return absl::InvalidArgumentError("the scorer has a step that is no finite number");
  }
  return absl::OkStatus();
}

// The sum of the weights of the buckets that for_each(visit) visits, over the square root of their number.
template <typename ForEach>
double Weigh(const HashedWeights& weights, ForEach for_each) {
  if (weights.weights().empty()) return 0;
  const char* table = weights.weights().data();
  int64_t sum = 0;
  const int count = for_each([&](uint32_t bucket) { sum += static_cast<signed char>(table[bucket]); });
  return count == 0 ? 0 : weights.step() * static_cast<double>(sum) / std::sqrt(static_cast<double>(count));
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Scorer>> Scorer::Create(const LearnedScorer& proto) {
  if (proto.version() != kPromptFeaturesVersion) {
    return absl::InvalidArgumentError(absl::StrCat("the scorer has version ", proto.version(), "; expected ",
                                                   kPromptFeaturesVersion,
                                                   ": fit it again with `purser fit`"));
  }
  for (const HashedWeights* weights : {&proto.words(), &proto.trigrams()}) {
    const absl::Status status = CheckWeights(*weights);
    if (!status.ok()) return status;
  }
  if (proto.structure_size() != kStructureFeatures) {
    return absl::InvalidArgumentError(absl::StrCat("the scorer has ", proto.structure_size(),
                                                   " structure features; expected ", kStructureFeatures));
  }
  if (!std::isfinite(proto.bias())) {
    return absl::InvalidArgumentError("the scorer has a bias that is no finite number");
  }
  for (int i = 0; i < kStructureFeatures; ++i) {
    const Structure& structure = proto.structure(i);
    if (absl::string_view(structure.name()) !=
        absl::string_view(kStructureNames[i].data(), kStructureNames[i].size())) {
      return absl::InvalidArgumentError(absl::StrCat("the scorer's structure feature ", i + 1, " is \"",
                                                     structure.name(), "\"; expected \"",
                                                     std::string(kStructureNames[i]), "\""));
    }
    if (!std::isfinite(structure.mean()) || !std::isfinite(structure.weight()) ||
        !(structure.deviation() > 0) || !std::isfinite(structure.deviation())) {
      return absl::InvalidArgumentError(
          absl::StrCat("the scorer's structure feature \"", structure.name(), "\" has numbers out of range"));
    }
  }
  return std::shared_ptr<const Scorer>(new Scorer(proto));
}

absl::StatusOr<std::shared_ptr<const Scorer>> Scorer::Load(const std::string& path) {
  LearnedScorer proto;
  const Diagnostics diagnostics = ReadTextproto(path, &proto);
  if (!diagnostics.ok()) return diagnostics.ToStatus();
  auto scorer = Create(proto);
  if (!scorer.ok()) return absl::InvalidArgumentError(absl::StrCat(path, ": ", scorer.status().message()));
  return scorer;
}

double Scorer::Score(std::string_view prompt) const {
  TextMeasures measures;
  Measure(prompt, &measures);
  const std::array<double, kStructureFeatures> structure = StructureOf(measures);
  double score = proto_.bias();
  for (int i = 0; i < kStructureFeatures; ++i) {
    const Structure& feature = proto_.structure(i);
    score += feature.weight() * (structure[i] - feature.mean()) / feature.deviation();
  }
  score += Weigh(proto_.words(), [&](auto visit) {
    return ForEachWordBucket(prompt, measures, proto_.words().bucket_bits(), visit);
  });
  score += Weigh(proto_.trigrams(), [&](auto visit) {
    return ForEachTrigramBucket(prompt, proto_.trigrams().bucket_bits(), visit);
  });
  return score;
}

}  // namespace purser::routing
