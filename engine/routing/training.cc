#include "engine/routing/training.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <random>
#include <set>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "engine/routing/prompt_features.h"
#include "engine/routing/ridge.h"
#include "engine/routing/text_measures.h"

namespace purser::routing {
namespace {

constexpr size_t kLeastPrompts = 50;
// Rounds of cross-validation are repeated with other deals until this many prompts have been scored.
constexpr size_t kScoredPrompts = 6'000;
constexpr int kMostRounds = 8;
// A word of one prompt only says nothing about another.
constexpr int kLeastPromptsOfWord = 2;
// A group's mean counts as if this many prompts of the overall mean were in it.
constexpr double kGroupPrior = 20;
constexpr double kComplexityScale = 1;

struct Settings {
  double word_penalty;
  double structure_scale;  // Of standardised structure, against rows of words of length 1.
  double group_share;      // How much of the label is its group's mean.
};

// How many of each hashed word a prompt has, over the square root of the number of all: as Scorer::Score.
struct Counts {
  std::vector<uint32_t> bucket;  // Ascending.
  std::vector<float> share;
};

struct Prompts {
  std::vector<Counts> words;
  std::vector<std::array<double, kStructureFeatures>> structure;
  std::vector<double> gain;
  std::vector<int> group;  // 0: none.
  int groups = 1;
  int buckets = 0;
};

Counts Count(std::string_view prompt, int bucket_bits) {
  std::vector<uint32_t> all;
  const int shift = 64 - bucket_bits;
  ForEachWordFeature(prompt, [&](uint64_t hash) { all.push_back(static_cast<uint32_t>(hash >> shift)); });
  std::sort(all.begin(), all.end());
  Counts counts;
  const float each = all.empty() ? 0.0f : 1.0f / std::sqrt(static_cast<float>(all.size()));
  for (const uint32_t bucket : all) {
    if (!counts.bucket.empty() && counts.bucket.back() == bucket) {
      counts.share.back() += each;
    } else {
      counts.bucket.push_back(bucket);
      counts.share.push_back(each);
    }
  }
  return counts;
}

Prompts ReadPrompts(std::span<const Labelled> data, int bucket_bits) {
  Prompts prompts;
  prompts.buckets = 1 << bucket_bits;
  std::vector<std::string> names = {""};
  for (const Labelled& labelled : data) {
    prompts.words.push_back(Count(labelled.prompt, bucket_bits));
    TextMeasures measures;
    Measure(labelled.prompt, &measures);
    prompts.structure.push_back(StructureOf(measures));
    prompts.gain.push_back(labelled.strong - labelled.weak);
    const auto known = std::find(names.begin(), names.end(), labelled.group);
    prompts.group.push_back(static_cast<int>(known - names.begin()));
    if (known == names.end()) names.push_back(labelled.group);
  }
  prompts.groups = static_cast<int>(names.size());
  return prompts;
}

// What is fitted: score = bias + words . share + sum of structure weight * standardised structure.
struct Model {
  double bias = 0;
  std::vector<float> words;
  std::array<double, kStructureFeatures> mean = {};
  std::array<double, kStructureFeatures> deviation = {};
  std::array<double, kStructureFeatures> weight = {};

