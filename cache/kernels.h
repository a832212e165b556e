#ifndef PURSER_CACHE_KERNELS_H_
#define PURSER_CACHE_KERNELS_H_

#include <cstddef>
#include <cstdint>
#include <span>

namespace purser::cache {

// The inner loops, once in plain C++ and once per instruction set; all give the same results (the float ones
// up to the order of additions). Lengths `n` of vectors are multiples of kPadding: callers pad with zeros.
struct Kernels {
  static constexpr size_t kPadding = 32;

  const char* name;

  // Sum of query[i] * vector[i].
  float (*dot_int16)(const float* query, const int16_t* vector, size_t n);
  int32_t (*dot_int8)(const int8_t* a, const int8_t* b, size_t n);

  // Bits that differ in `words` 64-bit words.
  uint32_t (*hamming)(const uint64_t* a, const uint64_t* b, size_t words);

  // Writes to `out`, ascending, every i < n for which the bits that differ between first[i] and query[0] are
  // at most `cut_first`, and those of both words (first[i], second[i] against query[0], query[1]) together at
  // most `cut_both`. Returns how many. `out` has room for n + 8.
  size_t (*filter)(const uint64_t* first, const uint64_t* second, size_t n, const uint64_t query[2],
                   uint32_t cut_first, uint32_t cut_both, uint16_t* out);

  // The Walsh-Hadamard transform in place, not normalised. `n` is a power of two, at least 32.
  void (*hadamard)(float* x, size_t n);
};

// Those for the machine this runs on: the fastest that it has.
const Kernels& BestKernels();

// All that this machine can run, the plain ones first.
std::span<const Kernels* const> UsableKernels();

// One each; defined in files of their own. Null where the compiler does not target x86-64.
const Kernels& PlainKernels();
const Kernels* Avx2Kernels();
const Kernels* Avx512Kernels();

}  // namespace purser::cache

#endif  // PURSER_CACHE_KERNELS_H_
