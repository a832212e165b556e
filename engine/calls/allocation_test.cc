// Decide and Settle allocate nothing once they are warm.

#include <string>
#include <vector>

#include "tests/support/allocations.h"
#include "tests/support/engine_fixture.h"

namespace purser {
namespace {

using AllocationTest = EngineTest;

// A policy that uses every stage; `pattern` completes the signal "proof".
std::string PolicyWith(const std::string& pattern) {
  return std::string(kTestCandidates) + R"(
    signals { name: "proof" patterns { keyword: "prove" )" +
         pattern + R"( } }
    signals { name: "words" measure: TEXT_WORDS }
    scores { name: "s" terms { signal: "proof" weight: 1 most: 1 } bands { name: "easy" to: 0.5 } bands { name: "hard" from: 0.5 }
             on_no_signal { band: "easy" } }
    rules { name: "proofs" when { score: "s" band: "hard" } min_quality: 80 }
    request_classes { name: "chat" use_cases: "chat" }
    budgets { name: "task" scope: TASK usd: "100" }
    budgets { name: "session" scope: SESSION usd: "100" }
    budgets { name: "customer" scope: CUSTOMER usd: "100" window { calendar: MONTH } }
    budgets { name: "tenant" scope: TENANT usd: "1000" }
    caching { defaults { mode: EXACT } })";
}

// How many allocations 2,000 calls make once 500 have gone before.
int64_t AllocationsOf(Engine* engine) {
  std::vector<std::string> texts;
  for (int i = 0; i < 64; ++i)
    texts.push_back("question number " + std::to_string(i) + ": prove it step by step, please");
  Usage usage;
  usage.Set(Meter::kInputTokens, 40);
  usage.Set(Meter::kOutputTokens, 100);
  Decision decision;
  const auto call = [&](int i) {
    const Message messages[] = {{Role::kSystem, "You are helpful."}, {Role::kUser, texts[i % texts.size()]}};
    Request request;
    request.id = "request-with-a-long-id-beyond-any-small-buffer";
    request.tenant = "tenant";
    request.customer = "customer";
    request.session = "session";
    request.task = "task";
    request.feature = "feature";
    request.use_case = "chat";
    const OwnDimension own[] = {{"experiment", "a-name-beyond-any-small-buffer"}, {"arm", "2"}};
    request.own_dimensions = own;
    request.messages = messages;
    request.max_output_tokens = 300;
    engine->Decide(request, &decision);
    ASSERT_EQ(decision.action, Action::kDispatch) << decision.reason;
    ASSERT_TRUE(engine->MarkDispatched(decision.ticket));
    CallResult outcome;
    outcome.usage = &usage;
    if (i % 2 == 0) {
      outcome.usage = nullptr;
      outcome.response_json = R"({"model":"small","usage":{"prompt_tokens":40,"completion_tokens":100}})";
    }
    ASSERT_EQ(engine->Settle(decision.ticket, outcome).result, SettleResult::kSettled);
  };
  for (int i = 0; i < 500; ++i) call(i);
  const int64_t before = Allocations();
  EXPECT_GT(before, 0);
  for (int i = 0; i < 2000; ++i) call(i);
  return Allocations() - before;
}

TEST_F(AllocationTest, NoneAfterWarmUp) {
  if (!kCountsAllocations) GTEST_SKIP() << "allocations are the sanitizer's here";
  const auto engine = Open(PolicyWith(""), /*with_ledger=*/true);
  EXPECT_EQ(AllocationsOf(engine.get()), 0);
}

TEST_F(AllocationTest, ARegexCostsTheThreeThatRe2MakesPerText) {
  if (!kCountsAllocations) GTEST_SKIP() << "allocations are the sanitizer's here";
  const auto engine = Open(PolicyWith(R"(regex: "step \\w+ step")"), /*with_ledger=*/true);
  EXPECT_LE(AllocationsOf(engine.get()), 3 * 2000);
}

}  // namespace
}  // namespace purser
