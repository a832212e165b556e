#include "engine/learning/training.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "engine/learning/scorer_encoding.h"
#include "engine/routing/prompt_features.h"
#include "engine/routing/scorer.h"

namespace purser::learning {
namespace {

// To choose, prompts are dealt out again and again until this many have been scored.
constexpr size_t kScoredPrompts = 6'000;
constexpr int kMaxDeals = 8;
// The settings that do best are blended: which is best of all is mostly luck, and a mean of linear models is
// one, too. A setting's weight falls by e with each third of a standard error of the measure; those left with
// less than a tenth of the best one's, and all after the twelfth, are left out.
constexpr size_t kMaxBlended = 12;
constexpr double kMinWeight = 0.1;
// Deals that report are others than deals that choose.
constexpr uint64_t kReportSeed = 0x52455000;

std::vector<int> Shuffled(size_t prompts, uint64_t seed) {
  std::vector<int> order(prompts);
  std::iota(order.begin(), order.end(), 0);
  std::mt19937_64 random(seed);
  // Fisher and Yates by hand: std::shuffle differs from library to library.
  for (size_t i = prompts; i > 1; --i) std::swap(order[i - 1], order[random() % i]);
  return order;
}

// One fold held out: what is fitted on, and what is scored.
struct Fold {
  std::vector<int> fitted;
  std::vector<int> held;
  RowScales scales;
};

std::vector<Fold> Deal(const LabelledRows& rows, int folds, uint64_t seed) {
  const std::vector<int> order = Shuffled(rows.size(), seed);
  std::vector<Fold> dealt(folds);
  for (size_t i = 0; i < order.size(); ++i) {
    for (size_t f = 0; f < dealt.size(); ++f) {
      (i % dealt.size() == f ? dealt[f].held : dealt[f].fitted).push_back(order[i]);
    }
  }
  for (Fold& fold : dealt) fold.scales = MeasureScales(rows, fold.fitted);
  return dealt;
}

// What cross-validation saw of one setting.
struct Tried {
  Settings settings;
  double apgr = 0;  // Mean over deals, each over all prompts.
  // Of the scores of prompts not fitted on, to the labels: how far to stretch them.
  double covariance = 0;
  double variance = 0;
  double weight = 0;  // In the blend.

  double Stretch() const { return variance > 0 && covariance > 0 ? covariance / variance : 1.0; }
};

// The standard error of APGR: of the sum of gain times a rank that is uniform in 0 to 1, over the gap. All
// gains count as drawn again.
double StandardError(std::span<const double> gain) {
  double sum = 0;
  double squares = 0;
  for (const double g : gain) {
    sum += g;
    squares += g * g;
  }
  return std::sqrt(squares / 12) / sum;
}

// Of settings in order, best first, those to blend; their weights sum to 1.
std::vector<Tried> Blended(std::span<const Tried> tried, double standard_error) {
  std::vector<Tried> blended;
  double sum = 0;
  for (const Tried& setting : tried.first(std::min(tried.size(), kMaxBlended))) {
    const double weight = std::exp((setting.apgr - tried.front().apgr) / (standard_error / 3));
    if (weight < kMinWeight) break;
    blended.push_back(setting);
    blended.back().weight = weight;
    sum += weight;
  }
  for (Tried& setting : blended) setting.weight /= sum;
  return blended;
}

// The weighted mean of what the settings fit, each stretched to the labels' scale.
LinearModel FitBlend(const LabelledRows& rows, std::span<const int> chosen, const RowScales& scales,
                     std::span<const Tried> settings) {
  double mean = 0;
  for (const int p : chosen) mean += rows.gain[p] / chosen.size();
  LinearModel blend;
  for (const Tried& tried : settings) {
    const double share = tried.weight * tried.Stretch();
    blend.Add(FitModel(rows, chosen, scales, tried.settings), share);
    blend.bias += (tried.weight - share) * mean;
  }
  return blend;
}

class CrossValidation {
 public:
  CrossValidation(std::span<const Labelled> data, const LabelledRows& rows, int folds, int deals,
                  uint64_t seed)
      : data_(data), rows_(rows) {
    for (int deal = 0; deal < deals; ++deal)
      deals_.push_back(Deal(rows, folds, seed + static_cast<uint64_t>(deal)));
  }

