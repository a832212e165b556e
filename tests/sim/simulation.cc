#include "tests/sim/simulation.h"

#include <algorithm>
#include <iterator>
#include <memory>
#include <random>
#include <vector>

#include "absl/strings/str_cat.h"
#include "policies/textproto.h"
#include "tests/sim/auditor.h"

namespace purser::budget {
namespace {

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kHour = 3600 * kSecond;

// One budget of each kind, all of them small enough to run short often. "all" counts everything.
constexpr char kPolicy[] = R"(
  budgets { name: "all" scope: GLOBAL usd: "1000000000" }
  budgets { name: "day" scope: TENANT usd: "0.000000400" window { calendar: DAY zone: "Europe/Berlin" } }
  budgets { name: "month" key: "{tenant}/{customer}" usd: "0.000001500" requests: 60 window { calendar: MONTH } }
  budgets { name: "rolling" scope: CUSTOMER usd: "0.000000300" tokens: 3000 window { rolling: "5h" } }
  budgets { name: "bucket" scope: MODEL usd: "0.000000200" window { refill: "2h" } }
  budgets { name: "session" scope: SESSION usd: "0.000000250" output_tokens: 2500 }
  budgets { name: "task" scope: TASK usd: "0.000000150" steps: 25 }
  budget_settings {
    hold_expires_after: "2m"
    dispatch_expires_after: "15m"
    presumed_final_after: "24h"
    task_ends_after: "100000h"
    session_ends_after: "100000h"
  })";

Plan CompilePlan(const std::string& text, Accounts& accounts) {
  policy::Policy policy;
  Diagnostics diagnostics = ParseTextproto(text, "policy", &policy);
  Plan plan = Plan::Compile(policy, &diagnostics);
  if (!diagnostics.ok()) std::abort();
  accounts.Register(&plan);
  return plan;
}

// Values that run together if a key forgets where one ends.
constexpr const char* kTenants[] = {"a", "ab", "a1:b"};
constexpr const char* kCustomers[] = {"bc", "c", "b/c", ""};
constexpr const char* kTasks[] = {"t1", "t2", "t3", "t4", "t5", ""};
constexpr const char* kModels[] = {"large", "small"};
// Longer than a key is stored, and the same in the first 48 bytes.
constexpr const char* kSessions[] = {"s", "",
                                     "a-session-with-a-very-long-name-that-is-longer-than-any-key-can-be-1",
                                     "a-session-with-a-very-long-name-that-is-longer-than-any-key-can-be-2"};

class Simulation {
 public:
  explicit Simulation(uint64_t seed) : random_(seed) {
    accounts_ = std::make_unique<Accounts>(
        Accounts::Options{.max_open_holds = 4096, .incarnation = 1, .seed = seed + 1});
    plan_ = CompilePlan(kPolicy, *accounts_);
    auditor_ = std::make_unique<Auditor>(&plan_);
  }

  SimulationResult Run(int operations) {
    for (int i = 0; i < operations && result_.violation.empty(); ++i) {
      ++result_.operations;
      Step();
      if (Chance(25) || i + 1 == operations) Compare();
      if (!result_.violation.empty())
        result_.violation = absl::StrCat("operation ", i, " (", did_, "): ", result_.violation);
    }
    return std::move(result_);
  }

 private:
  uint64_t Below(uint64_t n) { return random_() % n; }
  bool Chance(uint64_t percent) { return Below(100) < percent; }
  template <size_t n>
  std::string_view Pick(const char* const (&values)[n]) {
    return values[Below(n)];
  }

  Scope RandomScope() {
    Scope scope;
    scope.tenant = Pick(kTenants);
    scope.customer = Pick(kCustomers);
    scope.session = Pick(kSessions);
    scope.task = Pick(kTasks);
    if (!scope.task.empty() && Chance(40)) scope.parent_task = Pick(kTasks);
    scope.model = Pick(kModels);
    return scope;
  }
  Amounts RandomAmounts() {
    const int64_t usd = Chance(10) ? 0 : static_cast<int64_t>(Below(60));
    return Amounts::Call(usd, static_cast<int64_t>(Below(300)), static_cast<int64_t>(Below(200)), Chance(80));
  }
  Call RandomCall() {
    Call call;
    call.scope = RandomScope();
    call.worst = call.likely = RandomAmounts();
    if (Chance(3)) call.waived = uint64_t{1} << Below(7);
    return call;
  }
  // Mostly open ones, some that were closed long ago.
  Ticket AnyTicket() {
    return tickets_.empty()
               ? 0
               : tickets_[tickets_.size() - 1 - Below(std::min<size_t>(tickets_.size(), 24))].ticket;
  }

  void Expect(bool ok, std::string_view what) {
    if (!ok && result_.violation.empty()) result_.violation = std::string(what);
  }

