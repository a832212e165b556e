#include "engine/economics/report_page.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "engine/economics/percent.h"
#include "engine/economics/report_page_style.h"
#include "engine/economics/svg_chart.h"
#include "policies/amount.h"
#include "policies/decimal.h"

namespace purser::economics {
namespace {

std::string Usd(int64_t nanos) { return FormatUsdForReading(nanos); }

std::string NameOr(const std::string& name, const char* fallback) {
  return name.empty() ? fallback : Escaped(name);
}

std::string DayText(int64_t day) { return absl::FormatCivilTime(absl::CivilDay(1970, 1, 1) + day); }

class Page {
 public:
  Page(const Findings& found, const PageOptions& options) : found_(found), options_(options) {}

  std::string Write() {
    absl::StrAppend(&html_, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n",
                    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n",
                    "<meta name=\"color-scheme\" content=\"light dark\">\n<title>", Escaped(options_.title),
                    " - Purser</title>\n<style>",
                    absl::string_view(kReportPageStyle.data(), kReportPageStyle.size()),
                    "</style></head><body>\n");
    absl::StrAppend(&html_, "<h1>", Escaped(options_.title), "</h1>\n<div class=\"soft\">",
                    options_.from == options_.to ? options_.from : options_.from + " to " + options_.to, ", ",
                    WithCommas(total().calls), " calls</div>\n");
    Facts();
    html_ += "<div class=\"grid\">\n";
    Flags();
    SpendByDay();
    Classes();
    Savings();
    Tiers();
    Tasks();
    Objectives();
    Anomalies();
    html_ += "</div>\n</body></html>\n";
    return std::move(html_);
  }

 private:
  const ledger::Totals& total() const { return found_.survey->total(); }

  void Section(const char* title, const std::string& body, bool wide = false) {
    absl::StrAppend(&html_, "<section", wide ? " class=\"wide\"" : "", "><h2>", title, "</h2>\n", body,
                    "</section>\n");
  }

  void Fact(const std::string& value, const std::string& what, bool wide = false) {
    absl::StrAppend(&html_, "<div class=\"fact", wide ? " wide" : "", "\"><b>", value, "</b><span>", what,
                    "</span></div>\n");
  }

  void Facts() {
    const ledger::Totals& t = total();
    html_ += "<div class=\"facts\">\n";
    Fact(Usd(t.cost_nanos), "cost");
    const int64_t saved = t.default_cost_nanos - t.cost_nanos;
    if (t.default_cost_nanos > 0)
      Fact(Usd(saved), "saved, " + PercentOf(saved, t.default_cost_nanos) + " of the models asked for");
    Fact(Usd(found_.units.per_call), "per call");
    if (found_.units.per_task > 0) Fact(Usd(found_.units.per_task), "per task");
    if (found_.units.per_customer_month > 0) {
      Fact(Usd(found_.units.per_customer_month), found_.units.fixed_nanos > 0
                                                     ? "per customer and month, fixed costs included"
                                                     : "per customer and month");
    }
    if (t.exact_hits + t.semantic_hits > 0)
      Fact(PercentOf(t.exact_hits + t.semantic_hits, t.calls), "answered from the cache");
    if (found_.forecast) {
      const Forecast& forecast = *found_.forecast;
      std::string what = absl::StrCat("expected for ", forecast.month, ", ", Usd(forecast.low_nanos), " to ",
                                      Usd(forecast.high_nanos));
      if (forecast.budget_nanos) {
        absl::StrAppend(&what,
                        forecast.over_budget() ? "; <span class=\"bad\">above</span> the budget of "
                                               : "; within the budget of ",
                        Usd(*forecast.budget_nanos));
      }
      Fact(Usd(forecast.expected_nanos), what, true);
    }
    html_ += "</div>\n";
  }

  void Flags() {
    if (found_.flags.empty()) return Section("Red flags", "<div class=\"good\">None.</div>\n", true);
    std::string body = "<ul>\n";
    for (const RedFlag& flag : found_.flags) {
      absl::StrAppend(&body, "<li>", Escaped(flag.what), "<small>", Escaped(flag.evidence),
                      "</small></li>\n");
    }
    Section("Red flags", body + "</ul>\n", true);
  }

  // The largest models by name, the others as one.
  void SpendByDay() {
    constexpr size_t kMaxModels = 6;
    std::vector<std::pair<int64_t, std::string>> models;
    for (const auto& [model, days] : found_.survey->model_days()) {
      int64_t sum = 0;
      for (const auto& [day, nanos] : days) sum += nanos;
      models.emplace_back(sum, model);
    }
    std::sort(models.rbegin(), models.rend());
    if (models.empty()) return;
    StackedBars chart;
    const int64_t first = found_.survey->days().begin()->first, last = found_.survey->days().rbegin()->first;
    // Long ledgers by the week, so that a bar stays wide enough to see.
    const int64_t step = last - first >= 120 ? 7 : 1;
    const auto bins = static_cast<size_t>((last - first) / step + 1);
    for (size_t i = 0; i < bins; ++i) chart.labels.push_back(DayText(first + static_cast<int64_t>(i) * step));
    for (size_t m = 0; m < models.size(); ++m) {
      if (m <= kMaxModels)
        chart.series.push_back({m < kMaxModels ? NameOr(models[m].second, "(none)") : "other models",
                                std::vector<int64_t>(bins)});
      for (const auto& [day, nanos] : found_.survey->model_days().at(models[m].second)) {
        chart.series.back().values[static_cast<size_t>((day - first) / step)] += nanos;
      }
    }
    Section(step == 1 ? "Spend by model and day" : "Spend by model and week", chart.ToHtml(), true);
  }

