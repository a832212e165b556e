#include "engine/cli/replay_run.h"

#include <fstream>
#include <string>

#include "tests/support/engine_fixture.h"

namespace purser::cli {
namespace {

class ReplayRunTest : public EngineTest {
 protected:
  // Three calls of 1,000 tokens in and 100 out, the last of a free customer.
  std::vector<TracedCall> Trace() {
    const std::string path = (folder_ / "trace.jsonl").string();
    std::ofstream out(path);
    for (const char* tier : {"paid", "paid", "free"}) {
      out << R"({"request_id":"r","time":"2026-07-01T08:00:00Z","tenant":"t","customer_tier":")" << tier
          << R"(","model":"big","messages":[{"role":"user","content":"Hello"}],"max_output_tokens":500,)"
          << R"("usage":{"input_tokens":1000,"output_tokens":100}})"
          << "\n";
    }
    out.close();
    absl::StatusOr<std::vector<TracedCall>> trace = ReadTrace(path);
    EXPECT_TRUE(trace.ok()) << trace.status();
    return *std::move(trace);
  }
};

constexpr char kShadow[] = R"(
  candidates { model: "small" quality: 10 }
  candidates { model: "middle" quality: 50 }
  signals { name: "tier" field: "customer_tier" }
  rules { name: "not for free" when { signal: "tier" one_of: "free" } refuse: "not for the free tier" }
  rules { name: "middle" min_quality: 50 }
  routing { expected_output_tokens: 100 }
)";

TEST_F(ReplayRunTest, AShadowIsPricedAtTheTracedTokens) {
  const auto engine = Open(kTestCandidates);
  const auto shadow = engine->LoadShadowPolicy(SourceFor(kShadow));
  ASSERT_TRUE(shadow.ok()) << shadow.status();
  const auto totals = RunReplay(Trace(), {.shadow = *shadow}, engine.get(), &clock_);
  ASSERT_TRUE(totals.ok()) << totals.status();
  EXPECT_EQ(totals->cost_nanos, 3 * 1'200'000);
  const ReplayTotals::Shadow& watched = totals->shadow;
  EXPECT_EQ(watched.calls, 3);
  EXPECT_EQ(watched.compared, 2);
  EXPECT_EQ(watched.same, 0);
  EXPECT_EQ(watched.only_shadow_refuses, 1);
  EXPECT_EQ(watched.only_policy_refuses, 0);
  EXPECT_EQ(watched.cost_nanos, 2 * 1'200'000);
  EXPECT_EQ(watched.shadow_cost_nanos, 2 * 2'800'000);  // 1,000 x $2/M + 100 x $8/M
  ASSERT_EQ(watched.moves.size(), 1u);
  EXPECT_EQ(watched.moves.begin()->first, (std::pair<std::string, std::string>("small", "middle")));
  EXPECT_EQ(watched.moves.begin()->second.calls, 2);
  EXPECT_EQ(watched.refusals.size(), 1u);
}

TEST_F(ReplayRunTest, WatchingChangesNothing) {
  const auto alone = Open(kTestCandidates);
  const auto watched = Open(kTestCandidates);
  const auto shadow = watched->LoadShadowPolicy(SourceFor(kShadow));
  ASSERT_TRUE(shadow.ok()) << shadow.status();
  const auto a = RunReplay(Trace(), {}, alone.get(), &clock_);
  const auto b = RunReplay(Trace(), {.shadow = *shadow}, watched.get(), &clock_);
  ASSERT_TRUE(a.ok() && b.ok());
  EXPECT_EQ(a->cost_nanos, b->cost_nanos);
  EXPECT_EQ(a->expected_nanos, b->expected_nanos);
  EXPECT_EQ(a->shadow.calls, 0);
}

}  // namespace
}  // namespace purser::cli
