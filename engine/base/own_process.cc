#include "engine/base/own_process.h"

#include <pthread.h>
#include <unistd.h>

namespace purser {
namespace {

uint64_t Generation() {
  // The handler runs in the child before fork() returns there.
  static const int registered =
      pthread_atfork(nullptr, nullptr, [] { forks_so_far.fetch_add(1, std::memory_order_relaxed); });
  (void)registered;
  return forks_so_far.load(std::memory_order_relaxed);
}

}  // namespace

OwnProcess::OwnProcess() : born_(Generation()), id_(static_cast<int>(getpid())) {}

}  // namespace purser
