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

PURSER_AVX2 size_t Filter(const uint64_t* first, const uint64_t* second, size_t n, const uint64_t query[2],
                          uint32_t cut_first, uint32_t cut_both, uint16_t* out) {
  const __m256i wanted = _mm256_set1_epi64x(static_cast<int64_t>(query[0]));
  const __m256i cut = _mm256_set1_epi64x(cut_first);
  size_t found = 0;
  size_t i = 0;
  for (; i + 4 <= n; i += 4) {
    const __m256i words = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(first + i));
    const __m256i far = _mm256_cmpgt_epi64(PopCount(_mm256_xor_si256(words, wanted)), cut);
    unsigned near = ~static_cast<unsigned>(_mm256_movemask_pd(_mm256_castsi256_pd(far))) & 0xFU;
    for (; near != 0; near &= near - 1) {
      const size_t at = i + static_cast<size_t>(__builtin_ctz(near));
      const auto differ =
          static_cast<uint32_t>(_mm_popcnt_u64(first[at] ^ query[0]) + _mm_popcnt_u64(second[at] ^ query[1]));
      if (differ <= cut_both) out[found++] = static_cast<uint16_t>(at);
    }
  }
  for (; i < n; ++i) {
    const auto differ = static_cast<uint32_t>(_mm_popcnt_u64(first[i] ^ query[0]));
    if (differ > cut_first) continue;
    if (differ + static_cast<uint32_t>(_mm_popcnt_u64(second[i] ^ query[1])) > cut_both) continue;
    out[found++] = static_cast<uint16_t>(i);
  }
  return found;
}

PURSER_AVX2 void Hadamard(float* x, size_t n) {
  // Strides 1, 2 and 4 stay inside one register.
  const __m256 odd = _mm256_setr_ps(0.0F, -0.0F, 0.0F, -0.0F, 0.0F, -0.0F, 0.0F, -0.0F);
  const __m256 upper_pair = _mm256_setr_ps(0.0F, 0.0F, -0.0F, -0.0F, 0.0F, 0.0F, -0.0F, -0.0F);
  const __m256 upper_half = _mm256_setr_ps(0.0F, 0.0F, 0.0F, 0.0F, -0.0F, -0.0F, -0.0F, -0.0F);
  for (size_t i = 0; i < n; i += 8) {
    __m256 v = _mm256_loadu_ps(x + i);
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

constexpr Kernels kAvx2 = {"avx2", DotInt16, DotInt8, Hamming, Filter, Hadamard};

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
