#ifndef PURSER_ENGINE_PRICING_TOKEN_UNITS_H_
#define PURSER_ENGINE_PRICING_TOKEN_UNITS_H_

#include <array>
#include <cstdint>
#include <cstring>

namespace purser::pricing {

// What the token estimator and the program that fits its weights (engine/pricing/fit_tokens) have to agree
// on: how a text falls into units, how a unit is named, and the layout of the weights.
//
// A unit is a word (with the one space before it; a capital after a small letter starts a new one), a run of
// digits, or a run of anything else. Tokenizers hardly ever join bytes of two units, so what a unit costs is
// nearly its own affair. Bytes of 0x80 and above count as small letters.

enum ByteClass : uint8_t { kOtherByte = 0, kSmallLetter = 1, kCapital = 2, kDigit = 3 };

constexpr ByteClass ClassOf(uint8_t b) {
  if (b >= 0x80 || (b >= 'a' && b <= 'z')) return kSmallLetter;
  if (b >= 'A' && b <= 'Z') return kCapital;
  return b >= '0' && b <= '9' ? kDigit : kOtherByte;
}
constexpr bool IsLetter(uint8_t b) { return ClassOf(b) == kSmallLetter || ClassOf(b) == kCapital; }

// Whether a unit starts at a byte, from the byte and its neighbours ('\n' before and after the text).
constexpr bool StartsUnit(uint8_t before, uint8_t b, uint8_t after) {
  const bool space_of_word = b == ' ' && IsLetter(after);
  if (space_of_word) return true;
  const ByteClass was = ClassOf(before), is = ClassOf(b);
  if (is == kDigit) return was != kDigit;
  if (is == kOtherByte) return was != kOtherByte;
  if (before == ' ') return false;  // The space started it.
  return !IsLetter(before) || (is == kCapital && was == kSmallLetter);
}

// What stands before a word without a space, or digits, as far as it matters.
constexpr uint8_t ContextOf(uint8_t before) {
  switch (before) {
    case ' ':
      return 1;
    case '_':
      return 2;
    case '.':
      return 3;
    default:
      break;
  }
  if (before < 0x21) return 5;
  switch (ClassOf(before)) {
    case kSmallLetter:
      return 6;
    case kCapital:
      return 7;
    case kDigit:
      return 0;
    case kOtherByte:
      break;
  }
  return 4;
}
// What stands behind it: matters to runs of other bytes only, whose last space may belong to a word.
constexpr uint8_t FollowerOf(uint8_t after) {
  return after == ' ' ? 4 : static_cast<uint8_t>(ClassOf(after) == kCapital ? kSmallLetter : ClassOf(after));
}

inline uint64_t LoadWord(const uint8_t* p) {
  uint64_t word;
  std::memcpy(&word, p, sizeof(word));
  return word;
}

// A unit's name: of its first eight bytes, its last eight, its length and what stands around it. A run of
// digits is named by its length. `first` and `last` as LoadWord gives them; bytes of `first` beyond the unit
// may be anything; `last` is not looked at in units shorter than eight.
constexpr uint64_t UnitName(uint64_t first, uint64_t last, uint64_t length, uint8_t before, uint8_t after) {
  const auto head = static_cast<uint8_t>(first);
  const ByteClass is = ClassOf(head);
  uint64_t around = ContextOf(before);
  if (is == kDigit) {
    first = last = 0;
  } else {
    if (length < 8) {
      first &= (uint64_t{1} << (8 * length)) - 1;
      last = 0;
    }
    if (is == kOtherByte) {
      const bool word = head == ' ' && length > 1 && IsLetter(static_cast<uint8_t>(first >> 8));
      around = word ? 8 : 16 + FollowerOf(after);
    }
  }
  uint64_t hash = (first ^ (length << 56) ^ (around << 48)) * 0x9e3779b97f4a7c15;
  hash ^= hash >> 32;
  hash += last * 0xc2b2ae3d27d4eb4f;
  hash = (hash ^ (hash >> 29)) * 0xbf58476d1ce4e5b9;
  return hash ^ (hash >> 32);
}

// The weights, as they lie in token_weights.bin, little-endian. Tokens are counted in 1/kTokenUnit.
inline constexpr int kTokenUnit = 128;
inline constexpr int kPaletteBits = 12;
inline constexpr int kNamedBits = 18;
inline constexpr int kPairBits = 16;
inline constexpr int kWindowBits = 17;

struct TokenWeights {
  // What known units cost: `named` holds, at a unit's slot, the rest of its name and which entry of the
  // palette it has. A palette's entry is four uint16, a family each.
  std::array<uint64_t, size_t{1} << kPaletteBits> palette;
  std::array<uint32_t, size_t{1} << kNamedBits> named;
  // What a byte of other units costs: by itself and the byte before it, corrected by the window from three
  // bytes before it to two behind it. Four uint8, a family each, kByteZero standing for 0.
  std::array<uint32_t, size_t{1} << kPairBits> pairs;
  std::array<uint32_t, size_t{1} << kWindowBits> windows;
};
inline constexpr int kByteZero = 128;

constexpr uint32_t NamedSlot(uint64_t name) { return static_cast<uint32_t>(name >> (64 - kNamedBits)); }
// With the palette's bits clear.
constexpr uint32_t NamedTag(uint64_t name) { return static_cast<uint32_t>(name) << kPaletteBits; }

constexpr uint32_t PairSlot(uint8_t before, uint8_t b) { return static_cast<uint32_t>(b) << 8 | before; }
// `window`: LoadWord of three bytes before. Two multiplications of 32 bits, as vectors have them.
inline constexpr uint32_t kWindowLowFactor = 0x9e3779b1, kWindowHighFactor = 0x85ebca77;
constexpr uint32_t WindowSlot(uint64_t window) {
  const auto low = static_cast<uint32_t>(window);
  const auto high = static_cast<uint32_t>(window >> 32) & 0xffff;
  return (low * kWindowLowFactor + high * kWindowHighFactor) >> (32 - kWindowBits);
}

}  // namespace purser::pricing

#endif  // PURSER_ENGINE_PRICING_TOKEN_UNITS_H_
