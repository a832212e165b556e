#include "cache/kernels.h"

#if defined(__x86_64__)

// GCC 12's own header starts many intrinsics from an undefined register, and warns about it.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"

#include <immintrin.h>

// Function attributes instead of -mavx512... for the file; see kernels_avx2.cc.
#define PURSER_AVX512 \
  __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vpopcntdq,avx512vnni,avx2,fma,popcnt")))

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
                                const uint64_t query[2], uint32_t cut_first, uint32_t cut_both,
                                uint16_t* out) {
  const __m512i wanted_first = _mm512_set1_epi64(static_cast<int64_t>(query[0]));
  const __m512i wanted_second = _mm512_set1_epi64(static_cast<int64_t>(query[1]));
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

PURSER_AVX512 size_t Filter(const uint64_t* first, const uint64_t* second, size_t n, const uint64_t query[2],
                            uint32_t cut_first, uint32_t cut_both, uint16_t* out) {
  if (cut_first > kSelectiveCut) return FilterBoth(first, second, n, query, cut_first, cut_both, out);
  const __m512i wanted_first = _mm512_set1_epi64(static_cast<int64_t>(query[0]));
  const __m512i wanted_second = _mm512_set1_epi64(static_cast<int64_t>(query[1]));
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

PURSER_AVX512 void Hadamard(float* x, size_t n) {
  // Strides 1 to 8 stay inside one register: the partner of each lane, plus the lane with its sign.
  for (size_t i = 0; i < n; i += 16) {
    __m512 v = _mm512_loadu_ps(x + i);
    v = _mm512_mask_sub_ps(_mm512_add_ps(_mm512_permute_ps(v, 0xB1), v), 0xAAAA, _mm512_permute_ps(v, 0xB1),
                           v);
    v = _mm512_mask_sub_ps(_mm512_add_ps(_mm512_permute_ps(v, 0x4E), v), 0xCCCC, _mm512_permute_ps(v, 0x4E),
                           v);
    const __m512 quarters = _mm512_shuffle_f32x4(v, v, 0xB1);
    v = _mm512_mask_sub_ps(_mm512_add_ps(quarters, v), 0xF0F0, quarters, v);
    const __m512 halves = _mm512_shuffle_f32x4(v, v, 0x4E);
    v = _mm512_mask_sub_ps(_mm512_add_ps(halves, v), 0xFF00, halves, v);
    _mm512_storeu_ps(x + i, v);
  }
  for (size_t half = 16; half < n; half *= 2) {
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

constexpr Kernels kAvx512 = {"avx512", DotInt16, DotInt8, Hamming, Filter, Hadamard};

}  // namespace

const Kernels* Avx512Kernels() {
  const bool usable = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                      __builtin_cpu_supports("avx512vpopcntdq") && __builtin_cpu_supports("avx512vnni");
  return usable && Avx2Kernels() != nullptr ? &kAvx512 : nullptr;
}

}  // namespace purser::cache

#else

namespace purser::cache {
const Kernels* Avx512Kernels() { return nullptr; }
}  // namespace purser::cache

#endif
