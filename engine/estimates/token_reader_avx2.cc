// ReadChunk for machines with AVX2 (and, with two sweeps of its own, AVX-512), in three sweeps over a chunk:
// where units end, 64 bytes at a time; what the known ones cost; what the bytes of the others cost, eight at
// a time. Apart, because a sweep without branches that depend on the text runs several times faster.

#include "engine/estimates/token_reader.h"
#include "engine/estimates/token_reader_x86.h"

#if defined(__x86_64__)

#include <immintrin.h>

#include <algorithm>
#include <array>

#define PURSER_AVX2 __attribute__((target("avx2,bmi,bmi2,popcnt")))

namespace purser::estimates {
namespace {

constexpr uint32_t kEntryMask = (uint32_t{1} << kPaletteBits) - 1;

// Everything that UnitName asks of a single byte, in one look-up. Yes is 0xff, so that answers are masks.
struct ByteFacts {
  uint8_t drawn_in;
  uint8_t follower;
  uint8_t letter;
  uint8_t digit;
  uint8_t other;
  uint8_t space;
  uint8_t mark;
  uint8_t keeps_mark_away;
};
constexpr std::array<ByteFacts, 256> kFacts = [] {
  std::array<ByteFacts, 256> facts = {};
  const auto mask = [](bool yes) { return static_cast<uint8_t>(yes ? 0xff : 0); };
  for (int b = 0; b < 256; ++b) {
    const auto byte = static_cast<uint8_t>(b);
    facts[b] = {.drawn_in = DrawnIn(byte),
                .follower = FollowerOf(byte),
                .letter = mask(IsLetter(byte)),
                .digit = mask(ClassOf(byte) == kDigit),
                .other = mask(ClassOf(byte) == kOtherByte),
                .space = mask(byte == ' '),
                .mark = mask(IsMark(byte)),
                .keeps_mark_away = mask(KeepsMarkAway(byte))};
  }
  return facts;
}();
inline const ByteFacts& FactsOf(uint8_t b) { return kFacts.data()[b]; }

// All ones or nothing. What the compiler cannot see through it cannot turn into a branch: what kind of unit
// comes next cannot be predicted.
PURSER_AVX2 inline uint64_t MaskOf(bool yes) {
  uint64_t mask = uint64_t{0} - static_cast<uint64_t>(yes);
  asm("" : "+r"(mask));
  return mask;
}

// UnitName without branches.
PURSER_AVX2 inline uint64_t NameOf(const uint8_t* p, size_t length) {
  const ByteFacts& is = FactsOf(p[0]);
  const ByteFacts& was = FactsOf(p[-1]);
  const uint32_t kept_away = was.mark & FactsOf(p[-2]).keeps_mark_away;
  const uint32_t spaced =
      is.space & FactsOf(p[1]).letter & static_cast<uint32_t>(MaskOf(length > 1));  // kAfterSpace is 0xff.
  uint32_t around = (was.drawn_in & ~kept_away) | (kAfterNothing & kept_away);
  around = (around & ~static_cast<uint32_t>(is.other)) | (FactsOf(p[length]).follower & is.other) | spaced;
  around = (around & ~static_cast<uint32_t>(is.digit)) | (kAfterNothing & is.digit);
  const uint64_t keep = MaskOf(is.digit == 0);  // A run of digits is named by its length only.
  const uint64_t is_long = MaskOf(length >= 8);
  const uint64_t first = _bzhi_u64(LoadWord(p), static_cast<uint32_t>(8 * length)) & ~is_long;
  const uint64_t all_of_it = LoadWord(p) & is_long;
  const uint64_t last = LoadWord(p + length - 8) & is_long;
  return HashUnit((first | all_of_it) & keep, last & keep, length, around);
}

PURSER_AVX2 inline uint32_t InRange(__m256i bytes, char from, char count) {
  const __m256i offset = _mm256_sub_epi8(bytes, _mm256_set1_epi8(from));
  return static_cast<uint32_t>(_mm256_movemask_epi8(
      _mm256_cmpeq_epi8(_mm256_min_epu8(offset, _mm256_set1_epi8(static_cast<char>(count - 1))), offset)));
}

PURSER_AVX2 inline uint32_t Equal(__m256i bytes, char b) {
  return static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(b))));
}

