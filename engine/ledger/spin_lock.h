#ifndef PURSER_ENGINE_LEDGER_SPIN_LOCK_H_
#define PURSER_ENGINE_LEDGER_SPIN_LOCK_H_

#include <sched.h>

#include <atomic>

namespace purser::ledger {

// For sections of a dozen instructions that many threads enter often: uncontended it costs one atomic
// exchange; a holder that lost its core is waited for by yielding.
class SpinLock {
 public:
  void lock() {
    for (int spins = 0; locked_.exchange(true, std::memory_order_acquire);) {
      while (locked_.load(std::memory_order_relaxed)) {
        if (++spins % 64 == 0) {
          sched_yield();
        } else {
          __builtin_ia32_pause();
        }
      }
    }
  }
  void unlock() { locked_.store(false, std::memory_order_release); }

 private:
  std::atomic<bool> locked_{false};
};

}  // namespace purser::ledger

#endif  // PURSER_ENGINE_LEDGER_SPIN_LOCK_H_
