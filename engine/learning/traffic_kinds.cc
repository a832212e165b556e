#include "engine/learning/traffic_kinds.h"

#include <algorithm>
#include <numeric>

#include "engine/learning/labelled_rows.h"
#include "engine/learning/linear_model.h"
#include "engine/learning/scorer_encoding.h"
#include "engine/routing/prompt_features.h"

namespace purser::learning {
namespace {

// Kinds differ in many words: a gate needs fewer buckets than a scorer.
constexpr int kGateBits = 14;
constexpr int kFolds = 5;
constexpr size_t kMaxTimesSmallest = 2;

Settings GateSettings() {
  Settings settings;
  settings.penalty = 1;
  settings.structure_scale = 0;
  return settings;
}

// The prompts of all kinds, one after another.
struct Mixed {
  explicit Mixed(std::span<const Traffic> traffic) : kinds(static_cast<int>(traffic.size())) {
    std::vector<Labelled> prompts;
    for (int k = 0; k < kinds; ++k) {
      for (const Labelled& labelled : traffic[k].prompts) prompts.push_back({labelled.prompt, 0, 0, ""});
      kind.resize(prompts.size(), k);
    }
    rows = ReadRows(prompts, kGateBits);
  }

  // By kind: how much a prompt looks like it. Of kinds with many more prompts than the smallest only some are
  // fitted on, or the small one would be taken for them.
  std::vector<LinearModel> FitGate(std::vector<int> chosen) {
    std::vector<size_t> count(kinds, 0);
    for (const int p : chosen) ++count[kind[p]];
    const size_t most = kMaxTimesSmallest * *std::min_element(count.begin(), count.end());
    std::sort(chosen.begin(), chosen.end(), [](int a, int b) {
      return routing::internal::Mix(static_cast<uint64_t>(a)) <
             routing::internal::Mix(static_cast<uint64_t>(b));
    });
    std::fill(count.begin(), count.end(), 0);
    std::erase_if(chosen, [&](int p) { return ++count[kind[p]] > most; });
    const RowScales scales = MeasureScales(rows, chosen);
    std::vector<LinearModel> gate;
    for (int k = 0; k < kinds; ++k) {
      for (size_t p = 0; p < kind.size(); ++p) rows.gain[p] = kind[p] == k ? 1 : 0;
      gate.push_back(FitModel(rows, chosen, scales, GateSettings()));
    }
    return gate;
  }

  int MostAlike(const std::vector<LinearModel>& gate, int prompt) const {
    int most_like = 0;
    for (int k = 1; k < kinds; ++k) {
      if (gate[k].Score(rows, prompt) > gate[most_like].Score(rows, prompt)) most_like = k;
    }
    return most_like;
  }

  int kinds;
  std::vector<int> kind;  // By prompt.
  LabelledRows rows;
};

}  // namespace

double ShareRecognised(std::span<const Traffic> traffic, uint64_t seed) {
  Mixed mixed(traffic);
  std::vector<double> recognised(traffic.size(), 0);
  for (int fold = 0; fold < kFolds; ++fold) {
    std::vector<int> fitted, held;
    for (size_t p = 0; p < mixed.kind.size(); ++p) {
      const bool is_held = routing::internal::Mix(seed + p) % kFolds == static_cast<uint64_t>(fold);
      (is_held ? held : fitted).push_back(static_cast<int>(p));
    }
    const std::vector<LinearModel> gate = mixed.FitGate(fitted);
    for (const int p : held) recognised[mixed.kind[p]] += mixed.MostAlike(gate, p) == mixed.kind[p] ? 1 : 0;
  }
  double sum = 0;
  for (size_t k = 0; k < traffic.size(); ++k)
    sum += recognised[k] / static_cast<double>(traffic[k].prompts.size());
  return sum / static_cast<double>(traffic.size());
}

routing::LearnedScorer CombineScorers(std::span<const Traffic> traffic,
                                      std::span<const routing::LearnedScorer> scorers) {
  Mixed mixed(traffic);
  std::vector<int> all(mixed.kind.size());
  std::iota(all.begin(), all.end(), 0);
  const std::vector<LinearModel> gate = mixed.FitGate(all);
  routing::LearnedScorer combined;
  combined.set_version(routing::kPromptFeaturesVersion);
  for (size_t k = 0; k < traffic.size(); ++k) {
    routing::TrafficKind* kind = combined.add_kinds();
    kind->set_name(traffic[k].name);
    kind->set_bias(gate[k].bias);
    EncodeWeights(gate[k].weight[kWords], kGateBits, kind->mutable_words());
    *kind->mutable_scorer() = scorers[k];
  }
  return combined;
}

}  // namespace purser::learning
