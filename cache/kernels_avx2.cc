#include "cache/kernels.h"

#if defined(__x86_64__)

#include <immintrin.h>

// Function attributes instead of -mavx2 for the file: no inline function of a header may be compiled with
// instructions that another machine lacks.
#define PURSER_AVX2 __attribute__((target("avx2,fma,popcnt")))

namespace purser::cache {
namespace {

PURSER_AVX2 float Sum(__m256 v) {
  __m128 half = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  half = _mm_add_ps(half, _mm_movehl_ps(half, half));
  return _mm_cvtss_f32(_mm_add_ss(half, _mm_movehdup_ps(half)));
}

PURSER_AVX2 int32_t Sum(__m256i v) {
  __m128i half = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0x4E));
  return _mm_cvtsi128_si32(_mm_add_epi32(half, _mm_shuffle_epi32(half, 0xB1)));
}

PURSER_AVX2 float DotInt16(const float* query, const int16_t* vector, size_t n) {
  __m256 sum[2] = {_mm256_setzero_ps(), _mm256_setzero_ps()};
  for (size_t i = 0; i < n; i += 16) {
    for (size_t j = 0; j < 2; ++j) {
      const __m128i packed = _mm_loadu_si128(reinterpret_cast<const __m128i*>(vector + i + 8 * j));
      const __m256 wide = _mm256_cvtepi32_ps(_mm256_cvtepi16_epi32(packed));
      sum[j] = _mm256_fmadd_ps(_mm256_loadu_ps(query + i + 8 * j), wide, sum[j]);
    }
  }
  return Sum(_mm256_add_ps(sum[0], sum[1]));
}

PURSER_AVX2 int32_t DotInt8(const int8_t* a, const int8_t* b, size_t n) {
  __m256i sum = _mm256_setzero_si256();
  for (size_t i = 0; i < n; i += 16) {
    const __m256i x = _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(a + i)));
    const __m256i y = _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(b + i)));
    sum = _mm256_add_epi32(sum, _mm256_madd_epi16(x, y));
  }
  return Sum(sum);
}

PURSER_AVX2 uint32_t Hamming(const uint64_t* a, const uint64_t* b, size_t words) {
  uint64_t differ = 0;
  for (size_t i = 0; i < words; ++i) differ += static_cast<uint64_t>(_mm_popcnt_u64(a[i] ^ b[i]));
  return static_cast<uint32_t>(differ);
}

// Bits set in each 64-bit lane, by a table of nibbles (Mula's method).
PURSER_AVX2 __m256i PopCount(__m256i v) {
  const __m256i table = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, 0, 1, 1, 2, 1, 2, 2,
                                         3, 1, 2, 2, 3, 2, 3, 3, 4);
  const __m256i low = _mm256_set1_epi8(0x0F);
  const __m256i bytes =
      _mm256_add_epi8(_mm256_shuffle_epi8(table, _mm256_and_si256(v, low)),
                      _mm256_shuffle_epi8(table, _mm256_and_si256(_mm256_srli_epi16(v, 4), low)));
  return _mm256_sad_epu8(bytes, _mm256_setzero_si256());
}

PURSER_AVX2 inline bool Wanted(uint64_t first, uint64_t second, const SketchQuery& query, uint32_t cut_first,
                               uint32_t cut_both) {
  const auto differ = static_cast<uint32_t>(_mm_popcnt_u64(first ^ query.words[0]));
  return differ <= cut_first &&
         differ + static_cast<uint32_t>(_mm_popcnt_u64(second ^ query.words[1])) <= cut_both;
}

PURSER_AVX2 size_t Filter(const uint64_t* first, const uint64_t* second, size_t n, const SketchQuery& query,
                          uint32_t cut_first, uint32_t cut_both, uint16_t* out) {
  const __m256i wanted = _mm256_set1_epi64x(static_cast<int64_t>(query.words[0]));
  const __m256i cut = _mm256_set1_epi64x(cut_first);
  size_t found = 0;
  size_t i = 0;
  for (; i + 4 <= n; i += 4) {
    const __m256i words = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(first + i));
    const __m256i far = _mm256_cmpgt_epi64(PopCount(_mm256_xor_si256(words, wanted)), cut);
    unsigned near = ~static_cast<unsigned>(_mm256_movemask_pd(_mm256_castsi256_pd(far))) & 0xFU;
    for (; near != 0; near &= near - 1) {
      const size_t at = i + static_cast<size_t>(__builtin_ctz(near));
      if (Wanted(first[at], second[at], query, cut_first, cut_both)) out[found++] = static_cast<uint16_t>(at);
    }
  }
  for (; i < n; ++i) {
    if (Wanted(first[i], second[i], query, cut_first, cut_both)) out[found++] = static_cast<uint16_t>(i);
  }
  return found;
}

