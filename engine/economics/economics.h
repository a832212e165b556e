#ifndef PURSER_ENGINE_ECONOMICS_ECONOMICS_H_
#define PURSER_ENGINE_ECONOMICS_ECONOMICS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace purser::economics {

// policies/economics.proto, checked and in nano-dollars.
struct Economics {
  struct Plan {
    std::string customer_tier;
    int64_t nanos_per_month = 0;
    double monthly_churn = 0;  // 0: not known.
  };
  struct RequestClass {
    std::string name;
    std::optional<int64_t> revenue_per_request_nanos;
    std::optional<int64_t> revenue_per_month_nanos;
    std::optional<int64_t> slo_nanos;
    double slo_target = 0.99;
  };
  struct FixedCost {
    std::string name;
    int64_t nanos_per_month = 0;
    double utilisation = 0;  // 0: not known.
  };
  struct Thresholds {
    double free_share_of_spend = 0.10;
    double agent_multiple = 5;
    double estimate_drift = 0.20;
    double hit_rate_fall = 0.20;
    double use_correlation = 0.50;
    double growth_gap = 0.05;
  };

  std::vector<Plan> plans;
  std::vector<RequestClass> classes;
  std::vector<FixedCost> fixed_costs;
  std::optional<int64_t> budget_per_month_nanos;
  Thresholds thresholds;

  const Plan* PlanOf(std::string_view customer_tier) const;
  const RequestClass* ClassOf(std::string_view name) const;
  // A tier whose plan costs nothing, or that is called "free" and has no plan.
  bool IsFree(std::string_view customer_tier) const;
  int64_t fixed_nanos_per_month() const;

  // INVALID_ARGUMENT lists every mistake with file:line:column.
  static absl::StatusOr<Economics> Load(const std::string& path);
  static absl::StatusOr<Economics> Parse(std::string_view text, std::string_view file);
};

}  // namespace purser::economics

#endif  // PURSER_ENGINE_ECONOMICS_ECONOMICS_H_
