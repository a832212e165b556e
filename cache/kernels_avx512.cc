#include "cache/kernels.h"

#if defined(__x86_64__)

// GCC 12's own header starts many intrinsics from an undefined register, and warns about it.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"

#include <immintrin.h>

// Function attributes instead of -mavx512... for the file; see kernels_avx2.cc.
#define PURSER_AVX512 \
  __attribute__((     \
      target("avx512f,avx512bw,avx512dq,avx512vl,avx512vpopcntdq,avx512vnni,avx512vbmi2,avx2,fma,popcnt")))

namespace purser::cache {
namespace {

PURSER_AVX512 float Sum(__m512 v) {
  __m256 half = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
  __m128 quarter = _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
  quarter = _mm_add_ps(quarter, _mm_movehl_ps(quarter, quarter));
  return _mm_cvtss_f32(_mm_add_ss(quarter, _mm_movehdup_ps(quarter)));
}

PURSER_AVX512 int32_t Sum(__m256i v) {
  __m128i half = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0x4E));
  return _mm_cvtsi128_si32(_mm_add_epi32(half, _mm_shuffle_epi32(half, 0xB1)));
}

PURSER_AVX512 float DotInt16(const float* query, const int16_t* vector, size_t n) {
  __m512 sum[2] = {_mm512_setzero_ps(), _mm512_setzero_ps()};
  for (size_t i = 0; i < n; i += 32) {
    for (size_t j = 0; j < 2; ++j) {
      const __m256i packed = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(vector + i + 16 * j));
      const __m512 wide = _mm512_cvtepi32_ps(_mm512_cvtepi16_epi32(packed));
      sum[j] = _mm512_fmadd_ps(_mm512_loadu_ps(query + i + 16 * j), wide, sum[j]);
    }
  }
  return Sum(_mm512_add_ps(sum[0], sum[1]));
}

// VNNI multiplies unsigned by signed bytes: a + 128 is unsigned, and 128 * sum(b) is taken off again.
PURSER_AVX512 int32_t DotInt8(const int8_t* a, const int8_t* b, size_t n) {
  const __m256i offset = _mm256_set1_epi8(static_cast<char>(0x80));
  __m256i sum = _mm256_setzero_si256();
  __m256i correction = _mm256_setzero_si256();
  for (size_t i = 0; i < n; i += 32) {
    const __m256i x = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(a + i));
    const __m256i y = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(b + i));
    sum = _mm256_dpbusd_epi32(sum, _mm256_xor_si256(x, offset), y);
    correction = _mm256_dpbusd_epi32(correction, offset, y);
  }
  return Sum(_mm256_sub_epi32(sum, correction));
}

PURSER_AVX512 uint32_t Hamming(const uint64_t* a, const uint64_t* b, size_t words) {
  uint64_t differ = 0;
  for (size_t i = 0; i < words; ++i) differ += static_cast<uint64_t>(_mm_popcnt_u64(a[i] ^ b[i]));
  return static_cast<uint32_t>(differ);
}

// Where the first word lets many pass, both are read at once: the branch that would spare the second one
// would be taken so often, and so irregularly, that guessing it wrong costs more.
constexpr uint32_t kSelectiveCut = 17;

PURSER_AVX512 size_t FilterBoth(const uint64_t* first, const uint64_t* second, size_t n,
                                const SketchQuery& query, uint32_t cut_first, uint32_t cut_both,
                                uint16_t* out) {
  const __m512i wanted_first = _mm512_set1_epi64(static_cast<int64_t>(query.words[0]));
  const __m512i wanted_second = _mm512_set1_epi64(static_cast<int64_t>(query.words[1]));
  const __m512i cut = _mm512_set1_epi64(cut_first);
  const __m512i cut_sum = _mm512_set1_epi64(cut_both);
  size_t found = 0;
  for (size_t i = 0; i < n; i += 8) {
    const auto there = static_cast<__mmask8>(n - i >= 8 ? 0xFFU : (1U << (n - i)) - 1U);
    const __m512i one =
        _mm512_popcnt_epi64(_mm512_xor_si512(_mm512_maskz_loadu_epi64(there, first + i), wanted_first));
    const __m512i other =
        _mm512_popcnt_epi64(_mm512_xor_si512(_mm512_maskz_loadu_epi64(there, second + i), wanted_second));
    unsigned near = _mm512_mask_cmple_epu64_mask(there, _mm512_add_epi64(one, other), cut_sum);
    if (near == 0) continue;
    near &= _mm512_cmple_epu64_mask(one, cut);
    for (; near != 0; near &= near - 1) {
      out[found++] = static_cast<uint16_t>(i + static_cast<size_t>(__builtin_ctz(near)));
    }
  }
  return found;
}