// A full adder for 256 columns of bits: a + b + c = 2 * carry + sum. Returns the carry, leaves the sum in
// `a`.
PURSER_AVX2 inline __m256i Add(__m256i* a, __m256i b, __m256i c) {
  const __m256i half = _mm256_xor_si256(*a, b);
  const __m256i carry = _mm256_or_si256(_mm256_and_si256(*a, b), _mm256_and_si256(half, c));
  *a = _mm256_xor_si256(half, c);
  return carry;
}

// Sums of one bit for each of 256 slots, digit by digit (Harley and Seal's carry-save adder tree).
struct Digits {
  __m256i one, two, four, eight;
};

// Adds eight columns; returns the carry into the eights.
PURSER_AVX2 inline __m256i AddEight(const uint64_t* bits, const uint64_t* spread, Digits* sum) {
  __m256i x[8];
  for (size_t j = 0; j < 8; ++j) {
    x[j] = _mm256_xor_si256(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(bits + j * Columns::kStride)),
                            _mm256_set1_epi64x(static_cast<int64_t>(spread[j])));
  }
  const __m256i two_a = Add(&sum->one, x[0], x[1]);
  const __m256i two_b = Add(&sum->one, x[2], x[3]);
  const __m256i four_a = Add(&sum->two, two_a, two_b);
  const __m256i two_c = Add(&sum->one, x[4], x[5]);
  const __m256i two_d = Add(&sum->one, x[6], x[7]);
  const __m256i four_b = Add(&sum->two, two_c, two_d);
  return Add(&sum->four, four_a, four_b);
}

// Digit `digit` of `number`, for every slot.
PURSER_AVX2 inline __m256i Digit(uint32_t number, int digit) {
  return _mm256_set1_epi64x(-static_cast<int64_t>((number >> digit) & 1));
}

// Adds sixteen columns; returns the carry into the sixteens.
PURSER_AVX2 inline __m256i AddSixteen(const uint64_t* bits, const uint64_t* next, const uint64_t* spread,
                                      Digits* sum) {
  for (size_t j = 0; j < 16; ++j) _mm_prefetch(next + j * Columns::kStride, _MM_HINT_T0);
  const __m256i low = AddEight(bits, spread, sum);
  const __m256i high = AddEight(bits + 8 * Columns::kStride, spread + 8, sum);
  return Add(&sum->eight, low, high);
}

PURSER_AVX2 size_t NearColumns(const uint64_t* columns, const uint64_t* next_columns,
                               const SketchQuery& query, uint32_t cut_first, uint16_t* out) {
  // Counting starts from 127 - cut: those that differ in more bits than the cut pass 127 and carry into the
  // digit of 128.
  const uint32_t start = 127 - (cut_first < 127 ? cut_first : 127);
  constexpr size_t kQuarter = 16 * Columns::kStride;
  size_t found = 0;
  for (size_t part = 0; part < Columns::kStride; part += 4) {
    const uint64_t* bits = columns + part;
    const uint64_t* next = next_columns + part;
    Digits sum = {Digit(start, 0), Digit(start, 1), Digit(start, 2), Digit(start, 3)};
    __m256i sixteen = Digit(start, 4);
    __m256i thirty_two = Digit(start, 5);
    const __m256i a = AddSixteen(bits, next, query.spread, &sum);
    const __m256i b = AddSixteen(bits + kQuarter, next + kQuarter, query.spread + 16, &sum);
    const __m256i low = Add(&sixteen, a, b);
    const __m256i c = AddSixteen(bits + 2 * kQuarter, next + 2 * kQuarter, query.spread + 32, &sum);
    const __m256i d = AddSixteen(bits + 3 * kQuarter, next + 3 * kQuarter, query.spread + 48, &sum);
    const __m256i high = Add(&sixteen, c, d);
    const __m256i carry = Add(&thirty_two, low, high);
    alignas(32) uint64_t far[4];
    _mm256_store_si256(reinterpret_cast<__m256i*>(far), _mm256_and_si256(Digit(start, 6), carry));
    for (size_t i = 0; i < 4; ++i) {
      for (uint64_t near = ~far[i]; near != 0; near &= near - 1) {
        out[found++] = static_cast<uint16_t>(64 * (part + i) + static_cast<size_t>(__builtin_ctzll(near)));
      }
    }
  }
  for (size_t i = 0; i < Kernels::kPadding; ++i) out[found + i] = 0;
  return found;
}

