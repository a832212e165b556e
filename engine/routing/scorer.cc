#include "engine/routing/scorer.h"

#include <cmath>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "engine/routing/prompt_features.h"
#include "policies/textproto.h"

namespace purser::routing {

absl::StatusOr<std::shared_ptr<const Scorer>> Scorer::Create(const LearnedScorer& proto) {
  if (proto.version() != kPromptFeaturesVersion) {
    return absl::InvalidArgumentError(absl::StrCat("the scorer has version ", proto.version(), "; expected ",
                                                   kPromptFeaturesVersion,
                                                   ": fit it again with `purser fit`"));
  }
  if (proto.bucket_bits() < 1 || proto.bucket_bits() > 24 ||
      proto.weights().size() != size_t{1} << proto.bucket_bits()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the scorer has ", proto.weights().size(), " weights; expected 2^bucket_bits"));
  }
  if (proto.structure_size() != kStructureFeatures) {
    return absl::InvalidArgumentError(absl::StrCat("the scorer has ", proto.structure_size(),
                                                   " structure features; expected ", kStructureFeatures));
  }
  if (!std::isfinite(proto.bias()) || !std::isfinite(proto.step())) {
    return absl::InvalidArgumentError("the scorer has a bias or step that is no finite number");
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
  const int shift = 64 - proto_.bucket_bits();
  const char* weights = proto_.weights().data();
  int64_t sum = 0;
  int64_t count = 0;
  ForEachWordFeature(prompt, [&](uint64_t hash) {
    sum += static_cast<signed char>(weights[hash >> shift]);
    ++count;
  });
  if (count > 0) score += proto_.step() * static_cast<double>(sum) / std::sqrt(static_cast<double>(count));
  return score;
}

}  // namespace purser::routing