  void Step() {
    const uint64_t dice = Below(100);
    if (dice < 34) return HoldSomething();
    if (dice < 48) return Dispatch();
    if (dice < 66) return SettleSomething();
    if (dice < 71) return VoidSomething();
    if (dice < 75) return ExtendSomething();
    if (dice < 80) return Failover();
    if (dice < 88) return PassTime();
    if (dice < 93) return Expire();
    if (dice < 95) return TopUp();
    if (dice < 96) return Charge();
    if (dice < 98) return EndSomething();
    if (dice < 99) return Crash();
    ChangeLimits();
  }

  void HoldSomething() {
    did_ = "hold";
    const Call call = RandomCall();
    int short_budget = -1;
    const HoldStatus expected = auditor_->ExpectHold(call, now_, &short_budget);
    const HoldResult result = accounts_->Hold(plan_, call, now_);
    Expect(result.status == expected, absl::StrCat("it was ", std::string(HoldStatusName(result.status)),
                                                   ", expected ", std::string(HoldStatusName(expected))));
    if (result.status == HoldStatus::kShort)
      Expect(result.shortage.budget == short_budget,
             absl::StrCat("budget ", result.shortage.budget, " is short, expected ", short_budget));
    if (result.status != HoldStatus::kHeld) {
      ++result_.refused;
      return;
    }
    ++result_.held;
    for (const Known& known : tickets_) Expect(known.ticket != result.ticket, "a ticket was given out twice");
    auditor_->Held(result.ticket, call, now_);
    tickets_.push_back({result.ticket, call});
    if (tickets_.size() > 400) tickets_.erase(tickets_.begin(), tickets_.begin() + 200);
  }

  void Dispatch() {
    did_ = "dispatch";
    const Ticket ticket = AnyTicket();
    Expect(accounts_->MarkDispatched(plan_, ticket, now_) == auditor_->MarkDispatched(ticket, now_),
           "wrong answer");
  }

  void SettleSomething() {
    did_ = "settle";
    const Ticket ticket = AnyTicket();
    const bool final = Chance(70);
    for (int repeat = Chance(20) ? 2 : 1; repeat > 0; --repeat) {
      Amounts total = last_total_;
      if (ticket != last_ticket_ || Chance(60)) total = RandomAmounts();
      if (Chance(30)) {
        for (const Known& known : tickets_) {
          if (known.ticket == ticket) total = known.call.worst;
        }
      }
      if (Chance(5)) total[Dimension::kUsd] += static_cast<int64_t>(Below(200));
      last_ticket_ = ticket;
      last_total_ = total;
      const bool expected = auditor_->Settle(ticket, total, final, now_);
      const bool settled =
          accounts_->Settle(plan_, ticket, total, final, now_).status == SettleStatus::kSettled;
      Expect(settled == expected, settled ? "a closed ticket was settled" : "an open ticket was not settled");
    }
  }

  void VoidSomething() {
    did_ = "void";
    const Ticket ticket = AnyTicket();
    Expect(accounts_->Void(plan_, ticket, now_) == auditor_->Void(ticket, now_), "wrong answer");
  }

  void ExtendSomething() {
    did_ = "extend";
    const Ticket ticket = AnyTicket();
    Amounts more = RandomAmounts();
    more[Dimension::kRequests] = more[Dimension::kSteps] = 0;
    const HoldStatus expected = auditor_->Extend(ticket, more, now_);
    const HoldStatus status = accounts_->Extend(plan_, ticket, more, now_).status;
    Expect(status == expected, absl::StrCat("it was ", std::string(HoldStatusName(status)), ", expected ",
                                            std::string(HoldStatusName(expected))));
  }

  void Failover() {
    did_ = "failover";
    if (tickets_.empty()) return;
    const Known& known = tickets_[tickets_.size() - 1 - Below(std::min<size_t>(tickets_.size(), 12))];
    Call call = known.call;
    call.scope.model = Pick(kModels);
    call.worst = call.likely = RandomAmounts();
    call.worst[Dimension::kSteps] = known.call.worst[Dimension::kSteps];
    const HoldStatus expected = auditor_->Rehold(known.ticket, call, now_);
    const HoldStatus status = accounts_->Rehold(plan_, known.ticket, call, now_).status;
    Expect(status == expected, absl::StrCat("it was ", std::string(HoldStatusName(status)), ", expected ",
                                            std::string(HoldStatusName(expected))));
  }

  void PassTime() {
    did_ = "time";
    // The moment at which holds expire matters most.
    static constexpr int64_t kSteps[] = {1,         kSecond,           119 * kSecond, 120 * kSecond - 1,
                                         1,         900 * kSecond - 1, kHour / 5,     kHour,
                                         3 * kHour, 7 * kHour};
    now_ += kSteps[Below(std::size(kSteps))];
    if (Chance(4)) now_ += 24 * kHour * static_cast<int64_t>(1 + Below(40));
    if (Chance(10)) now_ -= kHour * static_cast<int64_t>(Below(60));
  }

