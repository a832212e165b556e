// ReadChunk for machines with AVX2: units are found 64 bytes at a time, bytes are looked up eight at a time.

#include "engine/pricing/token_reader.h"

#if defined(__x86_64__)

#include <immintrin.h>

#include <bit>

#define PURSER_AVX2 __attribute__((target("avx2,bmi,bmi2,popcnt")))

namespace purser::pricing {
namespace {

constexpr uint32_t kEntryMask = (uint32_t{1} << kPaletteBits) - 1;

// Everything that UnitName asks of a single byte, in one look-up.
struct ByteFacts {
  uint8_t drawn_in;
  uint8_t follower;
  ByteClass kind;
  bool letter;
  bool mark;
  bool keeps_mark_away;
};
constexpr std::array<ByteFacts, 256> kFacts = [] {
  std::array<ByteFacts, 256> facts = {};
  for (int b = 0; b < 256; ++b) {
    const auto byte = static_cast<uint8_t>(b);
    facts[b] = {DrawnIn(byte),  FollowerOf(byte), ClassOf(byte),
                IsLetter(byte), IsMark(byte),     KeepsMarkAway(byte)};
  }
  return facts;
}();

// UnitName without branches.
PURSER_AVX2 inline uint64_t NameOf(const uint8_t* p, size_t length) {
  const ByteClass kind = kFacts[p[0]].kind;
  const bool spaced = (p[0] == ' ') & (length > 1) & kFacts[p[1]].letter;
  const bool kept_away = kFacts[p[-1]].mark & kFacts[p[-2]].keeps_mark_away;
  uint64_t around = kept_away ? kAfterNothing : kFacts[p[-1]].drawn_in;
  around = kind == kOtherByte ? kFacts[p[length]].follower : around;
  around = spaced ? kAfterSpace : around;
  around = kind == kDigit ? kAfterNothing : around;
  const uint64_t keep = kind == kDigit ? 0 : ~uint64_t{0};
  const uint64_t first = _bzhi_u64(LoadWord(p), static_cast<uint32_t>(length < 8 ? 8 * length : 64)) & keep;
  const uint64_t last = (length < 8 ? 0 : LoadWord(p + length - 8)) & keep;
  return HashUnit(first, last, length, around);
}

// Where units start among 64 bytes.
struct Starts {
  uint64_t letter;
  uint64_t capital;
  uint64_t digit;
  uint64_t space;
  uint64_t line_break;
};

PURSER_AVX2 inline uint32_t InRange(__m256i bytes, char from, char count) {
  const __m256i offset = _mm256_sub_epi8(bytes, _mm256_set1_epi8(from));
  return static_cast<uint32_t>(_mm256_movemask_epi8(
      _mm256_cmpeq_epi8(_mm256_min_epu8(offset, _mm256_set1_epi8(static_cast<char>(count - 1))), offset)));
}

PURSER_AVX2 inline uint32_t Equal(__m256i bytes, char b) {
  return static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(b))));
}

PURSER_AVX2 inline Starts Classify(const uint8_t* p) {
  Starts found = {};
  for (int half = 0; half < 2; ++half) {
    const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 32 * half));
    const auto high = static_cast<uint32_t>(_mm256_movemask_epi8(bytes));
    const uint32_t ascii = InRange(_mm256_or_si256(bytes, _mm256_set1_epi8(0x20)), 'a', 26);
    const uint32_t small = static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_slli_epi16(bytes, 2)));
    const int shift = 32 * half;
    found.letter |= static_cast<uint64_t>(high | ascii) << shift;
    found.capital |= static_cast<uint64_t>(ascii & ~small & ~high) << shift;
    found.digit |= static_cast<uint64_t>(InRange(bytes, '0', 10)) << shift;
    found.space |= static_cast<uint64_t>(Equal(bytes, ' ')) << shift;
    found.line_break |= static_cast<uint64_t>(Equal(bytes, '\n')) << shift;
  }
  return found;
}