  void Classes() {
    const bool earns = found_.earns();
    std::vector<Bar> bars;
    for (const ClassMargin& one : found_.classes) {
      if (bars.size() == 12) break;
      if (earns && !one.earns) continue;
      const int64_t nanos = earns ? one.margin_nanos() : one.cost_nanos;
      const std::string each =
          one.calls == 0 ? "" : " <span class=\"soft\">" + Usd(one.per_request(nanos)) + " each</span>";
      bars.push_back({NameOr(one.name, "(no class)"), nanos, Usd(nanos) + each});
    }
    if (bars.empty()) return;
    Section(earns ? "Margin by class" : "Cost by class", BarsToHtml(bars));
  }

  void Savings() {
    const ledger::Totals& t = total();
    std::vector<Bar> bars;
    const auto add = [&](const char* name, int64_t nanos) {
      if (nanos != 0) bars.push_back({name, nanos, Usd(nanos)});
    };
    add("routing", t.saved_routing_nanos);
    add("cache", t.saved_cache_nanos);
    add("prompt cache", t.saved_prompt_cache_nanos);
    add("shorter answers", t.saved_clamp_nanos);
    add("batch", t.saved_batch_nanos);
    if (!bars.empty()) Section("Saved, by lever", BarsToHtml(bars));
  }

  void Tiers() {
    if (found_.tiers.empty() || (found_.tiers.size() == 1 && found_.tiers[0].tier.empty())) return;
    std::string body =
        "<div class=\"scroll\"><table><tr><th>tier</th><th>months</th><th>revenue</th><th>cost</th>"
        "<th>margin</th><th>loss from</th><th>lifetime</th></tr>\n";
    for (const TierMonth& tier : found_.tiers) {
      const int64_t margin = tier.Each(tier.margin_nanos());
      absl::StrAppend(&body, "<tr><td>", NameOr(tier.tier, "(none)"), "</td><td>",
                      WithCommas(tier.customer_months), "</td><td>", Usd(tier.Each(tier.revenue_nanos)),
                      "</td><td>", Usd(tier.Each(tier.cost_nanos)), "</td><td class=\"",
                      margin < 0 ? "bad" : "good", "\">", Usd(margin), "</td><td>",
                      tier.use_until_loss() > 0 ? absl::StrFormat("%.1fx use", tier.use_until_loss()) : "now",
                      "</td><td>", tier.lifetime_nanos ? Usd(*tier.lifetime_nanos) : "-", "</td></tr>\n");
    }
    Section("An average customer in a month, by tier", body + "</table></div>\n");
  }

  void Tasks() {
    if (found_.tasks.empty()) return;
    std::string body =
        "<div class=\"scroll\"><table><tr><th>class</th><th>tasks</th><th>per "
        "task</th><th>completion</th><th>times</th></tr>\n";
    for (size_t i = 0; i < std::min<size_t>(found_.tasks.size(), 10); ++i) {
      const TaskMultiple& one = found_.tasks[i];
      const bool flagged = one.multiple() >= found_.economics.thresholds.agent_multiple;
      absl::StrAppend(&body, "<tr><td>", NameOr(one.request_class, "(no class)"), "</td><td>",
                      WithCommas(one.tasks), "</td><td>", Usd(one.per_task_nanos), "</td><td>",
                      Usd(one.single_shot_nanos), "</td><td class=\"", flagged ? "bad" : "", "\">",
                      absl::StrFormat("%.1f", one.multiple()), "</td></tr>\n");
    }
    Section("Tasks against a single completion", body + "</table></div>\n");
  }

  void Objectives() {
    if (found_.slos.empty()) return;
    std::string body =
        "<div class=\"scroll\"><table><tr><th>class</th><th>at most</th><th>target</th><th>kept</th><th>burn "
        "1 h</th>"
        "<th>burn 6 h</th></tr>\n";
    for (const CostSlo& slo : found_.slos) {
      const bool alert = slo.burns_fast() || slo.burns_slowly();
      absl::StrAppend(
          &body, "<tr><td>", Escaped(slo.request_class), alert ? " <span class=\"bad\">alert</span>" : "",
          "</td><td>", Usd(slo.limit_nanos), "</td><td>", absl::StrFormat("%g %%", slo.target * 100),
          "</td><td class=\"", slo.met() ? "good" : "bad", "\">", PercentOf(slo.calls - slo.over, slo.calls),
          "</td><td>", absl::StrFormat("%.1f</td><td>%.1f</td></tr>\n", slo.burn_1h, slo.burn_6h));
    }
    Section("Cost objectives", body + "</table></div>\n");
  }

  void Anomalies() {
    if (found_.anomalies.empty()) return;
    std::string body = "<ul>\n";
    for (const Anomaly& anomaly : found_.anomalies) {
      std::string causes;
      for (const Anomaly::Cause& cause : anomaly.causes) {
        absl::StrAppend(&causes, causes.empty() ? "" : "; ", Escaped(cause.dimension), " ",
                        Escaped(cause.value), ": ", Usd(cause.excess_nanos), " more");
      }
      absl::StrAppend(&body, "<li>", DayText(anomaly.hour / 24),
                      absl::StrFormat(" %02d:00 UTC, ", anomaly.hour % 24),
                      NameOr(anomaly.request_class, "(no class)"), ": ", Usd(anomaly.cost_nanos),
                      ", usually ", Usd(anomaly.usual_nanos), "<small>", causes, "</small></li>\n");
    }
    Section("Hours that cost far more than they do", body + "</ul>\n", true);
  }

  const Findings& found_;
  const PageOptions& options_;
  std::string html_;
};

}  // namespace

std::string ReportPage(const Findings& findings, const PageOptions& options) {
  return Page(findings, options).Write();
}

}  // namespace purser::economics
