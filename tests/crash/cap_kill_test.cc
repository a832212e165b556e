// 64 threads spend from one account of $5 in a process that is killed again and again. An auditor of its own
// adds up the log: after no frame do settled calls and those that may still be billed come to more than
// $5.000000000. PURSER_SOAK_SECONDS makes it last about as long.

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <new>
#include <random>
#include <string>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/ledger/log_scanner.h"
#include "engine/ledger/record.h"
#include "engine/purser.h"
#include "gtest/gtest.h"

namespace purser {
namespace {

constexpr int kThreads = 64;
constexpr int64_t kCapNanos = 5'000'000'000;

constexpr char kBook[] = R"(
  name: "test"
  models { id: "m" provider: "p" context_window: 100000 max_output_tokens: 4000
    sheets { rates { meter: "input_tokens" usd: "3" } rates { meter: "output_tokens" usd: "15" } } })";

constexpr char kPolicy[] = R"(
  name: "test"
  candidates { model: "m" }
  routing { expected_output_tokens: 20 }
  budgets { name: "cap" scope: GLOBAL usd: "5" }
  budget_settings { dispatch_expires_after: "24h" presumed_final_after: "240h" })";

// Shared with the child, and so it survives the child.
struct Told {
  std::atomic<int64_t> settled_nanos;  // Of settlements that returned.
  std::atomic<int64_t> settlements;
};

Options OptionsIn(const std::string& folder) {
  Options options;
  options.policy_text = kPolicy;
  options.price_books = {folder + "/book.textproto"};
  options.ledger_dir = folder + "/ledger";
  return options;
}

// Holds, dispatches and settles, voids or forgets, until there is no money for a small call.
void Spend(Engine* engine, uint64_t seed, Told* told) {
  std::mt19937_64 random(seed);
  Decision decision;
  for (int refused = 0; refused < 20;) {
    Request request;
    request.tenant = "t";
    request.input_tokens = static_cast<int64_t>(random() % 300);
    request.max_output_tokens = 1 + static_cast<int64_t>(random() % 40);
    engine->Decide(request, &decision);
    if (decision.action != Action::kDispatch) {
      ++refused;
      continue;
    }
    refused = 0;
    if (random() % 16 != 0 && !engine->MarkDispatched(decision.ticket)) continue;
    // The provider is at work: most processes are killed with calls under way.
    if (random() % 4 == 0) usleep(static_cast<unsigned>(random() % 500));
    if (random() % 10 == 0) {
      engine->Void(decision.ticket);
      continue;
    }
    pricing::Usage usage;
    usage.Set(pricing::Meter::kInputTokens, request.input_tokens);
    usage.Set(pricing::Meter::kOutputTokens,
              static_cast<int64_t>(random() % static_cast<uint64_t>(request.max_output_tokens + 1)));
    Outcome outcome;
    outcome.usage = &usage;
    const Settlement settlement = engine->Settle(decision.ticket, outcome);
    if (settlement.result != SettleResult::kSettled) continue;
    told->settled_nanos.fetch_add(settlement.cost_nanos);
    told->settlements.fetch_add(1);
    // Once more, as networks do.
    engine->Settle(decision.ticket, outcome);
  }
}

[[noreturn]] void SpendUntilKilled(const std::string& folder, uint64_t seed, Told* told) {
  const auto engine = Engine::Open(OptionsIn(folder));
  if (!engine.ok()) _exit(3);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t] { Spend(engine->get(), seed * 1000 + static_cast<uint64_t>(t), told); });
  for (std::thread& thread : threads) thread.join();
  _exit(0);
}

struct Audit {
  int64_t frames = 0;
  int64_t settlements = 0;
  int64_t settled_nanos = 0;
  int64_t open_nanos = 0;  // Dispatched, neither settled nor voided: the provider may bill them.
  int64_t most_nanos = 0;  // The largest sum of both after any frame.
};

