// purser budgets LEDGER: accounts, what is left in them, and what is held.

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "engine/cli/table.h"
#include "engine/cli/verbs.h"
#include "engine/economics/percent.h"
#include "engine/ledger/log_replay.h"
#include "engine/recovery/journal.h"
#include "engine/recovery/rebuild.h"
#include "nlohmann/json.hpp"
#include "policies/amount.h"
#include "policies/decimal.h"
#include "policies/textproto.h"

namespace purser::cli {
namespace {

using Json = nlohmann::ordered_json;

struct BudgetsArguments {
  std::string ledger;
  std::string policy;
  std::string only;
  int top = 20;
  bool json = false;
};

// An account, or one hold, with what people ask of it. Amounts by dimension.
struct AccountRow {
  const budget::Budget* budget = nullptr;
  std::string key;
  budget::Amounts limits, settled, held, presumed;
  int64_t resets_at_nanos = budget::kForever;

  // The largest share of a limit that is used.
  double used() const {
    double most = 0;
    for (int d = 0; d < budget::kDimensions; ++d) {
      if (limits.of[d] == budget::kUnlimited) continue;
      const double sum = static_cast<double>(settled.of[d]) + static_cast<double>(held.of[d]) +
                         static_cast<double>(presumed.of[d]);
      most = std::max(most, limits.of[d] <= 0 ? 1.0 : sum / static_cast<double>(limits.of[d]));
    }
    return most;
  }
};

std::string Age(int64_t nanos) {
  return absl::FormatDuration(absl::Trunc(absl::Nanoseconds(nanos), absl::Seconds(1)));
}

// The ledger's accounts under a policy, as of its last event.
class AccountList {
 public:
  AccountList(const budget::Plan& plan, const budget::Accounts& accounts) : plan_(plan) {
    std::map<std::pair<std::string, std::string>, AccountRow> rows;
    accounts.ExportAccounts([&](const budget::AccountState& state) {
      const budget::Budget* budget = FindBudget(state.budget);
      if (budget == nullptr) return;
      AccountRow& row = rows[{state.budget, state.key}];
      row.budget = budget;
      row.key = KeyOf(*budget, state.key, state.digested);
      row.limits = budget->limits;
      for (const auto& top_up : state.top_ups) {
        for (int d = 0; d < budget::kDimensions; ++d) {
          if (row.limits.of[d] != budget::kUnlimited) row.limits.of[d] += top_up.amounts.of[d];
        }
      }
      row.settled = state.settled;
      for (const auto& slice : state.slices) {
        for (int d = 0; d < budget::kDimensions; ++d) row.settled.of[d] += slice.settled.of[d];
      }
      if (state.end_nanos != 0) row.resets_at_nanos = state.end_nanos;
    });
    accounts.ExportHolds([&](const budget::HoldState& hold) {
      for (const auto& leg : hold.legs) {
        const auto row = rows.find({leg.budget, leg.key});
        if (row == rows.end()) continue;
        const budget::Amounts& amounts = leg.likely ? hold.likely : hold.worst;
        budget::Amounts& sum =
            hold.phase == budget::HoldPhase::kPresumed ? row->second.presumed : row->second.held;
        for (int d = 0; d < budget::kDimensions; ++d) sum.of[d] += amounts.of[d] - hold.booked.of[d];
      }
      holds_.push_back(hold);
    });
    for (auto& [id, row] : rows) accounts_.push_back(std::move(row));
    std::stable_sort(accounts_.begin(), accounts_.end(),
                     [](const AccountRow& a, const AccountRow& b) { return a.used() > b.used(); });
    std::sort(holds_.begin(), holds_.end(), [](const budget::HoldState& a, const budget::HoldState& b) {
      return a.expires_at_nanos < b.expires_at_nanos;
    });
  }

  const std::vector<AccountRow>& accounts() const { return accounts_; }
  const std::vector<budget::HoldState>& holds() const { return holds_; }
  int64_t dispatch_lifetime() const { return plan_.lifetimes().dispatch_nanos; }

