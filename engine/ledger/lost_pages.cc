#include "engine/ledger/lost_pages.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

namespace purser::ledger {

// In a list that only grows, since a signal may come while it is walked; a range that is free is used again.
struct GuardedMapping::Range {
  std::atomic<bool> used{true};
  std::atomic<uintptr_t> begin{0};
  std::atomic<uintptr_t> end{0};
  std::atomic<bool> lost{false};
  Range* next = nullptr;
};

namespace {

using Range = GuardedMapping::Range;

constexpr uintptr_t kPage = 4096;

std::atomic<Range*> ranges{nullptr};
struct sigaction handler_before;

// Only what may be called from a signal handler: atomics and system calls.
bool Replace(uintptr_t address) {
  for (Range* range = ranges.load(std::memory_order_acquire); range != nullptr; range = range->next) {
    if (address < range->begin.load(std::memory_order_acquire) ||
        address >= range->end.load(std::memory_order_acquire))
      continue;
    range->lost.store(true, std::memory_order_seq_cst);
    void* const page = reinterpret_cast<void*>(address / kPage * kPage);
    return ::mmap(page, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) !=
           MAP_FAILED;
  }
  return false;
}

void OnBusError(int signal, siginfo_t* info, void* context) {
  const int saved_errno = errno;
  const bool ours = info->si_code > 0 && Replace(reinterpret_cast<uintptr_t>(info->si_addr));
  errno = saved_errno;
  if (ours) return;
  if ((handler_before.sa_flags & SA_SIGINFO) != 0) {
    handler_before.sa_sigaction(signal, info, context);
  } else if (handler_before.sa_handler != SIG_DFL && handler_before.sa_handler != SIG_IGN) {
    handler_before.sa_handler(signal);
  } else {
    // The faulting instruction comes again, and meets what it would have met without this handler.
    ::sigaction(signal, &handler_before, nullptr);
    if (info->si_code <= 0) ::raise(signal);  // Sent by somebody: nothing will come again by itself.
  }
}

void InstallOnce() {
  static const int installed = [] {
    struct sigaction mine {};
    mine.sa_sigaction = OnBusError;
    mine.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigemptyset(&mine.sa_mask);
    // Read first: the handler may be needed before the call that installs it returns.
    ::sigaction(SIGBUS, nullptr, &handler_before);
    return ::sigaction(SIGBUS, &mine, nullptr);
  }();
  (void)installed;
}

Range* TakeRange() {
  for (Range* range = ranges.load(std::memory_order_acquire); range != nullptr; range = range->next) {
    bool used = false;
    if (range->used.compare_exchange_strong(used, true)) return range;
  }
  auto* const range = new Range;
  range->next = ranges.load(std::memory_order_relaxed);
  while (!ranges.compare_exchange_weak(range->next, range, std::memory_order_release)) {
  }
  return range;
}

}  // namespace

GuardedMapping::GuardedMapping(char* data, size_t size) : range_(TakeRange()) {
  InstallOnce();
  const auto begin = reinterpret_cast<uintptr_t>(data);
  range_->lost.store(false);
  range_->begin.store(begin);
  range_->end.store(begin + size);
}

GuardedMapping::~GuardedMapping() {
  range_->end.store(0);
  range_->begin.store(0);
  range_->used.store(false);
}

const std::atomic<bool>& GuardedMapping::lost() const { return range_->lost; }

}  // namespace purser::ledger