  Tried Try(const Settings& settings) const {
    Tried tried;
    tried.settings = settings;
    for (const std::vector<Fold>& folds : deals_) {
      const std::vector<double> scores = Scores(
          folds, [&](const Fold& fold) { return FitModel(rows_, fold.fitted, fold.scales, settings); });
      tried.apgr += MeasureRouting(scores, data_)->apgr / deals_.size();
      const double mean = SpreadOf(scores).mean;
      for (size_t p = 0; p < scores.size(); ++p) {
        tried.covariance += (scores[p] - mean) * rows_.gain[p];
        tried.variance += (scores[p] - mean) * (scores[p] - mean);
      }
    }
    return tried;
  }

  Spread TryBlend(std::span<const Tried> settings) const {
    std::vector<double> apgr;
    for (const std::vector<Fold>& folds : deals_) {
      const std::vector<double> scores = Scores(
          folds, [&](const Fold& fold) { return FitBlend(rows_, fold.fitted, fold.scales, settings); });
      apgr.push_back(MeasureRouting(scores, data_)->apgr);
    }
    return SpreadOf(apgr);
  }

 private:
  template <typename Fit>
  std::vector<double> Scores(const std::vector<Fold>& folds, Fit fit) const {
    std::vector<double> scores(rows_.size());
    for (const Fold& fold : folds) {
      const LinearModel model = fit(fold);
      for (const int p : fold.held) scores[p] = model.Score(rows_, p);
    }
    return scores;
  }

  std::span<const Labelled> data_;
  const LabelledRows& rows_;
  std::vector<std::vector<Fold>> deals_;
};

// Tries settings by cross-validation: first which features and how far they are held back, from hardly to
// almost entirely; then, from the best of these, what the labels are and how much structure counts.
class Search {
 public:
  explicit Search(const CrossValidation& validation) : validation_(validation) {}

  // All that were tried, best first.
  const std::vector<Tried>& Run(bool has_groups) {
    Settings settings;
    settings.group_share = has_groups ? 0.85 : 0;
    for (const auto& shares : {std::array{1.0, 0.0}, {1.0, 0.3}, {0.3, 1.0}, {0.0, 1.0}}) {
      for (const double penalty : {0.3, 1.0, 3.0, 10.0, 30.0}) {
        settings.family_share = shares;
        settings.penalty = penalty;
        Consider(settings);
      }
    }
    if (has_groups) {
      const Settings from = tried_.front().settings;
      settings = from;
      settings.group_share = 0;
      for (const double factor : {1.0, 3.0, 10.0}) {
        settings.penalty = factor * from.penalty;
        Consider(settings);
      }
    }
    settings = tried_.front().settings;
    settings.structure_scale = 0.5;
    Consider(settings);
    return tried_;
  }

 private:
  void Consider(const Settings& settings) {
    Tried tried = validation_.Try(settings);
    const auto better = [](const Tried& a, const Tried& b) { return a.apgr > b.apgr; };
    tried_.insert(std::upper_bound(tried_.begin(), tried_.end(), tried, better), std::move(tried));
  }