  double Score(const Prompts& prompts, int prompt) const {
    double score = bias;
    const Counts& counts = prompts.words[prompt];
    for (size_t i = 0; i < counts.bucket.size(); ++i) score += words[counts.bucket[i]] * counts.share[i];
    for (int f = 0; f < kStructureFeatures; ++f) {
      score += weight[f] * (prompts.structure[prompt][f] - mean[f]) / deviation[f];
    }
    return score;
  }
};

// What can be read off the prompts of one fold without their labels.
struct Scales {
  std::vector<float> word;  // Rarer words count more; 0: too rare.
  std::array<double, kStructureFeatures> mean = {};
  std::array<double, kStructureFeatures> deviation = {};
};

Scales MeasureScales(const Prompts& prompts, std::span<const int> chosen) {
  Scales scales;
  std::vector<int> holding(prompts.buckets, 0);
  for (const int p : chosen) {
    for (const uint32_t bucket : prompts.words[p].bucket) ++holding[bucket];
  }
  scales.word.resize(prompts.buckets, 0);
  for (int b = 0; b < prompts.buckets; ++b) {
    if (holding[b] < kLeastPromptsOfWord) continue;
    scales.word[b] = static_cast<float>(std::log((1.0 + chosen.size()) / (1.0 + holding[b])) + 1.0);
  }
  double square = 0;
  for (const int p : chosen) {
    const Counts& counts = prompts.words[p];
    for (size_t i = 0; i < counts.bucket.size(); ++i) {
      const double x = counts.share[i] * scales.word[counts.bucket[i]];
      square += x * x;
    }
  }
  const float to_unit = square > 0 ? static_cast<float>(std::sqrt(chosen.size() / square)) : 0.0f;
  for (float& scale : scales.word) scale *= to_unit;
  for (int f = 0; f < kStructureFeatures; ++f) {
    double sum = 0;
    double squares = 0;
    for (const int p : chosen) sum += prompts.structure[p][f];
    scales.mean[f] = sum / chosen.size();
    for (const int p : chosen) squares += std::pow(prompts.structure[p][f] - scales.mean[f], 2);
    const double deviation = std::sqrt(squares / chosen.size());
    scales.deviation[f] = deviation > 1e-9 ? deviation : 1.0;
  }
  return scales;
}

// The labels less their mean. A single answer is a noisy label: part of it is replaced by what its group's
// prompts need on average.
std::vector<float> Targets(const Prompts& prompts, std::span<const int> chosen, double group_share,
                           double* mean) {
  std::vector<double> sum(prompts.groups, 0);
  std::vector<double> count(prompts.groups, 0);
  double total = 0;
  for (const int p : chosen) {
    total += prompts.gain[p];
    sum[prompts.group[p]] += prompts.gain[p];
    count[prompts.group[p]] += 1;
  }
  *mean = total / chosen.size();
  std::vector<float> targets;
  for (const int p : chosen) {
    const int group = prompts.group[p];
    const double of_group = (sum[group] + kGroupPrior * *mean) / (count[group] + kGroupPrior);
    const double share = group == 0 ? 0 : group_share;
    targets.push_back(static_cast<float>((1 - share) * prompts.gain[p] + share * of_group - *mean));
  }
  return targets;
}

// What each structure feature is multiplied with. The guessed complexity is held back least: it is what is
// left where labels are too few to say anything.
std::array<double, kStructureFeatures> StructureScales(double structure_scale) {
  std::array<double, kStructureFeatures> scales;
  scales.fill(structure_scale / std::sqrt(double{kStructureFeatures}));
  scales[kComplexityFeature] = kComplexityScale;
  return scales;
}

Model FitModel(const Prompts& prompts, std::span<const int> chosen, const Scales& scales,
               const Settings& settings) {
  const auto structure_scale = StructureScales(settings.structure_scale);
  RidgeProblem problem;
  problem.columns = prompts.buckets + kStructureFeatures;
  for (const int p : chosen) {
    const Counts& counts = prompts.words[p];
    for (size_t i = 0; i < counts.bucket.size(); ++i) {
      const float scale = scales.word[counts.bucket[i]];
      if (scale > 0) problem.Add(counts.bucket[i], counts.share[i] * scale);
    }
    for (int f = 0; f < kStructureFeatures; ++f) {
      const double standard = (prompts.structure[p][f] - scales.mean[f]) / scales.deviation[f];
      problem.Add(static_cast<uint32_t>(prompts.buckets + f),
                  static_cast<float>(structure_scale[f] * standard));
    }
    problem.EndRow();
  }
  double mean = 0;
  problem.targets = Targets(prompts, chosen, settings.group_share, &mean);
  const std::vector<float> weights = SolveRidge(problem, settings.word_penalty);

  Model model;
  model.mean = scales.mean;
  model.deviation = scales.deviation;
  model.words.resize(prompts.buckets);
  for (int b = 0; b < prompts.buckets; ++b) model.words[b] = weights[b] * scales.word[b];
  for (int f = 0; f < kStructureFeatures; ++f)
    model.weight[f] = weights[prompts.buckets + f] * structure_scale[f];
  double predicted = 0;
  for (const int p : chosen) predicted += model.Score(prompts, p);
  model.bias = mean - predicted / chosen.size();
  return model;
}

// A deal of the prompts into folds.
std::vector<std::vector<int>> Deal(size_t prompts, int folds, uint64_t seed) {
  std::vector<int> order(prompts);
  std::iota(order.begin(), order.end(), 0);
  std::mt19937_64 random(seed);
  // Fisher and Yates by hand: std::shuffle differs from library to library.
  for (size_t i = prompts; i > 1; --i) std::swap(order[i - 1], order[random() % i]);
  std::vector<std::vector<int>> dealt(folds);
  for (size_t i = 0; i < prompts; ++i) dealt[i % folds].push_back(order[i]);
  return dealt;
}

std::vector<int> AllBut(const std::vector<std::vector<int>>& dealt, size_t fold) {
  std::vector<int> rest;
  for (size_t f = 0; f < dealt.size(); ++f) {
    if (f != fold) rest.insert(rest.end(), dealt[f].begin(), dealt[f].end());
  }
  return rest;
}

Spread SpreadOf(const std::vector<double>& values) {
  Spread spread;
  if (values.empty()) return spread;
  spread.mean = std::accumulate(values.begin(), values.end(), 0.0) / values.size();
  double squares = 0;
  for (const double value : values) squares += (value - spread.mean) * (value - spread.mean);
  spread.deviation = std::sqrt(squares / values.size());
  return spread;
}

// Every way of holding back that is tried. Words are held back from hardly to almost entirely: at the end
// only the direction of each word's own correlation is left, which is what few labels can bear.
std::vector<Settings> Grid(bool has_groups) {
  std::vector<Settings> grid;
  for (const double group_share : has_groups ? std::vector<double>{0.0, 0.8} : std::vector<double>{0.0}) {
    for (const double structure_scale : {0.15, 0.5}) {
      for (const double word_penalty : {1.0, 3.0, 10.0, 30.0, 300.0}) {
        grid.push_back({word_penalty, structure_scale, group_share});
      }
    }
  }
  return grid;
}

// What cross-validation saw of one setting.
struct Tried {
  std::vector<double> apgr;
  // Of the scores of prompts not fitted on, to the labels: how far to stretch them.
  double covariance = 0;
  double variance = 0;
};

class CrossValidation {
 public:
  CrossValidation(std::span<const Labelled> data, const Prompts& prompts, const FitOptions& options)
      : data_(data), prompts_(prompts), grid_(Grid(prompts.groups > 2)), tried_(grid_.size()) {
    const int enough = static_cast<int>(std::clamp<size_t>(kScoredPrompts / data.size(), 1, kMostRounds));
    const int rounds = options.rounds > 0 ? options.rounds : enough;
    for (int round = 0; round < rounds; ++round) {
      const auto dealt = Deal(data.size(), options.folds, options.seed + static_cast<uint64_t>(round));
      for (size_t fold = 0; fold < dealt.size(); ++fold)
        RunFold(AllBut(dealt, fold), dealt[fold], options.seed);
    }
  }

