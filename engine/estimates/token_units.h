#ifndef PURSER_ENGINE_ESTIMATES_TOKEN_UNITS_H_
#define PURSER_ENGINE_ESTIMATES_TOKEN_UNITS_H_

#include <array>
#include <cstdint>
#include <cstring>

namespace purser::estimates {

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
  if (is == kOtherByte) return was != kOtherByte || (before == '\n' && b != '\n');
  if (before == ' ') return false;  // The space started it.
  return !IsLetter(before) || (is == kCapital && was == kSmallLetter);
}

// What stands before a word without a space, as far as it matters: tokenizers draw one character that is
// neither letter nor digit into the word, unless it ends a run of such characters or the line.
inline constexpr uint8_t kAfterSmallLetter = 0x80, kAfterNothing = 0x81, kAfterSpace = 0xff;
constexpr bool IsMark(uint8_t b) {
  return ClassOf(b) == kOtherByte && b != ' ' && b != '\t' && b != '\n' && b != '\r';
}
// By the byte before, if the one before that does not matter.
constexpr uint8_t DrawnIn(uint8_t before) {
  if (ClassOf(before) == kSmallLetter) return kAfterSmallLetter;
  return IsMark(before) || before == '\t' ? before : kAfterNothing;
}
constexpr bool KeepsMarkAway(uint8_t second_before) { return IsMark(second_before) || second_before == ' '; }
constexpr uint8_t ContextOf(uint8_t second_before, uint8_t before) {
  return IsMark(before) && KeepsMarkAway(second_before) ? kAfterNothing : DrawnIn(before);
}
// What stands behind a run of other bytes, whose last space may belong to a word.
constexpr uint8_t FollowerOf(uint8_t after) {
  if (after == ' ') return 0x94;
  return static_cast<uint8_t>(0x90 + (ClassOf(after) == kCapital ? kSmallLetter : ClassOf(after)));
}

inline uint64_t LoadWord(const uint8_t* p) {
  uint64_t word;
  std::memcpy(&word, p, sizeof(word));
  return word;
}

// A hash of what a unit is and of what stands around it.
inline constexpr std::array<uint64_t, 3> kUnitFactors = {0x9e3779b97f4a7c15, 0xc2b2ae3d27d4eb4f,
                                                         0xbf58476d1ce4e5b9};
constexpr uint64_t HashUnit(uint64_t first, uint64_t last, uint64_t length, uint64_t around) {
  uint64_t hash = (first ^ (length << 56) ^ (around << 48)) * kUnitFactors[0];
  hash ^= hash >> 32;
  hash += last * kUnitFactors[1];
  hash = (hash ^ (hash >> 29)) * kUnitFactors[2];
  return hash ^ (hash >> 32);
}

// The name of the unit p[0, length): of its first eight bytes, its last eight, its length and what stands
// around it. A run of digits is named by its length. Reads up to eight bytes before and behind.
inline uint64_t UnitName(const uint8_t* p, size_t length) {
  uint64_t first = LoadWord(p), last = 0;
  if (length < 8)
    first &= (uint64_t{1} << (8 * length)) - 1;
  else
    last = LoadWord(p + length - 8);
  switch (ClassOf(p[0])) {
    case kDigit:
      return HashUnit(0, 0, length, kAfterNothing);
    case kOtherByte:
      if (p[0] == ' ' && length > 1 && IsLetter(p[1])) return HashUnit(first, last, length, kAfterSpace);
      return HashUnit(first, last, length, FollowerOf(p[length]));
    case kSmallLetter:
    case kCapital:
      break;
  }
  return HashUnit(first, last, length, ContextOf(p[-2], p[-1]));
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

}  // namespace purser::estimates

#endif  // PURSER_ENGINE_ESTIMATES_TOKEN_UNITS_H_