PURSER_AVX512 size_t Filter(const uint64_t* first, const uint64_t* second, size_t n, const SketchQuery& query,
                            uint32_t cut_first, uint32_t cut_both, uint16_t* out) {
  if (cut_first > kSelectiveCut) return FilterBoth(first, second, n, query, cut_first, cut_both, out);
  const __m512i wanted_first = _mm512_set1_epi64(static_cast<int64_t>(query.words[0]));
  const __m512i wanted_second = _mm512_set1_epi64(static_cast<int64_t>(query.words[1]));
  const __m512i cut = _mm512_set1_epi64(cut_first);
  const __m512i cut_sum = _mm512_set1_epi64(cut_both);
  size_t found = 0;
  size_t i = 0;
  for (; i < n; i += 16) {
    // Two registers at a time, so that one rarely taken branch serves sixteen entries.
    const size_t left = n - i;
    const auto low_mask = static_cast<__mmask8>(left >= 8 ? 0xFFU : (1U << left) - 1U);
    const auto high_mask =
        static_cast<__mmask8>(left >= 16 ? 0xFFU : (left > 8 ? (1U << (left - 8)) - 1U : 0U));
    const __m512i low =
        _mm512_popcnt_epi64(_mm512_xor_si512(_mm512_maskz_loadu_epi64(low_mask, first + i), wanted_first));
    const __m512i high = _mm512_popcnt_epi64(
        _mm512_xor_si512(_mm512_maskz_loadu_epi64(high_mask, first + i + 8), wanted_first));
    const __mmask8 low_near = _mm512_mask_cmple_epu64_mask(low_mask, low, cut);
    const __mmask8 high_near = _mm512_mask_cmple_epu64_mask(high_mask, high, cut);
    if ((low_near | high_near) == 0) continue;
    const __m512i low_rest =
        _mm512_popcnt_epi64(_mm512_xor_si512(_mm512_maskz_loadu_epi64(low_near, second + i), wanted_second));
    const __m512i high_rest = _mm512_popcnt_epi64(
        _mm512_xor_si512(_mm512_maskz_loadu_epi64(high_near, second + i + 8), wanted_second));
    const unsigned low_both =
        _mm512_mask_cmple_epu64_mask(low_near, _mm512_add_epi64(low, low_rest), cut_sum);
    const unsigned high_both =
        _mm512_mask_cmple_epu64_mask(high_near, _mm512_add_epi64(high, high_rest), cut_sum);
    for (unsigned near = low_both | (high_both << 8); near != 0; near &= near - 1) {
      out[found++] = static_cast<uint16_t>(i + static_cast<size_t>(__builtin_ctz(near)));
    }
  }
  return found;
}

// A full adder for 512 columns of bits: a + b + c = 2 * carry + sum. Returns the carry, leaves the sum in
// `a`.
PURSER_AVX512 inline __m512i Add(__m512i* a, __m512i b, __m512i c) {
  const __m512i carry = _mm512_ternarylogic_epi64(*a, b, c, 0xE8);  // The majority.
  *a = _mm512_ternarylogic_epi64(*a, b, c, 0x96);                   // The parity.
  return carry;
}

// Sums of one bit for each of 512 slots, digit by digit (Harley and Seal's carry-save adder tree).
struct Digits {
  __m512i one, two, four, eight;
};

// Adds eight columns; returns the carry into the eights.
PURSER_AVX512 inline __m512i AddEight(const uint64_t* bits, const uint64_t* spread, Digits* sum) {
  __m512i x[8];
#pragma GCC unroll 8
  for (size_t j = 0; j < 8; ++j) {
    x[j] = _mm512_xor_si512(_mm512_loadu_si512(bits + j * Columns::kStride),
                            _mm512_set1_epi64(static_cast<int64_t>(spread[j])));
  }
  const __m512i two_a = Add(&sum->one, x[0], x[1]);
  const __m512i two_b = Add(&sum->one, x[2], x[3]);
  const __m512i four_a = Add(&sum->two, two_a, two_b);
  const __m512i two_c = Add(&sum->one, x[4], x[5]);
  const __m512i two_d = Add(&sum->one, x[6], x[7]);
  const __m512i four_b = Add(&sum->two, two_c, two_d);
  return Add(&sum->four, four_a, four_b);
}

