#include "engine/routing/scorer.h"

#include <algorithm>
#include <array>
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
  if (weights.bucket_bits() < 1 || weights.bucket_bits() > kMaxBucketBits ||
      weights.weights().size() != size_t{1} << weights.bucket_bits()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the scorer has ", weights.weights().size(), " weights; expected 2^bucket_bits"));
  }
  if (!std::isfinite(weights.step())) {
    return absl::InvalidArgumentError("the scorer's steps must be finite");
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

absl::Status CheckLinear(const LearnedScorer& proto) {
  for (const HashedWeights* weights : {&proto.words(), &proto.trigrams()}) {
    const absl::Status status = CheckWeights(*weights);
    if (!status.ok()) return status;
  }
  if (proto.structure_size() != kStructureFeatures) {
    return absl::InvalidArgumentError(absl::StrCat("the scorer has ", proto.structure_size(),
                                                   " structure features; expected ", kStructureFeatures));
  }
  if (!std::isfinite(proto.bias())) {
    return absl::InvalidArgumentError("the scorer's bias must be finite");
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
  return absl::OkStatus();
}

absl::Status CheckKinds(const LearnedScorer& proto) {
  if (proto.kinds_size() < 2 || proto.kinds_size() > Scorer::kMaxKinds) {
    return absl::InvalidArgumentError(absl::StrCat("the scorer has ", proto.kinds_size(),
                                                   " kinds of traffic; expected none, or 2 to ",
                                                   Scorer::kMaxKinds));
  }
  for (const TrafficKind& kind : proto.kinds()) {
    const auto in_kind = [&](absl::string_view message) {
      return absl::InvalidArgumentError(absl::StrCat("kind \"", kind.name(), "\": ", message));
    };
    if (kind.words().weights().empty() ||
        kind.words().bucket_bits() != proto.kinds(0).words().bucket_bits()) {
      return in_kind("its words have no weights, or another number than those of the first kind");
    }
    if (!std::isfinite(kind.bias())) return in_kind("its bias must be finite");
    if (kind.scorer().kinds_size() > 0) return in_kind("it has kinds itself");
    for (const absl::Status& status : {CheckWeights(kind.words()), CheckLinear(kind.scorer())}) {
      if (!status.ok()) return in_kind(status.message());
    }
  }
  return absl::OkStatus();
}

// The kind that the prompt looks most like.
const TrafficKind& KindOf(const LearnedScorer& proto, std::string_view prompt, const TextMeasures& measures) {
  std::array<int64_t, Scorer::kMaxKinds> sums = {};
  std::array<const char*, Scorer::kMaxKinds> tables;
  const int kinds = proto.kinds_size();
  for (int k = 0; k < kinds; ++k) tables[k] = proto.kinds(k).words().weights().data();
  const int count =
      ForEachWordBucket(prompt, measures, proto.kinds(0).words().bucket_bits(), [&](uint32_t bucket) {
        for (int k = 0; k < kinds; ++k) sums[k] += static_cast<signed char>(tables[k][bucket]);
      });
  const double root = std::sqrt(std::max(count, 1));
  int most_like = 0;
  double most = 0;
  for (int k = 0; k < kinds; ++k) {
    const TrafficKind& kind = proto.kinds(k);
    const double looks = kind.bias() + kind.words().step() * static_cast<double>(sums[k]) / root;
    if (k > 0 && looks <= most) continue;
    most_like = k;
    most = looks;
  }
  return proto.kinds(most_like);
}

double ScoreLinear(const LearnedScorer& proto, std::string_view prompt, const TextMeasures& measures) {
  const std::array<double, kStructureFeatures> structure = StructureOf(measures);
  double score = proto.bias();
  for (int i = 0; i < kStructureFeatures; ++i) {
    const Structure& feature = proto.structure(i);
    score += feature.weight() * (structure[i] - feature.mean()) / feature.deviation();
  }
  score += Weigh(proto.words(), [&](auto visit) {
    return ForEachWordBucket(prompt, measures, proto.words().bucket_bits(), visit);
  });
  score += Weigh(proto.trigrams(), [&](auto visit) {
    return ForEachTrigramBucket(prompt, proto.trigrams().bucket_bits(), visit);
  });
  return score;
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Scorer>> Scorer::Create(const LearnedScorer& proto) {
  if (proto.version() != kPromptFeaturesVersion) {
    return absl::InvalidArgumentError(absl::StrCat("the scorer has version ", proto.version(), "; expected ",
                                                   kPromptFeaturesVersion,
                                                   ": fit it again with `purser fit`"));
  }
  const absl::Status status = proto.kinds_size() > 0 ? CheckKinds(proto) : CheckLinear(proto);
  if (!status.ok()) return status;
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
  if (proto_.kinds_size() == 0) return ScoreLinear(proto_, prompt, measures);
  return ScoreLinear(KindOf(proto_, prompt, measures).scorer(), prompt, measures);
}

}  // namespace purser::routing
