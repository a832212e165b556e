#ifndef PURSER_ENGINE_CLOCK_H_
#define PURSER_ENGINE_CLOCK_H_

#include <atomic>
#include <chrono>
#include <cstdint>

namespace purser {

// The one source of time: nanoseconds since the Unix epoch, UTC. Everything that asks for the time asks a
// Clock, so that tests and replays own it. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual int64_t NowNanos() const = 0;
};

class SystemClock final : public Clock {
 public:
  int64_t NowNanos() const override {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
  }
};

// Stands still until it is moved; may be moved backwards.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(int64_t now_nanos = 0) : now_nanos_(now_nanos) {}
  int64_t NowNanos() const override { return now_nanos_.load(std::memory_order_relaxed); }
  void Set(int64_t now_nanos) { now_nanos_.store(now_nanos, std::memory_order_relaxed); }
  void Advance(int64_t nanos) { now_nanos_.fetch_add(nanos, std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> now_nanos_;
};

}  // namespace purser

#endif  // PURSER_ENGINE_CLOCK_H_
