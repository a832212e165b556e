#ifndef PURSER_ENGINE_BASE_OWN_PROCESS_H_
#define PURSER_ENGINE_BASE_OWN_PROCESS_H_

#include <atomic>
#include <cstdint>

namespace purser {

// How often this process and its ancestors were forked since the first OwnProcess was made.
inline std::atomic<uint64_t> forks_so_far{0};

// Remembers the process in which it was made. A forked child has a copy of everything, but none of the
// threads, and perhaps locks that nobody will ever open: what owns threads or files asks here before it
// touches them.
class OwnProcess {
 public:
  OwnProcess();
  // Whether this is still that process. Two loads and a comparison. False in every child that fork() made
  // since; one made by the bare system call, past the C library, is not told.
  bool here() const { return born_ == forks_so_far.load(std::memory_order_relaxed); }
  // Its number.
  int id() const { return id_; }

 private:
  const uint64_t born_;
  const int id_;
};

}  // namespace purser

#endif  // PURSER_ENGINE_BASE_OWN_PROCESS_H_
