#ifndef PURSER_ENGINE_ECONOMICS_MARGINS_H_
#define PURSER_ENGINE_ECONOMICS_MARGINS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/economics/survey.h"

namespace purser::economics {

// What a request class earns and costs. Never only the blend of all of them.
struct ClassMargin {
  std::string name;
  int64_t calls = 0;
  int64_t cost_nanos = 0;
  int64_t revenue_nanos = 0;  // As recorded; else by the economics' terms.
  bool earns = false;         // Something was recorded or stated.

  int64_t margin_nanos() const { return revenue_nanos - cost_nanos; }
  int64_t per_request(int64_t nanos) const { return calls == 0 ? 0 : nanos / calls; }
};
// The largest cost first.
std::vector<ClassMargin> ClassMargins(const Survey& survey);

// An average customer of a tier in an average month.
struct TierMonth {
  std::string tier;             // Empty: calls whose customer has none.
  int64_t customer_months = 0;  // Customers, counted in each month that they were active.
  int64_t calls = 0;
  int64_t cost_nanos = 0;     // Of all of them; AI spend only.
  int64_t revenue_nanos = 0;  // Recorded, and the plan's price for each customer and month.

  int64_t Each(int64_t nanos) const { return customer_months == 0 ? 0 : nanos / customer_months; }
  int64_t margin_nanos() const { return revenue_nanos - cost_nanos; }
  // How many times today's use an average customer of the tier may grow to before the plan makes a loss, if
  // revenue stays; 0: it makes one already, or nothing is known of its revenue.
  double use_until_loss() const;
  // What an average customer leaves in all at today's mix of requests: the month's margin over the plan's
  // monthly churn (a customer stays 1 / churn months on average). Nothing where the churn is not known.
  std::optional<int64_t> lifetime_nanos;
};
// In the order of the economics' plans, then by name.
std::vector<TierMonth> TierMonths(const Survey& survey);

// What one of something costs. Nano-dollars; 0 where there is none of it.
struct UnitCosts {
  int64_t per_call = 0;
  int64_t per_1000_tokens = 0;
  int64_t per_task = 0;
  int64_t per_session = 0;
  // (AI spend + fixed costs of the months) / customers active in each month.
  int64_t per_customer_month = 0;
  int64_t customer_months = 0;
  int64_t fixed_nanos = 0;         // Of all months that have calls.
  int64_t fixed_unused_nanos = 0;  // The share of it that is known not to be used.
};
UnitCosts UnitCostsOf(const Survey& survey);

// Tasks of several calls against single-shot completions of the same class.
struct TaskMultiple {
  std::string request_class;
  int64_t tasks = 0;  // Of two calls and more.
  int64_t per_task_nanos = 0;
  int64_t single_shot_nanos = 0;  // The mean cost of a task of one call; without any, of a call.
  bool from_single_shots = false;
  std::string costliest_task;
  int64_t costliest_nanos = 0;

  double multiple() const {
    return single_shot_nanos == 0
               ? 0
               : static_cast<double>(per_task_nanos) / static_cast<double>(single_shot_nanos);
  }
};
// The largest multiple first.
std::vector<TaskMultiple> TaskMultiples(const Survey& survey);

}  // namespace purser::economics

#endif  // PURSER_ENGINE_ECONOMICS_MARGINS_H_
