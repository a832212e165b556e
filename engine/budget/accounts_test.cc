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
  int64_t Left(const Scope& scope) { return accounts_.Headroom(plan_, scope, 0, now_).left[Dimension::kUsd]; }

  Accounts accounts_{Accounts::Options{}};
  Plan plan_;
  int64_t now_ = kNow;
  const Scope ann_{.tenant = "acme", .customer = "ann", .session = "s1", .task = "t1"};
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

}  // namespace
}  // namespace purser::budget
