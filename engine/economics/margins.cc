#include "engine/economics/margins.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace purser::economics {

double TierMonth::use_until_loss() const {
  if (revenue_nanos <= cost_nanos || cost_nanos <= 0) return 0;
  return static_cast<double>(revenue_nanos) / static_cast<double>(cost_nanos);
}

std::vector<ClassMargin> ClassMargins(const Survey& survey) {
  std::vector<ClassMargin> margins;
  const auto months = static_cast<int64_t>(survey.months().size());
  for (const auto& [name, totals] : survey.classes()) {
    ClassMargin margin;
    margin.name = name;
    margin.calls = totals.calls;
    margin.cost_nanos = totals.cost_nanos;
    const Economics::RequestClass* terms = survey.economics().ClassOf(name);
    if (totals.calls_with_revenue > 0) {
      margin.revenue_nanos = totals.revenue_nanos;
      margin.earns = true;
    } else if (terms != nullptr && terms->revenue_per_request_nanos) {
      margin.revenue_nanos = *terms->revenue_per_request_nanos * totals.calls;
      margin.earns = true;
    } else if (terms != nullptr && terms->revenue_per_month_nanos) {
      margin.revenue_nanos = *terms->revenue_per_month_nanos * std::max<int64_t>(months, 1);
      margin.earns = true;
    }
    margins.push_back(std::move(margin));
  }
  std::stable_sort(margins.begin(), margins.end(),
                   [](const ClassMargin& a, const ClassMargin& b) { return a.cost_nanos > b.cost_nanos; });
  return margins;
}

std::vector<TierMonth> TierMonths(const Survey& survey) {
  std::map<std::string, TierMonth> by_tier;
  for (const auto& [month, customers] : survey.months()) {
    for (const auto& [key, customer] : customers) {
      TierMonth& tier = by_tier[customer.tier];
      tier.tier = customer.tier;
      ++tier.customer_months;
      tier.calls += customer.flow.calls;
      tier.cost_nanos += customer.flow.cost_nanos;
      tier.revenue_nanos += customer.flow.revenue_nanos;
      const Economics::Plan* plan = survey.economics().PlanOf(customer.tier);
      if (plan != nullptr) tier.revenue_nanos += plan->nanos_per_month;
    }
  }
  std::vector<TierMonth> tiers;
  for (const Economics::Plan& plan : survey.economics().plans) {
    if (const auto at = by_tier.find(plan.customer_tier); at != by_tier.end()) {
      TierMonth& tier = at->second;
      if (plan.monthly_churn > 0) {
        tier.lifetime_nanos =
            std::llround(static_cast<double>(tier.Each(tier.margin_nanos())) / plan.monthly_churn);
      }
      tiers.push_back(std::move(at->second));
      by_tier.erase(at);
    }
  }
  for (auto& [name, tier] : by_tier) tiers.push_back(std::move(tier));
  return tiers;
}

UnitCosts UnitCostsOf(const Survey& survey) {
  const ledger::Totals& total = survey.total();
  const auto each = [&](int64_t count, int64_t nanos) { return count == 0 ? 0 : nanos / count; };
  UnitCosts costs;
  costs.per_call = each(total.calls, total.cost_nanos);
  const int64_t tokens = total.input_tokens + total.output_tokens;
  costs.per_1000_tokens =
      tokens == 0 ? 0 : static_cast<int64_t>(static_cast<__int128>(total.cost_nanos) * 1000 / tokens);
  int64_t task_nanos = 0;
  for (const auto& [key, task] : survey.tasks()) task_nanos += task.cost_nanos;
  costs.per_task = each(static_cast<int64_t>(survey.tasks().size()), task_nanos);
  costs.per_session = each(survey.sessions(), total.cost_nanos);
  for (const auto& [month, customers] : survey.months()) {
    costs.customer_months += static_cast<int64_t>(customers.size());
  }
  const auto months = static_cast<int64_t>(survey.months().size());
  costs.fixed_nanos = survey.economics().fixed_nanos_per_month() * months;
  for (const Economics::FixedCost& fixed : survey.economics().fixed_costs) {
    if (fixed.utilisation > 0) {
      costs.fixed_unused_nanos +=
          months * static_cast<int64_t>(static_cast<double>(fixed.nanos_per_month) * (1 - fixed.utilisation));
    }
  }
  costs.per_customer_month = each(costs.customer_months, total.cost_nanos + costs.fixed_nanos);
  return costs;
}

std::vector<TaskMultiple> TaskMultiples(const Survey& survey) {
  struct Sums {
    int64_t single_tasks = 0, single_nanos = 0, task_nanos = 0;
  };
  std::map<int16_t, Sums> sums;
  std::map<int16_t, TaskMultiple> multiples;
  for (const auto& [key, task] : survey.tasks()) {
    Sums& sum = sums[task.request_class];
    if (task.calls < 2) {
      sum.single_tasks += task.calls;
      sum.single_nanos += task.cost_nanos;
      continue;
    }
    TaskMultiple& multiple = multiples[task.request_class];
    ++multiple.tasks;
    sum.task_nanos += task.cost_nanos;
    const bool costs_more =
        task.cost_nanos > multiple.costliest_nanos ||
        (task.cost_nanos == multiple.costliest_nanos && Survey::Shown(key) < multiple.costliest_task);
    if (costs_more) {
      multiple.costliest_nanos = task.cost_nanos;
      multiple.costliest_task = Survey::Shown(key);
    }
  }
  std::vector<TaskMultiple> found;
  for (auto& [index, multiple] : multiples) {
    const Sums& sum = sums[index];
    multiple.request_class = survey.class_names()[static_cast<size_t>(index)];
    multiple.per_task_nanos = sum.task_nanos / multiple.tasks;
    const ledger::Totals& totals = survey.classes().at(multiple.request_class);
    multiple.from_single_shots = sum.single_tasks > 0;
    if (multiple.from_single_shots) {
      multiple.single_shot_nanos = sum.single_nanos / sum.single_tasks;
    } else if (totals.calls > 0) {
      multiple.single_shot_nanos = totals.cost_nanos / totals.calls;
    }
    found.push_back(std::move(multiple));
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const TaskMultiple& a, const TaskMultiple& b) { return a.multiple() > b.multiple(); });
  return found;
}

}  // namespace purser::economics
