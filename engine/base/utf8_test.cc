#include "engine/base/utf8.h"

#include <string>

#include "gtest/gtest.h"

namespace purser {
namespace {

// By hand, as RFC 3629 says.
std::string Encoded(char32_t point) {
  const auto tail = [&](int shift) { return static_cast<char>(0x80 + (point >> shift) % 64); };
  if (point < 0x80) return {static_cast<char>(point)};
  if (point < 0x800) return {static_cast<char>(0xc0 + point / 64), tail(0)};
  if (point < 0x10000) return {static_cast<char>(0xe0 + point / 4096), tail(6), tail(0)};
  return {static_cast<char>(0xf0 + point / 262144), tail(12), tail(6), tail(0)};
}

TEST(Utf8Test, EveryCharacterIsReadAndNoSurrogateIs) {
  for (char32_t point = 0; point < 0x110000; ++point) {
    const std::string text = "a" + Encoded(point) + "b";
    const Character character = CharacterAt(text, 1);
    const bool surrogate = point >= 0xd800 && point <= 0xdfff;
    ASSERT_EQ(character.bytes, surrogate ? 0 : text.size() - 2) << static_cast<uint32_t>(point);
    ASSERT_EQ(character.point, surrogate ? 0 : point);
  }
}

TEST(Utf8Test, NothingElseIsACharacter) {
  const std::string cases[] = {
      "\x80",  // Opens nothing.
      "\xbf",
      "\xc3",  // Cut off.
      "\xe2\x82",
      "\xf0\x9f\x98",
      "\xc3(",  // Interrupted.
      "\xe2\x82(",
      "\xf0\x9f(\x80",
      "\xc0\xaf",  // Longer than it need be.
      "\xc1\xbf",
      "\xe0\x9f\xbf",
      "\xf0\x8f\xbf\xbf",
      "\xf4\x90\x80\x80",  // Beyond the last.
      "\xf5\x80\x80\x80",
      "\xff",
  };
  for (const std::string& text : cases) EXPECT_EQ(CharacterAt(text, 0).bytes, 0u) << text;
}

}  // namespace
}  // namespace purser
