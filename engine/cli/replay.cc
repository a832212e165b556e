// purser replay: what a recorded trace would have cost under a policy.

#include <cstdio>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "engine/cli/booked_calls.h"
#include "engine/cli/replay_run.h"
#include "engine/cli/table.h"
#include "engine/cli/trace_file.h"
#include "engine/cli/verbs.h"
#include "engine/economics/percent.h"
#include "nlohmann/json.hpp"
#include "policies/amount.h"
#include "policies/decimal.h"

namespace purser::cli {
namespace {

using Json = nlohmann::ordered_json;

struct ReplayArguments {
  std::string policy;
  std::vector<std::string> prices;
  std::string trace;
  std::string ledger;
  bool again = false;
  std::string shadow;
  bool json = false;
  double rate = 0;
};

double DecisionsPerSecond(const ReplayTotals& totals) {
  int64_t sum = 0;
  for (const int64_t nanos : totals.overhead_nanos) sum += nanos;
  return sum == 0 ? 0 : 1e9 * static_cast<double>(totals.overhead_nanos.size()) / static_cast<double>(sum);
}

Json ShadowToJson(const ReplayTotals::Shadow& shadow, const std::string& policy) {
  Json json;
  json["policy"] = policy;
  json["calls"] = shadow.calls;
  json["compared"] = shadow.compared;
  json["same_candidate"] = shadow.same;
  json["cost_usd"] = FormatUsd(shadow.cost_nanos);
  json["shadow_cost_usd"] = FormatUsd(shadow.shadow_cost_nanos);
  json["difference_usd"] = FormatUsd(shadow.shadow_cost_nanos - shadow.cost_nanos);
  json["expected_difference_usd"] = FormatUsd(shadow.expected_difference_nanos);
  json["only_shadow_refuses"] = shadow.only_shadow_refuses;
  json["only_policy_refuses"] = shadow.only_policy_refuses;
  json["unpriced"] = shadow.unpriced;
  json["no_signal"] = shadow.no_signal;
  json["moves"] = Json::array();
  for (const auto& [names, move] : shadow.moves) {
    json["moves"].push_back({{"candidate", names.first},
                             {"shadow_candidate", names.second},
                             {"calls", move.calls},
                             {"cost_usd", FormatUsd(move.cost_nanos)},
                             {"shadow_cost_usd", FormatUsd(move.shadow_cost_nanos)}});
  }
  json["refusals"] = Json::object();
  for (const auto& [reason, count] : shadow.refusals) json["refusals"][reason] = count;
  return json;
}

Json ToJson(const ReplayTotals& totals) {
  Json json;
  json["calls"] = totals.calls;
  json["dispatched"] = totals.dispatched;
  json["cache_hits"] = {{"exact", totals.answered_exact}, {"semantic", totals.answered_semantic}};
  json["refused"] = totals.refused;
  json["refusals"] = Json::object();
  for (const auto& [kind, count] : totals.refusals) json["refusals"][kind] = count;
  json["output_clamped"] = totals.clamped;
  json["cost_usd"] = FormatUsd(totals.cost_nanos);
  json["traced_cost_usd"] = FormatUsd(totals.traced_nanos);
  json["saved_usd"] = FormatUsd(totals.traced_nanos - totals.cost_nanos);
  json["models"] = Json::array();
  for (const auto& [name, model] : totals.models) {
    json["models"].push_back({{"model", name},
                              {"calls", model.calls},
                              {"input_tokens", model.input_tokens},
                              {"output_tokens", model.output_tokens},
                              {"cost_usd", FormatUsd(model.cost_nanos)}});
  }
  json["constants"] = Json::array();
  for (const ReplayTotals::Constant& constant : totals.constants) {
    json["constants"].push_back({{"candidate", constant.candidate},
                                 {"cost_usd", FormatUsd(constant.cost_nanos)},
                                 {"saved_usd", FormatUsd(constant.cost_nanos - totals.cost_nanos)},
                                 {"unpriced_calls", constant.unpriced_calls}});
  }
  json["estimate"] = {{"expected_usd", FormatUsd(totals.expected_nanos)},
                      {"realized_usd", FormatUsd(totals.cost_nanos)},
                      {"input_tokens_median_error", Quantile(totals.input_errors, 0.5)},
                      {"input_tokens_p90_error", Quantile(totals.input_errors, 0.9)}};
  json["holds"] = {{"worst_case_usd", FormatUsd(totals.worst_case.nanos)},
                   {"worst_case_exceeded", totals.worst_case.exceeded}};
  if (totals.likely.nanos > 0) {
    json["holds"]["likely_usd"] = FormatUsd(totals.likely.nanos);
    json["holds"]["likely_exceeded"] = totals.likely.exceeded;
  }
  json["overhead_nanos"] = {{"p50", Quantile(totals.overhead_nanos, 0.5)},
                            {"p99", Quantile(totals.overhead_nanos, 0.99)}};
  json["decisions_per_second"] = static_cast<int64_t>(DecisionsPerSecond(totals));
  return json;
}

// "+0.0012", "-0.0012", "0".
std::string Signed(int64_t nanos) { return absl::StrCat(nanos > 0 ? "+" : "", FormatUsdRounded(nanos, 4)); }

void PrintShadow(const ReplayTotals::Shadow& shadow, const std::string& policy) {
  std::printf("\nshadow %s: asked about %s calls, held and spent nothing\n\n", policy.c_str(),
              WithCommas(shadow.calls).c_str());
  using Align = Table::Align;
  Table moves({{"decided"},
               {"shadow"},
               {"calls", Align::kRight},
               {"cost", Align::kRight},
               {"shadow cost", Align::kRight},
               {"difference", Align::kRight}});
  for (const auto& [names, move] : shadow.moves) {
    moves.AddRow({names.first, names.first == names.second ? "the same" : names.second,
                  WithCommas(move.calls), FormatUsdRounded(move.cost_nanos, 4),
                  FormatUsdRounded(move.shadow_cost_nanos, 4),
                  Signed(move.shadow_cost_nanos - move.cost_nanos)});
  }
  moves.AddRow({"total", economics::PercentOf(shadow.same, shadow.compared) + " the same",
                WithCommas(shadow.compared), FormatUsdRounded(shadow.cost_nanos, 4),
                FormatUsdRounded(shadow.shadow_cost_nanos, 4),
                Signed(shadow.shadow_cost_nanos - shadow.cost_nanos)});
  std::printf("%s\n", moves.ToString().c_str());
  std::printf("  as quoted before dispatch the difference is %s\n",
              Signed(shadow.expected_difference_nanos).c_str());
  if (shadow.only_shadow_refuses > 0)
    std::printf("  %s calls the shadow alone would have refused\n",
                WithCommas(shadow.only_shadow_refuses).c_str());
  for (const auto& [reason, count] : shadow.refusals)
    std::printf("    %s: %s\n", WithCommas(count).c_str(), reason.c_str());
  if (shadow.only_policy_refuses > 0)
    std::printf("  %s refused calls the shadow would have served, if its budgets had room\n",
                WithCommas(shadow.only_policy_refuses).c_str());
  if (shadow.unpriced > 0)
    std::printf("  %s calls have no price under the shadow and are not compared\n",
                WithCommas(shadow.unpriced).c_str());
  std::printf(
      "  assumed       the shadow's models use the tokens that the traced one did; its budgets and its "
      "cache take no part\n");
}

// How much more than was spent stood aside meanwhile, and how often that was too little.
void PrintHolds(const ReplayTotals& totals) {
  const auto describe = [&](const ReplayTotals::Holds& holds) {
    return absl::StrFormat(
        "%.1f times what the calls cost; %s of %s cost more than was held",
        static_cast<double>(holds.nanos) / static_cast<double>(std::max<int64_t>(totals.cost_nanos, 1)),
        WithCommas(holds.exceeded), WithCommas(totals.dispatched));
  };
  if (totals.dispatched == 0) return;
  std::printf("  holds         the worst case, %s\n", describe(totals.worst_case).c_str());
  if (totals.likely.nanos > 0)
    std::printf("                a quantile, %s\n", describe(totals.likely).c_str());
}

void Print(const ReplayTotals& totals, const ReplayArguments& arguments) {
  std::printf("%s calls: %s dispatched, %s answered from the cache, %s refused\n\n",
              WithCommas(totals.calls).c_str(), WithCommas(totals.dispatched).c_str(),
              WithCommas(totals.answered_exact + totals.answered_semantic).c_str(),
              WithCommas(totals.refused).c_str());

  using Align = Table::Align;
  Table models({{"model"},
                {"calls", Align::kRight},
                {"input", Align::kRight},
                {"output", Align::kRight},
                {"cost", Align::kRight},
                {"share", Align::kRight}});
  for (const auto& [name, model] : totals.models) {
    models.AddRow({name, WithCommas(model.calls), WithCommas(model.input_tokens),
                   WithCommas(model.output_tokens), FormatUsdRounded(model.cost_nanos, 4),
                   economics::PercentOf(model.cost_nanos, totals.cost_nanos)});
  }
  models.AddRow({"total", WithCommas(totals.dispatched), "", "", FormatUsdRounded(totals.cost_nanos, 4), ""});
  std::printf("%s\n", models.ToString().c_str());

  Table baselines({{"instead of"}, {"cost", Align::kRight}, {"saved", Align::kRight}, {"", Align::kRight}});
  const auto add_baseline = [&](const std::string& name, int64_t cost, int64_t unpriced) {
    if (unpriced > 0) {
      baselines.AddRow({name, "unpriced", "", ""});
      return;
    }
    baselines.AddRow({name, FormatUsdRounded(cost, 4), FormatUsdRounded(cost - totals.cost_nanos, 4),
                      economics::PercentOf(cost - totals.cost_nanos, cost)});
  };
  add_baseline("the traced model", totals.traced_nanos, totals.traced_unpriced_calls);
  for (const ReplayTotals::Constant& constant : totals.constants) {
    add_baseline(absl::StrCat("always ", constant.candidate), constant.cost_nanos, constant.unpriced_calls);
  }
  std::printf("%s\n", baselines.ToString().c_str());

  for (const auto& [kind, count] : totals.refusals)
    std::printf("  refused by %s: %s\n", kind.c_str(), WithCommas(count).c_str());
  constexpr size_t kShown = 3;
  for (size_t i = 0; i < std::min(kShown, totals.first_refused.size()); ++i) {
    const ReplayTotals::RefusedCall& refused = totals.first_refused[i];
    std::printf("    %s: %s\n", (refused.task.empty() ? refused.request_id : refused.task).c_str(),
                refused.reason.c_str());
  }
  if (totals.first_refused.size() > kShown)
    std::printf("    ... and %zu more\n", totals.first_refused.size() - kShown);
  if (totals.refused > 0) std::printf("\n");

  std::printf(
      "  estimates     input tokens off by %.1f %% (median), %.1f %% (p90); cost expected %s, realized %s\n",
      100 * Quantile(totals.input_errors, 0.5), 100 * Quantile(totals.input_errors, 0.9),
      FormatUsdRounded(totals.expected_nanos, 4).c_str(), FormatUsdRounded(totals.cost_nanos, 4).c_str());
  PrintHolds(totals);
  std::printf(
      "  overhead      decide + settle %.1f us (p50), %.1f us (p99): %s decisions per second on one core\n",
      static_cast<double>(Quantile(totals.overhead_nanos, 0.5)) / 1000,
      static_cast<double>(Quantile(totals.overhead_nanos, 0.99)) / 1000,
      WithCommas(static_cast<int64_t>(DecisionsPerSecond(totals))).c_str());
  std::printf("  assumed       the routed model uses the tokens that the traced one did\n");
  if (!arguments.ledger.empty()) {
    std::printf("  ledger        %s (purser report %s)\n", arguments.ledger.c_str(),
                arguments.ledger.c_str());
  }
}

// A call that the ledger has booked would count twice.
void RefuseBooked(const ReplayArguments& arguments, const std::vector<TracedCall>& trace) {
  std::set<std::string> ids;
  for (const TracedCall& traced : trace) {
    if (!traced.call.request_id().empty()) ids.insert(traced.call.request_id());
  }
  const absl::StatusOr<std::set<std::string>> booked = BookedCalls(arguments.ledger, ids);
  if (!booked.ok()) Fail("replay", std::string(booked.status().message()));
  if (booked->empty()) return;
  Fail("replay",
       absl::StrCat(arguments.ledger, ": has booked ", booked->size(), " of the ", ids.size(),
                    " request ids of ", arguments.trace, " already, \"", *booked->begin(),
                    "\" for instance; nothing was written. Give another --ledger, or --again to book "
                    "them a second time"));
}

void Replay(const ReplayArguments& arguments) {
  const absl::StatusOr<std::vector<TracedCall>> trace = ReadTrace(arguments.trace);
  if (!trace.ok()) Fail("replay", std::string(trace.status().message()));
  if (!arguments.ledger.empty() && !arguments.again) RefuseBooked(arguments, *trace);
  ManualClock clock(trace->empty() ? 0 : trace->front().time_nanos);
  Options options;
  options.keep_cache = false;
  options.source.policy_file = arguments.policy;
  options.source.price_books = arguments.prices;
  options.ledger_dir = arguments.ledger;
  options.clock = &clock;
  const absl::StatusOr<std::unique_ptr<Engine>> engine = Engine::Open(options);
  if (!engine.ok()) Fail("replay", std::string(engine.status().message()));
  if ((*engine)->recovered().records > 0 && !arguments.json) {
    std::printf("the ledger already held %s records; this replay adds to them\n\n",
                WithCommas((*engine)->recovered().records).c_str());
  }
  LoadedPolicy shadow;
  if (!arguments.shadow.empty()) {
    absl::StatusOr<LoadedPolicy> loaded =
        (*engine)->LoadShadowPolicy({.policy_file = arguments.shadow, .price_books = arguments.prices});
    if (!loaded.ok()) Fail("replay", std::string(loaded.status().message()));
    shadow = *std::move(loaded);
  }
  const absl::StatusOr<ReplayTotals> totals =
      RunReplay(*trace, {.calls_per_second = arguments.rate, .shadow = shadow}, engine->get(), &clock);
  if (!totals.ok()) Fail("replay", std::string(totals.status().message()));
  if (arguments.json) {
    Json json = ToJson(*totals);
    if (shadow) json["shadow"] = ShadowToJson(totals->shadow, arguments.shadow);
    std::printf("%s\n", json.dump().c_str());
  } else {
    Print(*totals, arguments);
    if (shadow) PrintShadow(totals->shadow, arguments.shadow);
  }
}

}  // namespace

void AddReplayVerb(Verb app) {
  auto arguments = std::make_shared<ReplayArguments>();
  Verb verb = app.AddVerb("replay", "Show what a recorded trace would have cost under a policy");
  verb.Add("--policy", &arguments->policy, "Policy file, protobuf text").Required();
  verb.Add("--prices", &arguments->prices, "Price books; later ones override (default: the bundled one)")
      .TakesMany();
  verb.Add("--trace", &arguments->trace, "Recorded calls, one JSON object per line (policies/trace.proto)")
      .Required();
  Option ledger =
      verb.Add("--ledger", &arguments->ledger, "Directory to book the calls in; it is written to");
  verb.AddFlag("--again", &arguments->again, "Book calls that the ledger has booked already a second time")
      .Needs(ledger);
  verb.Add("--shadow", &arguments->shadow,
           "Policy to watch beside: what it would have done, and the difference in dollars");
  verb.AddFlag("--json", &arguments->json, "One JSON object instead of tables");
  verb.Add("--rate", &arguments->rate, "Calls per second (default: as fast as it goes)");
  verb.Footer(
      "Example: purser replay --policy policies/examples/agents.textproto --trace trace.jsonl --ledger "
      "/tmp/ledger");
  verb.Run([arguments] { Replay(*arguments); });
}

}  // namespace purser::cli
