#include "engine/learning/linear_model.h"

#include <algorithm>
#include <cmath>

#include "engine/learning/ridge.h"

namespace purser::learning {
namespace {

// A word of one prompt only says nothing about another.
constexpr int kMinPromptsOfBucket = 2;
// A group's mean counts as if this many prompts of the overall mean were in it.
constexpr double kGroupPrior = 20;
constexpr double kComplexityScale = 1;

std::vector<float> BucketScales(const std::vector<HashedRow>& rows, int bucket_bits,
                                std::span<const int> chosen) {
  std::vector<int> holding(size_t{1} << bucket_bits, 0);
  for (const int p : chosen) {
    for (const uint32_t bucket : rows[p].bucket) ++holding[bucket];
  }
  std::vector<float> scales(holding.size(), 0.0f);
  for (size_t b = 0; b < scales.size(); ++b) {
    if (holding[b] < kMinPromptsOfBucket) continue;
    scales[b] = static_cast<float>(std::log((1.0 + chosen.size()) / (1.0 + holding[b])) + 1.0);
  }
  double square = 0;
  for (const int p : chosen) {
    for (size_t i = 0; i < rows[p].bucket.size(); ++i) {
      const double x = rows[p].share[i] * scales[rows[p].bucket[i]];
      square += x * x;
    }
  }
  const float to_unit = square > 0 ? static_cast<float>(std::sqrt(chosen.size() / square)) : 0.0f;
  for (float& scale : scales) scale *= to_unit;
  return scales;
}

// The labels less their mean. A single answer is a noisy label: part of it is replaced by what its group's
// prompts need on average.
std::vector<float> Targets(const LabelledRows& rows, std::span<const int> chosen, double group_share,
                           double* mean) {
  std::vector<double> sum(rows.groups, 0);
  std::vector<double> count(rows.groups, 0);
  double total = 0;
  for (const int p : chosen) {
    total += rows.gain[p];
    sum[rows.group[p]] += rows.gain[p];
    count[rows.group[p]] += 1;
  }
  *mean = total / chosen.size();
  std::vector<float> targets;
  for (const int p : chosen) {
    const int group = rows.group[p];
    const double of_group = (sum[group] + kGroupPrior * *mean) / (count[group] + kGroupPrior);
    const double share = group == 0 ? 0 : group_share;
    targets.push_back(static_cast<float>((1 - share) * rows.gain[p] + share * of_group - *mean));
  }
  return targets;
}

// What each structure feature is multiplied with. The guessed complexity is held back least: it is what is
// left where labels are too few to say anything.
std::array<double, routing::kStructureFeatures> StructureScales(double structure_scale) {
  std::array<double, routing::kStructureFeatures> scales = {};
  if (structure_scale == 0) return scales;
  scales.fill(structure_scale / std::sqrt(double{routing::kStructureFeatures}));
  scales[routing::kComplexityFeature] = kComplexityScale;
  return scales;
}

// Columns of the ridge problem: structure first, then the buckets that occur, as they come.
class Columns {
 public:
  explicit Columns(const RowScales& scales) {
    for (int f = 0; f < kFamilies; ++f) column_[f].resize(scales.bucket[f].size(), -1);
  }
  uint32_t Of(int family, uint32_t bucket) {
    int& column = column_[family][bucket];
    if (column < 0) column = count_++;
    return static_cast<uint32_t>(column);
  }
  int Find(int family, size_t bucket) const { return column_[family][bucket]; }
  int count() const { return count_; }

