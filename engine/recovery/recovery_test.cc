// What is left of an engine's state when its process is gone: the ledger, and everything that follows from
// it.

#include <purser/cache/cache.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <limits>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/calls/open_engine.h"
#include "engine/ledger/log.h"
#include "engine/ledger/log_replay.h"
#include "engine/ledger/record.h"
#include "gmock/gmock.h"
#include "policies/amount.h"
#include "tests/support/engine_fixture.h"
#include "tests/support/memory_file_system.h"

namespace purser {
namespace {

using ::testing::HasSubstr;

using RecoveryTest = EngineTest;

constexpr char kCap[] = R"(
    budgets { name: "cap" scope: CUSTOMER usd: "0.005" }
    budgets { name: "task" scope: TASK usd: "1" })";

Request ThousandTokens() {
  Request request;
  request.id = "r";
  request.tenant = "t";
  request.customer = "c";
  request.task = "task";
  request.input_tokens = 1000;
  request.max_output_tokens = 500;
  return request;
}

TEST_F(RecoveryTest, WhatWasSettledCountsAfterARestart) {
  const std::string policy = std::string(kTestCandidates) + kCap;
  Decision decision;
  {
    const auto engine = Open(policy, /*with_ledger=*/true);
    for (int i = 0; i < 2; ++i) {
      engine->Decide(ThousandTokens(), &decision);
      ASSERT_EQ(decision.action, Action::kDispatch) << decision.reason;
      engine->MarkDispatched(decision.ticket);
      SettleWith(engine.get(), decision.ticket, 1000, 500);
    }
  }
  const auto engine = Open(policy, /*with_ledger=*/true);
  EXPECT_EQ(engine->recovered().records, 2);
  EXPECT_EQ(engine->recovered().presumed, 0);
  engine->Decide(ThousandTokens(), &decision);
  EXPECT_EQ(decision.action, Action::kRefuse);
  EXPECT_THAT(decision.reason, HasSubstr("$0.004 of $0.005 spent"));
}

TEST_F(RecoveryTest, ADispatchedHoldIsPresumedSpentAndAnUndispatchedOneIsFree) {
  const std::string policy = std::string(kTestCandidates) + kCap;
  Decision dispatched;
  Decision undispatched;
  {
    const auto engine = Open(policy, /*with_ledger=*/true);
    engine->Decide(ThousandTokens(), &dispatched);
    ASSERT_TRUE(engine->MarkDispatched(dispatched.ticket));
    engine->Decide(ThousandTokens(), &undispatched);
  }
  const auto engine = Open(policy, /*with_ledger=*/true);
  EXPECT_EQ(engine->recovered().presumed, 1);
  Decision decision;
  engine->Decide(ThousandTokens(), &decision);
  ASSERT_EQ(decision.action, Action::kDispatch) << "$0.002 of $0.005 is held: " << decision.reason;
  EXPECT_NE(decision.ticket, dispatched.ticket);
  EXPECT_NE(decision.ticket, undispatched.ticket) << "tickets of an earlier run never stand for another hold";
  engine->Decide(ThousandTokens(), &decision);
  EXPECT_EQ(decision.action, Action::kRefuse);
}

TEST_F(RecoveryTest, AVoidedDispatchIsFreeAfterARestart) {
  const std::string policy = std::string(kTestCandidates) + kCap;
  {
    const auto engine = Open(policy, /*with_ledger=*/true);
    Decision decision;
    engine->Decide(ThousandTokens(), &decision);
    engine->MarkDispatched(decision.ticket);
    ASSERT_TRUE(engine->Void(decision.ticket));
  }
  const auto engine = Open(policy, /*with_ledger=*/true);
  EXPECT_EQ(engine->recovered().presumed, 0);
}

TEST_F(RecoveryTest, ATopUpOutlivesARestart) {
  const std::string policy =
      std::string(kTestCandidates) + R"(budgets { name: "cap" scope: CUSTOMER usd: "0.001" })";
  {
    const auto engine = Open(policy, /*with_ledger=*/true);
    ASSERT_TRUE(engine->TopUp("cap", ThousandTokens(), 5'000'000, 0, 0, "asked for").ok());
    EXPECT_EQ(engine->TopUp("no such", ThousandTokens(), 1, 0, 0, "").code(), absl::StatusCode::kNotFound);
  }
  const auto engine = Open(policy, /*with_ledger=*/true);
  Decision decision;
  engine->Decide(ThousandTokens(), &decision);
  EXPECT_EQ(decision.action, Action::kDispatch) << decision.reason;
}

TEST_F(RecoveryTest, ARecordSaysEverythingOfItsCall) {
  {
    const auto engine = Open(std::string(kTestCandidates) + R"(
      request_classes { name: "answers" use_cases: "chat" revenue_per_request_usd: "0.01" })",
                             /*with_ledger=*/true);
    Request request = ThousandTokens();
    request.use_case = "chat";
    request.model = "big";
    request.step = 3;
    Decision decision;
    engine->Decide(request, &decision);
    engine->MarkDispatched(decision.ticket);
    clock_.Advance(1'000'000'000);
    Usage usage = UsageOf(900, 80);
    CallResult outcome;
    outcome.usage = &usage;
    outcome.latency_ms = 750;
    outcome.success = 1;
    engine->Settle(decision.ticket, outcome);
  }
  int records = 0;
  const auto log = ledger::Log::Open(ledger(), {}, [&](const ledger::Frame& frame) {
    if (frame.type != ledger::RECORD) return absl::OkStatus();
    ledger::RecordView record;
    EXPECT_TRUE(ledger::Decode(frame.payload, &record));
    ++records;
    EXPECT_EQ(record.request_id, "r");
    EXPECT_EQ(record.customer, "c");
    EXPECT_EQ(record.request_class, "answers");
    EXPECT_EQ(record.model, "small");
    EXPECT_EQ(record.model_asked, "big");
    EXPECT_EQ(record.step, 3);
    EXPECT_EQ(record.input_tokens, 900);
    EXPECT_EQ(record.output_tokens, 80);
    EXPECT_EQ(record.cost_nanos, 900'000 + 160'000);
    EXPECT_EQ(record.held_nanos, 2'000'000);
    EXPECT_EQ(record.default_cost_nanos, 9'000'000 + 3'200'000);
    EXPECT_EQ(record.saved_routing_nanos, record.default_cost_nanos - record.cost_nanos);
    EXPECT_EQ(record.revenue_nanos, 10'000'000);
    EXPECT_EQ(record.latency_us, 750'000);
    EXPECT_EQ(record.outcome, ledger::SUCCEEDED);
    EXPECT_EQ(record.settled_nanos - record.time_nanos, 1'000'000'000);
    int64_t items = 0;
    for (const ledger::LineItemView& item : record.line_items) items += item.cost_nanos;
    EXPECT_EQ(items, record.cost_nanos);
    return absl::OkStatus();
  });
  EXPECT_TRUE(log.ok()) << log.status();
  EXPECT_EQ(records, 1);
}

TEST_F(RecoveryTest, ASnapshotStandsForTheFramesBeforeIt) {
  constexpr int kCalls =
      30'000;  // Two frames each: by the third run more than a start reads without keeping one.
  const std::string policy =
      std::string(kTestCandidates) + R"(budgets { name: "cap" scope: CUSTOMER usd: "1000000" })";
  int64_t cost = 0;
  for (int run = 0; run < 3; ++run) {
    const auto engine = Open(policy, /*with_ledger=*/true);
    EXPECT_EQ(engine->recovered().records, run * kCalls);
    Decision decision;
    for (int i = 0; i < kCalls; ++i) {
      engine->Decide(ThousandTokens(), &decision);
      ASSERT_EQ(decision.action, Action::kDispatch) << decision.reason;
      engine->MarkDispatched(decision.ticket);
      cost += SettleWith(engine.get(), decision.ticket, 1000, i % 100).cost_nanos;
    }
  }
  bool has_snapshot = false;
  for (const auto& file : std::filesystem::directory_iterator(ledger())) {
    has_snapshot |= file.path().string().find(".snap") != std::string::npos;
  }
  EXPECT_TRUE(has_snapshot);
  const auto engine = Open(policy, /*with_ledger=*/true);
  EXPECT_THAT(engine->Explain(ThousandTokens()).text, HasSubstr("settled $" + FormatUsd(cost)));
}

TEST_F(RecoveryTest, WhatAStreamWasExtendedByIsPresumedSpentToo) {
  const std::string policy = std::string(kTestCandidates) + kCap;
  Decision decision;
  {
    const auto engine = Open(policy, /*with_ledger=*/true);
    engine->Decide(ThousandTokens(), &decision);  // Holds $0.002: 1000 tokens in, 500 out.
    ASSERT_TRUE(engine->MarkDispatched(decision.ticket));
    ASSERT_TRUE(engine->Extend(decision.ticket, 500)) << "another $0.001";
  }
  const auto engine = Open(policy, /*with_ledger=*/true);
  EXPECT_EQ(engine->recovered().presumed, 1);
  Request request = ThousandTokens();
  request.max_output_tokens = 501;  // $0.002002 of the $0.002 that are left.
  engine->Decide(request, &decision);
  EXPECT_EQ(decision.action, Action::kRefuse) << decision.reason;
  request.max_output_tokens = 500;
  engine->Decide(request, &decision);
  EXPECT_EQ(decision.action, Action::kDispatch) << decision.reason;
}

TEST_F(RecoveryTest, AnEndedSessionStaysEnded) {
  const std::string policy =
      std::string(kTestCandidates) + R"(budgets { name: "session" scope: SESSION usd: "1" })";
  Request request = ThousandTokens();
  request.session = "s";
  Decision decision;
  {
    const auto engine = Open(policy, /*with_ledger=*/true);
    engine->Decide(request, &decision);
    ASSERT_EQ(decision.action, Action::kDispatch) << decision.reason;
    engine->Void(decision.ticket);
    engine->EndSession(request.tenant, request.session);
  }
  const auto engine = Open(policy, /*with_ledger=*/true);
  engine->Decide(request, &decision);
  EXPECT_EQ(decision.action, Action::kRefuse);
  EXPECT_THAT(decision.reason, HasSubstr("ended"));
}

// A process that is killed leaves what is copied here: a ledger whose engine has not closed it.
// Copies a ledger that is in use: a file that goes while this happens is not there after a kill either.
void CopyLive(const std::filesystem::path& from, const std::filesystem::path& to) {
  std::filesystem::create_directories(to);
  std::error_code gone;
  for (const auto& file : std::filesystem::directory_iterator(from)) {
    std::filesystem::copy(file.path(), to / file.path().filename(), gone);
  }
}

TEST_F(RecoveryTest, SnapshotsKeptBesideARunningEngineSayWhatTheLogSays) {
  Options options = OptionsFor(std::string(kTestCandidates) + R"(
      budgets { name: "cap" scope: CUSTOMER usd: "1000000" window { rolling: "24h" } }
      budgets { name: "task" scope: TASK usd: "1000" })");
  options.ledger_dir = ledger();
  options.frames_between_snapshots = 500;
  auto opened = Engine::Open(options);
  ASSERT_TRUE(opened.ok()) << opened.status();
  Engine& engine = **opened;

  std::atomic<bool> stop = false;
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 3; ++caller) {
    callers.emplace_back([&, caller] {
      Decision decision;
      for (int i = 0; !stop; ++i) {
        const std::string task = absl::StrCat("task", caller, "-", i / 50);
        const std::string customer = absl::StrCat("customer", i % 3);
        Request request = ThousandTokens();
        request.task = task;
        request.customer = customer;
        engine.Decide(request, &decision);
        ASSERT_EQ(decision.action, Action::kDispatch) << decision.reason;
        engine.MarkDispatched(decision.ticket);
        if (i % 1000 != 7) SettleWith(&engine, decision.ticket, 1000, i % 100);  // Others stay open.
        if (i % 100 == 49) engine.EndTask(request.tenant, task);
        std::this_thread::sleep_for(std::chrono::microseconds(100));
      }
    });
  }
  std::set<std::string> seen;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (seen.size() < 2 && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    for (const auto& file : std::filesystem::directory_iterator(ledger())) {
      if (file.path().extension() == ".snap") seen.insert(file.path().filename());
    }
  }
  stop = true;
  for (std::thread& caller : callers) caller.join();
  ASSERT_GE(seen.size(), 2u);

  const std::string killed = (folder_ / "killed").string();
  const std::string without_snapshots = (folder_ / "without").string();
  CopyLive(ledger(), killed);
  CopyLive(ledger(), without_snapshots);
  for (const auto& file : std::filesystem::directory_iterator(without_snapshots)) {
    if (file.path().extension() == ".snap") std::filesystem::remove(file.path());
  }
  const auto accounts_of = [](Engine* of) {
    std::string text;
    for (int i = 0; i < 12; ++i) {
      const std::string task = absl::StrCat("task", i % 3, "-", i / 3);
      const std::string customer = absl::StrCat("customer", i % 3);
      Request request = ThousandTokens();
      request.task = task;
      request.customer = customer;
      const std::string explained = of->Explain(request).text;
      text += explained.substr(explained.find("ccounts"));
    }
    return text;
  };
  const std::string live = accounts_of(&engine);
  EXPECT_THAT(live, HasSubstr("settled $"));
  options.ledger_dir = killed;
  const auto from_snapshot = Engine::Open(options);
  ASSERT_TRUE(from_snapshot.ok()) << from_snapshot.status();
  options.ledger_dir = without_snapshots;
  const auto from_log = Engine::Open(options);
  ASSERT_TRUE(from_log.ok()) << from_log.status();
  EXPECT_EQ(accounts_of(from_snapshot->get()), live);
  EXPECT_EQ(accounts_of(from_log->get()), live);
  EXPECT_EQ((*from_snapshot)->recovered().records, (*from_log)->recovered().records);
  EXPECT_EQ((*from_snapshot)->recovered().presumed, (*from_log)->recovered().presumed);
}

TEST_F(RecoveryTest, ACacheThatThePolicyKeepsAnswersAfterARestart) {
  const auto kept_in = [](const std::filesystem::path& folder) {
    return std::string(kTestCandidates) + "caching { defaults { mode: EXACT } persistence_directory: \"" +
           folder.string() + "\" }";
  };
  const std::filesystem::path kept = folder_ / "kept";
  const std::string policy = kept_in(kept);
  const Message message{Role::kUser, "How do I reset my password?"};
  Request request = ThousandTokens();
  request.messages = {&message, 1};
  Decision decision;
  {
    const auto engine = Open(policy);
    engine->Decide(request, &decision);
    SettleWith(engine.get(), decision.ticket, 1000, 10);
    engine->StoreInCache(request, decision, {.text = "Like this."});

    std::filesystem::copy(kept, folder_ / "killed");
    const auto from_killed = Open(kept_in(folder_ / "killed"));
    from_killed->Decide(request, &decision);
    EXPECT_EQ(decision.action, Action::kAnswer) << "a process that was killed just now loses nothing";

    const auto beside = Open(policy);
    beside->Decide(request, &decision);
    EXPECT_EQ(decision.action, Action::kDispatch) << "the directory is another engine's";
  }
  {
    const auto engine = Open(policy);
    engine->Decide(request, &decision);
    ASSERT_EQ(decision.action, Action::kAnswer);
    EXPECT_EQ(decision.answer, "Like this.");
  }
  std::ofstream(kept / "cache.snapshot") << "something else";
  const auto engine = Open(policy);
  engine->Decide(request, &decision);
  EXPECT_EQ(decision.action, Action::kDispatch) << "a foreign file is refused and the cache starts empty";
}

// What a budget has counted.
int64_t Settled(Engine* engine, const std::string& budget) {
  for (const AccountStatus& account : engine->Accounts(ThousandTokens())) {
    if (account.budget == budget) return account.limits[0].settled;
  }
  return -1;
}

// A budget counts from when a policy with it is loaded, whatever happens between: reloads, snapshots,
// restarts.
TEST_F(RecoveryTest, ABudgetOfANewNameCountsFromZeroBeforeAndAfterARestart) {
  const auto policy = [](const char* budgets) { return std::string(kTestCandidates) + budgets; };
  const std::string one = policy(R"(budgets { name: "first" scope: CUSTOMER usd: "1" })");
  const std::string two = policy(R"(budgets { name: "first" scope: CUSTOMER usd: "1" }
                                    budgets { name: "added" scope: TENANT usd: "1" })");
  const std::string renamed = policy(R"(budgets { name: "other" scope: CUSTOMER usd: "1" }
                                        budgets { name: "added" scope: TENANT usd: "1" })");
  const std::string none = policy("");
  Options options = OptionsFor(one);
  options.ledger_dir = ledger();
  options.frames_between_snapshots = 1;
  auto engine = *Engine::Open(options);
  Decision decision;
  const auto spend = [&](bool dispatch) {
    engine->Decide(ThousandTokens(), &decision);
    ASSERT_EQ(decision.action, Action::kDispatch) << decision.reason;
    if (dispatch) {
      ASSERT_TRUE(engine->MarkDispatched(decision.ticket));
    }
    ASSERT_EQ(SettleWith(engine.get(), decision.ticket, 1000, 500).result, SettleResult::kSettled);
  };
  const auto reload = [&](const std::string& text) {
    options.source.policy_text = text;
    ASSERT_TRUE(engine->Reload(options.source).ok());
  };
  const auto all = [&] {
    return std::vector<int64_t>{Settled(engine.get(), "first"), Settled(engine.get(), "added"),
                                Settled(engine.get(), "other")};
  };
  const auto expect_the_same_after_a_restart = [&](const char* what) {
    const std::vector<int64_t> before = all();
    engine.reset();
    engine = *Engine::Open(options);
    EXPECT_EQ(all(), before) << what;
  };
  spend(true);
  spend(false);
  Decision across;  // Granted under the first policy, settled under the second.
  engine->Decide(ThousandTokens(), &across);
  ASSERT_TRUE(engine->MarkDispatched(across.ticket));
  Decision silent;  // The same, and not announced.
  engine->Decide(ThousandTokens(), &silent);
  reload(two);
  EXPECT_EQ(all(), (std::vector<int64_t>{4'000'000, 0, -1}));
  expect_the_same_after_a_restart("just added");
  reload(one);
  spend(true);
  engine->Decide(ThousandTokens(), &across);
  ASSERT_TRUE(engine->MarkDispatched(across.ticket));
  engine->Decide(ThousandTokens(), &silent);
  reload(two);
  spend(true);
  SettleWith(engine.get(), across.ticket, 1000, 500);
  SettleWith(engine.get(), silent.ticket, 1000, 500);
  EXPECT_EQ(Settled(engine.get(), "added"), 2'000'000) << "what was granted before is no part of it";
  expect_the_same_after_a_restart("with calls of before");
  spend(true);
  expect_the_same_after_a_restart("a call later");
  std::this_thread::sleep_for(std::chrono::milliseconds(2500));  // A snapshot is kept.
  spend(true);
  expect_the_same_after_a_restart("from a snapshot");
  reload(renamed);
  EXPECT_EQ(Settled(engine.get(), "other"), 0);
  spend(true);
  expect_the_same_after_a_restart("renamed");
  // Added while the engine was down is as good as added by a reload.
  reload(none);
  spend(true);
  engine.reset();
  options.source.policy_text = policy(R"(budgets { name: "late" scope: TENANT usd: "1" })");
  engine = *Engine::Open(options);
  EXPECT_EQ(Settled(engine.get(), "late"), 0);
  spend(true);
  EXPECT_EQ(Settled(engine.get(), "late"), 2'000'000);
}

constexpr int64_t kDayNanos = int64_t{86'400} * 1'000'000'000;
constexpr int64_t kTwentyYears = 20 * 365 * kDayNanos;
constexpr char kDayCap[] = R"(budgets { name: "day" scope: TENANT usd: "0.005" window { calendar: DAY } })";

TEST_F(RecoveryTest, AClockThatReadsTwentyYearsAheadOnceLocksNothing) {
  const std::string policy = std::string(kTestCandidates) + kDayCap;
  auto engine = Open(policy, /*with_ledger=*/true);
  Decision decision;
  const auto spend = [&] {
    engine->Decide(ThousandTokens(), &decision);
    if (decision.action != Action::kDispatch) return false;
    EXPECT_TRUE(engine->MarkDispatched(decision.ticket));
    return SettleWith(engine.get(), decision.ticket, 1000, 500).result == SettleResult::kSettled;
  };
  ASSERT_TRUE(spend());
  const int64_t now = clock_.NowNanos();
  clock_.Set(now + kTwentyYears);
  engine->Maintain();
  EXPECT_TRUE(spend()) << decision.reason;
  EXPECT_FALSE(spend()) << "it counts in the day that it is: $0.002 each under $0.005";
  clock_.Set(now + 1);
  EXPECT_EQ(Settled(engine.get(), "day"), 4'000'000);
  EXPECT_FALSE(spend());
  for (int restarts = 0; restarts < 2; ++restarts) {
    clock_.Set(clock_.NowNanos() + kDayNanos);
    EXPECT_TRUE(spend()) << "the next day is a new one: " << decision.reason;
    EXPECT_TRUE(spend());
    EXPECT_FALSE(spend());
    engine.reset();
    engine = Open(policy, /*with_ledger=*/true);
    EXPECT_FALSE(spend());
  }
}

TEST_F(RecoveryTest, ARequestWithAnAbsurdTimeIsRefusedByName) {
  // Room enough for all models: each FailOver counts against the health of one.
  const auto engine = Open(std::string(kTestCandidates) +
                               R"(budgets { name: "day" scope: TENANT usd: "1" window { calendar: DAY } })",
                           /*with_ledger=*/true);
  Decision decision;
  for (const int64_t time : {clock_.NowNanos() + kTwentyYears, clock_.NowNanos() + 2 * kDayNanos, int64_t{-1},
                             std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max()}) {
    Request request = ThousandTokens();
    request.time_nanos = time;
    engine->Decide(request, &decision);
    EXPECT_EQ(decision.refusal, Refusal::kBadRequest) << time;
    EXPECT_THAT(decision.reason, HasSubstr("time_nanos"));
    EXPECT_EQ(engine->TopUp("day", request, 1, 0, 0, "").code(), absl::StatusCode::kInvalidArgument);
    (void)engine->Accounts(request);
    (void)engine->Explain(request);
    engine->Decide(ThousandTokens(), &decision);
    ASSERT_EQ(decision.action, Action::kDispatch);
    Decision failed = decision;
    engine->FailOver(request, &failed);
    EXPECT_EQ(failed.refusal, Refusal::kBadRequest);
    EXPECT_EQ(Settled(engine.get(), "day"), 0) << "the account is where it was";
  }
  Request yesterday = ThousandTokens();
  yesterday.time_nanos = clock_.NowNanos() - kDayNanos;
  engine->Decide(yesterday, &decision);
  EXPECT_EQ(decision.action, Action::kDispatch) << "a replay goes on: " << decision.reason;
}

// A ledger that was written under a clock that was wrong from the start is mended by opening it under a right
// one.
TEST_F(RecoveryTest, ALedgerOfTheFutureIsMendedByOpeningIt) {
  const std::string policy = std::string(kTestCandidates) + kDayCap;
  const int64_t now = clock_.NowNanos();
  Decision decision;
  const auto spend = [&](Engine* engine) {
    engine->Decide(ThousandTokens(), &decision);
    if (decision.action != Action::kDispatch) return false;
    return SettleWith(engine, decision.ticket, 1000, 500).result == SettleResult::kSettled;
  };
  auto engine = Open(policy, /*with_ledger=*/true);
  EXPECT_TRUE(spend(engine.get()));
  engine.reset();
  clock_.Set(now + kTwentyYears);
  engine = Open(policy, /*with_ledger=*/true);
  EXPECT_TRUE(spend(engine.get()));
  // Set right while it runs: what counted in the wrong day counts in this one.
  clock_.Set(now);
  EXPECT_TRUE(spend(engine.get())) << decision.reason;
  EXPECT_FALSE(spend(engine.get()));
  engine.reset();
  engine = Open(policy, /*with_ledger=*/true);
  EXPECT_EQ(Settled(engine.get(), "day"), 6'000'000) << "all of it was spent today";
  EXPECT_FALSE(spend(engine.get()));
  clock_.Set(now + kDayNanos);
  EXPECT_TRUE(spend(engine.get())) << decision.reason;
}

// An engine runs into a disk without space.
class FullDiskTest : public EngineTest {
 protected:
  std::unique_ptr<Engine> OpenThere(const std::string& settings) {
    Options options = OptionsFor(std::string(kTestCandidates) + kCap + settings);
    options.ledger_dir = "/ledger";
    absl::StatusOr<std::unique_ptr<Engine>> engine = OpenEngine(options, &files_);
    EXPECT_TRUE(engine.ok()) << engine.status();
    return engine.ok() ? *std::move(engine) : nullptr;
  }
  void FillDisk() {
    files_.SetSpace(0);
    files_.SetFault([](std::string_view operation, const std::string& path) {
      return operation == "allocate" ? absl::ResourceExhaustedError(path + ": no space left")
                                     : absl::OkStatus();
    });
  }
  // Calls until nothing more is granted, or (under a policy that serves on) booked.
  static int CallUntilFull(Engine* engine, Decision* decision, size_t id_bytes = kMaxDimensionBytes) {
    for (int calls = 0; calls < 1'000'000; ++calls) {
      Request request = ThousandTokens();
      // A few thousand of the longest fill the space that is allocated ahead.
      const std::string id(id_bytes, 'i');
      request.id = request.feature = request.use_case = request.session = request.team = request.release = id;
      request.customer = "";  // No cap but the task's.
      engine->Decide(request, decision);
      if (decision->action == Action::kRefuse) return calls;
      if (!engine->MarkDispatched(decision->ticket)) return calls;
      if (SettleWith(engine, decision->ticket, 10, 5).result == SettleResult::kNotRecorded) return calls;
    }
    return -1;
  }
  ledger::MemoryFileSystem files_;
};

TEST_F(FullDiskTest, NothingIsGrantedThatCannotBeBooked) {
  const auto engine = OpenThere("");
  Decision decision;
  FillDisk();
  ASSERT_GT(CallUntilFull(engine.get(), &decision), 10);
  engine->Decide(ThousandTokens(), &decision);
  EXPECT_EQ(decision.refusal, Refusal::kLedger);
  EXPECT_THAT(decision.reason, HasSubstr("no space left"));
  EXPECT_EQ(engine->TopUp("cap", ThousandTokens(), 1'000'000'000, 0, 0, "now").code(),
            absl::StatusCode::kUnavailable);
  // The disk has space again: so do the calls, and the refused top-up raised nothing.
  files_.SetSpace(~uint64_t{0});
  files_.SetFault(nullptr);
  for (int tenths = 0; tenths < 100 && decision.refusal == Refusal::kLedger; ++tenths) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    engine->Decide(ThousandTokens(), &decision);
  }
  int granted = 0;
  for (; granted < 5 && decision.action == Action::kDispatch; ++granted) {
    engine->Decide(ThousandTokens(), &decision);
  }
  EXPECT_EQ(granted, 2) << "$0.002 each under a cap of $0.005: " << decision.reason;
}

// The cache's directory belongs to the policy that serves until another one does.
TEST_F(FullDiskTest, AReloadThatFailsLeavesTheServingCacheKept) {
  const std::string kept = (folder_ / "kept").string();
  const auto caching = [&](const char* mode) {
    return std::string("caching { defaults { mode: ") + mode + " } persistence_directory: \"" + kept + "\" }";
  };
  const Message message{Role::kUser, "What is my balance?"};
  Request request = ThousandTokens();
  request.messages = {&message, 1};
  Decision decision;
  auto engine = OpenThere(caching("EXACT"));
  engine->Decide(request, &decision);
  SettleWith(engine.get(), decision.ticket, 1000, 10);
  engine->StoreInCache(request, decision, {.text = "$12"});
  engine->Decide(request, &decision);
  ASSERT_EQ(decision.action, Action::kAnswer);

  files_.SetFault([](std::string_view operation, const std::string& path) {
    return operation == "write" || operation == "rename"
               ? absl::ResourceExhaustedError(path + ": no space left")
               : absl::OkStatus();
  });
  EXPECT_FALSE(engine->Reload(SourceFor(std::string(kTestCandidates) + kCap + caching("SEMANTIC"))).ok());
  files_.SetFault(nullptr);
  engine->cache()->Clear();
  engine.reset();
  engine = OpenThere(caching("EXACT"));
  engine->Decide(request, &decision);
  EXPECT_EQ(decision.action, Action::kDispatch) << "what was invalidated after the failure came back";
}

// Each step of a reload fails in turn: nothing has changed, now or after a restart.
class FailedReloadTest : public FullDiskTest {
 protected:
  FailedReloadTest() { std::filesystem::create_directories(folder_ / "taken"); }

  std::string Kept(const char* name) const { return (folder_ / name).string(); }
  static std::string Caching(const std::string& directory, const char* mode) {
    return absl::StrCat("caching { defaults { mode: ", mode, " } persistence_directory: \"", directory,
                        "\" }");
  }
  static std::string Policy(const std::string& name, const std::string& caching) {
    return absl::StrCat("name: \"", name, "\"",
                        std::string(kTestCandidates).substr(sizeof("\n  name: \"test\"")), kCap, caching);
  }
  static Request Question() {
    static const Message message{Role::kUser, "What is my balance?"};
    Request request = ThousandTokens();
    request.messages = {&message, 1};
    request.customer = "";  // No cap but the task's.
    return request;
  }
  std::unique_ptr<Engine> OpenNamed(const std::string& name, const std::string& caching,
                                    ledger::FileSystem* files) {
    Options options = OptionsFor(Policy(name, caching));
    options.ledger_dir = "/ledger";
    absl::StatusOr<std::unique_ptr<Engine>> engine = OpenEngine(options, files);
    EXPECT_TRUE(engine.ok()) << engine.status();
    return engine.ok() ? *std::move(engine) : nullptr;
  }
  void Answer(Engine* engine) {
    Decision decision;
    engine->Decide(Question(), &decision);
    if (decision.action != Action::kDispatch) return;
    EXPECT_TRUE(engine->MarkDispatched(decision.ticket));
    SettleWith(engine, decision.ticket, 1000, 10);
    static constexpr std::string_view kTags[] = {"balance"};
    engine->StoreInCache(Question(), decision, {.text = "$12", .tags = kTags});
    engine->Decide(Question(), &decision);
    EXPECT_EQ(decision.action, Action::kAnswer);
  }
  // The names of the policies that the log says were loaded.
  static std::vector<std::string> Loaded(ledger::FileSystem* files) {
    std::vector<std::string> names;
    EXPECT_TRUE(ledger::ReplayLedger("/ledger", {.cancelled = nullptr, .files = files},
                                     [&](const ledger::Frame& frame) {
                                       ledger::PolicyLoadedView loaded;
                                       if (frame.type == ledger::POLICY_LOADED &&
                                           Decode(frame.payload, &loaded))
                                         names.emplace_back(loaded.name);
                                       return absl::OkStatus();
                                     })
                    .ok());
    return names;
  }
};

TEST_F(FailedReloadTest, ChangesNothingWhicheverStepFails) {
  const std::string kept = Kept("kept");
  std::ofstream(folder_ / "file") << "no directory";
  std::ofstream(folder_ / "cut.textproto") << "name: \"cut\" models { id: \"other\" provider: \"p\" sheets { "
                                              "rates { meter: \"input_tokens\" usd: \"1\" } } }";
  cache::Options other_options;
  other_options.classes.emplace_back();
  cache::Cache other(other_options);
  ASSERT_TRUE(other.KeepIn(Kept("taken"), 1).ok());

  struct Step {
    const char* name;
    std::function<void()> fault;
    PolicySource source;
    const char* says;
  };
  const auto source = [&](const std::string& caching) { return SourceFor(Policy("next", caching)); };
  PolicySource cut_book = source(Caching(kept, "SEMANTIC"));
  cut_book.price_books = {(folder_ / "cut.textproto").string()};
  PolicySource no_book = source(Caching(kept, "SEMANTIC"));
  no_book.price_books = {(folder_ / "none.textproto").string()};
  const auto fail = [&](const char* failing) {
    return [this, failing] {
      files_.SetFault([failing](std::string_view operation, const std::string& path) {
        return operation == failing ? absl::ResourceExhaustedError(path + ": no space left")
                                    : absl::OkStatus();
      });
    };
  };
  const std::vector<Step> steps = {
      {"the policy does not parse", nullptr, SourceFor("candidates { modl: \"x\" }"), "modl"},
      {"a book is missing", nullptr, no_book, "none.textproto"},
      {"the book was cut", nullptr, cut_book, "least_priced_share"},
      {"the cache's directory is a file", nullptr, source(Caching(Kept("file"), "EXACT")), "cannot be kept"},
      {"the cache's directory is taken", nullptr, source(Caching(Kept("taken"), "EXACT")), "in use"},
      {"the policy cannot be written", fail("write"), source(Caching(kept, "SEMANTIC")), "no space"},
      {"the log is full", fail("allocate"), source(Caching(kept, "SEMANTIC")), "no space"},
  };
  auto engine = OpenNamed("first", Caching(kept, "EXACT"), &files_);
  std::vector<Ticket> tickets;
  const std::string id(kMaxDimensionBytes, 'i');
  Decision decision;
  for (int i = 0; i < 40; ++i) {
    Request request = ThousandTokens();
    request.customer = "";
    request.id = request.feature = request.use_case = request.session = request.team = request.release = id;
    engine->Decide(request, &decision);
    ASSERT_TRUE(engine->MarkDispatched(decision.ticket)) << decision.reason;
    tickets.push_back(decision.ticket);
  }
  for (const Step& step : steps) {
    SCOPED_TRACE(step.name);
    Answer(engine.get());
    if (step.fault != nullptr) step.fault();
    if (std::string_view(step.name) == "the log is full") {
      // What was granted fills what is kept free for it, and small frames the rest.
      for (int i = 0; i < 300; ++i) CallUntilFull(engine.get(), &decision);
      for (const Ticket ticket : tickets) SettleWith(engine.get(), ticket, 10, 5);
      for (int i = 0; i < 20'000; ++i) engine->EndTask("t", "no such task");
    }
    const absl::Status reloaded = engine->Reload(step.source);
    EXPECT_FALSE(reloaded.ok());
    EXPECT_THAT(std::string(reloaded.message()), HasSubstr(step.says));
    files_.SetFault(nullptr);

    // It serves as before, by the same policy and cache; the ledger says so.
    if (step.fault == nullptr || std::string_view(step.name) != "the log is full") {
      engine->Decide(Question(), &decision);
      EXPECT_EQ(decision.action, Action::kAnswer) << decision.reason;
    }
    EXPECT_THAT(files_.Content("/ledger/policy.textproto"), HasSubstr("name: \"first\""));
    const auto after_death = files_.AfterProcessDeath();
    EXPECT_EQ(Loaded(after_death.get()), std::vector<std::string>{"first"});
    // What is invalidated stays so after a restart.
    engine->cache()->Invalidate(cache::LabelKind::kTag, "balance");
    std::filesystem::remove_all(folder_ / "killed");
    std::filesystem::copy(kept, folder_ / "killed");
    const auto restarted = OpenNamed("first", Caching(Kept("killed"), "EXACT"), after_death.get());
    restarted->Decide(Question(), &decision);
    EXPECT_NE(decision.action, Action::kAnswer) << "what was invalidated came back";
  }
}

// What is in the cache, and what is invalidated in whichever cache somebody holds, goes with a reload.
TEST_F(FailedReloadTest, AnInvalidationDuringAReloadIsNotLost) {
  const std::string kept = Kept("kept");
  auto engine = OpenNamed("first", Caching(kept, "EXACT"), &files_);
  Decision decision;
  Answer(engine.get());
  const auto before = engine->cache();
  ASSERT_TRUE(engine->Reload(SourceFor(Policy("next", Caching(kept, "SEMANTIC")))).ok());
  ASSERT_NE(engine->cache(), before);
  engine->Decide(Question(), &decision);
  EXPECT_EQ(decision.action, Action::kAnswer) << "the entries go along";
  before->Invalidate(cache::LabelKind::kTag, "balance");
  engine->Decide(Question(), &decision);
  EXPECT_EQ(decision.action, Action::kDispatch) << "an old handle invalidates, too";
  engine->Void(decision.ticket);

  for (int round = 0; round < 60; ++round) {
    Answer(engine.get());
    engine->Decide(Question(), &decision);
    const uint64_t entry = decision.cache_entry;
    const auto held = engine->cache();
    std::thread reloading([&] {
      const char* mode = round % 2 == 0 ? "EXACT" : "SEMANTIC";
      EXPECT_TRUE(engine->Reload(SourceFor(Policy("next", Caching(kept, mode)))).ok());
    });
    std::this_thread::sleep_for(std::chrono::microseconds(round * 50));
    if (round % 3 == 0) {
      engine->cache()->Clear();
    } else if (round % 3 == 1) {
      engine->cache()->Invalidate(cache::LabelKind::kTag, "balance");
    } else {
      held->InvalidateId(entry);
    }
    reloading.join();
    engine->Decide(Question(), &decision);
    EXPECT_NE(decision.action, Action::kAnswer) << "round " << round;
    if (decision.action == Action::kDispatch) engine->Void(decision.ticket);
    std::filesystem::remove_all(folder_ / "killed");
    std::filesystem::copy(kept, folder_ / "killed");
    const auto after_death = files_.AfterProcessDeath();
    const auto restarted = OpenNamed("next", Caching(Kept("killed"), "EXACT"), after_death.get());
    restarted->Decide(Question(), &decision);
    EXPECT_NE(decision.action, Action::kAnswer) << "after a restart, round " << round;
  }
}

TEST_F(FailedReloadTest, AReloadThatPricesNoFewerThanBeforeIsTaken) {
  Options options = OptionsFor(
      "name: \"few\" candidates { model: \"small\" } candidates { model: \"nobody's\" } "
      "candidates { model: \"nowhere\" }");
  auto engine = Engine::Open(options);
  ASSERT_TRUE(engine.ok());
  EXPECT_TRUE((*engine)->Reload(options.source).ok()) << "one of three, as before";
  PolicySource none = options.source;
  none.policy_text = "name: \"none\" candidates { model: \"nobody's\" }";
  EXPECT_FALSE((*engine)->Reload(none).ok());
  none.policy_text += " routing { allow_unpriced: true }";
  EXPECT_TRUE((*engine)->Reload(none).ok());
  options.least_priced_share = 0;
  engine = Engine::Open(options);
  none.policy_text = "name: \"none\" candidates { model: \"nobody's\" }";
  EXPECT_TRUE((*engine)->Reload(none).ok()) << "no bound was asked for";
}

TEST_F(FullDiskTest, APolicyMayServeOnAndItsCapsHoldMeanwhile) {
  const auto engine = OpenThere("budget_settings { when_ledger_fails: SERVE_UNRECORDED }");
  Decision decision;
  FillDisk();
  ASSERT_GT(CallUntilFull(engine.get(), &decision), 10);
  ASSERT_GE(CallUntilFull(engine.get(), &decision, 1), 0);  // What is left behind the last large record.
  int served = 0;
  for (int i = 0; i < 5; ++i) {
    engine->Decide(ThousandTokens(), &decision);
    if (decision.action == Action::kRefuse) break;
    EXPECT_TRUE(decision.unrecorded);
    ASSERT_TRUE(engine->MarkDispatched(decision.ticket));
    const Settlement settlement = SettleWith(engine.get(), decision.ticket, 1000, 500);
    EXPECT_EQ(settlement.result, SettleResult::kNotRecorded);
    EXPECT_EQ(settlement.cost_nanos, 2'000'000);
    ++served;
  }
  EXPECT_EQ(served, 2) << "$0.002 each under a cap of $0.005";
  EXPECT_EQ(decision.refusal, Refusal::kBudget) << decision.reason;
}

TEST_F(RecoveryTest, TwoEnginesOnOneLedgerIsAnError) {
  const auto engine = Open(kTestCandidates, /*with_ledger=*/true);
  Options options = OptionsFor(kTestCandidates);
  options.ledger_dir = ledger();
  const auto second = Engine::Open(options);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable) << second.status();
}

// "middle" is the cheapest that passed both requests: small's window is too small for the first.
TEST_F(RecoveryTest, EachRecordSaysWhatTheBestConstantModelWouldHaveCost) {
  {
    const auto engine = Open(kTestCandidates, /*with_ledger=*/true);
    Decision decision;
    for (const int64_t input_tokens : {9000, 1000}) {
      Request request = ThousandTokens();
      request.input_tokens = input_tokens;
      engine->Decide(request, &decision);
      ASSERT_EQ(decision.model, input_tokens == 9000 ? "middle" : "small");
      engine->MarkDispatched(decision.ticket);
      SettleWith(engine.get(), decision.ticket, input_tokens, 100);
    }
  }
  std::vector<std::pair<int64_t, int64_t>> costs;
  ledger::LogOptions options;
  ASSERT_TRUE(ledger::Log::Open(ledger(), options, [&costs](const ledger::Frame& frame) {
                ledger::RecordView record;
                if (frame.type != ledger::RECORD || !Decode(frame.payload, &record)) return absl::OkStatus();
                costs.emplace_back(record.cost_nanos, record.best_constant_nanos);
                return absl::OkStatus();
              }).ok());
  ASSERT_EQ(costs.size(), 2u);
  EXPECT_EQ(costs[0].first, costs[0].second);
  EXPECT_EQ(costs[1].first, 1'000'000 + 200'000);
  EXPECT_GT(costs[1].second, costs[1].first);
}

}  // namespace
}  // namespace purser
