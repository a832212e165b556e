// Who holds a ledger: real forks, owners that die and leave helpers behind, and files that somebody removes
// or cuts short while they are written.

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/engine_fixture.h"

namespace purser {
namespace {

using ::testing::HasSubstr;

constexpr char kCap[] = "budgets { name: \"cap\" scope: GLOBAL usd: \"1000000\" }";

Request SmallCall() {
  Request request;
  request.tenant = "t";
  request.input_tokens = 1000;
  request.max_output_tokens = 500;
  return request;
}

class OwnerTest : public EngineTest {
 protected:
  std::string PolicyText() const {
    return std::string(kTestCandidates) + kCap +
           "caching { defaults { mode: EXACT } persistence_directory: \"" + (folder_ / "cache").string() +
           "\" }";
  }
  absl::StatusOr<std::unique_ptr<Engine>> TryOpen() const {
    Options options = OptionsFor(PolicyText());
    options.ledger_dir = ledger();
    return Engine::Open(options);
  }
  std::unique_ptr<Engine> OpenIt() const {
    absl::StatusOr<std::unique_ptr<Engine>> engine = TryOpen();
    EXPECT_TRUE(engine.ok()) << engine.status();
    return engine.ok() ? *std::move(engine) : nullptr;
  }

  // Runs `work` in a fork and returns what it exits with; -1: it was killed, for example since it hung.
  static int InChild(const std::function<int()>& work) {
    const pid_t child = fork();
    if (child == 0) {
      alarm(20);
      _exit(work());
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  static bool CallOnce(Engine* engine, Decision* decision) {
    const Message message{Role::kUser, "What is a quorum?"};
    Request request = SmallCall();
    request.messages = {&message, 1};
    request.cacheable = false;
    engine->Decide(request, decision);
    return decision->action == Action::kDispatch && engine->MarkDispatched(decision->ticket) &&
           SettleWith(engine, decision->ticket, 1000, 10).result == SettleResult::kSettled;
  }

  // Calls until the ledger is refused; whether that came within five seconds.
  static bool CallUntilRefused(Engine* engine, Decision* decision) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    while (std::chrono::steady_clock::now() < until) {
      for (int i = 0; i < 100; ++i) {
        CallOnce(engine, decision);
        if (decision->refusal == Refusal::kLedger) return true;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return false;
  }

  std::filesystem::path NewestSegment() const {
    std::filesystem::path newest;
    for (const auto& entry : std::filesystem::directory_iterator(ledger())) {
      if (entry.path().extension() == ".log" && entry.path() > newest) newest = entry.path();
    }
    return newest;
  }
};

// What the child of a web server's master process may meet. The number of what was wrong; 0: nothing.
int UseInChild(std::unique_ptr<Engine> engine, Decision decision) {
  const Ticket ticket = decision.ticket;
  const auto cache = engine->cache();
  if (cache != nullptr) return 1;
  Decision mine;
  engine->Decide(SmallCall(), &mine);
  if (mine.action != Action::kRefuse || mine.refusal != Refusal::kForked) return 2;
  if (mine.reason.find("fork") == std::string::npos) return 3;
  if (engine->MarkDispatched(ticket) || engine->Void(ticket) || engine->Extend(ticket, 10)) return 4;
  if (engine->Progress(ticket, 1) != -1) return 5;
  if (engine->Settle(ticket, {}).result != SettleResult::kForked) return 6;
  if (engine->TopUp("cap", SmallCall(), 1, 0, 0, "").code() != absl::StatusCode::kFailedPrecondition)
    return 7;
  if (engine->Reload({.policy_text = ""}).code() != absl::StatusCode::kFailedPrecondition) return 8;
  if (engine->LoadShadowPolicy({.policy_text = ""}).status().code() != absl::StatusCode::kFailedPrecondition)
    return 9;
  if (!engine->Accounts(SmallCall()).empty() || engine->Explain(SmallCall()).refusal.empty()) return 10;
  ShadowDecision shadow;
  engine->DecideShadow({}, SmallCall(), mine, &shadow);
  if (shadow.reason.find("fork") == std::string::npos) return 11;
  engine->EndTask("t", "task");
  engine->EndSession("t", "session");
  engine->Feedback(decision, true);
  engine->StoreInCache(SmallCall(), decision, {.text = "x"});
  engine->Maintain();
  Decision failed = decision;
  engine->FailOver(SmallCall(), &failed);
  if (failed.refusal != Refusal::kForked) return 12;
  engine.reset();
  return 0;
}

TEST_F(OwnerTest, AForkedChildIsRefusedByNameAndDestroysSafely) {
  auto engine = OpenIt();
  std::atomic<bool> stop{false};
  std::atomic<int> settled{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      Decision decision;
      while (!stop.load()) settled += CallOnce(engine.get(), &decision) ? 1 : 0;
    });
  }
  Decision pending;
  for (int round = 0; round < 40; ++round) {
    engine->Decide(SmallCall(), &pending);
    ASSERT_EQ(pending.action, Action::kDispatch) << pending.reason;
    EXPECT_EQ(InChild([&] { return UseInChild(std::move(engine), pending); }), 0) << "round " << round;
    ASSERT_TRUE(engine->Void(pending.ticket)) << "the child changed what the parent holds";
  }
  stop.store(true);
  for (std::thread& thread : threads) thread.join();
  engine.reset();
  engine = OpenIt();
  ASSERT_NE(engine, nullptr);
  EXPECT_EQ(engine->recovered().records, settled.load());
}

TEST_F(OwnerTest, AForkedChildOfAnEngineWithoutLedgerMaySpendNothingEither) {
  auto engine = Open(std::string(kTestCandidates) + kCap);
  EXPECT_EQ(InChild([&] {
              Decision decision;
              engine->Decide(SmallCall(), &decision);
              return decision.refusal == Refusal::kForked ? 0 : 1;
            }),
            0);
}

TEST_F(OwnerTest, AChildMayOpenAnEngineOfItsOwn) {
  auto engine = OpenIt();
  EXPECT_EQ(InChild([&] {
              engine.reset();
              Options options = OptionsFor(std::string(kTestCandidates) + kCap);
              options.ledger_dir = (folder_ / "another").string();
              auto own = Engine::Open(options);
              Decision decision;
              return own.ok() && CallOnce(own->get(), &decision) ? 0 : 1;
            }),
            0);
  Decision decision;
  EXPECT_TRUE(CallOnce(engine.get(), &decision));
}

// Starts an owner that forks a helper, as gateways do. `*helper` is the helper's process.
pid_t StartOwner(const std::function<std::unique_ptr<Engine>()>& open, pid_t* helper) {
  int ends[2];
  EXPECT_EQ(pipe(ends), 0);
  const pid_t owner = fork();
  if (owner == 0) {
    auto engine = open();
    const pid_t forked = fork();
    if (forked == 0) {
      alarm(60);
      for (;;) pause();
    }
    if (write(ends[1], &forked, sizeof(forked)) < 0) _exit(1);
    alarm(60);
    for (;;) pause();
  }
  EXPECT_EQ(read(ends[0], helper, sizeof(*helper)), static_cast<ssize_t>(sizeof(*helper)));
  close(ends[0]);
  close(ends[1]);
  return owner;
}

TEST_F(OwnerTest, ADeadOwnersHelperDoesNotKeepTheLedger) {
  const auto cacheless = [this] {
    Options options = OptionsFor(std::string(kTestCandidates) + kCap);
    options.ledger_dir = ledger();
    return Engine::Open(options);
  };
  pid_t helper = 0;
  const pid_t owner = StartOwner([&] { return *cacheless(); }, &helper);
  EXPECT_EQ(cacheless().status().code(), absl::StatusCode::kUnavailable) << "the owner lives";
  EXPECT_THAT(std::string(cacheless().status().message()), HasSubstr(std::to_string(owner)));
  kill(owner, SIGKILL);
  waitpid(owner, nullptr, 0);
  ASSERT_EQ(kill(helper, 0), 0) << "the helper is to outlive its parent";
  auto engine = cacheless();
  ASSERT_TRUE(engine.ok()) << engine.status();
  Decision decision;
  EXPECT_TRUE(CallOnce(engine->get(), &decision)) << decision.reason;
  // Nor does the old lock open to others, with or without the helper.
  EXPECT_EQ(cacheless().status().code(), absl::StatusCode::kUnavailable);
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  EXPECT_TRUE(CallOnce(engine->get(), &decision)) << decision.reason;
  kill(helper, SIGKILL);
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  EXPECT_EQ(cacheless().status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(InChild([&] { return cacheless().ok() ? 1 : 0; }), 0);
  engine->reset();
  EXPECT_TRUE(cacheless().ok());
}

TEST_F(OwnerTest, NorDoesItKeepTheCache) {
  pid_t helper = 0;
  const pid_t owner = StartOwner([this] { return OpenIt(); }, &helper);
  kill(owner, SIGKILL);
  waitpid(owner, nullptr, 0);
  ASSERT_EQ(kill(helper, 0), 0);
  const auto engine = OpenIt();
  ASSERT_NE(engine, nullptr);
  EXPECT_EQ(engine->recovered().cache_refused, "");
  kill(helper, SIGKILL);
}

// Of many that find a dead owner at once, one gets the ledger.
TEST_F(OwnerTest, OneOfManyTakesOver) {
  const auto cacheless = [this] {
    Options options = OptionsFor(std::string(kTestCandidates) + kCap);
    options.ledger_dir = ledger();
    return Engine::Open(options);
  };
  for (int round = 0; round < 5; ++round) {
    pid_t helper = 0;
    const pid_t owner = StartOwner([&] { return *cacheless(); }, &helper);
    kill(owner, SIGKILL);
    waitpid(owner, nullptr, 0);
    constexpr int kWanting = 6;
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    std::vector<pid_t> children;
    for (int i = 0; i < kWanting; ++i) {
      children.push_back(fork());
      if (children.back() != 0) continue;
      alarm(30);
      std::unique_ptr<Engine> mine;
      for (int tries = 0; tries < 20 && mine == nullptr; ++tries) {
        auto opened = cacheless();
        if (opened.ok()) mine = *std::move(opened);
        if (i == 0 && tries == 2) kill(helper, SIGKILL);  // Its lock opens in the midst of it.
      }
      const char got = mine != nullptr ? 'y' : 'n';
      if (write(ends[1], &got, 1) != 1) _exit(1);
      for (;;) pause();
    }
    int owners = 0;
    for (int i = 0; i < kWanting; ++i) {
      char got = 0;
      ASSERT_EQ(read(ends[0], &got, 1), 1);
      owners += got == 'y' ? 1 : 0;
    }
    EXPECT_EQ(owners, 1) << "round " << round;
    for (const pid_t child : children) {
      kill(child, SIGKILL);
      waitpid(child, nullptr, 0);
    }
    kill(helper, SIGKILL);
    close(ends[0]);
    close(ends[1]);
  }
}

TEST_F(OwnerTest, ARemovedFolderStopsGranting) {
  auto engine = OpenIt();
  Decision decision;
  ASSERT_TRUE(CallOnce(engine.get(), &decision));
  std::filesystem::remove_all(ledger());
  EXPECT_TRUE(CallUntilRefused(engine.get(), &decision));
  EXPECT_THAT(decision.reason, HasSubstr("LOCK: was removed"));
  // Another ledger may begin there, and the old engine leaves it alone.
  auto second = OpenIt();
  engine->Decide(SmallCall(), &decision);
  EXPECT_EQ(decision.refusal, Refusal::kLedger);
  engine.reset();
  EXPECT_TRUE(CallOnce(second.get(), &decision)) << decision.reason;
  second.reset();
  second = OpenIt();
  EXPECT_EQ(second->recovered().records, 1);
}

TEST_F(OwnerTest, ARemovedLockStopsGrantingAndLetsNobodyElseIn) {
  auto engine = OpenIt();
  Decision decision;
  ASSERT_TRUE(CallOnce(engine.get(), &decision));
  std::filesystem::remove(std::filesystem::path(ledger()) / "LOCK");
  EXPECT_EQ(TryOpen().status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(InChild([&] { return TryOpen().ok() ? 1 : 0; }), 0);
  EXPECT_TRUE(CallUntilRefused(engine.get(), &decision));
  EXPECT_THAT(decision.reason, HasSubstr("LOCK: was removed, moved or replaced"));
  EXPECT_FALSE(engine->TopUp("cap", SmallCall(), 1, 0, 0, "").ok());
  engine.reset();
  EXPECT_TRUE(TryOpen().ok());
}

TEST_F(OwnerTest, ARemovedSegmentStopsGranting) {
  auto engine = OpenIt();
  Decision decision;
  ASSERT_TRUE(CallOnce(engine.get(), &decision));
  std::filesystem::remove(NewestSegment());
  EXPECT_TRUE(CallUntilRefused(engine.get(), &decision));
  EXPECT_THAT(decision.reason, HasSubstr(".log: was removed"));
}

// As logrotate's copytruncate does; while threads write, at every size.
TEST_F(OwnerTest, ATruncatedSegmentStopsGrantingAndEndsNobody) {
  for (const uintmax_t size : {0u, 1u, 100u, 4096u, 5000u, 65536u}) {
    std::filesystem::remove_all(ledger());
    auto engine = OpenIt();
    Decision decision;
    for (int i = 0; i < 300; ++i) ASSERT_TRUE(CallOnce(engine.get(), &decision));
    std::atomic<bool> stop{false};
    std::vector<std::thread> threads;
    for (int i = 0; i < 2; ++i) {
      threads.emplace_back([&] {
        Decision mine;
        while (!stop.load()) CallOnce(engine.get(), &mine);
      });
    }
    std::filesystem::resize_file(NewestSegment(), size);
    EXPECT_TRUE(CallUntilRefused(engine.get(), &decision)) << size;
    EXPECT_THAT(decision.reason, HasSubstr("was cut to")) << size;
    stop.store(true);
    for (std::thread& thread : threads) thread.join();
  }
}

// What is not the ledger's own goes where it went before.
TEST_F(OwnerTest, ABusErrorOfTheHostIsTheHosts) {
  EXPECT_EQ(InChild([&] {
              static volatile sig_atomic_t seen = 0;
              struct sigaction mine {};
              mine.sa_handler = [](int) { _exit(seen == 0 ? 7 : 8); };
              sigaction(SIGBUS, &mine, nullptr);
              auto engine = OpenIt();
              if (engine == nullptr) return 1;
              raise(SIGBUS);
              return 2;
            }),
            7);
}

}  // namespace
}  // namespace purser
