#ifndef PURSER_ENGINE_ECONOMICS_FORECAST_H_
#define PURSER_ENGINE_ECONOMICS_FORECAST_H_

#include <cstdint>
#include <optional>
#include <string>

#include "engine/economics/survey.h"

namespace purser::economics {

// What the ledger's last month will have cost at its end.
struct Forecast {
  std::string month;  // "2026-03"
  int64_t so_far_nanos = 0;
  int64_t expected_nanos = 0;
  // Nine months of ten end in between, if days stay as they were.
  int64_t low_nanos = 0, high_nanos = 0;
  int days_left = 0;  // The ledger's last day counts as over if it has calls in its last hour.
  int days_seen = 0;  // That the expectation rests on: at most the last 28.
  std::optional<int64_t> budget_nanos;

  bool over_budget() const { return budget_nanos && expected_nanos > *budget_nanos; }
};

// None without three whole days of calls. A day is expected to cost the mean of the whole days seen, times
// its weekday's share where each weekday was seen twice; the interval comes from what is left of the days'
// spread, taken as independent.
std::optional<Forecast> ForecastMonth(const Survey& survey);

}  // namespace purser::economics

#endif  // PURSER_ENGINE_ECONOMICS_FORECAST_H_
