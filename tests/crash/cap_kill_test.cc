// 64 threads spend from one account of $5 in a process that is killed again and again. An auditor of its own
// adds up the log: after no frame do settled calls and those that may still be billed come to more than
// $5.000000000. PURSER_SOAK_SECONDS makes it last about as long.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <random>

#include "gtest/gtest.h"
#include "tests/crash/killed_engine.h"
#include "tests/crash/log_audit.h"

namespace purser {
namespace {

constexpr int64_t kCapNanos = 5'000'000'000;

class CapKillTest : public KilledEngineTest {
 protected:
  CapKillTest()
      : KilledEngineTest(R"(
          name: "test"
          candidates { model: "m" }
          routing { expected_output_tokens: 20 }
          budgets { name: "cap" scope: GLOBAL usd: "5" }
          budget_settings { dispatch_expires_after: "24h" presumed_final_after: "240h" })") {}

  // Until there is no money for a small call.
  static void Spend(Engine* engine, uint64_t seed, Reported* reported) {
    std::mt19937_64 random(seed);
    Decision decision;
    for (int refused = 0; refused < 20;) {
      Request request;
      request.tenant = "t";
      request.input_tokens = static_cast<int64_t>(random() % 300);
      request.max_output_tokens = 1 + static_cast<int64_t>(random() % 40);
      refused = Call(engine, request, &random, &decision, reported) == Came::kRefused ? refused + 1 : 0;
    }
  }
};

TEST_F(CapKillTest, SixtyFourThreadsAndKillsNeverSpendMoreThanFiveDollars) {
  const auto until = SoakEnd();
  std::mt19937_64 random(1);
  int histories = 0, kills = 0;
  int64_t settlements = 0;
  do {
    BeginHistory();
    bool exhausted = false;
    for (int round = 0; !exhausted && round < 200; ++round) {
      exhausted = RunAndKill(random(), static_cast<unsigned>(random() % 8'000), Spend);
      kills += exhausted ? 0 : 1;
      int64_t sum = 0, most = 0;
      const LogAudit audit =
          LogAudit::Of(ledger(), [&](auto, auto, int64_t nanos) { most = std::max(most, sum += nanos); });
      ASSERT_LE(most, kCapNanos) << "history " << histories << " round " << round;
      // What was told to be settled is there; at most one more of each thread and process.
      ASSERT_GE(audit.settled_nanos, reported().settled_nanos.load());
      ASSERT_GE(audit.settlements, reported().settlements.load());
      ASSERT_LE(audit.settlements, reported().settlements.load() + kThreads * (round + 1));
      if (exhausted) {
        EXPECT_GT(audit.settled_nanos + audit.open_nanos, kCapNanos - kCapNanos / 50)
            << "money was left unused";
        settlements += audit.settlements;
      }
    }
    EXPECT_TRUE(exhausted);
    ++histories;
  } while (histories < 3 || std::chrono::steady_clock::now() < until);
  std::printf("%d histories, %d processes killed, %lld settlements\n", histories, kills,
              static_cast<long long>(settlements));
  EXPECT_GT(kills, histories);
}

}  // namespace
}  // namespace purser