Audit AuditLog(const std::string& directory) {
  Audit audit;
  std::unordered_map<uint64_t, int64_t> open;
  std::unordered_set<uint64_t> settled;
  const auto close = [&](uint64_t ticket) {
    const auto found = open.find(ticket);
    if (found == open.end()) return;
    audit.open_nanos -= found->second;
    open.erase(found);
  };
  const auto scanner = ledger::LogScanner::Open(directory);
  EXPECT_TRUE(scanner.ok()) << scanner.status();
  if (!scanner.ok()) return audit;
  ledger::Frame frame;
  while (true) {
    const absl::StatusOr<bool> next = (*scanner)->Next(&frame);
    EXPECT_TRUE(next.ok()) << next.status();
    if (!next.ok() || !*next) break;
    ++audit.frames;
    ledger::RecordView record;
    ledger::DispatchedView dispatched;
    ledger::VoidedView voided;
    if (frame.type == ledger::RECORD && ledger::Decode(frame.payload, &record)) {
      EXPECT_TRUE(settled.insert(record.ticket).second) << "settled twice: " << record.ticket;
      close(record.ticket);
      audit.settled_nanos += record.cost_nanos;
      ++audit.settlements;
    } else if (frame.type == ledger::DISPATCHED && ledger::Decode(frame.payload, &dispatched)) {
      EXPECT_TRUE(open.emplace(dispatched.ticket, dispatched.held_nanos).second) << dispatched.ticket;
      audit.open_nanos += dispatched.held_nanos;
    } else if (frame.type == ledger::VOIDED && ledger::Decode(frame.payload, &voided)) {
      close(voided.ticket);
    }
    audit.most_nanos = std::max(audit.most_nanos, audit.settled_nanos + audit.open_nanos);
  }
  return audit;
}

class CapKillTest : public ::testing::Test {
 protected:
  CapKillTest() {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    std::ofstream(folder_ + "/book.textproto") << kBook;
    void* shared = mmap(nullptr, sizeof(Told), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    told_ = new (shared) Told{};
  }
  ~CapKillTest() override {
    munmap(told_, sizeof(Told));
    std::filesystem::remove_all(folder_);
  }

  // A process that spends, killed `micros` after its first settlement. Returns whether it came to the end
  // before.
  bool RunAndKill(uint64_t seed, unsigned micros) {
    const int64_t before = told_->settlements.load();
    const pid_t child = fork();
    if (child == 0) SpendUntilKilled(folder_, seed, told_);
    int status = 0;
    pid_t ended = 0;
    while (told_->settlements.load() == before && (ended = waitpid(child, &status, WNOHANG)) == 0)
      usleep(200);
    if (ended == 0) {
      usleep(micros);
      kill(child, SIGKILL);
      waitpid(child, &status, 0);
    }
    EXPECT_TRUE(!WIFEXITED(status) || WEXITSTATUS(status) == 0) << WEXITSTATUS(status);
    return WIFEXITED(status);
  }

  const std::string folder_ = absl::StrCat(::testing::TempDir(), "/cap_kill_test.", getpid());
  Told* told_;
};

TEST_F(CapKillTest, SixtyFourThreadsAndKillsNeverSpendMoreThanFiveDollars) {
  const char* soak = std::getenv("PURSER_SOAK_SECONDS");
  const auto until =
      std::chrono::steady_clock::now() + std::chrono::seconds(soak != nullptr ? std::atoi(soak) : 0);
  std::mt19937_64 random(1);
  int histories = 0, kills = 0;
  int64_t settlements = 0;
  do {
    std::filesystem::remove_all(folder_ + "/ledger");
    new (told_) Told{};
    bool exhausted = false;
    for (int round = 0; !exhausted && round < 200; ++round) {
      exhausted = RunAndKill(random(), static_cast<unsigned>(random() % 8'000));
      kills += exhausted ? 0 : 1;
      const Audit audit = AuditLog(folder_ + "/ledger");
      ASSERT_LE(audit.most_nanos, kCapNanos) << "history " << histories << " round " << round;
      // What was told to be settled is there; at most one more of each thread and process.
      ASSERT_GE(audit.settled_nanos, told_->settled_nanos.load());
      ASSERT_GE(audit.settlements, told_->settlements.load());
      ASSERT_LE(audit.settlements, told_->settlements.load() + kThreads * (round + 1));
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