// What the bytes of a unit without a name cost.
PURSER_AVX2 inline void AddBytes(const TokenWeights& weights, const uint8_t* p, size_t length,
                                 TokenSums* sums) {
  const __m256i low_bytes = _mm256_setr_epi8(0, 1, 2, 3, 1, 2, 3, 4, 2, 3, 4, 5, 3, 4, 5, 6,  //
                                             0, 1, 2, 3, 1, 2, 3, 4, 2, 3, 4, 5, 3, 4, 5, 6);
  const __m256i high_bytes = _mm256_setr_epi8(4, 5, -1, -1, 5, 6, -1, -1, 6, 7, -1, -1, 7, 8, -1, -1,  //
                                              4, 5, -1, -1, 5, 6, -1, -1, 6, 7, -1, -1, 7, 8, -1, -1);
  const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  const __m256i evens = _mm256_set1_epi32(0x00ff00ff);
  const __m256i nothing = _mm256_set1_epi8(static_cast<char>(kByteZero));
  for (size_t from = 0; from < length;) {
    __m256i even = _mm256_setzero_si256(), odd = _mm256_setzero_si256();
    const size_t until = std::min(length, from + 8 * 64);  // 64 times two costs fit 16 bits.
    int rounds = 0;
    for (; from < until; from += 8, ++rounds) {
      const auto* window = reinterpret_cast<const __m128i*>(p + from - 3);
      const auto* next = reinterpret_cast<const __m128i*>(p + from + 1);
      const __m256i around =
          _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128(window)), _mm_loadu_si128(next), 1);
      const __m256i low = _mm256_shuffle_epi8(around, low_bytes);
      const __m256i high = _mm256_shuffle_epi8(around, high_bytes);
      const __m256i hash =
          _mm256_add_epi32(_mm256_mullo_epi32(low, _mm256_set1_epi32(static_cast<int>(kWindowLowFactor))),
                           _mm256_mullo_epi32(high, _mm256_set1_epi32(static_cast<int>(kWindowHighFactor))));
      const __m256i there = _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(until - from)), lanes);
      const __m256i windows =
          _mm256_mask_i32gather_epi32(nothing, reinterpret_cast<const int*>(weights.windows.data()),
                                      _mm256_srli_epi32(hash, 32 - kWindowBits), there, 4);
      const __m256i pairs = _mm256_mask_i32gather_epi32(
          nothing, reinterpret_cast<const int*>(weights.pairs.data()), _mm256_srli_epi32(low, 16), there, 4);
      even = _mm256_add_epi16(
          even, _mm256_add_epi16(_mm256_and_si256(windows, evens), _mm256_and_si256(pairs, evens)));
      odd = _mm256_add_epi16(odd, _mm256_add_epi16(_mm256_and_si256(_mm256_srli_epi32(windows, 8), evens),
                                                   _mm256_and_si256(_mm256_srli_epi32(pairs, 8), evens)));
    }
    // Families 0 and 2 are in `even`, 1 and 3 in `odd`.
    const __m256i low_half = _mm256_set1_epi32(0xffff);
    const auto total = [](__m256i v) __attribute__((target("avx2"))) {
      __m128i sum = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
      sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0x4e));
      sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0xb1));
      return static_cast<int64_t>(_mm_cvtsi128_si32(sum));
    };
    const int64_t zero = int64_t{2} * 8 * kByteZero * rounds;
    (*sums)[0] += total(_mm256_and_si256(even, low_half)) - zero;
    (*sums)[1] += total(_mm256_and_si256(odd, low_half)) - zero;
    (*sums)[2] += total(_mm256_srli_epi32(even, 16)) - zero;
    (*sums)[3] += total(_mm256_srli_epi32(odd, 16)) - zero;
    from = until;
  }
}

PURSER_AVX2 inline uint64_t CostOf(const TokenWeights& weights, const uint8_t* p, size_t length,
                                   TokenSums* sums) {
  const uint64_t name = NameOf(p, length);
  const uint32_t entry = weights.named[NamedSlot(name)];
  if (((entry ^ NamedTag(name)) & ~kEntryMask) == 0) [[likely]]
    return weights.palette[entry & kEntryMask];
  AddBytes(weights, p, length, sums);
  return 0;
}

// Four 16-bit sums in a word, taken out before one can overflow: a block has at most 64 units.
void Unfold(uint64_t folded, TokenSums* sums) {
  for (int f = 0; f < 4; ++f) (*sums)[f] += static_cast<int64_t>((folded >> (16 * f)) & 0xffff);
}

}  // namespace

PURSER_AVX2 size_t ReadChunkAvx2(const TokenWeights& weights, const uint8_t* p, size_t size, bool is_last,
                                 TokenSums* sums) {
  size_t start = 0;
  // Of the byte before the block, in bit 0. The unit at 0 starts whatever stands before it.
  uint64_t was_letter = 0, was_small = 0, was_digit = 0, was_other = 0, was_space = 0, was_break = 0;
  for (size_t block = 0; block < size; block += 64) {
    const Starts is = Classify(p + block);
    const uint64_t next_letter = is.letter >> 1 | static_cast<uint64_t>(kFacts[p[block + 64]].letter) << 63;
    const uint64_t small = is.letter & ~is.capital, other = ~(is.letter | is.digit);
    const uint64_t after_letter = is.letter << 1 | was_letter, after_small = small << 1 | was_small;
    uint64_t starts =
        (is.space & next_letter) | (is.digit & ~(is.digit << 1 | was_digit)) |
        (other & (~(other << 1 | was_other) | ((is.line_break << 1 | was_break) & ~is.line_break))) |
        (is.letter & ~(is.space << 1 | was_space) & (~after_letter | (is.capital & after_small)));
    if (block == 0) starts &= ~uint64_t{1};
    if (size - block < 64) starts &= (uint64_t{1} << (size - block)) - 1;
    was_letter = is.letter >> 63;
    was_small = small >> 63;
    was_digit = is.digit >> 63;
    was_other = other >> 63;
    was_space = is.space >> 63;
    was_break = is.line_break >> 63;
    uint64_t folded = 0;
    for (; starts != 0; starts &= starts - 1) {
      const size_t end = block + static_cast<size_t>(std::countr_zero(starts));
      folded += CostOf(weights, p + start, end - start, sums);
      start = end;
    }
    Unfold(folded, sums);
  }
  if (!is_last) return start;
  if (size > 0) Unfold(CostOf(weights, p + start, size - start, sums), sums);
  return size;
}

}  // namespace purser::pricing

#else

namespace purser::pricing {

size_t ReadChunkAvx2(const TokenWeights& weights, const uint8_t* p, size_t size, bool is_last,
                     TokenSums* sums) {
  return ReadChunkPlain(weights, p, size, is_last, sums);
}

}  // namespace purser::pricing

#endif
