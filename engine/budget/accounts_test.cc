#include "engine/budget/accounts.h"

#include "gtest/gtest.h"
#include "policies/textproto.h"

namespace purser::budget {
namespace {

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kMinute = 60 * kSecond;
constexpr int64_t kHour = 60 * kMinute;
constexpr int64_t kDay = 24 * kHour;
constexpr int64_t kNow = 1'700'000'000 * kSecond;  // 2023-11-14 22:13:20 UTC, a Tuesday.
constexpr int64_t kUsd = 1'000'000'000;

// Accounts under one policy and a call to work with.
class AccountsTest : public testing::Test {
 protected:
  Plan MakePlan(const std::string& text) {
    policy::Policy policy;
    Diagnostics diagnostics = ParseTextproto(text, "policy", &policy);
    EXPECT_TRUE(diagnostics.ok()) << diagnostics.ToStatus();
    Plan plan = Plan::Compile(policy, &diagnostics);
    EXPECT_TRUE(diagnostics.ok()) << diagnostics.ToStatus();
    accounts_.Register(&plan);
    return plan;
  }
  void Use(const std::string& text) { plan_ = MakePlan(text); }

  static Call CallOf(const Scope& scope, int64_t nano_usd, int64_t tokens = 100, int64_t output = 50) {
    Call call;
    call.scope = scope;
    call.worst = call.likely = Amounts::Call(nano_usd, tokens, output);
    return call;
  }
  HoldResult Hold(const Scope& scope, int64_t nano_usd) {
    return accounts_.Hold(plan_, CallOf(scope, nano_usd), now_);
  }
  Ticket Held(const Scope& scope, int64_t nano_usd) {
    const HoldResult result = Hold(scope, nano_usd);
    EXPECT_EQ(result.status, HoldStatus::kHeld) << HoldStatusName(result.status);
    return result.ticket;
  }
  SettleResult Settle(Ticket ticket, int64_t nano_usd, bool final = true) {
    return accounts_.Settle(plan_, ticket, Amounts::Call(nano_usd, 100, 50), final, now_);
  }
  AccountView View(const Scope& scope, size_t index = 0) {
    return accounts_.Inspect(plan_, scope, now_).at(index);
  }
  int64_t Left(const Scope& scope) {
    return accounts_.HeadroomOf(plan_, scope, 0, now_).left[Dimension::kUsd];
  }

