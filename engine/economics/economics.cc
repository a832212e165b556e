#include "engine/economics/economics.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "policies/amount.h"
#include "policies/textproto.h"
#include "purser/economics.pb.h"

namespace purser::economics {
namespace {

class Checker {
 public:
  Checker(const policy::Economics& from, Diagnostics* diagnostics)
      : from_(from), diagnostics_(*diagnostics) {}

  Economics Run();

 private:
  // Absent: nothing was said, or it was wrong.
  std::optional<int64_t> Usd(const std::string& text, const std::string& path) {
    if (text.empty()) return std::nullopt;
    const absl::StatusOr<int64_t> nanos = ParseUsd(text);
    if (!nanos.ok()) {
      diagnostics_.Error(path, std::string(nanos.status().message()));
      return std::nullopt;
    }
    if (*nanos < 0) {
      diagnostics_.Error(path, absl::StrCat("expected an amount of 0 or more, not \"", text, "\""));
      return std::nullopt;
    }
    return *nanos;
  }
  int64_t NeededUsd(const std::string& text, const std::string& path) {
    if (text.empty()) diagnostics_.Error(path, "expected an amount of dollars, such as \"29\"");
    return Usd(text, path).value_or(0);
  }
  void Name(const std::string& name, const std::string& path, std::set<std::string>* seen) {
    if (name.empty()) diagnostics_.Error(path, "expected a name");
    if (!seen->insert(name).second)
      diagnostics_.Error(path, absl::StrCat("\"", name, "\" stands here twice"));
  }
  void Threshold(double value, const char* name, double* to) {
    if (value < 0) diagnostics_.Error(absl::StrCat("thresholds.", name), "expected a number above 0");
    if (value > 0) *to = value;
  }

  const policy::Economics& from_;
  Diagnostics& diagnostics_;
};

Economics Checker::Run() {
  Economics to;
  std::set<std::string> tiers, classes, costs;
  for (int i = 0; i < from_.plans_size(); ++i) {
    const auto& plan = from_.plans(i);
    const std::string path = absl::StrCat("plans[", i, "]");
    Name(plan.customer_tier(), path + ".customer_tier", &tiers);
    if (!(plan.monthly_churn() >= 0 && plan.monthly_churn() <= 1)) {
      diagnostics_.Error(path + ".monthly_churn", "expected a share between 0 and 1");
    }
    to.plans.push_back({plan.customer_tier(), NeededUsd(plan.usd_per_month(), path + ".usd_per_month"),
                        plan.monthly_churn()});
  }
  for (int i = 0; i < from_.classes_size(); ++i) {
    const auto& config = from_.classes(i);
    const std::string path = absl::StrCat("classes[", i, "]");
    Name(config.name(), path + ".name", &classes);
    Economics::RequestClass one;
    one.name = config.name();
    one.revenue_per_request_nanos = Usd(config.revenue_per_request_usd(), path + ".revenue_per_request_usd");
    one.revenue_per_month_nanos = Usd(config.revenue_per_month_usd(), path + ".revenue_per_month_usd");
    if (one.revenue_per_request_nanos && one.revenue_per_month_nanos) {
      diagnostics_.Error(path + ".revenue_per_month_usd", "expected revenue by the request or by the month");
    }
    one.slo_nanos = Usd(config.slo_usd_per_request(), path + ".slo_usd_per_request");
    if (config.slo_target() != 0) one.slo_target = config.slo_target();
    if (!(one.slo_target > 0 && one.slo_target < 1)) {
      diagnostics_.Error(path + ".slo_target", "expected a share between 0 and 1, such as 0.99");
    }
    to.classes.push_back(std::move(one));
  }
  for (int i = 0; i < from_.fixed_costs_size(); ++i) {
    const auto& cost = from_.fixed_costs(i);
    const std::string path = absl::StrCat("fixed_costs[", i, "]");
    Name(cost.name(), path + ".name", &costs);
    if (!(cost.utilisation() >= 0 && cost.utilisation() <= 1)) {
      diagnostics_.Error(path + ".utilisation", "expected a share between 0 and 1");
    }
    to.fixed_costs.push_back(
        {cost.name(), NeededUsd(cost.usd_per_month(), path + ".usd_per_month"), cost.utilisation()});
  }
  to.budget_per_month_nanos = Usd(from_.budget_usd_per_month(), "budget_usd_per_month");
  const auto& config = from_.thresholds();
  Economics::Thresholds& thresholds = to.thresholds;
  Threshold(config.free_share_of_spend(), "free_share_of_spend", &thresholds.free_share_of_spend);
  Threshold(config.agent_multiple(), "agent_multiple", &thresholds.agent_multiple);
  Threshold(config.estimate_drift(), "estimate_drift", &thresholds.estimate_drift);
  Threshold(config.hit_rate_fall(), "hit_rate_fall", &thresholds.hit_rate_fall);
  Threshold(config.use_correlation(), "use_correlation", &thresholds.use_correlation);
  Threshold(config.growth_gap(), "growth_gap", &thresholds.growth_gap);
  return to;
}

absl::StatusOr<Economics> Check(const policy::Economics& config, Diagnostics diagnostics) {
  if (!diagnostics.ok()) return diagnostics.ToStatus();
  Economics checked = Checker(config, &diagnostics).Run();
  if (!diagnostics.ok()) return diagnostics.ToStatus();
  return checked;
}

}  // namespace

const Economics::Plan* Economics::PlanOf(std::string_view customer_tier) const {
  for (const Plan& plan : plans) {
    if (plan.customer_tier == customer_tier) return &plan;
  }
  return nullptr;
}

const Economics::RequestClass* Economics::ClassOf(std::string_view name) const {
  for (const RequestClass& one : classes) {
    if (one.name == name) return &one;
  }
  return nullptr;
}

bool Economics::IsFree(std::string_view customer_tier) const {
  const Plan* plan = PlanOf(customer_tier);
  return plan != nullptr ? plan->nanos_per_month == 0 : customer_tier == "free";
}

int64_t Economics::fixed_nanos_per_month() const {
  int64_t sum = 0;
  for (const FixedCost& cost : fixed_costs) sum += cost.nanos_per_month;
  return sum;
}

absl::StatusOr<Economics> Economics::Load(const std::string& path) {
  policy::Economics config;
  return Check(config, ReadTextproto(path, &config));
}

absl::StatusOr<Economics> Economics::Parse(std::string_view text, std::string_view file) {
  policy::Economics config;
  return Check(config, ParseTextproto(text, file, &config));
}

}  // namespace purser::economics