  // "task cap of acme/task-7": the first account that a hold is in.
  std::string AccountOf(const budget::HoldState& hold) const {
    for (const auto& leg : hold.legs) {
      if (const budget::Budget* budget = FindBudget(leg.budget)) {
        return absl::StrCat(budget->name, " of ", KeyOf(*budget, leg.key, leg.digested));
      }
    }
    return "";
  }

 private:
  const budget::Budget* FindBudget(const std::string& name) const {
    for (const budget::Budget& budget : plan_.budgets()) {
      if (budget.name == name) return &budget;
    }
    return nullptr;
  }
  static std::string KeyOf(const budget::Budget& budget, const std::string& bytes, bool digested) {
    budget::KeyBytes key;
    key.digested = digested;
    key.size = static_cast<uint8_t>(std::min(bytes.size(), key.bytes.size()));
    std::copy_n(bytes.begin(), key.size, key.bytes.begin());
    return budget::KeyText(budget, key);
  }

  const budget::Plan& plan_;
  std::vector<AccountRow> accounts_;
  std::vector<budget::HoldState> holds_;
};

void PrintJson(const AccountList& list, const std::string& only) {
  for (const AccountRow& row : list.accounts()) {
    if (!only.empty() && row.budget->name != only) continue;
    for (int d = 0; d < budget::kDimensions; ++d) {
      if (row.limits.of[d] == budget::kUnlimited) continue;
      const bool money = d == static_cast<int>(budget::Dimension::kUsd);
      const auto value = [&](int64_t amount) { return money ? Json(FormatUsd(amount)) : Json(amount); };
      Json json = {
          {"budget", row.budget->name},
          {"key", row.key},
          {"dimension", std::string(budget::DimensionName(static_cast<budget::Dimension>(d)))},
          {"limit", value(row.limits.of[d])},
          {"settled", value(row.settled.of[d])},
          {"held", value(row.held.of[d])},
          {"presumed", value(row.presumed.of[d])},
          {"left", value(row.limits.of[d] - row.settled.of[d] - row.held.of[d] - row.presumed.of[d])}};
      std::printf("%s\n", json.dump(-1, ' ', false, Json::error_handler_t::replace).c_str());
    }
  }
}

void PrintTables(const AccountList& list, const BudgetsArguments& arguments, int64_t now) {
  using Align = Table::Align;
  Table table({{"budget"},
               {"account"},
               {"limit", Align::kRight},
               {"settled", Align::kRight},
               {"held", Align::kRight},
               {"presumed", Align::kRight},
               {"left", Align::kRight},
               {"used", Align::kRight}});
  int shown = 0;
  int matching = 0;
  for (const AccountRow& row : list.accounts()) {
    if (!arguments.only.empty() && row.budget->name != arguments.only) continue;
    if (++matching > arguments.top) continue;
    ++shown;
    for (int d = 0; d < budget::kDimensions; ++d) {
      if (row.limits.of[d] == budget::kUnlimited) continue;
      const auto dimension = static_cast<budget::Dimension>(d);
      const int64_t used = row.settled.of[d] + row.held.of[d] + row.presumed.of[d];
      table.AddRow({row.budget->name, row.key, budget::AmountWithUnit(dimension, row.limits.of[d]),
                    budget::AmountText(dimension, row.settled.of[d]),
                    budget::AmountText(dimension, row.held.of[d]),
                    budget::AmountText(dimension, row.presumed.of[d]),
                    budget::AmountText(dimension, row.limits.of[d] - used),
                    economics::PercentOf(used, std::max<int64_t>(row.limits.of[d], 0))});
    }
  }
  std::printf("%s", table.ToString().c_str());
  if (matching > shown) std::printf("  ... and %d more accounts (--top N shows more)\n", matching - shown);

  std::printf("\n  %zu open hold%s\n", list.holds().size(), list.holds().size() == 1 ? "" : "s");
  shown = 0;
  for (const budget::HoldState& hold : list.holds()) {
    if (++shown > arguments.top) break;
    // A ledger knows of the holds that were dispatched.
    const bool presumed = hold.phase == budget::HoldPhase::kPresumed;
    const int64_t expiry = presumed ? hold.presumed_at_nanos : hold.expires_at_nanos;
    std::printf("    ticket %llu: $%s dispatched %s ago, presumed spent %s, %s\n",
                static_cast<unsigned long long>(hold.ticket),
                FormatUsd(hold.worst[budget::Dimension::kUsd]).c_str(),
                Age(now - (expiry - list.dispatch_lifetime())).c_str(),
                presumed ? absl::StrCat("for ", Age(now - expiry)).c_str()
                         : absl::StrCat("in ", Age(expiry - now)).c_str(),
                list.AccountOf(hold).c_str());
  }
}

// The budgets of the policy that was asked for, or of the one that the ledger was last written under.
budget::Plan ReadPlan(const BudgetsArguments& arguments, std::string* policy_name) {
  const std::string path = arguments.policy.empty() ? PolicyPathOf(arguments.ledger) : arguments.policy;
  if (arguments.policy.empty() && !std::filesystem::exists(path)) {
    Fail("budgets",
         absl::StrCat(arguments.ledger, std::filesystem::exists(arguments.ledger)
                                            ? ": keeps no policy of its own; name one with --policy"
                                            : ": no such ledger"));
  }
  policy::Policy policy;
  Diagnostics diagnostics = ReadTextproto(path, &policy);
  budget::Plan plan = budget::Plan::Compile(policy, &diagnostics);
  if (!diagnostics.ok()) Fail("budgets", absl::StrCat(path, " does not load; purser check shows why"));
  if (plan.budgets().empty()) Fail("budgets", absl::StrCat(path, " has no budgets: there are no accounts"));
  *policy_name = policy.name();
  return plan;
}

void Budgets(const BudgetsArguments& arguments) {
  std::string policy_name;
  budget::Plan plan = ReadPlan(arguments, &policy_name);
  budget::Accounts accounts{budget::Accounts::Options{}};
  accounts.Register(&plan);
  estimates::OutputEstimator outputs(8);
  Rebuilder rebuilder(plan, &accounts, &outputs);
  if (!arguments.policy.empty()) rebuilder.CountAll();

  const absl::StatusOr<ledger::Replayed> replayed = ledger::ReplayLedger(
      arguments.ledger, {}, [&](const ledger::Frame& frame) { return rebuilder.Apply(frame); });
  if (!replayed.ok()) Fail("budgets", std::string(replayed.status().message()));
  const int64_t now = rebuilder.counts().newest_nanos;
  accounts.Expire(plan, now);
  const AccountList list(plan, accounts);
  if (arguments.json) return PrintJson(list, arguments.only);
  std::printf("%s under policy %s, as of %s: %s settled calls\n\n", arguments.ledger.c_str(),
              policy_name.empty() ? "without a name" : policy_name.c_str(),
              absl::FormatTime(absl::RFC3339_sec, absl::FromUnixNanos(now), absl::UTCTimeZone()).c_str(),
              WithCommas(rebuilder.counts().records).c_str());
  PrintTables(list, arguments, now);
}

}  // namespace

void AddBudgetsVerb(Verb app) {
  auto arguments = std::make_shared<BudgetsArguments>();
  Verb verb = app.AddVerb("budgets", "Show accounts, what is left in them, and what is held");
  verb.Add("LEDGER", &arguments->ledger, "Ledger directory; it may be in use").Required();
  verb.Add("--policy", &arguments->policy,
           "Policy whose budgets are asked for (default: the one that the ledger was last written under)");
  verb.Add("--budget", &arguments->only, "Only the accounts of this budget");
  verb.Add("--top", &arguments->top, "How many accounts and holds, fullest first (default 20)");
  verb.AddFlag("--json", &arguments->json, "One JSON object per account and limit");
  verb.Footer("Example: purser demo --ledger /tmp/demo-ledger && purser budgets /tmp/demo-ledger");
  verb.Run([arguments] { Budgets(*arguments); });
}

}  // namespace purser::cli
