#ifndef PURSER_ENGINE_BASE_SPIN_LOCK_H_
#define PURSER_ENGINE_BASE_SPIN_LOCK_H_

#include <atomic>
#include <cstdint>
#include <thread>

namespace purser {

// For sections of a few nanoseconds that many threads enter often: an account, a hold, the end of a log. A
// std::mutex would be ten times as large and, uncontended, twice as slow. Whoever waits longer than such a
// section can take presumably waits for a thread that is not running, and gives up the processor.
class SpinLock {
 public:
  void lock() {
    while (locked_.exchange(1, std::memory_order_acquire) != 0) Wait();
  }
  void unlock() { locked_.store(0, std::memory_order_release); }

 private:
  void Wait() {
    for (int spins = 0; locked_.load(std::memory_order_relaxed) != 0; ++spins) {
      if (spins < 64) {
#if defined(__x86_64__)
        __builtin_ia32_pause();
#endif
      } else {
        std::this_thread::yield();
      }
    }
  }

  std::atomic<uint32_t> locked_{0};
};

}  // namespace purser

#endif  // PURSER_ENGINE_BASE_SPIN_LOCK_H_
