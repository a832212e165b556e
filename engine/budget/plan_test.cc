#include "engine/budget/plan.h"

#include <random>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "policies/textproto.h"

namespace purser::budget {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Plan Compile(const std::string& text, std::string* messages) {
  policy::Policy policy;
  Diagnostics diagnostics = ParseTextproto(text, "p", &policy);
  Plan plan = Plan::Compile(policy, &diagnostics);
  messages->clear();
  for (const Diagnostic& diagnostic : diagnostics.Sorted()) *messages += diagnostic.ToString() + "\n";
  return plan;
}

TEST(Plan, ReadsABudgetWithEverything) {
  std::string messages;
  const Plan plan = Compile(R"(
      budgets {
        name: "pro customers, monthly"
        key: "{tenant}/{customer}"
        only_for { customer_tiers: ["pro", "team"] }
        required: true
        usd: "250"
        output_tokens: 1000000
        window { calendar: MONTH zone: "Europe/Berlin" }
        warn_at: [1, 0.5]
        when_short: [NEXT_CHEAPER, CLAMP_OUTPUT]
        hold { quantile: 0.95 reserve: 0.2 }
      }
      budgets { name: "tasks" scope: TASK steps: 40 when_short: WARN_ONLY }
      loop_guards { max_steps: 50 max_wall_time: "30m" max_repeats: 3 cost_factor: 8 }
      budget_settings { hold_expires_after: "90s" })",
                            &messages);
  EXPECT_EQ(messages, "");
  ASSERT_EQ(plan.budgets().size(), 2u);
  const Budget& budget = plan.budgets()[0];
  EXPECT_THAT(budget.key, ElementsAre(Field::kTenant, Field::kCustomer));
  EXPECT_TRUE(budget.required);
  EXPECT_EQ(budget.limits[Dimension::kUsd], 250'000'000'000);
  EXPECT_EQ(budget.hold_limits[Dimension::kUsd], 200'000'000'000);
  EXPECT_EQ(budget.hold_limits[Dimension::kOutputTokens], 800'000);
  EXPECT_EQ(budget.hold_limits[Dimension::kTokens], kUnlimited);
  EXPECT_EQ(budget.window.kind, WindowKind::kMonth);
  EXPECT_THAT(budget.warn_at, ElementsAre(0.5, 1));
  EXPECT_THAT(budget.when_short,
              ElementsAre(policy::Budget::NEXT_CHEAPER, policy::Budget::CLAMP_OUTPUT, policy::Budget::DENY));
  EXPECT_EQ(plan.hold_quantile(), 0.95);
  EXPECT_TRUE(plan.budgets()[1].per_task);
  EXPECT_EQ(plan.waived_from_start(), 2u);
  EXPECT_TRUE(plan.follows_tasks());
  EXPECT_EQ(plan.guards().max_wall_nanos, 1'800'000'000'000);
  EXPECT_TRUE(plan.guards().flag_cost_only);
  EXPECT_EQ(plan.lifetimes().hold_nanos, 90'000'000'000);
  EXPECT_EQ(plan.lifetimes().dispatch_nanos, 900'000'000'000);
}

TEST(Plan, ReportsEveryMistakeAtItsPlace) {
  const struct {
    const char* text;
    const char* message;
  } kCases[] = {
      {"budgets { scope: TASK steps: 4 }", "p:1:1: error: the budget has no name"},
      {"budgets { name: \"a\" usd: \"1\" }", "says not whose it is"},
      {"budgets { name: \"a\" scope: TASK key: \"{tenant}\" usd: \"1\" }", "both scope and key"},
      {"budgets { name: \"a\" scope: GLOBAL }", "limits nothing"},
      {"budgets { name: \"a\" scope: GLOBAL usd: \"five\" }", "p:1:35: error: \"five\""},
      {"budgets { name: \"a\" scope: GLOBAL usd: \"-5\" }", "is negative"},
      {"budgets { name: \"a\" scope: GLOBAL tokens: -5 }", "p:1:35: error: -5 is negative"},
      {"budgets { name: \"a\" key: \"{tenant}/{costumer}\" usd: \"1\" }", "\"{costumer}\" is no field"},
      {"budgets { name: \"a\" key: \"{tenant\" usd: \"1\" }", "{ without a }"},
      {"budgets { name: \"a\" key: \"tenant\" usd: \"1\" }", "names no field"},
      {"budgets { name: \"a\" key: \"{task}\" usd: \"1\" }", "expected scope: TASK"},
      {"budgets { name: \"a\" key: \"{team}{team}\" usd: \"1\" }", "is there twice"},
      {"budgets { name: \"a\" scope: TEAM usd: \"1\" }\nbudgets { name: \"a\" scope: TEAM usd: \"2\" }",
       "p:2:11: error: a second budget named \"a\""},
      {"budgets { name: \"a\" scope: TEAM usd: \"1\" }\nbudgets { name: \"b\" scope: TEAM usd: \"2\" }",
       "p:2:1: warning: limits the same as \"a\""},
      {"budgets { name: \"a\" scope: TEAM usd: \"1\" window { rolling: \"soon\" } }",
       "\"soon\" is not a duration"},
      {"budgets { name: \"a\" scope: TEAM usd: \"1\" window { refill: \"0s\" } }", "is too short"},
      {"budgets { name: \"a\" scope: TEAM usd: \"1\" window { calendar: DAY zone: \"Mars\" } }",
       "no time zone"},
      {"budgets { name: \"a\" scope: TEAM usd: \"1\" window { rolling: \"1h\" zone: \"UTC\" } }",
       "only a calendar"},
      {"budgets { name: \"a\" scope: TEAM usd: \"1\" warn_at: 80 }", "80 is no share"},
      {"budgets { name: \"a\" scope: TEAM usd: \"1\" when_short: [DENY, BATCH] }", "is never tried"},
      {"budgets { name: \"a\" scope: TEAM usd: \"1\" hold { quantile: 95 } }", "95 is out of range"},
      {"budgets { name: \"a\" scope: TEAM usd: \"1\" hold { reserve: 0.1 } }", "belongs to a quantile"},
      {"budgets { name: \"a\" scope: TASK usd: \"1\" forget_after: \"1h\" }", "task_ends_after"},
      {"loop_guards { max_depth: 99 }", "p:1:15: error: 99 is out of range"},
      {"loop_guards { max_steps: -1 }", "is negative"},
      {"loop_guards { cost_factor: 0.5 }", "would stop a plain completion"},
      {"budget_settings { hold_expires_after: \"x\" }", "p:1:19: error: \"x\" is not a duration"},
  };
  for (const auto& test : kCases) {
    std::string messages;
    Compile(test.text, &messages);
    EXPECT_THAT(messages, HasSubstr(test.message)) << test.text;
  }
}

// Below `warn_from` no level is passed, for sure; and it is not far below the level.
TEST(Plan, KnowsFromWhereALevelMayBePassed) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 3'000; ++i) {
    const int64_t limit = static_cast<int64_t>(random() >> (1 + random() % 62)) + 1;
    const double level = i % 3 == 0 ? 0.8 : static_cast<double>(random() % 1000 + 1) / 1000;
    std::string messages;
    const Plan plan = Compile(absl::StrCat("budgets { name: \"b\" scope: TENANT tokens: ", limit,
                                           " warn_at: ", absl::StrFormat("%.17g", level), " }"),
                              &messages);
    ASSERT_EQ(plan.budgets().size(), 1u) << messages;
    const int64_t from = plan.budgets()[0].warn_from[0][Dimension::kTokens];
    const double passed = level * static_cast<double>(limit);
    if (from > 0) {
      ASSERT_LT(static_cast<double>(from - 1), passed) << limit << " " << level;
    }
    ASSERT_GE(static_cast<double>(from) * 1.000001 + 5, std::min(passed, 9e18)) << limit << " " << level;
  }
}

}  // namespace
}  // namespace purser::budget
