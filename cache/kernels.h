#ifndef PURSER_CACHE_KERNELS_H_
#define PURSER_CACHE_KERNELS_H_

#include <cstddef>
#include <cstdint>
#include <span>

namespace purser::cache {

// The first words of 512 sketches, once more by columns: bit i % 64 of word kStride * j + i / 64 is bit j of
// the first word of sketch i. Read by columns, the differing bits of 512 sketches are counted at once.
struct Columns {
  static constexpr size_t kSlots = 512;
  static constexpr size_t kStride = kSlots / 64;
  static constexpr size_t kWords = 64 * kStride;
};

// The first two words of the sketch that is looked for.
struct SketchQuery {
  SketchQuery(uint64_t first, uint64_t second) : words{first, second} {
    for (size_t j = 0; j < 64; ++j) spread[j] = uint64_t{0} - ((first >> j) & 1);
  }
  uint64_t words[2];
  uint64_t spread[64];  // Bit j of the first word, 64 times.
};

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

  // Writes to `out`, ascending, every i < n for which first[i] differs from the query's first word in at most
  // `cut_first` bits, and both words together in at most `cut_both`. Returns how many. `out` has room for
  // n + 8.
  size_t (*filter)(const uint64_t* first, const uint64_t* second, size_t n, const SketchQuery& query,
                   uint32_t cut_first, uint32_t cut_both, uint16_t* out);

  // The same in two steps, for Columns::kSlots sketches whose first words stand by columns: faster, as long
  // as few pass cut_first. Between the steps, what the second one reads can be prefetched.
  //
  // Writes every slot whose first word differs in at most `cut_first` bits, ascending, and then kPadding
  // zeros. Prefetches `next`: the columns that will be read next, or any.
  size_t (*near_columns)(const uint64_t* columns, const uint64_t* next, const SketchQuery& query,
                         uint32_t cut_first, uint16_t* out);
  // Writes those of `n` slots whose first two words differ in at most `cut_both` bits. `out` may be `slots`;
  // both have room for n + 8.
  size_t (*refine)(const uint64_t* first, const uint64_t* second, const uint16_t* slots, size_t n,
                   const SketchQuery& query, uint32_t cut_both, uint16_t* out);

  // out = a - b; the sum of its squares.
  float (*subtract)(const float* a, const float* b, float* out, size_t n);
  // Multiplies by `signs` (1 or -1), then the Walsh-Hadamard transform, in place, not normalised. `n` is a
  // power of two, at least 32.
  void (*rotate)(float* x, const float* signs, size_t n);
  // Bit i % 64 of out[i / 64]: whether x[i] >= 0. `n` is a multiple of 64.
  void (*sign_bits)(const float* x, size_t n, uint64_t* out);
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
