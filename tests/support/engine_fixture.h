#ifndef PURSER_TESTS_SUPPORT_ENGINE_FIXTURE_H_
#define PURSER_TESTS_SUPPORT_ENGINE_FIXTURE_H_

// For tests: an engine with three models at round prices, a clock that stands still, and a ledger in a fresh
// folder.

#include <purser/purser.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "gtest/gtest.h"

namespace purser {

// Per million tokens: small $1 and $2, middle $2 and $8, big $10 and $40. "unpriced" is in no book.
inline constexpr char kTestBook[] = R"(
  name: "test"
  models { id: "small" provider: "p" context_window: 8000 max_output_tokens: 1000
    sheets { rates { meter: "input_tokens" usd: "1" } rates { meter: "output_tokens" usd: "2" } } }
  models { id: "middle" provider: "p" context_window: 32000 max_output_tokens: 2000
    sheets { rates { meter: "input_tokens" usd: "2" } rates { meter: "output_tokens" usd: "8" } } }
  models { id: "big" provider: "p" context_window: 128000 max_output_tokens: 4000
    sheets { service_tiers: "batch" rates { meter: "input_tokens" usd: "5" } rates { meter: "output_tokens" usd: "20" } }
    sheets { rates { meter: "input_tokens" usd: "10" } rates { meter: "output_tokens" usd: "40" } } }
)";

inline constexpr char kTestCandidates[] = R"(
  name: "test"
  candidates { model: "small" quality: 10 }
  candidates { model: "middle" quality: 50 }
  candidates { model: "big" quality: 90 }
  routing { expected_output_tokens: 100 }
)";

class EngineTest : public ::testing::Test {
 protected:
  EngineTest() {
    static int counter = 0;
    const ::testing::TestInfo* info = ::testing::UnitTest::GetInstance()->current_test_info();
    folder_ = std::filesystem::path(::testing::TempDir()) /
              (std::string(info->test_suite_name()) + "." + info->name() + std::to_string(counter++));
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    std::ofstream(folder_ / "book.textproto") << kTestBook;
  }
  ~EngineTest() override { std::filesystem::remove_all(folder_); }

  Options OptionsFor(const std::string& policy) const {
    Options options;
    options.source.policy_text = policy;
    options.source.price_books = {(folder_ / "book.textproto").string()};
    options.clock = &clock_;
    return options;
  }
  PolicySource SourceFor(const std::string& policy) const { return OptionsFor(policy).source; }
  std::string ledger() const { return (folder_ / "ledger").string(); }

  // Fails the test if the policy does not load.
  std::unique_ptr<Engine> Open(const std::string& policy, bool with_ledger = false) {
    Options options = OptionsFor(policy);
    if (with_ledger) options.ledger_dir = ledger();
    absl::StatusOr<std::unique_ptr<Engine>> engine = Engine::Open(options);
    EXPECT_TRUE(engine.ok()) << engine.status();
    return engine.ok() ? *std::move(engine) : nullptr;
  }

  static Usage UsageOf(int64_t input_tokens, int64_t output_tokens) {
    Usage usage;
    usage.Set(Meter::kInputTokens, input_tokens);
    usage.Set(Meter::kOutputTokens, output_tokens);
    return usage;
  }
  static Settlement SettleWith(Engine* engine, Ticket ticket, int64_t input_tokens, int64_t output_tokens) {
    const Usage usage = UsageOf(input_tokens, output_tokens);
    CallResult outcome;
    outcome.usage = &usage;
    return engine->Settle(ticket, outcome);
  }

  std::filesystem::path folder_;
  ManualClock clock_{1'782'892'800'000'000'000};  // 2026-07-01T08:00:00Z
};

}  // namespace purser

#endif  // PURSER_TESTS_SUPPORT_ENGINE_FIXTURE_H_