  void Expire() {
    did_ = "expire";
    const ExpireResult expected = auditor_->Expire(now_);
    const ExpireResult result = accounts_->Expire(plan_, now_, 1'000'000);
    Expect(result.released == expected.released,
           absl::StrCat(result.released, " released, expected ", expected.released));
    Expect(result.presumed == expected.presumed,
           absl::StrCat(result.presumed, " presumed, expected ", expected.presumed));
    Expect(result.presumed_final == expected.presumed_final,
           absl::StrCat(result.presumed_final, " booked for good, expected ", expected.presumed_final));
  }

  void TopUp() {
    did_ = "top-up";
    Scope scope = RandomScope();
    if (scope.session.empty()) scope.session = "s";
    if (scope.task.empty()) scope.task = "t1";
    if (scope.customer.empty()) scope.customer = "c";
    const int budget = static_cast<int>(1 + Below(6));
    if (plan_.budgets()[budget].per_session || plan_.budgets()[budget].per_task) return;
    Amounts amounts;
    amounts[Dimension::kUsd] = static_cast<int64_t>(Below(100));
    const int64_t until = Chance(50) ? 0 : now_ + static_cast<int64_t>(Below(10)) * kHour / 2 + 1;
    auditor_->LimitsChange();
    const bool expected = auditor_->TopUp(budget, scope, amounts, until, now_);
    Expect(
        accounts_->TopUp(plan_, plan_.budgets()[budget].name, scope, amounts, until, now_).ok() == expected,
        "wrong answer");
  }

  void Charge() {
    did_ = "charge";
    Call call = RandomCall();
    call.scope.parent_task = {};
    auditor_->Charge(call, now_);
    accounts_->Charge(plan_, call.scope, call.worst, now_);
  }

  void EndSomething() {
    did_ = "end";
    const std::string_view tenant = Pick(kTenants);
    if (Chance(60)) {
      const std::string_view task = kTasks[Below(5)];
      auditor_->EndTask(tenant, task, now_);
      accounts_->EndTask(plan_, tenant, task, now_);
    } else {
      auditor_->EndSession(tenant, "s", now_);
      accounts_->EndSession(plan_, tenant, "s", now_);
    }
  }

  void Crash() {
    did_ = "crash";
    ++result_.crashes;
    auto next = std::make_unique<Accounts>(
        Accounts::Options{.max_open_holds = 4096,
                          .incarnation = static_cast<uint32_t>(result_.crashes + 1),
                          .seed = random_() | 1});
    Plan plan = CompilePlan(policy_, *next);
    accounts_->ExportAccounts([&](const AccountState& state) {
      Expect(next->ImportAccount(state).ok(), "an account cannot be restored");
    });
    accounts_->ExportHolds([&](const HoldState& state) {
      if (state.phase != HoldPhase::kHeld)
        Expect(next->ImportHold(plan, state).ok(), "a hold cannot be restored");
    });
    accounts_ = std::move(next);
    plan_ = std::move(plan);
    auditor_->Crash();
    Expire();
    did_ = "crash";
  }

  void ChangeLimits() {
    did_ = "new limits";
    policy_ = kPolicy;
    if (Chance(50)) {
      const size_t at = policy_.find("0.000000400");
      policy_.replace(at, 11, Chance(50) ? "0.000000100" : "0.000000900");
    }
    plan_ = CompilePlan(policy_, *accounts_);
    auditor_->LimitsChange();
  }

  void Compare() {
    for (int i = 0; i < 6; ++i) {
      Scope scope = RandomScope();
      scope.parent_task = {};
      if (!scope.task.empty() && Chance(50)) scope.task = {};
      const std::string difference = auditor_->Compare(*accounts_, scope, now_);
      Expect(difference.empty(), difference);
    }
    const std::string difference = auditor_->CompareTotals(*accounts_, 0, now_);
    Expect(difference.empty(), difference);
  }

  struct Known {
    Ticket ticket;
    Call call;
  };

  std::mt19937_64 random_;
  SimulationResult result_;
  std::unique_ptr<Accounts> accounts_;
  std::string policy_ = kPolicy;
  Plan plan_;
  std::unique_ptr<Auditor> auditor_;
  std::vector<Known> tickets_;
  Ticket last_ticket_ = 0;
  Amounts last_total_;
  int64_t now_ = 1'711'800'000 * kSecond;  // The day before Berlin's clocks go forward.
  std::string did_;
};

}  // namespace

SimulationResult Simulate(uint64_t seed, int operations) { return Simulation(seed).Run(operations); }

}  // namespace purser::budget