  size_t Best() const {
    size_t best = 0;
    for (size_t i = 1; i < tried_.size(); ++i) {
      if (SpreadOf(tried_[i].apgr).mean > SpreadOf(tried_[best].apgr).mean) best = i;
    }
    return best;
  }

  const Settings& settings(size_t i) const { return grid_[i]; }
  double Stretch(size_t i) const {
    const Tried& tried = tried_[i];
    return tried.variance > 0 && tried.covariance > 0 ? tried.covariance / tried.variance : 1.0;
  }

  FitReport Report(size_t best) const {
    FitReport report;
    report.prompts = data_.size();
    report.folds = static_cast<int>(length_.size());
    report.scorer = SpreadOf(tried_[best].apgr);
    report.length_only = SpreadOf(length_);
    report.random = SpreadOf(random_);
    report.word_penalty = grid_[best].word_penalty;
    report.structure_scale = grid_[best].structure_scale;
    report.group_share = grid_[best].group_share;
    return report;
  }

 private:
  void RunFold(const std::vector<int>& fitted, const std::vector<int>& held, uint64_t seed) {
    std::vector<Labelled> held_data;
    for (const int p : held) held_data.push_back(data_[p]);
    const absl::StatusOr<RoutingQuality> length = MeasureRouting(LengthScores(held_data), held_data);
    if (!length.ok()) return;  // A small fold without a gap tells nothing.
    length_.push_back(length->apgr);
    random_.push_back(MeasureRouting(RandomScores(held_data, seed + length_.size()), held_data)->apgr);
    const Scales scales = MeasureScales(prompts_, fitted);
    for (size_t i = 0; i < grid_.size(); ++i) {
      const Model model = FitModel(prompts_, fitted, scales, grid_[i]);
      std::vector<double> scores;
      for (const int p : held) scores.push_back(model.Score(prompts_, p));
      tried_[i].apgr.push_back(MeasureRouting(scores, held_data)->apgr);
      const Spread spread = SpreadOf(scores);
      for (size_t h = 0; h < held.size(); ++h) {
        tried_[i].covariance += (scores[h] - spread.mean) * prompts_.gain[held[h]];
        tried_[i].variance += (scores[h] - spread.mean) * (scores[h] - spread.mean);
      }
    }
  }

