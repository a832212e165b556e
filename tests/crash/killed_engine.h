#ifndef PURSER_TESTS_CRASH_KILLED_ENGINE_H_
#define PURSER_TESTS_CRASH_KILLED_ENGINE_H_

#include <purser/purser.h>
#include <sys/mman.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <new>
#include <random>
#include <string>

#include "gtest/gtest.h"

namespace purser {

// What a process that is going to be killed reports of itself.
struct Reported {
  std::atomic<int64_t> settled_nanos;  // Of settlements that returned.
  std::atomic<int64_t> settlements;
};

// A T in memory that survives the processes which use it.
template <typename T>
class Surviving {
 public:
  Surviving() {
    void* shared = mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    value_ = new (shared) T{};
  }
  ~Surviving() { munmap(value_, sizeof(T)); }
  Surviving(const Surviving&) = delete;
  Surviving& operator=(const Surviving&) = delete;

  T& operator*() const { return *value_; }
  T* operator->() const { return value_; }

 private:
  T* value_;
};

// Until when a test goes on: PURSER_SOAK_SECONDS from now; now if that is not set.
std::chrono::steady_clock::time_point SoakEnd();

// A folder with a price book and a ledger, and an engine in a process of its own that is killed at a random
// moment while many threads use it.
class KilledEngineTest : public ::testing::Test {
 protected:
  static constexpr int kThreads = 64;

  // One thread's part: spends until there is no more money or work.
  using Work = std::function<void(Engine* engine, uint64_t seed, Reported* reported)>;
  // What came of a call: it was refused, or left nothing in the log, or is in the log.
  enum class Came { kRefused, kToNothing, kToLog };

  explicit KilledEngineTest(std::string policy);
  ~KilledEngineTest() override;

  // Empties the ledger and forgets what was told.
  void BeginHistory();
  // Starts a process whose threads work, and kills it up to `micros` after its first settlement. Returns
  // whether it came to the end before.
  bool RunAndKill(uint64_t seed, unsigned micros, const Work& work);

  // One call: decides, dispatches and settles, voids or is forgotten; settled twice, as networks do. False:
  // it was not granted.
  static Came Call(Engine* engine, const Request& request, std::mt19937_64* random, Decision* decision,
                   Reported* reported);

  std::string ledger() const { return folder_ + "/ledger"; }
  const Reported& reported() const { return *reported_; }

 private:
  [[noreturn]] void WorkUntilKilled(uint64_t seed, const Work& work);

  const std::string folder_;
  const std::string policy_;
  const Surviving<Reported> reported_;
};

}  // namespace purser

#endif  // PURSER_TESTS_CRASH_KILLED_ENGINE_H_