PURSER_AVX2 inline ByteMasks Classify(const uint8_t* p) {
  ByteMasks found = {};
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

// Sums of costs in 16 bits, families 0 and 2 of each lane in `even`, 1 and 3 in `odd`; taken out before they
// can overflow.
struct ByteCosts {
  static constexpr int kMaxRounds = 64;  // Of two costs each.
  __m256i even, odd;
  int rounds;
};

PURSER_AVX2 inline int64_t TotalOf(__m256i lanes) {
  __m128i sum = _mm_add_epi32(_mm256_castsi256_si128(lanes), _mm256_extracti128_si256(lanes, 1));
  sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0x4e));
  sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0xb1));
  return _mm_cvtsi128_si32(sum);
}

PURSER_AVX2 inline void TakeOut(ByteCosts* costs, TokenSums* sums) {
  const __m256i low_half = _mm256_set1_epi32(0xffff);
  const int64_t zero = int64_t{2} * 8 * kByteZero * costs->rounds;
  (*sums)[0] += TotalOf(_mm256_and_si256(costs->even, low_half)) - zero;
  (*sums)[1] += TotalOf(_mm256_and_si256(costs->odd, low_half)) - zero;
  (*sums)[2] += TotalOf(_mm256_srli_epi32(costs->even, 16)) - zero;
  (*sums)[3] += TotalOf(_mm256_srli_epi32(costs->odd, 16)) - zero;
  *costs = {_mm256_setzero_si256(), _mm256_setzero_si256(), 0};
}

// Eight bytes of a unit without a name, or its last `length`.
PURSER_AVX2 inline void AddBytes(const TokenWeights& weights, const uint8_t* p, size_t length,
                                 ByteCosts* costs) {
  const __m256i low_bytes = _mm256_setr_epi8(0, 1, 2, 3, 1, 2, 3, 4, 2, 3, 4, 5, 3, 4, 5, 6,  //
                                             0, 1, 2, 3, 1, 2, 3, 4, 2, 3, 4, 5, 3, 4, 5, 6);
  const __m256i high_bytes = _mm256_setr_epi8(4, 5, -1, -1, 5, 6, -1, -1, 6, 7, -1, -1, 7, 8, -1, -1,  //
                                              4, 5, -1, -1, 5, 6, -1, -1, 6, 7, -1, -1, 7, 8, -1, -1);
  const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  const __m256i evens = _mm256_set1_epi32(0x00ff00ff);
  const __m256i nothing = _mm256_set1_epi8(static_cast<char>(kByteZero));
  const auto* window = reinterpret_cast<const __m128i*>(p - 3);
  const auto* next = reinterpret_cast<const __m128i*>(p + 1);
  const __m256i around =
      _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128(window)), _mm_loadu_si128(next), 1);
  const __m256i low = _mm256_shuffle_epi8(around, low_bytes);
  const __m256i high = _mm256_shuffle_epi8(around, high_bytes);
  const __m256i hash =
      _mm256_add_epi32(_mm256_mullo_epi32(low, _mm256_set1_epi32(static_cast<int>(kWindowLowFactor))),
                       _mm256_mullo_epi32(high, _mm256_set1_epi32(static_cast<int>(kWindowHighFactor))));
  const __m256i there = _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(length)), lanes);
  const __m256i windows =
      _mm256_mask_i32gather_epi32(nothing, reinterpret_cast<const int*>(weights.windows.data()),
                                  _mm256_srli_epi32(hash, 32 - kWindowBits), there, 4);
  const __m256i pairs = _mm256_mask_i32gather_epi32(
      nothing, reinterpret_cast<const int*>(weights.pairs.data()), _mm256_srli_epi32(low, 16), there, 4);
  costs->even = _mm256_add_epi16(
      costs->even, _mm256_add_epi16(_mm256_and_si256(windows, evens), _mm256_and_si256(pairs, evens)));
  costs->odd =
      _mm256_add_epi16(costs->odd, _mm256_add_epi16(_mm256_and_si256(_mm256_srli_epi32(windows, 8), evens),
                                                    _mm256_and_si256(_mm256_srli_epi32(pairs, 8), evens)));
  ++costs->rounds;
}