  std::span<const Labelled> data_;
  const Prompts& prompts_;
  std::vector<Settings> grid_;
  std::vector<Tried> tried_;
  std::vector<double> length_;
  std::vector<double> random_;
};

LearnedScorer ToProto(const Model& model, double mean, double stretch, int bucket_bits) {
  LearnedScorer proto;
  proto.set_version(kPromptFeaturesVersion);
  proto.set_bias(mean + stretch * (model.bias - mean));
  for (int f = 0; f < kStructureFeatures; ++f) {
    Structure* structure = proto.add_structure();
    structure->set_name(std::string(kStructureNames[f]));
    structure->set_mean(model.mean[f]);
    structure->set_deviation(model.deviation[f]);
    structure->set_weight(stretch * model.weight[f]);
  }
  float largest = 0;
  for (const float weight : model.words) largest = std::max(largest, std::abs(weight));
  const double step = largest > 0 ? stretch * largest / 127 : 1.0;
  proto.set_bucket_bits(bucket_bits);
  proto.set_step(step);
  std::string* weights = proto.mutable_weights();
  for (const float weight : model.words) {
    weights->push_back(static_cast<char>(std::lround(stretch * weight / step)));
  }
  return proto;
}

}  // namespace

absl::StatusOr<Fitted> FitScorer(std::span<const Labelled> data, const FitOptions& options) {
  if (data.size() < kLeastPrompts) {
    return absl::InvalidArgumentError(
        absl::StrCat(data.size(), " labelled prompts are too few; expected at least ", kLeastPrompts));
  }
  if (options.folds < 2 || options.folds > 20) {
    return absl::InvalidArgumentError(absl::StrCat(options.folds, " folds; expected 2 to 20"));
  }
  if (options.bucket_bits < 8 || options.bucket_bits > 22) {
    return absl::InvalidArgumentError(
        absl::StrCat("2^", options.bucket_bits, " weights; expected 2^8 to 2^22"));
  }
  const absl::StatusOr<RoutingQuality> gap = MeasureRouting(ConstantScores(data), data);
  if (!gap.ok()) return gap.status();

  const Prompts prompts = ReadPrompts(data, options.bucket_bits);
  const CrossValidation validation(data, prompts, options);
  const size_t best = validation.Best();
  std::vector<int> all(data.size());
  std::iota(all.begin(), all.end(), 0);
  const Model model = FitModel(prompts, all, MeasureScales(prompts, all), validation.settings(best));
  Fitted fitted;
  fitted.report = validation.Report(best);
  fitted.scorer =
      ToProto(model, MeanStrong(data) - MeanWeak(data), validation.Stretch(best), options.bucket_bits);
  fitted.scorer.set_fitted_on(absl::StrCat(data.size(), " prompts"));
  return fitted;
}

}  // namespace purser::routing
