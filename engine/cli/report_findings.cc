#include "engine/cli/report_findings.h"

#include <algorithm>
#include <cstdio>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "engine/cli/report_text.h"
#include "engine/cli/table.h"
#include "engine/economics/percent.h"
#include "engine/ledger/record_json.h"
#include "policies/amount.h"
#include "policies/decimal.h"

namespace purser::cli {
namespace {

using economics::Findings;
using Align = Table::Align;

std::string Usd(int64_t nanos) { return FormatUsdForReading(nanos); }
std::string NameOr(const std::string& name, const char* fallback) {
  return name.empty() ? fallback : Printable(name);
}

void Title(const char* title) { std::printf("\n%s\n", title); }

void PrintUnits(const Findings& found) {
  Title("What one costs");
  const economics::UnitCosts& units = found.units;
  const auto line = [](const char* what, int64_t nanos, const std::string& more = "") {
    if (nanos != 0) std::printf("  %-22s %16s   %s\n", what, Usd(nanos).c_str(), more.c_str());
  };
  line("call", units.per_call);
  line("1,000 tokens", units.per_1000_tokens);
  line("task", units.per_task);
  line("session", units.per_session);
  line("customer and month", units.per_customer_month,
       units.fixed_nanos > 0 ? "with " + Usd(units.fixed_nanos) + " of fixed costs" : "");
  if (units.fixed_unused_nanos > 0) line("fixed, not used", units.fixed_unused_nanos);
}

void PrintClasses(const Findings& found, size_t top) {
  if (!found.earns()) return;
  Title("Margin by class");
  Table table({{"class"},
               {"requests", Align::kRight},
               {"revenue", Align::kRight},
               {"cost", Align::kRight},
               {"margin", Align::kRight},
               {"per request", Align::kRight},
               {""}});
  for (size_t i = 0; i < std::min(found.classes.size(), top + 1); ++i) {
    const economics::ClassMargin& one = found.classes[i];
    table.AddRow({NameOr(one.name, "(none)"), WithCommas(one.calls), one.earns ? Usd(one.revenue_nanos) : "-",
                  Usd(one.cost_nanos), one.earns ? Usd(one.margin_nanos()) : "-",
                  one.earns ? Usd(one.per_request(one.margin_nanos())) : "-",
                  one.earns && one.margin_nanos() < 0 ? "loses" : ""});
  }
  std::printf("%s", table.ToString().c_str());
}

void PrintTiers(const Findings& found) {
  if (found.tiers.empty() || (found.tiers.size() == 1 && found.tiers[0].tier.empty())) return;
  Title("Customers by tier, an average customer in a month");
  Table table({{"tier"},
               {"months", Align::kRight},
               {"revenue", Align::kRight},
               {"cost", Align::kRight},
               {"margin", Align::kRight},
               {"cost of revenue", Align::kRight},
               {"loss from", Align::kRight},
               {"lifetime", Align::kRight}});
  for (const economics::TierMonth& tier : found.tiers) {
    table.AddRow({NameOr(tier.tier, "(none)"), WithCommas(tier.customer_months),
                  Usd(tier.Each(tier.revenue_nanos)), Usd(tier.Each(tier.cost_nanos)),
                  Usd(tier.Each(tier.margin_nanos())),
                  economics::PercentOf(tier.cost_nanos, tier.revenue_nanos),
                  tier.use_until_loss() > 0 ? absl::StrFormat("%.1fx use", tier.use_until_loss())
                  : tier.cost_nanos > 0     ? "now"
                                            : "-",
                  tier.lifetime_nanos ? Usd(*tier.lifetime_nanos) : "-"});
  }
  std::printf("%s", table.ToString().c_str());
}

void PrintTasks(const Findings& found, size_t top) {
  if (found.tasks.empty()) return;
  Title("Tasks against a single completion");
  Table table({{"class"},
               {"tasks", Align::kRight},
               {"per task", Align::kRight},
               {"completion", Align::kRight},
               {"", Align::kRight},
               {"costliest task"},
               {"", Align::kRight}});
  for (size_t i = 0; i < std::min(found.tasks.size(), top + 1); ++i) {
    const economics::TaskMultiple& one = found.tasks[i];
    table.AddRow({NameOr(one.request_class, "(none)"), WithCommas(one.tasks), Usd(one.per_task_nanos),
                  Usd(one.single_shot_nanos), absl::StrFormat("%.1fx", one.multiple()),
                  Printable(one.costliest_task).substr(0, 32), Usd(one.costliest_nanos)});
  }
  std::printf("%s", table.ToString().c_str());
}

void PrintSlos(const Findings& found) {
  if (found.slos.empty()) return;
  Title("Cost objectives (burn rate: 1 uses the allowance up exactly)");
  Table table({{"class"},
               {"at most", Align::kRight},
               {"target", Align::kRight},
               {"kept", Align::kRight},
               {"burn 1 h", Align::kRight},
               {"6 h", Align::kRight},
               {""}});
  for (const economics::CostSlo& slo : found.slos) {
    table.AddRow({Printable(slo.request_class), Usd(slo.limit_nanos),
                  absl::StrFormat("%g %%", slo.target * 100),
                  economics::PercentOf(slo.calls - slo.over, slo.calls), absl::StrFormat("%.1f", slo.burn_1h),
                  absl::StrFormat("%.1f", slo.burn_6h),
                  slo.burns_fast()     ? "ALERT: burns fast"
                  : slo.burns_slowly() ? "ALERT: burns"
                  : slo.met()          ? "kept"
                                       : "missed"});
  }
  std::printf("%s", table.ToString().c_str());
}

void PrintForecast(const Findings& found) {
  if (!found.forecast) return;
  const economics::Forecast& forecast = *found.forecast;
  Title("Forecast");
  std::string budget;
  if (forecast.budget_nanos) {
    budget = absl::StrCat("; ", forecast.over_budget() ? "ABOVE" : "within", " the budget of ",
                          Usd(*forecast.budget_nanos));
  }
  std::printf("  %s ends at %s (nine times of ten %s to %s)%s\n", forecast.month.c_str(),
              Usd(forecast.expected_nanos).c_str(), Usd(forecast.low_nanos).c_str(),
              Usd(forecast.high_nanos).c_str(), budget.c_str());
  std::printf("  so far %s, %d whole days to come, from the last %d\n", Usd(forecast.so_far_nanos).c_str(),
              forecast.days_left, forecast.days_seen);
}

void PrintFlags(const Findings& found) {
  Title("Red flags");
  if (found.flags.empty()) std::printf("  none\n");
  for (const economics::RedFlag& flag : found.flags) {
    std::printf("  ! %s\n    %s\n", Printable(flag.what).c_str(), Printable(flag.evidence).c_str());
  }
}

void PrintAnomalies(const Findings& found) {
  if (found.anomalies.empty()) return;
  Title("Hours that cost far more than they do (UTC)");
  for (const economics::Anomaly& anomaly : found.anomalies) {
    std::printf("  %s  %s  %s, usually %s\n", HourText(anomaly.hour).c_str(),
                NameOr(anomaly.request_class, "(no class)").c_str(), Usd(anomaly.cost_nanos).c_str(),
                Usd(anomaly.usual_nanos).c_str());
    for (const economics::Anomaly::Cause& cause : anomaly.causes) {
      std::printf("      %s %s: %s more\n", cause.dimension.c_str(), Printable(cause.value).c_str(),
                  Usd(cause.excess_nanos).c_str());
    }
  }
}

}  // namespace

std::string HourText(int64_t hour) {
  return absl::FormatTime("%Y-%m-%d %H:00", absl::FromUnixSeconds(hour * 3600), absl::UTCTimeZone());
}

void PrintFindings(const Findings& findings, size_t top) {
  PrintUnits(findings);
  PrintClasses(findings, top);
  PrintTiers(findings);
  PrintTasks(findings, top);
  PrintSlos(findings);
  PrintForecast(findings);
  PrintFlags(findings);
  PrintAnomalies(findings);
}

void PrintFindingsJson(const Findings& findings) {
  using Json = nlohmann::ordered_json;
  const auto print = [](const Json& json) { std::printf("%s\n", ledger::JsonLine(json).c_str()); };
  const economics::UnitCosts& units = findings.units;
  print({{"section", "unit_costs"},
         {"call_usd", FormatUsd(units.per_call)},
         {"thousand_tokens_usd", FormatUsd(units.per_1000_tokens)},
         {"task_usd", FormatUsd(units.per_task)},
         {"session_usd", FormatUsd(units.per_session)},
         {"customer_month_usd", FormatUsd(units.per_customer_month)},
         {"customer_months", units.customer_months},
         {"fixed_usd", FormatUsd(units.fixed_nanos)},
         {"fixed_unused_usd", FormatUsd(units.fixed_unused_nanos)}});
  for (const economics::ClassMargin& one : findings.classes) {
    Json json = {{"section", "class"},
                 {"class", one.name},
                 {"calls", one.calls},
                 {"cost_usd", FormatUsd(one.cost_nanos)}};
    if (one.earns) {
      json["revenue_usd"] = FormatUsd(one.revenue_nanos);
      json["margin_usd"] = FormatUsd(one.margin_nanos());
      json["margin_per_request_usd"] = FormatUsd(one.per_request(one.margin_nanos()));
    }
    print(json);
  }
  for (const economics::TierMonth& tier : findings.tiers) {
    Json json = {{"section", "customer_tier"},
                 {"tier", tier.tier},
                 {"customer_months", tier.customer_months},
                 {"revenue_usd", FormatUsd(tier.revenue_nanos)},
                 {"cost_usd", FormatUsd(tier.cost_nanos)},
                 {"margin_per_customer_month_usd", FormatUsd(tier.Each(tier.margin_nanos()))},
                 {"use_until_loss", tier.use_until_loss()}};
    if (tier.lifetime_nanos) json["lifetime_usd"] = FormatUsd(*tier.lifetime_nanos);
    print(json);
  }
  for (const economics::TaskMultiple& one : findings.tasks) {
    print({{"section", "task_multiple"},
           {"class", one.request_class},
           {"tasks", one.tasks},
           {"per_task_usd", FormatUsd(one.per_task_nanos)},
           {"single_shot_usd", FormatUsd(one.single_shot_nanos)},
           {"multiple", one.multiple()},
           {"dearest_task", one.costliest_task},
           {"dearest_usd", FormatUsd(one.costliest_nanos)}});
  }
  for (const economics::CostSlo& slo : findings.slos) {
    print({{"section", "objective"},
           {"class", slo.request_class},
           {"limit_usd", FormatUsd(slo.limit_nanos)},
           {"target", slo.target},
           {"calls", slo.calls},
           {"over", slo.over},
           {"burn_5m", slo.burn_5m},
           {"burn_30m", slo.burn_30m},
           {"burn_1h", slo.burn_1h},
           {"burn_6h", slo.burn_6h},
           {"alert", slo.burns_fast()     ? "fast"
                     : slo.burns_slowly() ? "slow"
                                          : ""}});
  }
  if (findings.forecast) {
    const economics::Forecast& forecast = *findings.forecast;
    Json json = {{"section", "forecast"},
                 {"month", forecast.month},
                 {"so_far_usd", FormatUsd(forecast.so_far_nanos)},
                 {"expected_usd", FormatUsd(forecast.expected_nanos)},
                 {"low_usd", FormatUsd(forecast.low_nanos)},
                 {"high_usd", FormatUsd(forecast.high_nanos)}};
    if (forecast.budget_nanos) json["budget_usd"] = FormatUsd(*forecast.budget_nanos);
    print(json);
  }
  for (const economics::RedFlag& flag : findings.flags) {
    print({{"section", "red_flag"},
           {"flag", NameOf(flag.kind)},
           {"what", flag.what},
           {"evidence", flag.evidence}});
  }
  for (const economics::Anomaly& anomaly : findings.anomalies) {
    Json json = {{"section", "anomaly"},
                 {"hour", HourText(anomaly.hour)},
                 {"class", anomaly.request_class},
                 {"cost_usd", FormatUsd(anomaly.cost_nanos)},
                 {"usual_usd", FormatUsd(anomaly.usual_nanos)},
                 {"score", anomaly.score},
                 {"causes", Json::array()}};
    for (const economics::Anomaly::Cause& cause : anomaly.causes) {
      json["causes"].push_back({{"dimension", cause.dimension},
                                {"value", cause.value},
                                {"excess_usd", FormatUsd(cause.excess_nanos)}});
    }
    print(json);
  }
}

}  // namespace purser::cli
