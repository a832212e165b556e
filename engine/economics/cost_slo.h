#ifndef PURSER_ENGINE_ECONOMICS_COST_SLO_H_
#define PURSER_ENGINE_ECONOMICS_COST_SLO_H_

#include <cstdint>
#include <string>
#include <vector>

#include "engine/economics/survey.h"

namespace purser::economics {

// How a class keeps its cost objective ("99 % of requests cost at most $0.02"), as latency objectives are
// watched: the share of expensive requests over the share that the objective allows is the burn rate; 1 uses
// the allowance up exactly. An alert needs a long window, so that it matters, and a short one, so that it is
// still going on. Windows and rates are those of Google's SRE workbook, chapter 5: 14.4 over an hour and five
// minutes (2 % of a month's allowance within the hour), 6 over six hours and half an hour (5 %).
struct CostSlo {
  std::string request_class;
  int64_t limit_nanos = 0;
  double target = 0;
  int64_t calls = 0;
  int64_t over = 0;
  // At the end of the ledger.
  double burn_1h = 0, burn_5m = 0, burn_6h = 0, burn_30m = 0;

  static constexpr double kFastBurn = 14.4, kSlowBurn = 6;
  bool met() const { return static_cast<double>(over) <= (1 - target) * static_cast<double>(calls); }
  bool burns_fast() const { return burn_1h > kFastBurn && burn_5m > kFastBurn; }
  bool burns_slowly() const { return burn_6h > kSlowBurn && burn_30m > kSlowBurn; }
};

// One for each class of the economics that has an objective and was called.
std::vector<CostSlo> CostSlos(const Survey& survey);

}  // namespace purser::economics

#endif  // PURSER_ENGINE_ECONOMICS_COST_SLO_H_
