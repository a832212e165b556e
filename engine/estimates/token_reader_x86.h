#ifndef PURSER_ENGINE_ESTIMATES_TOKEN_READER_X86_H_
#define PURSER_ENGINE_ESTIMATES_TOKEN_READER_X86_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "engine/estimates/token_reader.h"
#include "engine/estimates/token_units.h"

namespace purser::estimates {

// Between the sweeps of ReadChunk on x86.

// Where a chunk's units end, in order (each starts where the one before ends, the first at 0). Room for a few
// more than there can be: they are written by the block.
using UnitEnds = std::array<uint16_t, kChunkBytes + 72>;

// Which of 64 bytes are what, a bit each.
struct ByteMasks {
  uint64_t letter;
  uint64_t capital;
  uint64_t digit;
  uint64_t space;
  uint64_t line_break;
};

// StartsUnit for 64 bytes at a time, block after block of a chunk.
class UnitStarts {
 public:
  // Where units start among the block's bytes, of which `size` (64, or what the chunk has left) count; but
  // not at the chunk's first, where one starts whatever stands before it. `next` is the byte behind the
  // block.
  uint64_t Next(const ByteMasks& is, uint8_t next, size_t size) {
    const uint64_t small = is.letter & ~is.capital, other = ~(is.letter | is.digit);
    const uint64_t next_letter = is.letter >> 1 | static_cast<uint64_t>(IsLetter(next)) << 63;
    const uint64_t after_letter = is.letter << 1 | was_letter_, after_small = small << 1 | was_small_;
    const uint64_t after_break = is.line_break << 1 | was_break_;
    uint64_t starts =
        (is.space & next_letter) | (is.digit & ~(is.digit << 1 | was_digit_)) |
        (other & (~(other << 1 | was_other_) | (after_break & ~is.line_break))) |
        (is.letter & ~(is.space << 1 | was_space_) & (~after_letter | (is.capital & after_small)));
    starts &= ~first_;
    if (size < 64) starts &= (uint64_t{1} << size) - 1;
    first_ = 0;
    was_letter_ = is.letter >> 63;
    was_small_ = small >> 63;
    was_digit_ = is.digit >> 63;
    was_other_ = other >> 63;
    was_space_ = is.space >> 63;
    was_break_ = is.line_break >> 63;
    return starts;
  }

 private:
  uint64_t first_ = 1;
  // Of the byte before the block, in bit 0.
  uint64_t was_letter_ = 0, was_small_ = 0, was_digit_ = 0, was_other_ = 0, was_space_ = 0, was_break_ = 0;
};

// Writes where the units of p[0, size) end, but for the last one; returns how many these are.
using FindEndsFunction = size_t (*)(const uint8_t* p, size_t size, UnitEnds* ends);
size_t FindEndsAvx512(const uint8_t* p, size_t size, UnitEnds* ends);

// Adds up the units that end at ends[0, count). Those without a name are set aside by their number in
// `nameless`; returns how many these are. No branch depends on the text.
using AddNamedFunction = size_t (*)(const TokenWeights& weights, const uint8_t* p, const UnitEnds& ends,
                                    size_t count, UnitEnds* nameless, TokenSums* sums);
// Eight units at a time.
size_t AddNamedAvx512(const TokenWeights& weights, const uint8_t* p, const UnitEnds& ends, size_t count,
                      UnitEnds* nameless, TokenSums* sums);

// Four 16-bit sums in a word, taken out before one can overflow: of at most kFoldedUnits units.
inline constexpr size_t kFoldedUnits = 64;
inline void Unfold(uint64_t folded, TokenSums* sums) {
  for (int f = 0; f < 4; ++f) (*sums)[f] += static_cast<int64_t>((folded >> (16 * f)) & 0xffff);
}

}  // namespace purser::estimates

#endif  // PURSER_ENGINE_ESTIMATES_TOKEN_READER_X86_H_
