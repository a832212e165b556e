#include "engine/economics/forecast.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "absl/time/civil_time.h"
#include "absl/time/time.h"

namespace purser::economics {
namespace {

struct Day {
  int64_t number;
  double nanos;
};

size_t WeekdayOf(int64_t day) {
  return static_cast<size_t>(((day + 3) % 7 + 7) % 7);
}  // 1970-01-01: Thursday.

// Each weekday's cost over the mean; all 1 where they were not each seen twice.
std::array<double, 7> WeekdayShares(const std::vector<Day>& days, double mean) {
  std::array<double, 7> sum = {}, share;
  std::array<int, 7> count = {};
  for (const Day& day : days) sum[WeekdayOf(day.number)] += day.nanos, ++count[WeekdayOf(day.number)];
  share.fill(1);
  if (mean <= 0 || *std::min_element(count.begin(), count.end()) < 2) return share;
  for (size_t d = 0; d < 7; ++d) share[d] = sum[d] / count[d] / mean;
  return share;
}

}  // namespace

std::optional<Forecast> ForecastMonth(const Survey& survey) {
  if (survey.span().empty()) return std::nullopt;
  constexpr int kMaxDays = 28, kMinDays = 3;
  const int64_t last_day = survey.span().last_nanos / kNanosPerDay;
  const bool last_is_whole = survey.span().last_nanos % kNanosPerDay >= kNanosPerDay - kNanosPerHour;
  const int64_t first_day = survey.span().first_nanos / kNanosPerDay;
  const int64_t whole_until = last_is_whole ? last_day : last_day - 1;
  std::vector<Day> days;
  // The first day of a ledger is hardly ever whole.
  for (int64_t day = std::max(first_day + 1, whole_until - kMaxDays + 1); day <= whole_until; ++day) {
    const auto at = survey.days().find(day);
    days.push_back({day, at == survey.days().end() ? 0 : static_cast<double>(at->second.cost_nanos)});
  }
  if (static_cast<int>(days.size()) < kMinDays) return std::nullopt;

  const absl::CivilDay last = absl::CivilDay(1970, 1, 1) + last_day;
  const absl::CivilMonth month(last);
  const int64_t month_end = absl::CivilDay(month + 1) - absl::CivilDay(1970, 1, 1);  // Exclusive.
  const int64_t month_begin = absl::CivilDay(month) - absl::CivilDay(1970, 1, 1);
  Forecast forecast;
  forecast.month = absl::FormatCivilTime(month);
  forecast.days_seen = static_cast<int>(days.size());
  forecast.budget_nanos = survey.economics().budget_per_month_nanos;
  for (auto at = survey.days().lower_bound(month_begin); at != survey.days().end(); ++at) {
    forecast.so_far_nanos += at->second.cost_nanos;
  }

  double mean = 0;
  for (const Day& day : days) mean += day.nanos / static_cast<double>(days.size());
  const std::array<double, 7> share = WeekdayShares(days, mean);
  double squares = 0;
  for (const Day& day : days) {
    const double left = day.nanos - mean * share[WeekdayOf(day.number)];
    squares += left * left;
  }
  const double spread = std::sqrt(squares / static_cast<double>(days.size() - 1));
  double rest = 0, days_left = 0;
  if (!last_is_whole) {  // What is left of the last day.
    const double part =
        1 - static_cast<double>(survey.span().last_nanos % kNanosPerDay) / static_cast<double>(kNanosPerDay);
    rest += part * mean * share[WeekdayOf(last_day)];
    days_left += part;
  }
  for (int64_t day = last_day + 1; day < month_end; ++day) {
    rest += mean * share[WeekdayOf(day)];
    days_left += 1;
    ++forecast.days_left;
  }
  // Of the days to come, and of the mean that stands for them; the 95th percentile of a normal.
  const double error =
      1.645 * spread * std::sqrt(days_left + days_left * days_left / static_cast<double>(days.size()));
  forecast.expected_nanos = forecast.so_far_nanos + static_cast<int64_t>(rest);
  forecast.low_nanos = forecast.so_far_nanos + static_cast<int64_t>(std::max(0.0, rest - error));
  forecast.high_nanos = forecast.so_far_nanos + static_cast<int64_t>(rest + error);
  return forecast;
}

}  // namespace purser::economics
