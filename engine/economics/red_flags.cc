#include "engine/economics/red_flags.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "engine/economics/margins.h"
#include "engine/economics/percent.h"
#include "policies/amount.h"

namespace purser::economics {
namespace {

using Kind = RedFlag::Kind;

std::string Usd(int64_t nanos) { return FormatUsdForReading(nanos); }

double Share(int64_t part, int64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

class Flagging {
 public:
  explicit Flagging(const Survey& survey)
      : survey_(survey),
        limits_(survey.economics().thresholds),
        earlier_(survey.halves()[0]),
        later_(survey.halves()[1]) {}

  std::vector<RedFlag> Run() {
    CostOutgrowsRevenue();
    FreeTierShare();
    AgentMultiple();
    ClassTurnedNegative();
    SpendWithoutUse();
    EstimateDrift();
    HitRateFalling();
    return std::move(flags_);
  }

 private:
  bool comparable() const { return earlier_.flow.calls >= kMinCalls && later_.flow.calls >= kMinCalls; }

  void CostOutgrowsRevenue() {
    const auto before = static_cast<int64_t>(earlier_.customers.size());
    const auto after = static_cast<int64_t>(later_.customers.size());
    if (!comparable() || before == 0 || after == 0 || earlier_.flow.cost_nanos <= 0) return;
    const int64_t cost_before = earlier_.flow.cost_nanos / before,
                  cost_after = later_.flow.cost_nanos / after;
    const int64_t earned_before = earlier_.flow.revenue_nanos / before,
                  earned_after = later_.flow.revenue_nanos / after;
    if (earned_before <= 0 || cost_before <= 0) return;
    const double cost_growth = Share(cost_after - cost_before, cost_before);
    const double revenue_growth = Share(earned_after - earned_before, earned_before);
    if (cost_growth <= 0 || cost_growth - revenue_growth <= limits_.growth_gap) return;
    flags_.push_back(
        {Kind::kCostOutgrowsRevenue,
         absl::StrFormat("cost per customer grew by %s, revenue per customer by %s", Percent(cost_growth),
                         Percent(revenue_growth)),
         absl::StrCat("cost ", Usd(cost_before), " -> ", Usd(cost_after), ", revenue ", Usd(earned_before),
                      " -> ", Usd(earned_after), " per customer, ", before, " and ", after, " customers")});
  }

  void FreeTierShare() {
    int64_t free_nanos = 0, free_customers = 0;
    for (const TierMonth& tier : TierMonths(survey_)) {
      if (!survey_.economics().IsFree(tier.tier)) continue;
      free_nanos += tier.cost_nanos;
      free_customers += tier.customer_months;
    }
    const double share = Share(free_nanos, survey_.total().cost_nanos);
    if (share <= limits_.free_share_of_spend) return;
    flags_.push_back({Kind::kFreeTierShare,
                      absl::StrFormat("free tiers are %s of spend (flagged above %s)", Percent(share),
                                      Percent(limits_.free_share_of_spend)),
                      absl::StrCat(Usd(free_nanos), " of ", Usd(survey_.total().cost_nanos), ", ",
                                   free_customers, " customer months")});
  }

  void AgentMultiple() {
    for (const TaskMultiple& one : TaskMultiples(survey_)) {
      if (one.multiple() < limits_.agent_multiple) continue;
      flags_.push_back(
          {Kind::kAgentMultiple,
           absl::StrFormat("%s: a task costs %.1fx a single completion (flagged from %gx)",
                           one.request_class.empty() ? "(no class)" : one.request_class, one.multiple(),
                           limits_.agent_multiple),
           absl::StrCat(one.tasks, " tasks of several calls at ", Usd(one.per_task_nanos), " each; ",
                        one.from_single_shots ? "a task of one call " : "a call ", Usd(one.single_shot_nanos),
                        "; the most expensive, ", one.costliest_task, ", ", Usd(one.costliest_nanos))});
    }
  }

  // What a class earns by its terms, where nothing was recorded.
  int64_t Revenue(const std::string& name, const Flow& flow) const {
    const Economics::RequestClass* terms = survey_.economics().ClassOf(name);
    if (flow.revenue_nanos != 0 || terms == nullptr) return flow.revenue_nanos;
    if (terms->revenue_per_request_nanos) return *terms->revenue_per_request_nanos * flow.calls;
    if (terms->revenue_per_month_nanos) {
      const auto months = static_cast<int64_t>(std::max<size_t>(survey_.months().size(), 1));
      return *terms->revenue_per_month_nanos * months / 2;
    }
    return 0;
  }

  void ClassTurnedNegative() {
    for (const auto& [name, before] : earlier_.classes) {
      const auto at = later_.classes.find(name);
      if (at == later_.classes.end()) continue;
      const Flow& after = at->second;
      if (before.calls < kMinCalls || after.calls < kMinCalls) continue;
      const int64_t margin_before = (Revenue(name, before) - before.cost_nanos) / before.calls;
      const int64_t margin_after = (Revenue(name, after) - after.cost_nanos) / after.calls;
      if (margin_before < 0 || margin_after >= 0) continue;
      const ledger::CostChange change =
          ledger::CostChange::Between(earlier_.shapes.at(name), later_.shapes.at(name));
      const std::vector<ledger::CostChange::Part> parts = change.Parts();
      const auto largest = std::max_element(parts.begin(), parts.end(), [](const auto& a, const auto& b) {
        return (std::string_view(a.name) == "volume" ? 0 : a.nanos) <
               (std::string_view(b.name) == "volume" ? 0 : b.nanos);
      });
      flags_.push_back(
          {Kind::kClassTurnedNegative,
           absl::StrCat(name.empty() ? "(no class)" : name, ": margin went from ", Usd(margin_before), " to ",
                        Usd(margin_after), " per request",
                        largest->nanos > 0 ? absl::StrCat(", mostly by ", largest->name) : std::string()),
           Parts(parts)});
    }
  }

  static std::string Parts(const std::vector<ledger::CostChange::Part>& parts) {
    std::string text = "of the change in cost:";
    for (const auto& part : parts) {
      if (part.nanos != 0) absl::StrAppend(&text, " ", part.name, " ", Usd(part.nanos), ",");
    }
    text.pop_back();
    return text;
  }

  void SpendWithoutUse() {
    constexpr size_t kMinDays = 7;
    if (survey_.days().size() < kMinDays) return;
    double n = 0, sx = 0, sy = 0, sxx = 0, syy = 0, sxy = 0;
    for (const auto& [day, flow] : survey_.days()) {
      const auto x = static_cast<double>(flow.calls), y = static_cast<double>(flow.cost_nanos);
      n += 1, sx += x, sy += y, sxx += x * x, syy += y * y, sxy += x * y;
    }
    const double spread = (sxx - sx * sx / n) * (syy - sy * sy / n);
    // Where spend hardly moves there is nothing to explain.
    const double spend_variation =
        sy == 0 ? 0 : std::sqrt(std::max(0.0, syy / n - sy * sy / n / n)) / (sy / n);
    if (spend_variation < 0.1) return;
    const double r = spread <= 0 ? 0 : (sxy - sx * sy / n) / std::sqrt(spread);
    if (r >= limits_.use_correlation) return;
    flags_.push_back(
        {Kind::kSpendWithoutUse,
         absl::StrFormat("daily spend does not follow daily calls (correlation %.2f, flagged below %.2f)", r,
                         limits_.use_correlation),
         absl::StrFormat("%d days; spend varies by %s a day", survey_.days().size(),
                         Percent(spend_variation))});
  }

  void EstimateDrift() {
    const auto ratio = [](const Survey::Half& half) {
      return Share(half.cost_of_estimated_nanos, half.estimated_nanos);
    };
    const double now = ratio(later_), then = ratio(earlier_);
    if (later_.flow.calls < kMinCalls || now == 0 || std::abs(now - 1) <= limits_.estimate_drift) return;
    flags_.push_back({Kind::kEstimateDrift,
                      absl::StrFormat("calls cost %.2fx what was expected (flagged beyond %s)", now,
                                      Percent(limits_.estimate_drift)),
                      absl::StrCat("lately ", Usd(later_.cost_of_estimated_nanos), " for an expected ",
                                   Usd(later_.estimated_nanos), absl::StrFormat("; before, %.2fx", then))});
  }

  void HitRateFalling() {
    if (!comparable()) return;
    const double then = Share(earlier_.hits, earlier_.flow.calls),
                 now = Share(later_.hits, later_.flow.calls);
    // A rate of a few in a hundred moves by chance.
    const double chance = 2 * std::sqrt(then * (1 - then) / static_cast<double>(later_.flow.calls));
    if (then <= 0 || (then - now) / then <= limits_.hit_rate_fall || then - now <= chance) return;
    flags_.push_back(
        {Kind::kHitRateFalling,
         absl::StrFormat("the cache answers %s of calls, before %s", Percent(now), Percent(then)),
         absl::StrCat(later_.hits, " of ", later_.flow.calls, " calls; before, ", earlier_.hits, " of ",
                      earlier_.flow.calls)});
  }

  const Survey& survey_;
  const Economics::Thresholds& limits_;
  const Survey::Half& earlier_;
  const Survey::Half& later_;
  std::vector<RedFlag> flags_;
};

}  // namespace

const char* NameOf(RedFlag::Kind kind) {
  switch (kind) {
    case Kind::kCostOutgrowsRevenue:
      return "cost-outgrows-revenue";
    case Kind::kFreeTierShare:
      return "free-tier-share";
    case Kind::kAgentMultiple:
      return "agent-multiple";
    case Kind::kClassTurnedNegative:
      return "class-turned-negative";
    case Kind::kSpendWithoutUse:
      return "spend-without-use";
    case Kind::kEstimateDrift:
      return "estimate-drift";
    case Kind::kHitRateFalling:
      return "hit-rate-falling";
  }
  return "";
}

std::vector<RedFlag> RedFlags(const Survey& survey) { return Flagging(survey).Run(); }

}  // namespace purser::economics