PURSER_AVX2 size_t Refine(const uint64_t* first, const uint64_t* second, const uint16_t* slots, size_t n,
                          const SketchQuery& query, uint32_t cut_both, uint16_t* out) {
  size_t found = 0;
  for (size_t i = 0; i < n; ++i) {
    const uint16_t slot = slots[i];
    if (Wanted(first[slot], second[slot], query, 64, cut_both)) out[found++] = slot;
  }
  return found;
}

PURSER_AVX2 float Subtract(const float* a, const float* b, float* out, size_t n) {
  __m256 sum[2] = {_mm256_setzero_ps(), _mm256_setzero_ps()};
  for (size_t i = 0; i < n; i += 16) {
    for (size_t j = 0; j < 2; ++j) {
      const __m256 difference = _mm256_sub_ps(_mm256_loadu_ps(a + i + 8 * j), _mm256_loadu_ps(b + i + 8 * j));
      _mm256_storeu_ps(out + i + 8 * j, difference);
      sum[j] = _mm256_fmadd_ps(difference, difference, sum[j]);
    }
  }
  return Sum(_mm256_add_ps(sum[0], sum[1]));
}

PURSER_AVX2 void Rotate(float* x, const float* signs, size_t n) {
  // Strides 1, 2 and 4 stay inside one register.
  const __m256 odd = _mm256_setr_ps(0.0F, -0.0F, 0.0F, -0.0F, 0.0F, -0.0F, 0.0F, -0.0F);
  const __m256 upper_pair = _mm256_setr_ps(0.0F, 0.0F, -0.0F, -0.0F, 0.0F, 0.0F, -0.0F, -0.0F);
  const __m256 upper_half = _mm256_setr_ps(0.0F, 0.0F, 0.0F, 0.0F, -0.0F, -0.0F, -0.0F, -0.0F);
  for (size_t i = 0; i < n; i += 8) {
    __m256 v = _mm256_mul_ps(_mm256_loadu_ps(x + i), _mm256_loadu_ps(signs + i));
    v = _mm256_add_ps(_mm256_permute_ps(v, 0xB1), _mm256_xor_ps(v, odd));
    v = _mm256_add_ps(_mm256_permute_ps(v, 0x4E), _mm256_xor_ps(v, upper_pair));
    v = _mm256_add_ps(_mm256_permute2f128_ps(v, v, 0x01), _mm256_xor_ps(v, upper_half));
    _mm256_storeu_ps(x + i, v);
  }
  for (size_t half = 8; half < n; half *= 2) {
    for (size_t start = 0; start < n; start += 2 * half) {
      for (size_t i = start; i < start + half; i += 8) {
        const __m256 a = _mm256_loadu_ps(x + i);
        const __m256 b = _mm256_loadu_ps(x + i + half);
        _mm256_storeu_ps(x + i, _mm256_add_ps(a, b));
        _mm256_storeu_ps(x + i + half, _mm256_sub_ps(a, b));
      }
    }
  }
}

PURSER_AVX2 void SignBits(const float* x, size_t n, uint64_t* out) {
  for (size_t word = 0; word < n / 64; ++word) {
    uint64_t bits = 0;
    for (size_t i = 0; i < 8; ++i) {
      const __m256 some =
          _mm256_cmp_ps(_mm256_loadu_ps(x + word * 64 + 8 * i), _mm256_setzero_ps(), _CMP_GE_OQ);
      bits |= static_cast<uint64_t>(static_cast<unsigned>(_mm256_movemask_ps(some))) << (8 * i);
    }
    out[word] = bits;
  }
}

constexpr Kernels kAvx2 = {"avx2",      DotInt16, DotInt8,  Hamming, Filter,
                           NearColumns, Refine,   Subtract, Rotate,  SignBits};

}  // namespace

const Kernels* Avx2Kernels() {
  const bool usable =
      __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("popcnt");
  return usable ? &kAvx2 : nullptr;
}

}  // namespace purser::cache

#else

namespace purser::cache {
const Kernels* Avx2Kernels() { return nullptr; }
}  // namespace purser::cache

#endif