  Accounts accounts_{Accounts::Options{}};
  Plan plan_;
  int64_t now_ = kNow;
  const Scope ann_{{.tenant = "acme", .customer = "ann", .session = "s1", .task = "t1"}};
};

TEST_F(AccountsTest, HoldsThenSettles) {
  Use(R"(budgets { name: "customer" scope: CUSTOMER usd: "5" })");
  const Ticket ticket = Held(ann_, 2 * kUsd);
  EXPECT_EQ(View(ann_).held[Dimension::kUsd], 2 * kUsd);
  EXPECT_EQ(Left(ann_), 3 * kUsd);
  EXPECT_TRUE(accounts_.MarkDispatched(plan_, ticket, now_));
  const SettleResult settled = Settle(ticket, kUsd / 2);
  EXPECT_EQ(settled.status, SettleStatus::kSettled);
  EXPECT_FALSE(settled.exceeded_hold);
  EXPECT_EQ(View(ann_).held[Dimension::kUsd], 0);
  EXPECT_EQ(View(ann_).settled[Dimension::kUsd], kUsd / 2);
  EXPECT_EQ(accounts_.open_holds(), 0);
}

// A dimension without a limit takes whatever a caller says; sums stop at the largest amount.
TEST_F(AccountsTest, HoldsTooLargeToAddUpAreGivenBackWithoutHarm) {
  Use(R"(budgets { name: "customer" scope: CUSTOMER usd: "5" })");
  constexpr int64_t kHuge = kUnlimited / 2 + 7;
  Ticket tickets[3];
  for (Ticket& ticket : tickets) {
    const HoldResult held = accounts_.Hold(plan_, CallOf(ann_, kUsd, kHuge, kHuge), now_);
    ASSERT_EQ(held.status, HoldStatus::kHeld);
    ticket = held.ticket;
  }
  for (const Ticket ticket : tickets) EXPECT_TRUE(accounts_.Void(plan_, ticket, now_));
  EXPECT_EQ(accounts_.open_holds(), 0);
  EXPECT_EQ(View(ann_).held[Dimension::kUsd], 0);
  EXPECT_EQ(View(ann_).held[Dimension::kTokens], kUnlimited) << "not known any more";
  EXPECT_EQ(Left(ann_), 5 * kUsd);
  const Ticket ticket = Held(ann_, kUsd);
  EXPECT_EQ(Settle(ticket, kUsd).status, SettleStatus::kSettled);
}

TEST_F(AccountsTest, RefusalNamesTheAccount) {
  Use(R"(budgets { name: "customer" scope: CUSTOMER usd: "5" window { calendar: DAY } })");
  Settle(Held(ann_, kUsd), kUsd);
  Held(ann_, 3 * kUsd);
  const HoldResult refused = Hold(ann_, 2 * kUsd);
  ASSERT_EQ(refused.status, HoldStatus::kShort);
  EXPECT_EQ(refused.ticket, 0u);
  EXPECT_EQ(refused.shortage.budget, 0);
  EXPECT_EQ(KeyText(plan_.budgets()[0], refused.shortage.key), "acme/ann");
  EXPECT_EQ(refused.shortage.dimension, Dimension::kUsd);
  EXPECT_EQ(refused.shortage.limit, 5 * kUsd);
  EXPECT_EQ(refused.shortage.settled, kUsd);
  EXPECT_EQ(refused.shortage.held, 3 * kUsd);
  EXPECT_EQ(refused.shortage.asked, 2 * kUsd);
  EXPECT_EQ(refused.shortage.resets_at_nanos, 1'700'006'400 * kSecond);  // Midnight.
}

TEST_F(AccountsTest, HoldIsAllOrNothing) {
  Use(R"(budgets { name: "customer" scope: CUSTOMER usd: "5" }
         budgets { name: "session" scope: SESSION usd: "1" })");
  EXPECT_EQ(Hold(ann_, 2 * kUsd).status, HoldStatus::kShort);
  EXPECT_EQ(Left(ann_), kUsd);
  // Nothing is left of it, not even the accounts.
  EXPECT_EQ(accounts_.account_count(), 0);
}

TEST_F(AccountsTest, ExpiredUndispatchedHoldIsReleased) {
  Use(R"(budgets { name: "customer" scope: CUSTOMER usd: "5" })");
  const Ticket ticket = Held(ann_, 2 * kUsd);
  now_ += 2 * kMinute - 1;
  EXPECT_EQ(accounts_.Expire(plan_, now_).released, 0);
  now_ += 1;
  EXPECT_EQ(accounts_.Expire(plan_, now_).released, 1);
  EXPECT_EQ(Left(ann_), 5 * kUsd);
  EXPECT_FALSE(accounts_.MarkDispatched(plan_, ticket, now_));
  EXPECT_EQ(Settle(ticket, kUsd).status, SettleStatus::kUnknownTicket);
}

TEST_F(AccountsTest, ExpiredDispatchedHoldIsPresumedSpent) {
  Use(R"(budgets { name: "customer" scope: CUSTOMER usd: "5" })");
  const Ticket ticket = Held(ann_, 2 * kUsd);
  accounts_.MarkDispatched(plan_, ticket, now_);
  now_ += 15 * kMinute;
  EXPECT_EQ(accounts_.Expire(plan_, now_).presumed, 1);
  EXPECT_EQ(View(ann_).presumed[Dimension::kUsd], 2 * kUsd);
  EXPECT_EQ(Left(ann_), 3 * kUsd);
  // Better late than never.
  EXPECT_TRUE(Settle(ticket, kUsd).was_presumed);
  EXPECT_EQ(Left(ann_), 4 * kUsd);
  EXPECT_EQ(Settle(ticket, kUsd).status, SettleStatus::kUnknownTicket);
  EXPECT_EQ(Left(ann_), 4 * kUsd);
}

TEST_F(AccountsTest, PresumedSpentIsBookedForGoodInTheEnd) {
  Use(R"(budgets { name: "customer" scope: CUSTOMER usd: "5" })");
  accounts_.MarkDispatched(plan_, Held(ann_, 2 * kUsd), now_);
  accounts_.Expire(plan_, now_ += 15 * kMinute);
  EXPECT_EQ(accounts_.Expire(plan_, now_ += kDay).presumed_final, 1);
  EXPECT_EQ(View(ann_).settled[Dimension::kUsd], 2 * kUsd);
  EXPECT_EQ(accounts_.open_holds(), 0);
}

TEST_F(AccountsTest, OverrunIsBookedInFullAndBlocks) {
  Use(R"(budgets { name: "customer" scope: CUSTOMER usd: "5" })");
  const SettleResult settled = Settle(Held(ann_, 5 * kUsd), 7 * kUsd);
  EXPECT_TRUE(settled.exceeded_hold);
  EXPECT_EQ(settled.overrun, 1u);
  EXPECT_EQ(View(ann_).settled[Dimension::kUsd], 7 * kUsd);
  EXPECT_EQ(Left(ann_), -2 * kUsd);
  const HoldResult refused = Hold(ann_, 0);
  ASSERT_EQ(refused.status, HoldStatus::kShort);
  EXPECT_TRUE(refused.shortage.overrun);
}

TEST_F(AccountsTest, StreamSettlesInPartAndExtends) {
  Use(R"(budgets { name: "customer" scope: CUSTOMER usd: "5" })");
  const Ticket ticket = Held(ann_, 2 * kUsd);
  EXPECT_EQ(accounts_.Progress(ticket, 20).output_tokens_left, 30);
  EXPECT_EQ(accounts_.Progress(ticket, 60).output_tokens_left, 0);
  Settle(ticket, kUsd, false);
  Settle(ticket, kUsd, false);  // Repeated: the total is the same.
  EXPECT_EQ(View(ann_).settled[Dimension::kUsd], kUsd);
  EXPECT_EQ(View(ann_).held[Dimension::kUsd], kUsd);
  EXPECT_EQ(accounts_.Extend(plan_, ticket, {{4 * kUsd, 0, 0, 0, 0}}, now_).status, HoldStatus::kShort);
  EXPECT_EQ(accounts_.Extend(plan_, ticket, {{3 * kUsd, 0, 25, 0, 0}}, now_).status, HoldStatus::kHeld);
  EXPECT_EQ(accounts_.Progress(ticket, 60).output_tokens_left, 15);
  EXPECT_EQ(Left(ann_), 0);
  Settle(ticket, 3 * kUsd);
  EXPECT_EQ(Left(ann_), 2 * kUsd);
}

TEST_F(AccountsTest, FailoverChargesTheDifferenceOnly) {
  Use(R"(budgets { name: "customer" scope: CUSTOMER usd: "5" }
         budgets { name: "model" scope: MODEL usd: "4" })");
  Scope large = ann_, small = ann_;
  large.model = "large";
  small.model = "small";
  const Ticket ticket = Held(large, 3 * kUsd);
  accounts_.MarkDispatched(plan_, ticket, now_);
  EXPECT_EQ(accounts_.Rehold(plan_, ticket, CallOf(small, 5 * kUsd), now_).status, HoldStatus::kShort);
  EXPECT_EQ(View(large, 1).held[Dimension::kUsd], 3 * kUsd);
  const HoldResult result = accounts_.Rehold(plan_, ticket, CallOf(small, 4 * kUsd), now_);
  EXPECT_EQ(result.status, HoldStatus::kHeld);
  EXPECT_EQ(result.ticket, ticket);
  EXPECT_EQ(View(small, 0).held[Dimension::kUsd], 4 * kUsd);
  EXPECT_EQ(View(small, 1).held[Dimension::kUsd], 4 * kUsd);
  EXPECT_EQ(View(large, 1).held[Dimension::kUsd], 0);
  // Undispatched again.
  now_ += 2 * kMinute;
  EXPECT_EQ(accounts_.Expire(plan_, now_).released, 1);
}

TEST_F(AccountsTest, HoldCarriesOverIntoTheNextDay) {
  Use(R"(budgets { name: "day" scope: CUSTOMER usd: "5" window { calendar: DAY } }
         budget_settings { hold_expires_after: "10d" })");
  Settle(Held(ann_, kUsd), kUsd);
  const Ticket ticket = Held(ann_, 2 * kUsd);
  now_ += kDay;
  EXPECT_EQ(View(ann_).settled[Dimension::kUsd], 0);
  EXPECT_EQ(View(ann_).held[Dimension::kUsd], 2 * kUsd);
  Settle(ticket, 2 * kUsd);
  EXPECT_EQ(View(ann_).settled[Dimension::kUsd], 2 * kUsd);
  // The clock moves back: the day that has begun goes on.
  now_ -= kDay;
  EXPECT_EQ(Left(ann_), 3 * kUsd);
}

TEST_F(AccountsTest, RollingWindowNeverHoldsMoreThanTheLimit) {
  Use(R"(budgets { name: "rolling" scope: CUSTOMER usd: "5" window { rolling: "24h" } })");
  Settle(Held(ann_, 5 * kUsd), 5 * kUsd);
  now_ += kDay;
  const HoldResult refused = Hold(ann_, kUsd);
  ASSERT_EQ(refused.status, HoldStatus::kShort);
  EXPECT_GT(refused.shortage.resets_at_nanos, now_);
  EXPECT_LE(refused.shortage.resets_at_nanos, now_ + kHour);
  now_ = refused.shortage.resets_at_nanos - 1;
  EXPECT_EQ(Hold(ann_, kUsd).status, HoldStatus::kShort);
  now_ += 1;
  EXPECT_EQ(Hold(ann_, kUsd).status, HoldStatus::kHeld);
}

TEST_F(AccountsTest, BucketRefills) {
  Use(R"(budgets { name: "bucket" scope: CUSTOMER usd: "6" window { refill: "1h" } })");
  Settle(Held(ann_, 6 * kUsd), 6 * kUsd);
  const HoldResult refused = Hold(ann_, kUsd);
  ASSERT_EQ(refused.status, HoldStatus::kShort);
  EXPECT_NEAR(static_cast<double>(refused.shortage.resets_at_nanos - now_), 10.0 * kMinute, 10.0 * kSecond);
  now_ = refused.shortage.resets_at_nanos;
  EXPECT_EQ(Hold(ann_, kUsd).status, HoldStatus::kHeld);
  EXPECT_EQ(Hold(ann_, kUsd).status, HoldStatus::kShort);
}

TEST_F(AccountsTest, SubAgentDrawsOnEveryAncestor) {
  Use(R"(budgets { name: "task" scope: TASK usd: "5" })");
  const Scope root{{.tenant = "acme", .task = "root"}};
  const Scope middle{{.tenant = "acme", .task = "middle", .parent_task = "root"}};
  const Scope leaf{{.tenant = "acme", .task = "leaf", .parent_task = "middle"}};
  Held(root, kUsd);
  Held(middle, kUsd);
  Settle(Held(leaf, 3 * kUsd), 3 * kUsd);
  EXPECT_EQ(Left(root), 0);
  const HoldResult refused = Hold(leaf, 1);
  ASSERT_EQ(refused.status, HoldStatus::kShort);
  EXPECT_EQ(KeyText(plan_.budgets()[0], refused.shortage.key), "acme/root");
  // Nobody is their own ancestor, and a parent once named stays.
  EXPECT_EQ(Hold({{.tenant = "acme", .task = "root", .parent_task = "leaf"}}, 0).status,
            HoldStatus::kBadParent);
  EXPECT_EQ(Hold({{.tenant = "acme", .task = "leaf", .parent_task = "elsewhere"}}, 1).status,
            HoldStatus::kShort);
}

TEST_F(AccountsTest, EndedTaskIsForgottenAndItsSpendingIsNot) {
  Use(R"(budgets { name: "task" scope: TASK usd: "5" } budgets { name: "tenant" scope: TENANT usd: "9" })");
  const Scope child{{.tenant = "acme", .task = "child", .parent_task = "root"}};
  const Ticket ticket = Held(child, kUsd);
  accounts_.EndTask(plan_, "acme", "child", now_);
  EXPECT_EQ(accounts_.account_count(), 5);  // Its hold is open.
  Settle(ticket, kUsd);
  EXPECT_EQ(accounts_.account_count(), 3);  // root twice, tenant.
  EXPECT_EQ(Left({{.tenant = "acme", .task = "root"}}), 4 * kUsd);
  EXPECT_EQ(Hold(child, kUsd).status, HoldStatus::kEnded);
  now_ += kHour + 1;
  EXPECT_EQ(Hold(child, 5 * kUsd).status, HoldStatus::kShort);  // Starts over, below the same root.
}

TEST_F(AccountsTest, LoopGuardsSayWhatTripped) {
  Use(R"(loop_guards { max_steps: 3 max_depth: 2 max_wall_time: "1h" max_retries: 1 max_repeats: 2 cost_factor: 5
                       cost_action: REFUSE })");
  int task = 0;
  const auto tripped = [&](Guard guard, int64_t value, auto&& change) {
    Call call = CallOf({{.tenant = "acme", .task = "t"}}, 10);
    const std::string name = "task" + std::to_string(++task);
    call.scope.task = name;
    HoldResult result;
    for (int i = 0; i < 5; ++i) {
      change(&call, i);
      result = accounts_.Hold(plan_, call, now_);
      if (result.status != HoldStatus::kHeld) break;
    }
    EXPECT_EQ(result.status, HoldStatus::kGuard) << GuardName(guard);
    EXPECT_EQ(result.guard.guard, guard) << GuardName(guard);
    EXPECT_EQ(result.guard.value, value) << GuardName(guard);
  };
  tripped(Guard::kSteps, 4, [](Call*, int) {});
  tripped(Guard::kRetries, 2, [](Call* call, int i) { call->attempt = 1 + i; });
  tripped(Guard::kRepeats, 3, [](Call* call, int) { call->fingerprint = 7; });
  tripped(Guard::kCost, 60, [](Call* call, int i) {
    call->worst = Amounts::Call(20, 0, 0);
    call->expected_nanos = 20;
    call->single_shot_nanos = 10 - i / 9;
  });
  tripped(Guard::kWallTime, kHour + 1, [&](Call*, int i) { now_ += i == 1 ? kHour + 1 : 0; });
  Held({{.tenant = "acme", .task = "b", .parent_task = "a"}}, 1);
  const HoldResult deep = Hold({{.tenant = "acme", .task = "c", .parent_task = "b"}}, 1);
  EXPECT_EQ(deep.status, HoldStatus::kGuard);
  EXPECT_EQ(deep.guard.guard, Guard::kDepth);
}

TEST_F(AccountsTest, TopUpRunsOut) {
  Use(R"(budgets { name: "customer" scope: CUSTOMER usd: "5" })");
  Amounts more;
  more[Dimension::kUsd] = 3 * kUsd;
  ASSERT_TRUE(accounts_.TopUp(plan_, "customer", ann_, more, now_ + kHour, now_).ok());
  Settle(Held(ann_, 7 * kUsd), 7 * kUsd);
  EXPECT_EQ(Left(ann_), kUsd);
  now_ += kHour;
  EXPECT_EQ(Left(ann_), -2 * kUsd);
  EXPECT_EQ(accounts_.TopUp(plan_, "nobody", ann_, more, 0, now_).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(accounts_.TopUp(plan_, "customer", {}, more, 0, now_).code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST_F(AccountsTest, WarnsOncePerWindow) {
  Use(R"(budgets { name: "day" scope: CUSTOMER usd: "10" window { calendar: DAY } warn_at: [0.5, 0.9] })");
  EXPECT_EQ(Hold(ann_, 4 * kUsd).levels_crossed, 0);
  const HoldResult half = Hold(ann_, kUsd);
  ASSERT_EQ(half.levels_crossed, 1);
  EXPECT_FLOAT_EQ(half.levels[0].level, 0.5f);
  EXPECT_EQ(Hold(ann_, kUsd).levels_crossed, 0);
  EXPECT_EQ(Hold(ann_, 6 * kUsd).status, HoldStatus::kShort);
  EXPECT_EQ(Hold(ann_, 4 * kUsd).levels_crossed, 1);  // What was refused did not use the warning up.
}

TEST_F(AccountsTest, NewPolicyKeepsWhatWasSpent) {
  Use(R"(budgets { name: "customer" scope: CUSTOMER usd: "5" })");
  Settle(Held(ann_, 4 * kUsd), 4 * kUsd);
  Use(R"(budgets { name: "customer" scope: CUSTOMER usd: "3" window { rolling: "24h" } })");
  EXPECT_EQ(Left(ann_), -kUsd);
  EXPECT_EQ(Hold(ann_, 0).status, HoldStatus::kShort);
  now_ += 2 * kDay;
  EXPECT_EQ(Left(ann_), 3 * kUsd);
}

TEST_F(AccountsTest, WaivedBudgetIsBookedAllTheSame) {
  Use(R"(budgets { name: "soft" scope: CUSTOMER usd: "5" when_short: WARN_ONLY })");
  Call call = CallOf(ann_, 6 * kUsd);
  call.waived = plan_.waived_from_start();
  const HoldResult result = accounts_.Hold(plan_, call, now_);
  EXPECT_EQ(result.status, HoldStatus::kHeld);
  EXPECT_EQ(result.over_waived, 1u);
  EXPECT_EQ(View(ann_).held[Dimension::kUsd], 6 * kUsd);
}

TEST_F(AccountsTest, LongAndBinaryKeysAreKeptApart) {
  Use(R"(budgets { name: "session" scope: SESSION usd: "1" })");
  const std::string nul(1, 0);
  const std::string kSessions[] = {nul,
                                   nul + nul,
                                   std::string(1'000'000, 'x'),
                                   std::string(1'000'001, 'x'),
                                   std::string(48, 'x'),
                                   std::string(47, 'x')};
  for (const std::string& session : kSessions) {
    Scope scope;
    scope.session = session;
    Settle(Held(scope, kUsd), kUsd);
    EXPECT_EQ(Hold(scope, kUsd).status, HoldStatus::kShort);
  }
}

TEST_F(AccountsTest, QuantileHoldsLeaveAReserve) {
  Use(R"(budgets { name: "likely" scope: CUSTOMER usd: "10" hold { quantile: 0.9 reserve: 0.2 } }
         budgets { name: "worst" scope: TENANT usd: "100" })");
  Call call = CallOf(ann_, 8 * kUsd);
  call.likely = Amounts::Call(2 * kUsd, 100, 50);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(accounts_.Hold(plan_, call, now_).status, HoldStatus::kHeld);
  EXPECT_EQ(View(ann_, 0).held[Dimension::kUsd], 8 * kUsd);
  EXPECT_EQ(View(ann_, 1).held[Dimension::kUsd], 32 * kUsd);
  const HoldResult refused = accounts_.Hold(plan_, call, now_);
  EXPECT_EQ(refused.status, HoldStatus::kShort);
  EXPECT_EQ(refused.shortage.limit, 8 * kUsd);
}

TEST_F(AccountsTest, TicketOfAnEarlierRunIsNoTicketOfThisOne) {
  Use(R"(budgets { name: "customer" scope: CUSTOMER usd: "5" })");
  const Ticket old = Held(ann_, kUsd);
  Accounts next(Accounts::Options{.max_open_holds = 256, .incarnation = 1, .seed = 1});
  next.Register(&plan_);
  ASSERT_TRUE(next.ReplayDispatch(plan_, old, CallOf(ann_, kUsd), now_).ok());
  for (int i = 0; i < 255; ++i) EXPECT_NE(next.Hold(plan_, CallOf(ann_, 1), now_).ticket, old);
  EXPECT_EQ(next.Hold(plan_, CallOf(ann_, 1), now_).status, HoldStatus::kTooManyHolds);
  EXPECT_EQ(next.Settle(plan_, old, Amounts::Call(kUsd, 0, 0), true, now_).status, SettleStatus::kSettled);
  EXPECT_EQ(next.Settle(plan_, old, Amounts::Call(kUsd, 0, 0), true, now_).status,
            SettleStatus::kUnknownTicket);
  const HoldResult again = next.Hold(plan_, CallOf(ann_, 1), now_);
  EXPECT_EQ(SlotOf(again.ticket), SlotOf(old));
  EXPECT_NE(again.ticket, old);
}

}  // namespace
}  // namespace purser::budget
