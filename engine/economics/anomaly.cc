#include "engine/economics/anomaly.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "engine/ledger/dimension.h"

namespace purser::economics {
namespace {

using ledger::Dimension;

constexpr std::array kCauses = {Dimension::kCustomer, Dimension::kModel,   Dimension::kFeature,
                                Dimension::kRelease,  Dimension::kTask,    Dimension::kTeam,
                                Dimension::kOutcome,  Dimension::kCacheHit};

double MedianOf(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

std::string ValueOf(const ledger::RecordView& record, Dimension dimension) {
  ledger::KeyBuffer buffer;
  const std::string value(KeyOf(record, dimension, buffer));
  if (value.empty() || !IsWithinTenant(dimension) || record.tenant.empty()) return value;
  return std::string(record.tenant) + "/" + value;
}

}  // namespace

UsualCost UsualCostOf(const std::vector<double>& values) {
  const double median = MedianOf(values);
  std::vector<double> deviations;
  for (const double value : values) deviations.push_back(std::abs(value - median));
  return {median, std::max(1.4826 * MedianOf(deviations), 0.1 * median)};
}

std::vector<Anomaly> FindAnomalies(const Survey& survey, size_t most) {
  std::vector<Anomaly> found;
  for (const auto& [name, hours] : survey.class_hours()) {
    if (hours.size() < kMinAnomalyHours) continue;
    std::vector<double> all;
    std::map<int64_t, std::vector<double>> of_week;
    for (const auto& [hour, flow] : hours) {
      all.push_back(static_cast<double>(flow.cost_nanos));
      of_week[hour % 168].push_back(all.back());
    }
    const UsualCost usual = UsualCostOf(all);
    for (const auto& [hour, flow] : hours) {
      const std::vector<double>& same = of_week[hour % 168];
      const UsualCost level = same.size() >= kMinSameHours ? UsualCostOf(same) : usual;
      const double excess = static_cast<double>(flow.cost_nanos) - level.median;
      if (level.spread <= 0 || excess / level.spread < kMinAnomalyScore) continue;
      found.push_back(
          {name, hour, flow.cost_nanos, static_cast<int64_t>(level.median), excess / level.spread, {}});
    }
  }
  std::stable_sort(found.begin(), found.end(), [](const Anomaly& a, const Anomaly& b) {
    return a.cost_nanos - a.usual_nanos > b.cost_nanos - b.usual_nanos;
  });
  if (found.size() > most) found.resize(most);
  return found;
}

AnomalyCauses::AnomalyCauses(const Survey& survey, std::vector<Anomaly> anomalies)
    : survey_(survey), anomalies_(std::move(anomalies)) {
  for (const Anomaly& anomaly : anomalies_) hours_[anomaly.request_class].push_back(anomaly.hour);
}

void AnomalyCauses::Add(const ledger::Entry& entry) {
  if (entry.adjustment) return;
  const ledger::RecordView& record = entry.record;
  const std::string name(record.request_class.empty() ? record.use_case : record.request_class);
  const auto hours = hours_.find(name);
  if (hours == hours_.end()) return;
  const int64_t hour = record.time_nanos / kNanosPerHour;
  const bool odd = std::find(hours->second.begin(), hours->second.end(), hour) != hours->second.end();
  auto& by_dimension = costs_[name];
  for (size_t d = 0; d < kCauses.size(); ++d) {
    // A task lives for an hour or two: it has no usual hour, and only those of odd hours are of interest.
    if (kCauses[d] == Dimension::kTask && !odd) continue;
    std::string value = ValueOf(record, kCauses[d]);
    if (value.empty()) continue;
    Costs& costs = by_dimension[static_cast<int>(d)][std::move(value)];
    costs.total_nanos += entry.sign * record.cost_nanos;
    if (odd) costs.in_hour[hour] += entry.sign * record.cost_nanos;
  }
}

std::vector<Anomaly> AnomalyCauses::Take() {
  for (Anomaly& anomaly : anomalies_) {
    const auto hours = static_cast<int64_t>(survey_.class_hours().at(anomaly.request_class).size());
    for (const auto& [d, values] : costs_[anomaly.request_class]) {
      Anomaly::Cause largest;
      for (const auto& [value, costs] : values) {
        const auto at = costs.in_hour.find(anomaly.hour);
        if (at == costs.in_hour.end()) continue;
        const int64_t usual = hours <= 1 ? 0 : (costs.total_nanos - at->second) / (hours - 1);
        const int64_t excess = at->second - usual;
        if (excess > largest.excess_nanos) {
          largest = {std::string(NameOf(kCauses[static_cast<size_t>(d)])), value, excess};
        }
      }
      // A value that carries less than a third of the excess explains little.
      if (largest.excess_nanos * 3 >= anomaly.cost_nanos - anomaly.usual_nanos)
        anomaly.causes.push_back(largest);
    }
    std::stable_sort(
        anomaly.causes.begin(), anomaly.causes.end(),
        [](const Anomaly::Cause& a, const Anomaly::Cause& b) { return a.excess_nanos > b.excess_nanos; });
    if (anomaly.causes.size() > 3) anomaly.causes.resize(3);
  }
  return std::move(anomalies_);
}

}  // namespace purser::economics
