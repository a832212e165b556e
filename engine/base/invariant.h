#ifndef PURSER_ENGINE_BASE_INVARIANT_H_
#define PURSER_ENGINE_BASE_INVARIANT_H_

#include <cstdio>
#include <cstdlib>

namespace purser {

[[noreturn, gnu::cold, gnu::noinline]] inline void StopForBrokenInvariant(const char* what, const char* file,
                                                                          int line) {
  std::fprintf(stderr, "purser: %s:%d: broken invariant: %s\n", file, line, what);
  std::abort();
}

}  // namespace purser

// What can be false only if Purser itself is wrong, whatever comes in: money that would be counted twice is
// worse than a process that stops. Stays on in every build. Never for what an input, a disk or a clock can
// bring about.
#define PURSER_INVARIANT(condition)                                     \
  do {                                                                  \
    if (!(condition)) [[unlikely]]                                      \
      ::purser::StopForBrokenInvariant(#condition, __FILE__, __LINE__); \
  } while (false)

#endif  // PURSER_ENGINE_BASE_INVARIANT_H_
