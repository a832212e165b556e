#ifndef PURSER_ENGINE_ESTIMATES_TOKEN_READER_H_
#define PURSER_ENGINE_ESTIMATES_TOKEN_READER_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "engine/estimates/token_units.h"

namespace purser::estimates {

// The loops under ReadText. Three of them, which give the same sums for the same bytes: a plain one for any
// machine, and one each for machines with AVX2 and AVX-512.

// Sums in 1/kTokenUnit tokens, a family each.
using TokenSums = std::array<int64_t, 4>;

// A chunk is at most so long; a longer unit is cut there.
inline constexpr size_t kChunkBytes = 4096;
// How many bytes around a chunk may be read. What stands there matters only where it is nearer than 4 bytes.
inline constexpr size_t kChunkPadding = 64;

// Adds up the units that start and end in p[0, size), the first starting at 0, and returns where the first
// one that does not end there starts; with `is_last`, all of them, and returns size.
using ReadChunkFunction = size_t (*)(const TokenWeights& weights, const uint8_t* p, size_t size, bool is_last,
                                     TokenSums* sums);

size_t ReadChunkPlain(const TokenWeights& weights, const uint8_t* p, size_t size, bool is_last,
                      TokenSums* sums);
size_t ReadChunkAvx2(const TokenWeights& weights, const uint8_t* p, size_t size, bool is_last,
                     TokenSums* sums);

size_t ReadChunkAvx512(const TokenWeights& weights, const uint8_t* p, size_t size, bool is_last,
                       TokenSums* sums);

// Whether this machine can run them.
bool HasAvx2();
bool HasAvx512();

// Reads a whole text with one of the loops.
TokenSums ReadWith(ReadChunkFunction read_chunk, const TokenWeights& weights, const uint8_t* text,
                   size_t size);

// The fitted weights, and the fastest loop of this machine.
const TokenWeights& FittedWeights();
ReadChunkFunction FastestReadChunk();

}  // namespace purser::estimates

#endif  // PURSER_ENGINE_ESTIMATES_TOKEN_READER_H_
