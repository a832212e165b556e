// Many threads on shared accounts. Run under ThreadSanitizer by `./dev tsan`.

#include <atomic>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "engine/ledger/log.h"
#include "engine/ledger/record.h"
#include "tests/support/engine_fixture.h"

namespace purser {
namespace {

using ThreadsTest = EngineTest;

constexpr int kThreads = 8;

TEST_F(ThreadsTest, EightThreadsNeverPassASharedCapAndNothingSettledIsLost) {
  constexpr int kCallsPerThread = 400;
  constexpr int64_t kCapNanos = 500'000'000;
  std::atomic<int64_t> spent{0};
  std::atomic<int64_t> settled{0};
  std::atomic<int64_t> refused{0};
  {
    const auto engine = Open(std::string(kTestCandidates) + R"(
      budgets { name: "cap" scope: TENANT usd: "0.5" }
      budgets { name: "customer" scope: CUSTOMER usd: "0.2" }
      budgets { name: "task" scope: TASK usd: "10" }
      caching { defaults { mode: EXACT } })",
                             /*with_ledger=*/true);
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        std::mt19937 random(t);
        Decision decision;
        for (int i = 0; i < kCallsPerThread; ++i) {
          const std::string id = std::to_string(t) + "-" + std::to_string(i);
          const std::string customer = "c" + std::to_string(random() % 4);
          const std::string task = "task" + std::to_string(random() % 3);
          const std::string text = "question " + std::to_string(random() % 500);
          const Message message{Role::kUser, text};
          Request request;
          request.id = id;
          request.tenant = "t";
          request.customer = customer;
          request.task = task;
          request.messages = {&message, 1};
          request.input_tokens = 200 + random() % 500;
          request.max_output_tokens = 300;
          engine->Decide(request, &decision);
          if (decision.action == Action::kRefuse) {
            refused.fetch_add(1);
            continue;
          }
          if (decision.action == Action::kAnswer) {
            EXPECT_EQ(decision.answer, text);
            continue;
          }
          if (random() % 10 == 0) {
            EXPECT_TRUE(engine->Void(decision.ticket));
            continue;
          }
          EXPECT_TRUE(engine->MarkDispatched(decision.ticket));
          const Settlement settlement =
              SettleWith(engine.get(), decision.ticket, request.input_tokens, random() % 300);
          EXPECT_EQ(settlement.result, SettleResult::kSettled);
          EXPECT_FALSE(settlement.overrun);
          settled.fetch_add(1);
          EXPECT_LE(spent.fetch_add(settlement.cost_nanos) + settlement.cost_nanos, kCapNanos);
          engine->StoreInCache(request, decision, {.text = text});
          if (i % 50 == 0) engine->Maintain();
        }
      });
    }
    // Policies come and go meanwhile.
    threads.emplace_back([&] {
      for (int i = 0; i < 20; ++i) {
        Options options = OptionsFor(std::string(kTestCandidates) + R"(
          budgets { name: "cap" scope: TENANT usd: "0.5" }
          budgets { name: "customer" scope: CUSTOMER usd: "0.2" }
          budgets { name: "task" scope: TASK usd: ")" +
                                     std::to_string(10 + i) + R"(" }
          caching { defaults { mode: EXACT } })");
        EXPECT_TRUE(engine->Reload(options.source).ok());
      }
    });
    for (std::thread& thread : threads) thread.join();
  }
  EXPECT_GT(settled.load(), 100);

  int64_t booked = 0;
  int64_t records = 0;
  const auto log = ledger::Log::Open(ledger(), {}, [&](const ledger::Frame& frame) {
    if (frame.type != ledger::RECORD) return absl::OkStatus();
    ledger::RecordView record;
    EXPECT_TRUE(ledger::Decode(frame.payload, &record));
    if (record.cache_hit != ledger::CACHE_NONE) return absl::OkStatus();
    booked += record.cost_nanos;
    ++records;
    return absl::OkStatus();
  });
  ASSERT_TRUE(log.ok()) << log.status();
  EXPECT_EQ(records, settled.load());
  EXPECT_EQ(booked, spent.load());
}

TEST_F(ThreadsTest, OneTicketSettledByManyIsBookedOnce) {
  const auto engine = Open(kTestCandidates, /*with_ledger=*/true);
  for (int round = 0; round < 50; ++round) {
    Request request;
    request.id = "r";
    request.input_tokens = 100;
    request.max_output_tokens = 10;
    Decision decision;
    engine->Decide(request, &decision);
    ASSERT_EQ(decision.action, Action::kDispatch);
    std::atomic<int> booked{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        if (SettleWith(engine.get(), decision.ticket, 100, 5).result == SettleResult::kSettled)
          booked.fetch_add(1);
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(booked.load(), 1);
  }
}

}  // namespace
}  // namespace purser
