#ifndef PURSER_CACHE_KERNELS_H_
#define PURSER_CACHE_KERNELS_H_

#include <cstddef>
#include <cstdint>
#include <span>

namespace purser::cache {

// The first words of 512 sketches, once more by columns: bit i % 64 of bits[8 * j + i / 64] is bit j of
// first[i]. Read by columns, the differing bits of 512 words are counted at once.
struct Columns {
  static constexpr size_t kSlots = 512;
  static constexpr size_t kStride = kSlots / 64;
  static constexpr size_t kWords = 64 * kStride;

  const uint64_t* bits;
  const uint64_t* first;
  const uint64_t* second;
  const uint64_t* next_bits;  // What will be read next, to be prefetched; any readable kWords.
};

// What is looked for: a sketch whose first word differs in at most cut_first bits, and whose first two
// together in at most cut_both.
struct SketchQuery {
  SketchQuery(uint64_t first, uint64_t second) : words{first, second} {
    for (size_t j = 0; j < 64; ++j) spread[j] = uint64_t{0} - ((first >> j) & 1);
  }
  uint64_t words[2];
  uint64_t spread[64];  // Bit j of the first word, 64 times.
  uint32_t cut_first = 0;
  uint32_t cut_both = 0;
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

  // Writes to `out`, ascending, every i < n for which (first[i], second[i]) is what the query looks for.
  // Returns how many. `out` has room for n + 32.
  size_t (*filter)(const uint64_t* first, const uint64_t* second, size_t n, const SketchQuery& query,
                   uint16_t* out);
  // The same for the 512 slots of `columns`. Faster, as long as few pass cut_first.
  size_t (*filter_columns)(const Columns& columns, const SketchQuery& query, uint16_t* out);

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
