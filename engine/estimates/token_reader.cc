#include "engine/estimates/token_reader.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <memory>

#include "engine/estimates/token_weights.h"

namespace purser::estimates {
namespace {

constexpr uint32_t kEntryMask = (uint32_t{1} << kPaletteBits) - 1;

void AddCost(uint32_t costs, TokenSums* sums) {
  for (int f = 0; f < 4; ++f) (*sums)[f] += static_cast<int64_t>((costs >> (8 * f)) & 0xff) - kByteZero;
}

void AddUnit(const TokenWeights& weights, const uint8_t* p, size_t length, TokenSums* sums) {
  const uint64_t name = UnitName(p, length);
  const uint32_t entry = weights.named[NamedSlot(name)];
  if (((entry ^ NamedTag(name)) & ~kEntryMask) == 0) {
    const uint64_t costs = weights.palette[entry & kEntryMask];
    for (int f = 0; f < 4; ++f) (*sums)[f] += static_cast<int64_t>((costs >> (16 * f)) & 0xffff);
    return;
  }
  for (size_t i = 0; i < length; ++i) {
    AddCost(weights.pairs[PairSlot(p[i - 1], p[i])], sums);
    AddCost(weights.windows[WindowSlot(LoadWord(p + i - 3))], sums);
  }
}

}  // namespace

size_t ReadChunkPlain(const TokenWeights& weights, const uint8_t* p, size_t size, bool is_last,
                      TokenSums* sums) {
  size_t start = 0;
  for (size_t i = 1; i < size; ++i) {
    if (!StartsUnit(p[i - 1], p[i], p[i + 1])) continue;
    AddUnit(weights, p + start, i - start, sums);
    start = i;
  }
  if (!is_last) return start;
  if (size > 0) AddUnit(weights, p + start, size - start, sums);
  return size;
}

TokenSums ReadWith(ReadChunkFunction read_chunk, const TokenWeights& weights, const uint8_t* text,
                   size_t size) {
  // The text passes through a buffer, so that the loops may look around freely; beyond the text there are
  // line breaks.
  std::array<uint8_t, kChunkBytes + 2 * kChunkPadding> buffer;
  uint8_t* const chunk = buffer.data() + kChunkPadding;
  TokenSums sums = {};
  std::memset(buffer.data(), '\n', kChunkPadding);
  for (size_t at = 0; at < size;) {
    const size_t length = std::min(kChunkBytes, size - at);
    const size_t before = std::min<size_t>(at, 8);
    const size_t with_after = std::min(length + 8, size - at);
    std::memcpy(chunk - before, text + at - before, before + with_after);
    std::memset(chunk + with_after, '\n', length + kChunkPadding - with_after);
    const bool is_last = at + length == size;
    size_t done = read_chunk(weights, chunk, length, is_last, &sums);
    if (done == 0) done = read_chunk(weights, chunk, length, true, &sums);  // One unit longer than a chunk.
    at += done;
  }
  return sums;
}

const TokenWeights& FittedWeights() {
  // Copied once to where it is aligned.
  static const TokenWeights* const weights = [] {
    static_assert(std::endian::native == std::endian::little);
    auto* copy = new TokenWeights;
    if (kTokenWeights.size() != sizeof(TokenWeights)) std::abort();
    std::memcpy(static_cast<void*>(copy), kTokenWeights.data(), sizeof(TokenWeights));
    return copy;
  }();
  return *weights;
}

bool HasAvx2() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
#else
  return false;
#endif
}

bool HasAvx512() {
#if defined(__x86_64__)
  return HasAvx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512vbmi2");
#else
  return false;
#endif
}

ReadChunkFunction FastestReadChunk() {
  static const ReadChunkFunction fastest = HasAvx512() ? ReadChunkAvx512
                                           : HasAvx2() ? ReadChunkAvx2
                                                       : ReadChunkPlain;
  return fastest;
}

}  // namespace purser::estimates
