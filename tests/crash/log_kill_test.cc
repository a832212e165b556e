// A real process, on a real disk, killed at any moment: everything that it had been told was written is
// found.

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <new>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "engine/ledger/log.h"
#include "gtest/gtest.h"

namespace purser::ledger {
namespace {

constexpr int kThreads = 3;

// Shared with the child, and so it survives the child.
struct Acknowledged {
  std::atomic<uint64_t> count[kThreads];  // Of appends that returned a sequence number.
};

LogOptions Options() {
  LogOptions options;
  options.segment_bytes = 1u << 20;
  options.allocate_bytes = 64u << 10;
  options.background_nanos = 5'000'000;
  return options;
}

[[noreturn]] void AppendUntilKilled(const std::string& directory, int round, Acknowledged* acknowledged) {
  const auto log = Log::Open(directory, Options(), nullptr);
  if (!log.ok()) _exit(3);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      const std::string filler(static_cast<size_t>(40 * t), 'x');
      for (uint64_t i = 0;; ++i) {
        if ((*log)->Append(16, {absl::StrCat(round, " ", t, " ", i, " "), filler}) == 0) _exit(4);
        acknowledged->count[t].store(i + 1, std::memory_order_release);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  _exit(5);
}

TEST(LogKillTest, KilledAtAnyMomentNothingAcknowledgedIsLost) {
  constexpr int kRoundsPerSecond = 7;
  const char* seconds = std::getenv("PURSER_SOAK_SECONDS");
  const int rounds = std::max(12, seconds != nullptr ? kRoundsPerSecond * std::atoi(seconds) : 0);
  void* shared =
      mmap(nullptr, sizeof(Acknowledged), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(shared, MAP_FAILED);
  const std::string directory = absl::StrCat(::testing::TempDir(), "/log_kill_test.", getpid());
  std::mt19937 random(1);
  std::vector<std::vector<uint64_t>> acknowledged;  // By round and thread.
  uint64_t total = 0;
  for (int round = 0; round < rounds; ++round) {
    auto* counts = new (shared) Acknowledged{};
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) AppendUntilKilled(directory, round, counts);
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 60'000));
    ASSERT_EQ(kill(child, SIGKILL), 0);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the child left with " << WEXITSTATUS(status);
    acknowledged.emplace_back();
    for (auto& count : counts->count) acknowledged.back().push_back(count.load());

    std::vector<std::vector<uint64_t>> next(acknowledged.size(), std::vector<uint64_t>(kThreads));
    const auto log = Log::Open(directory, Options(), [&](const Frame& frame) {
      int of_round, thread;
      unsigned long i;
      if (std::sscanf(std::string(frame.payload).c_str(), "%d %d %lu", &of_round, &thread, &i) != 3) {
        return absl::InternalError("not what was written");
      }
      uint64_t& expected = next[static_cast<size_t>(of_round)][static_cast<size_t>(thread)];
      if (i != expected) return absl::InternalError("out of order, or missing");
      ++expected;
      return absl::OkStatus();
    });
    ASSERT_TRUE(log.ok()) << log.status();
    EXPECT_EQ((*log)->recovery().torn_bytes, 0u);
    total = 0;
    for (size_t r = 0; r < acknowledged.size(); ++r) {
      for (size_t t = 0; t < kThreads; ++t) {
        // At most the append that was under way, finished but not yet told, is there beyond them.
        EXPECT_GE(next[r][t], acknowledged[r][t]) << "round " << r << " thread " << t;
        EXPECT_LE(next[r][t], acknowledged[r][t] + 1);
        total += next[r][t];
      }
    }
  }
  std::printf("%d processes killed, %lu appends\n", rounds, total);
  EXPECT_GT(total, 1000u);
}

}  // namespace
}  // namespace purser::ledger