// Adds sixteen columns; returns the carry into the sixteens.
PURSER_AVX512 inline __m512i AddSixteen(const uint64_t* bits, const uint64_t* next, const uint64_t* spread,
                                        Digits* sum) {
#pragma GCC unroll 16
  for (size_t j = 0; j < 16; ++j) __builtin_prefetch(next + j * Columns::kStride);
  const __m512i low = AddEight(bits, spread, sum);
  const __m512i high = AddEight(bits + 8 * Columns::kStride, spread + 8, sum);
  return Add(&sum->eight, low, high);
}

// Digit `digit` of `number`, for every slot.
PURSER_AVX512 inline __m512i Digit(uint32_t number, int digit) {
  return _mm512_set1_epi64(-static_cast<int64_t>((number >> digit) & 1));
}

PURSER_AVX512 size_t NearColumns(const uint64_t* columns, const uint64_t* next, const SketchQuery& query,
                                 uint32_t cut_first, uint16_t* out) {
  // Counting starts from 127 - cut: those that differ in more bits than the cut pass 127 and carry into the
  // digit of 128.
  const uint32_t start = 127 - (cut_first < 127 ? cut_first : 127);
  Digits sum = {Digit(start, 0), Digit(start, 1), Digit(start, 2), Digit(start, 3)};
  __m512i sixteen = Digit(start, 4);
  __m512i thirty_two = Digit(start, 5);
  constexpr size_t kQuarter = 16 * Columns::kStride;
  const __m512i a = AddSixteen(columns, next, query.spread, &sum);
  const __m512i b = AddSixteen(columns + kQuarter, next + kQuarter, query.spread + 16, &sum);
  const __m512i low = Add(&sixteen, a, b);
  const __m512i c = AddSixteen(columns + 2 * kQuarter, next + 2 * kQuarter, query.spread + 32, &sum);
  const __m512i d = AddSixteen(columns + 3 * kQuarter, next + 3 * kQuarter, query.spread + 48, &sum);
  const __m512i high = Add(&sixteen, c, d);
  const __m512i carry = Add(&thirty_two, low, high);
  const __m512i far = _mm512_and_si512(Digit(start, 6), carry);

  // No branches: whether a slot passes is not to be guessed.
  alignas(64) uint32_t far_bits[16];
  _mm512_store_si512(far_bits, far);
  size_t found = 0;
  const __m512i ascending = _mm512_set_epi16(31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16,
                                             15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
#pragma GCC unroll 16
  for (size_t i = 0; i < 16; ++i) {
    const __mmask32 near = ~far_bits[i];
    const __m512i slots = _mm512_add_epi16(ascending, _mm512_set1_epi16(static_cast<int16_t>(32 * i)));
    _mm512_storeu_si512(out + found, _mm512_maskz_compress_epi16(near, slots));
    found += static_cast<size_t>(__builtin_popcount(near));
  }
  _mm512_storeu_si512(out + found, _mm512_setzero_si512());
  return found;
}

PURSER_AVX512 size_t Refine(const uint64_t* first, const uint64_t* second, const uint16_t* slots, size_t n,
                            const SketchQuery& query, uint32_t cut_both, uint16_t* out) {
  const __m512i wanted_first = _mm512_set1_epi64(static_cast<int64_t>(query.words[0]));
  const __m512i wanted_second = _mm512_set1_epi64(static_cast<int64_t>(query.words[1]));
  const __m512i cut = _mm512_set1_epi64(cut_both);
  size_t found = 0;
  for (size_t i = 0; i < n; i += 8) {
    const auto there = static_cast<__mmask8>(n - i >= 8 ? 0xFFU : (1U << (n - i)) - 1U);
    const __m128i at = _mm_maskz_loadu_epi16(there, slots + i);
    const __m512i index = _mm512_cvtepu16_epi64(at);
    const __m512i zero = _mm512_setzero_si512();
    const __m512i one = _mm512_popcnt_epi64(
        _mm512_xor_si512(_mm512_mask_i64gather_epi64(zero, there, index, first, 8), wanted_first));
    const __m512i other = _mm512_popcnt_epi64(
        _mm512_xor_si512(_mm512_mask_i64gather_epi64(zero, there, index, second, 8), wanted_second));
    const __mmask8 near = _mm512_mask_cmple_epu64_mask(there, _mm512_add_epi64(one, other), cut);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + found), _mm_maskz_compress_epi16(near, at));
    found += static_cast<size_t>(__builtin_popcount(near));
  }
  return found;
}