 private:
  std::array<std::vector<int>, kFamilies> column_;
  int count_ = routing::kStructureFeatures;
};

}  // namespace

double LinearModel::Score(const LabelledRows& rows, int prompt) const {
  double score = bias;
  for (int f = 0; f < kFamilies; ++f) {
    if (weight[f].empty()) continue;
    const HashedRow& row = rows.hashed[f][prompt];
    for (size_t i = 0; i < row.bucket.size(); ++i) score += weight[f][row.bucket[i]] * row.share[i];
  }
  for (int s = 0; s < routing::kStructureFeatures; ++s) {
    score += structure_weight[s] * (rows.structure[prompt][s] - mean[s]) / deviation[s];
  }
  return score;
}

void LinearModel::Add(const LinearModel& other, double share) {
  bias += share * other.bias;
  mean = other.mean;
  deviation = other.deviation;
  for (int s = 0; s < routing::kStructureFeatures; ++s)
    structure_weight[s] += share * other.structure_weight[s];
  for (int f = 0; f < kFamilies; ++f) {
    weight[f].resize(std::max(weight[f].size(), other.weight[f].size()), 0.0f);
    for (size_t b = 0; b < other.weight[f].size(); ++b) {
      weight[f][b] += static_cast<float>(share) * other.weight[f][b];
    }
  }
}

RowScales MeasureScales(const LabelledRows& rows, std::span<const int> chosen) {
  RowScales scales;
  for (int f = 0; f < kFamilies; ++f)
    scales.bucket[f] = BucketScales(rows.hashed[f], rows.bucket_bits[f], chosen);
  for (int s = 0; s < routing::kStructureFeatures; ++s) {
    double sum = 0;
    double squares = 0;
    for (const int p : chosen) sum += rows.structure[p][s];
    scales.mean[s] = sum / chosen.size();
    for (const int p : chosen) squares += std::pow(rows.structure[p][s] - scales.mean[s], 2);
    const double deviation = std::sqrt(squares / chosen.size());
    scales.deviation[s] = deviation > 1e-9 ? deviation : 1.0;
  }
  return scales;
}

LinearModel FitModel(const LabelledRows& rows, std::span<const int> chosen, const RowScales& scales,
                     const Settings& settings) {
  const auto structure_scale = StructureScales(settings.structure_scale);
  std::array<float, kFamilies> family_scale;
  for (int f = 0; f < kFamilies; ++f)
    family_scale[f] = static_cast<float>(std::sqrt(settings.family_share[f]));
  Columns columns(scales);
  RidgeProblem problem;
  for (const int p : chosen) {
    for (int s = 0; s < routing::kStructureFeatures; ++s) {
      const double standard = (rows.structure[p][s] - scales.mean[s]) / scales.deviation[s];
      problem.Add(static_cast<uint32_t>(s), static_cast<float>(structure_scale[s] * standard));
    }
    for (int f = 0; f < kFamilies; ++f) {
      if (!(family_scale[f] > 0)) continue;
      const HashedRow& row = rows.hashed[f][p];
      for (size_t i = 0; i < row.bucket.size(); ++i) {
        const float scale = family_scale[f] * scales.bucket[f][row.bucket[i]];
        if (scale > 0) problem.Add(columns.Of(f, row.bucket[i]), row.share[i] * scale);
      }
    }
    problem.EndRow();
  }
  problem.columns = columns.count();
  double mean = 0;
  problem.targets = Targets(rows, chosen, settings.group_share, &mean);
  const std::vector<float> solved = SolveRidge(problem, settings.penalty);

  LinearModel model;
  model.mean = scales.mean;
  model.deviation = scales.deviation;
  for (int s = 0; s < routing::kStructureFeatures; ++s)
    model.structure_weight[s] = solved[s] * structure_scale[s];
  for (int f = 0; f < kFamilies; ++f) {
    if (!(family_scale[f] > 0)) continue;
    model.weight[f].resize(scales.bucket[f].size(), 0.0f);
    for (size_t b = 0; b < model.weight[f].size(); ++b) {
      const int column = columns.Find(f, b);
      if (column >= 0) model.weight[f][b] = solved[column] * family_scale[f] * scales.bucket[f][b];
    }
  }
  double predicted = 0;
  for (const int p : chosen) predicted += model.Score(rows, p);
  model.bias = mean - predicted / chosen.size();
  return model;
}

}  // namespace purser::learning