  const CrossValidation& validation_;
  std::vector<Tried> tried_;
};

absl::Status CheckOptions(std::span<const Labelled> data, const FitOptions& options) {
  if (data.size() < kMinPrompts) {
    return absl::InvalidArgumentError(
        absl::StrCat(data.size(), " labelled prompts are too few; expected at least ", kMinPrompts));
  }
  if (options.folds < 2 || options.folds > 20) {
    return absl::InvalidArgumentError(absl::StrCat(options.folds, " folds; expected 2 to 20"));
  }
  if (options.deals < 0 || options.report_deals < 1) {
    return absl::InvalidArgumentError("deals; expected none or more to choose by and 1 or more to report");
  }
  if (options.bucket_bits < 8 || options.bucket_bits > routing::kMaxBucketBits) {
    return absl::InvalidArgumentError(
        absl::StrCat("2^", options.bucket_bits, " weights; expected 2^8 to 2^", routing::kMaxBucketBits));
  }
  return MeasureRouting(ConstantScores(data), data).status();
}

FitReport Report(std::span<const Labelled> data, const LabelledRows& rows, const FitOptions& options,
                 std::span<const Tried> blended) {
  FitReport report;
  report.prompts = data.size();
  report.trials = options.report_deals;
  report.standard_error = StandardError(rows.gain);
  report.chosen = blended.front().settings;
  report.blended = static_cast<int>(blended.size());
  const CrossValidation validation(data, rows, options.folds, options.report_deals,
                                   options.seed + kReportSeed);
  report.scorer = validation.TryBlend(blended);
  report.length_only = {MeasureRouting(LengthScores(data), data)->apgr, 0};
  std::vector<double> random;
  for (int deal = 0; deal < options.report_deals; ++deal) {
    const uint64_t seed = options.seed + static_cast<uint64_t>(deal);
    random.push_back(MeasureRouting(RandomScores(data, seed), data)->apgr);
  }
  report.random = SpreadOf(random);
  return report;
}

}  // namespace

Spread SpreadOf(std::span<const double> values) {
  Spread spread;
  if (values.empty()) return spread;
  spread.mean = std::accumulate(values.begin(), values.end(), 0.0) / values.size();
  double squares = 0;
  for (const double value : values) squares += (value - spread.mean) * (value - spread.mean);
  spread.deviation = std::sqrt(squares / values.size());
  return spread;
}

absl::StatusOr<Fitted> FitScorer(std::span<const Labelled> data, const FitOptions& options) {
  const absl::Status status = CheckOptions(data, options);
  if (!status.ok()) return status;
  const LabelledRows rows = ReadRows(data, options.bucket_bits);
  const int enough = static_cast<int>(std::clamp<size_t>(kScoredPrompts / data.size(), 1, kMaxDeals));
  const int deals = options.deals > 0 ? options.deals : enough;
  const CrossValidation validation(data, rows, options.folds, deals, options.seed);
  Search search(validation);
  const std::vector<Tried> blended =
      Blended(search.Run(/*has_groups=*/rows.groups > 2), StandardError(rows.gain));

  std::vector<int> all(data.size());
  std::iota(all.begin(), all.end(), 0);
  Fitted fitted;
  fitted.scorer = EncodeScorer(FitBlend(rows, all, MeasureScales(rows, all), blended), rows);
  fitted.report = Report(data, rows, options, blended);
  fitted.scorer.set_fitted_on(absl::StrCat(data.size(), " prompts"));
  return fitted;
}

absl::StatusOr<FitReport> HoldOut(std::span<const Labelled> data, const FitOptions& options, int trials,
                                  size_t fitted) {
  if (fitted == 0) fitted = data.size() / 2;
  if (trials < 1 || fitted >= data.size()) {
    return absl::InvalidArgumentError(absl::StrCat(trials, " trials on ", fitted, " of ", data.size(),
                                                   " prompts; expected 1 or more, and prompts left over"));
  }
  FitReport report;
  std::vector<double> scorer;
  std::vector<double> length_only;
  std::vector<double> random;
  for (int trial = 0; trial < trials; ++trial) {
    FitOptions of_trial = options;
    of_trial.seed = options.seed + static_cast<uint64_t>(trial);
    of_trial.report_deals = 1;
    std::vector<Labelled> known;
    std::vector<Labelled> held;
    for (const int p : Shuffled(data.size(), of_trial.seed))
      (known.size() < fitted ? known : held).push_back(data[p]);
    const absl::StatusOr<Fitted> fit = FitScorer(known, of_trial);
    if (!fit.ok()) return fit.status();
    const absl::Status gap = MeasureRouting(ConstantScores(held), held).status();
    if (!gap.ok()) return gap;
    const auto learned = routing::Scorer::Create(fit->scorer);
    if (!learned.ok()) return learned.status();
    std::vector<double> scores;
    for (const Labelled& labelled : held) scores.push_back((*learned)->Score(labelled.prompt));
    scorer.push_back(MeasureRouting(scores, held)->apgr);
    length_only.push_back(MeasureRouting(LengthScores(held), held)->apgr);
    random.push_back(MeasureRouting(RandomScores(held, of_trial.seed), held)->apgr);
    std::vector<double> gain;
    for (const Labelled& labelled : held) gain.push_back(labelled.strong - labelled.weak);
    report.standard_error = StandardError(gain);
    report.chosen = fit->report.chosen;
    report.blended = fit->report.blended;
  }
  report.prompts = data.size() - fitted;
  report.trials = trials;
  report.scorer = SpreadOf(scorer);
  report.length_only = SpreadOf(length_only);
  report.random = SpreadOf(random);
  return report;
}

}  // namespace purser::learning
