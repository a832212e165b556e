// What known units cost, eight at a time: the sweep of ReadChunk that takes longest, for machines with
// AVX-512.

#include "engine/estimates/token_reader_x86.h"

#if defined(__x86_64__)

// g++ 12 takes the undefined vectors inside its own header for mistakes of ours (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>

#include <algorithm>
#include <array>

#define PURSER_AVX512 \
  __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi2,avx2,bmi,bmi2,popcnt")))

namespace purser::estimates {
namespace {

constexpr uint32_t kEntryMask = (uint32_t{1} << kPaletteBits) - 1;

PURSER_AVX512 inline __m512i Each(uint8_t b) { return _mm512_set1_epi8(static_cast<char>(b)); }

PURSER_AVX512 inline uint64_t IsBetween(__m512i bytes, uint8_t from, uint8_t to) {
  return _mm512_cmple_epu8_mask(_mm512_sub_epi8(bytes, Each(from)), Each(static_cast<uint8_t>(to - from)));
}

PURSER_AVX512 inline ByteMasks Classify(__m512i bytes) {
  ByteMasks is;
  is.capital = IsBetween(bytes, 'A', 'Z');
  is.letter = is.capital | IsBetween(bytes, 'a', 'z') | _mm512_movepi8_mask(bytes);
  is.digit = IsBetween(bytes, '0', '9');
  is.space = _mm512_cmpeq_epi8_mask(bytes, Each(' '));
  is.line_break = _mm512_cmpeq_epi8_mask(bytes, Each('\n'));
  return is;
}

PURSER_AVX512 inline __m256i Bytes(uint8_t b) { return _mm256_set1_epi8(static_cast<char>(b)); }

PURSER_AVX512 inline __mmask32 IsBetween(__m256i bytes, uint8_t from, uint8_t to) {
  return _mm256_cmple_epu8_mask(_mm256_sub_epi8(bytes, Bytes(from)), Bytes(static_cast<uint8_t>(to - from)));
}

// Which units have the mask's bit at their first byte, of four bits to a unit.
PURSER_AVX512 inline __mmask8 UnitsOf(__mmask32 bytes) {
  return static_cast<__mmask8>(_pext_u32(bytes, 0x44444444));
}

// What stands around eight units, as UnitName has it.
struct Around {
  __m512i what;
  __mmask8 digits;
};
// Of each unit `near` holds the two bytes before it and its first two; `behind` is the byte after the last
// one. After any other one stands the first byte of the next.
PURSER_AVX512 inline Around ReadAround(__m256i near, uint8_t behind, __mmask8 longer_than_one) {
  // A bit a byte: four to a unit.
  constexpr __mmask32 kSecondBefore = 0x11111111, kSecond = 0x88888888;
  const __mmask32 capital = IsBetween(near, 'A', 'Z');
  const __mmask32 small = IsBetween(near, 'a', 'z') | _mm256_movepi8_mask(near);
  const __mmask32 digit = IsBetween(near, '0', '9');
  const __mmask32 letter = capital | small, other = ~(letter | digit);
  const __mmask32 space = _mm256_cmpeq_epi8_mask(near, Bytes(' '));
  const __mmask32 tab = _mm256_cmpeq_epi8_mask(near, Bytes('\t'));
  const __mmask32 line_break =
      _mm256_cmpeq_epi8_mask(near, Bytes('\n')) | _mm256_cmpeq_epi8_mask(near, Bytes('\r'));
  const __mmask32 mark = other & ~(space | tab | line_break);

  // ContextOf, at the byte before.
  const __mmask32 kept_away = mark & ((mark | space) & kSecondBefore) << 1;
  __m256i context = _mm256_mask_mov_epi8(Bytes(kAfterNothing), (mark & ~kept_away) | tab, near);
  context = _mm256_mask_mov_epi8(context, small, Bytes(kAfterSmallLetter));
  context = _mm256_and_si256(_mm256_srli_epi32(context, 8), _mm256_set1_epi32(0xff));

  // FollowerOf, of every byte; taken from the next unit's first.
  __m256i follower = _mm256_mask_mov_epi8(Bytes(FollowerOf('.')), letter, Bytes(FollowerOf('a')));
  follower = _mm256_mask_mov_epi8(follower, digit, Bytes(FollowerOf('0')));
  follower = _mm256_mask_mov_epi8(follower, space, Bytes(FollowerOf(' ')));
  follower = _mm256_and_si256(_mm256_srli_epi32(follower, 16), _mm256_set1_epi32(0xff));
  follower = _mm256_alignr_epi32(_mm256_set1_epi32(FollowerOf(behind)), follower, 1);

  const __mmask8 spaced = UnitsOf(space & (letter & kSecond) >> 1) & longer_than_one;
  const __mmask8 digits = UnitsOf(digit);
  __m256i around = _mm256_mask_mov_epi32(context, UnitsOf(other), follower);
  around = _mm256_mask_mov_epi32(around, spaced, _mm256_set1_epi32(kAfterSpace));
  around = _mm256_mask_mov_epi32(around, digits, _mm256_set1_epi32(kAfterNothing));
  return {_mm512_cvtepu32_epi64(around), digits};
}

PURSER_AVX512 inline __m512i Words(uint64_t word) { return _mm512_set1_epi64(static_cast<int64_t>(word)); }

PURSER_AVX512 inline __m512i HashUnits(__m512i first, __m512i last, __m512i length, __m512i around) {
  __m512i hash = _mm512_xor_si512(_mm512_slli_epi64(length, 56), _mm512_slli_epi64(around, 48));
  hash = _mm512_mullo_epi64(_mm512_xor_si512(first, hash), Words(kUnitFactors[0]));
  hash = _mm512_xor_si512(hash, _mm512_srli_epi64(hash, 32));
  hash = _mm512_add_epi64(hash, _mm512_mullo_epi64(last, Words(kUnitFactors[1])));
  hash = _mm512_xor_si512(hash, _mm512_srli_epi64(hash, 29));
  hash = _mm512_mullo_epi64(hash, Words(kUnitFactors[2]));
  return _mm512_xor_si512(hash, _mm512_srli_epi64(hash, 32));
}

// Which of the next eight units there are, of `left`.
PURSER_AVX512 inline __mmask8 ThereOf(size_t left) {
  return static_cast<__mmask8>(_bzhi_u32(0xff, static_cast<uint32_t>(std::min<size_t>(left, 8))));
}

// The names of the eight units that end at ends[0, 8). *last_end: where the one before ends, then the last.
PURSER_AVX512 inline __m512i NamesOf(const uint8_t* p, const uint16_t* ends, __mmask8 there,
                                     uint16_t* last_end) {
  const __m128i end16 = _mm_maskz_loadu_epi16(there, ends);
  const __m128i start16 = _mm_insert_epi16(_mm_slli_si128(end16, 2), *last_end, 0);
  *last_end = static_cast<uint16_t>(_mm_extract_epi16(end16, 7));
  const __m512i end = _mm512_cvtepu16_epi64(end16), start = _mm512_cvtepu16_epi64(start16);
  const __m512i length = _mm512_sub_epi64(end, start);
  const __m512i eight = _mm512_set1_epi64(8), nothing = _mm512_setzero_si512();
  const __mmask8 is_long = _mm512_mask_cmpge_epi64_mask(there, length, eight);

  __m512i first = _mm512_mask_i64gather_epi64(nothing, there, start, p, 1);
  __m512i last = _mm512_mask_i64gather_epi64(nothing, is_long, end, p - 8, 1);
  // Where there are fewer than eight, the next one starts at the end of the last all the same.
  const __m256i near = _mm512_i64gather_epi32(start, p - 2, 1);
  const Around around = ReadAround(near, p[*last_end], _mm512_cmpgt_epi64_mask(length, _mm512_set1_epi64(1)));

  // Nothing of what stands behind a short unit, and nothing of digits.
  const __m512i beyond = _mm512_slli_epi64(_mm512_sub_epi64(eight, _mm512_min_epu64(length, eight)), 3);
  const auto named_by_bytes = static_cast<__mmask8>(~around.digits);
  first = _mm512_maskz_srlv_epi64(named_by_bytes, _mm512_sllv_epi64(first, beyond), beyond);
  last = _mm512_maskz_mov_epi64(named_by_bytes, last);
  return HashUnits(first, last, length, around.what);
}

}  // namespace

PURSER_AVX512 size_t FindEndsAvx512(const uint8_t* p, size_t size, UnitEnds* ends) {
  constexpr auto kPositions = [] {
    std::array<uint8_t, 64> positions = {};
    for (uint8_t i = 0; i < 64; ++i) positions[i] = i;
    return positions;
  }();
  const __m512i positions = _mm512_loadu_si512(kPositions.data());
  size_t count = 0;
  UnitStarts unit_starts;
  for (size_t block = 0; block < size; block += 64) {
    const ByteMasks is = Classify(_mm512_loadu_si512(p + block));
    const uint64_t starts = unit_starts.Next(is, p[block + 64], size - block);
    const __m512i packed = _mm512_maskz_compress_epi8(starts, positions);
    const __m512i at = _mm512_set1_epi16(static_cast<int16_t>(block));
    uint16_t* to = ends->data() + count;
    _mm512_storeu_si512(to, _mm512_add_epi16(at, _mm512_cvtepu8_epi16(_mm512_castsi512_si256(packed))));
    const auto found = static_cast<size_t>(_mm_popcnt_u64(starts));
    if (found > 32) [[unlikely]] {
      _mm512_storeu_si512(to + 32,
                          _mm512_add_epi16(at, _mm512_cvtepu8_epi16(_mm512_extracti64x4_epi64(packed, 1))));
    }
    count += found;
  }
  return count;
}

PURSER_AVX512 size_t AddNamedAvx512(const TokenWeights& weights, const uint8_t* p, const UnitEnds& ends,
                                    size_t count, UnitEnds* nameless, TokenSums* sums) {
  // In strips: first all their names, then all look-ups. Look-ups wait for memory, and wait together if
  // little stands between them.
  constexpr size_t kGroups = 8;
  const __m512i low_halves = _mm512_set1_epi32(0xffff);
  const __m512i entry_mask = _mm512_set1_epi64(kEntryMask);
  const __m512i tag_mask = _mm512_set1_epi64(0xffffffff & ~kEntryMask);
  const __m512i numbers = _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7);
  __m512i even = _mm512_setzero_si512(), odd = _mm512_setzero_si512();  // Families 0 and 2; 1 and 3.
  size_t without = 0;
  uint16_t last_end = 0;
  for (size_t strip = 0; strip < count; strip += 8 * kGroups) {
    const size_t groups = std::min(kGroups, (count - strip + 7) / 8);
    __m512i names[kGroups];
    for (size_t g = 0; g < groups; ++g) {
      const size_t from = strip + 8 * g;
      names[g] = NamesOf(p, ends.data() + from, ThereOf(count - from), &last_end);
    }
    __m512i entries[kGroups];
    for (size_t g = 0; g < groups; ++g) {
      entries[g] = _mm512_cvtepu32_epi64(
          _mm512_i64gather_epi32(_mm512_srli_epi64(names[g], 64 - kNamedBits), weights.named.data(), 4));
    }
    for (size_t g = 0; g < groups; ++g) {
      const size_t from = strip + 8 * g;
      const __mmask8 there = ThereOf(count - from);
      const __m512i differs = _mm512_xor_si512(entries[g], _mm512_slli_epi64(names[g], kPaletteBits));
      const __mmask8 known = _mm512_mask_testn_epi64_mask(there, differs, tag_mask);
      const __m512i costs = _mm512_mask_i64gather_epi64(
          _mm512_setzero_si512(), known, _mm512_and_si512(entries[g], entry_mask), weights.palette.data(), 8);
      even = _mm512_add_epi32(even, _mm512_and_si512(costs, low_halves));
      odd = _mm512_add_epi32(odd, _mm512_srli_epi32(costs, 16));

      const auto unknown = static_cast<__mmask8>(there & ~known);
      // As many numbers as units are unknown, at the front; what is behind them is overwritten.
      const __m512i packed = _mm512_maskz_compress_epi64(
          unknown, _mm512_add_epi64(numbers, _mm512_set1_epi64(static_cast<int64_t>(from))));
      _mm_storeu_si128(reinterpret_cast<__m128i*>(nameless->data() + without), _mm512_cvtepi64_epi16(packed));
      without += static_cast<size_t>(_mm_popcnt_u32(unknown));
    }
  }
  const __m512i low_words = _mm512_set1_epi64(0xffffffff);
  (*sums)[0] += _mm512_reduce_add_epi64(_mm512_and_si512(even, low_words));
  (*sums)[1] += _mm512_reduce_add_epi64(_mm512_and_si512(odd, low_words));
  (*sums)[2] += _mm512_reduce_add_epi64(_mm512_srli_epi64(even, 32));
  (*sums)[3] += _mm512_reduce_add_epi64(_mm512_srli_epi64(odd, 32));
  return without;
}

}  // namespace purser::estimates

#endif