PURSER_AVX512 float Subtract(const float* a, const float* b, float* out, size_t n) {
  __m512 sum[2] = {_mm512_setzero_ps(), _mm512_setzero_ps()};
  for (size_t i = 0; i < n; i += 32) {
    for (size_t j = 0; j < 2; ++j) {
      const __m512 difference =
          _mm512_sub_ps(_mm512_loadu_ps(a + i + 16 * j), _mm512_loadu_ps(b + i + 16 * j));
      _mm512_storeu_ps(out + i + 16 * j, difference);
      sum[j] = _mm512_fmadd_ps(difference, difference, sum[j]);
    }
  }
  return Sum(_mm512_add_ps(sum[0], sum[1]));
}

// The transform's strides 1 to 8, inside one register: the partner of each lane, plus the lane with its sign.
PURSER_AVX512 inline __m512 RotateRegister(__m512 v) {
  const __m512 plus = _mm512_set1_ps(1.0F);
  const __m512 minus = _mm512_set1_ps(-1.0F);
  v = _mm512_fmadd_ps(v, _mm512_mask_blend_ps(0xAAAA, plus, minus), _mm512_permute_ps(v, 0xB1));
  v = _mm512_fmadd_ps(v, _mm512_mask_blend_ps(0xCCCC, plus, minus), _mm512_permute_ps(v, 0x4E));
  v = _mm512_fmadd_ps(v, _mm512_mask_blend_ps(0xF0F0, plus, minus), _mm512_shuffle_f32x4(v, v, 0xB1));
  return _mm512_fmadd_ps(v, _mm512_mask_blend_ps(0xFF00, plus, minus), _mm512_shuffle_f32x4(v, v, 0x4E));
}

// As many registers as stay in registers: their signs and all strides up to 16 * kCount / 2.
template <size_t kCount>
PURSER_AVX512 inline void RotateRegisters(float* x, const float* signs) {
  __m512 v[kCount];
#pragma GCC unroll 8
  for (size_t i = 0; i < kCount; ++i) {
    v[i] = RotateRegister(_mm512_mul_ps(_mm512_loadu_ps(x + 16 * i), _mm512_loadu_ps(signs + 16 * i)));
  }
#pragma GCC unroll 4
  for (size_t half = 1; half < kCount; half *= 2) {
#pragma GCC unroll 8
    for (size_t i = 0; i < kCount; ++i) {
      if ((i & half) != 0) continue;
      const __m512 a = v[i];
      const __m512 b = v[i + half];
      v[i] = _mm512_add_ps(a, b);
      v[i + half] = _mm512_sub_ps(a, b);
    }
  }
#pragma GCC unroll 8
  for (size_t i = 0; i < kCount; ++i) _mm512_storeu_ps(x + 16 * i, v[i]);
}

PURSER_AVX512 void Rotate(float* x, const float* signs, size_t n) {
  size_t half = n < 128 ? 32 : 128;
  for (size_t i = 0; i < n; i += half) {
    if (n < 128) {
      RotateRegisters<2>(x + i, signs + i);
    } else {
      RotateRegisters<8>(x + i, signs + i);
    }
  }
  for (; half < n; half *= 2) {
    for (size_t start = 0; start < n; start += 2 * half) {
      for (size_t i = start; i < start + half; i += 16) {
        const __m512 a = _mm512_loadu_ps(x + i);
        const __m512 b = _mm512_loadu_ps(x + i + half);
        _mm512_storeu_ps(x + i, _mm512_add_ps(a, b));
        _mm512_storeu_ps(x + i + half, _mm512_sub_ps(a, b));
      }
    }
  }
}

PURSER_AVX512 void SignBits(const float* x, size_t n, uint64_t* out) {
  const __m512 zero = _mm512_setzero_ps();
  for (size_t word = 0; word < n / 64; ++word) {
    uint64_t bits = 0;
    for (size_t i = 0; i < 4; ++i) {
      const __mmask16 some = _mm512_cmp_ps_mask(_mm512_loadu_ps(x + word * 64 + 16 * i), zero, _CMP_GE_OQ);
      bits |= static_cast<uint64_t>(some) << (16 * i);
    }
    out[word] = bits;
  }
}

constexpr Kernels kAvx512 = {"avx512",    DotInt16, DotInt8,  Hamming, Filter,
                             NearColumns, Refine,   Subtract, Rotate,  SignBits};

}  // namespace

const Kernels* Avx512Kernels() {
  const bool usable = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                      __builtin_cpu_supports("avx512vpopcntdq") && __builtin_cpu_supports("avx512vnni") &&
                      __builtin_cpu_supports("avx512vbmi2");
  return usable && Avx2Kernels() != nullptr ? &kAvx512 : nullptr;
}

}  // namespace purser::cache

#else

namespace purser::cache {
const Kernels* Avx512Kernels() { return nullptr; }
}  // namespace purser::cache

#endif