PURSER_AVX2 void AddNameless(const TokenWeights& weights, const uint8_t* p, const UnitEnds& ends,
                             const UnitEnds& nameless, size_t count, TokenSums* sums) {
  ByteCosts costs = {_mm256_setzero_si256(), _mm256_setzero_si256(), 0};
  for (size_t i = 0; i < count; ++i) {
    const size_t unit = nameless.data()[i];
    const size_t end = ends.data()[unit];
    for (size_t at = unit == 0 ? 0 : ends.data()[unit - 1]; at < end; at += 8) {
      AddBytes(weights, p + at, end - at, &costs);
      if (costs.rounds == ByteCosts::kMaxRounds) TakeOut(&costs, sums);
    }
  }
  TakeOut(&costs, sums);
}

// Appends 64 bytes' unit starts, which are ends of the units before, without a branch per unit: how many
// there are in a block cannot be predicted.
PURSER_AVX2 inline size_t AppendEnds(uint64_t starts, size_t block, size_t count, UnitEnds* ends) {
  const auto found = static_cast<size_t>(_mm_popcnt_u64(starts));
  for (size_t from = 0; from < found; from += 8) {
    for (size_t i = 0; i < 8; ++i, starts = _blsr_u64(starts)) {
      ends->data()[count + from + i] = static_cast<uint16_t>(block + _tzcnt_u64(starts));
    }
  }
  return count + found;
}

PURSER_AVX2 size_t FindEndsAvx2(const uint8_t* p, size_t size, UnitEnds* ends) {
  size_t count = 0;
  UnitStarts starts;
  for (size_t block = 0; block < size; block += 64) {
    count = AppendEnds(starts.Next(Classify(p + block), p[block + 64], size - block), block, count, ends);
  }
  return count;
}

PURSER_AVX2 size_t AddNamedAvx2(const TokenWeights& weights, const uint8_t* p, const UnitEnds& ends,
                                size_t count, UnitEnds* nameless, TokenSums* sums) {
  size_t start = 0, without = 0;
  for (size_t from = 0; from < count; from += kFoldedUnits) {
    const size_t until = std::min(count, from + kFoldedUnits);
    uint64_t folded = 0;
    for (size_t i = from; i < until; ++i) {
      const size_t end = ends.data()[i];
      const uint64_t name = NameOf(p + start, end - start);
      const uint32_t entry = weights.named.data()[NamedSlot(name)];
      const uint64_t known = MaskOf(((entry ^ NamedTag(name)) & ~kEntryMask) == 0);
      folded += weights.palette.data()[entry & kEntryMask] & known;
      nameless->data()[without] = static_cast<uint16_t>(i);
      without += 1 + known;
      start = end;
    }
    Unfold(folded, sums);
  }
  return without;
}

size_t ReadChunk(FindEndsFunction find_ends, AddNamedFunction add_named, const TokenWeights& weights,
                 const uint8_t* p, size_t size, bool is_last, TokenSums* sums) {
  UnitEnds ends, nameless;
  ends[0] = 0;
  size_t count = find_ends(p, size, &ends);
  if (is_last && size > 0) ends[count++] = static_cast<uint16_t>(size);
  const size_t without = add_named(weights, p, ends, count, &nameless, sums);
  AddNameless(weights, p, ends, nameless, without, sums);
  return count == 0 ? 0 : ends[count - 1];
}

}  // namespace

size_t ReadChunkAvx2(const TokenWeights& weights, const uint8_t* p, size_t size, bool is_last,
                     TokenSums* sums) {
  return ReadChunk(FindEndsAvx2, AddNamedAvx2, weights, p, size, is_last, sums);
}

size_t ReadChunkAvx512(const TokenWeights& weights, const uint8_t* p, size_t size, bool is_last,
                       TokenSums* sums) {
  return ReadChunk(FindEndsAvx512, AddNamedAvx512, weights, p, size, is_last, sums);
}

}  // namespace purser::estimates

#else

namespace purser::estimates {

size_t ReadChunkAvx2(const TokenWeights& weights, const uint8_t* p, size_t size, bool is_last,
                     TokenSums* sums) {
  return ReadChunkPlain(weights, p, size, is_last, sums);
}

size_t ReadChunkAvx512(const TokenWeights& weights, const uint8_t* p, size_t size, bool is_last,
                       TokenSums* sums) {
  return ReadChunkPlain(weights, p, size, is_last, sums);
}

}  // namespace purser::estimates

#endif
