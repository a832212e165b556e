#ifndef PURSER_TESTS_SUPPORT_ALLOCATIONS_H_
#define PURSER_TESTS_SUPPORT_ALLOCATIONS_H_

#include <cstdint>

namespace purser {

// How often `operator new` has been called by all threads of this process. For tests and benchmarks only: a
// binary that links this counts, whatever it is about. Memory that is asked for with an alignment of its own
// is not counted, nor is what C code asks malloc for.
int64_t Allocations();

// Sanitizers bring their own `operator new`: there Allocations() stays 0.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kCountsAllocations = false;
#else
inline constexpr bool kCountsAllocations = true;
#endif

}  // namespace purser

#endif  // PURSER_TESTS_SUPPORT_ALLOCATIONS_H_
