#include "engine/economics/hour_watch.h"

#include <algorithm>

#include "engine/economics/survey.h"

namespace purser::economics {

void HourWatch::Begin(int64_t hour) {
  if (hour_ != INT64_MIN) {
    past_.emplace_back(hour_, cost_nanos_);
    ++hours_before_;
    while (!past_.empty() && past_.front().first <= hour - kHours) past_.pop_front();
  }
  if (values_.empty()) values_.resize(dimensions_.size());
  for (Values& values : values_) {
    for (auto& [name, value] : values) {
      value.before_nanos += value.now_nanos;
      value.now_nanos = 0;
    }
    if (values.size() < kMaxValues) continue;
    // The cheaper half has explained nothing.
    std::vector<std::pair<int64_t, std::string>> by_cost;
    for (const auto& [name, value] : values) by_cost.emplace_back(value.before_nanos, name);
    const auto half = by_cost.begin() + static_cast<std::ptrdiff_t>(by_cost.size() / 2);
    std::nth_element(by_cost.begin(), half, by_cost.end());
    for (auto one = by_cost.begin(); one != half; ++one) values.erase(one->second);
  }
  hour_ = hour;
  cost_nanos_ = 0;
  alarm_at_ = std::numeric_limits<double>::infinity();
  if (past_.size() < kMinAnomalyHours) return;
  std::vector<double> all, same;
  for (const auto& [past_hour, nanos] : past_) {
    all.push_back(static_cast<double>(nanos));
    if (past_hour % 168 == hour % 168) same.push_back(all.back());
  }
  const UsualCost usual = UsualCostOf(same.size() >= kMinSameHours ? same : all);
  usual_ = usual.median;
  spread_ = usual.spread;
  if (spread_ > 0) alarm_at_ = usual_ + kMinAnomalyScore * spread_;
}

bool HourWatch::Add(const ledger::RecordView& record, Anomaly* anomaly) {
  const int64_t hour = std::max(record.time_nanos, record.settled_nanos) / kNanosPerHour;
  if (hour > hour_) Begin(hour);
  cost_nanos_ += record.cost_nanos;
  ledger::KeyBuffer buffer;
  for (size_t d = 0; d < dimensions_.size(); ++d) {
    const std::string_view key = KeyOf(record, dimensions_[d], buffer);
    if (key.empty()) continue;
    const auto at = values_[d].find(absl::string_view(key.data(), key.size()));
    if (at != values_[d].end()) {
      at->second.now_nanos += record.cost_nanos;
    } else if (values_[d].size() < kMaxValues) {
      values_[d][std::string(key)].now_nanos += record.cost_nanos;
    }
  }
  if (static_cast<double>(cost_nanos_) <= alarm_at_) return false;
  alarm_at_ = std::numeric_limits<double>::infinity();  // Said once an hour.
  *anomaly = {};
  anomaly->hour = hour_;
  anomaly->cost_nanos = cost_nanos_;
  anomaly->usual_nanos = static_cast<int64_t>(usual_);
  anomaly->score = (static_cast<double>(cost_nanos_) - usual_) / spread_;
  AddCauses(anomaly);
  return true;
}

void HourWatch::AddCauses(Anomaly* anomaly) const {
  const int64_t excess = anomaly->cost_nanos - anomaly->usual_nanos;
  for (size_t d = 0; d < dimensions_.size(); ++d) {
    Anomaly::Cause largest;
    for (const auto& [name, value] : values_[d]) {
      const int64_t usual = hours_before_ == 0 ? 0 : value.before_nanos / hours_before_;
      if (value.now_nanos - usual > largest.excess_nanos) {
        largest = {std::string(NameOf(dimensions_[d])), name, value.now_nanos - usual};
      }
    }
    if (largest.excess_nanos * 3 >= excess) anomaly->causes.push_back(std::move(largest));
  }
  std::stable_sort(
      anomaly->causes.begin(), anomaly->causes.end(),
      [](const Anomaly::Cause& a, const Anomaly::Cause& b) { return a.excess_nanos > b.excess_nanos; });
  if (anomaly->causes.size() > 3) anomaly->causes.resize(3);
}

}  // namespace purser::economics
