#include "engine/budget/sha256.h"

#include <string>

#include "gtest/gtest.h"

namespace purser::budget {
namespace {

std::string Hex(const std::array<uint8_t, 32>& digest) {
  std::string text;
  for (const uint8_t byte : digest) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

std::string HashOf(std::string_view text) {
  Sha256 sha;
  sha.Add(text);
  return Hex(sha.Finish());
}

// The examples of FIPS 180-4: snapshots hold keys made with it.
TEST(Sha256, AgreesWithTheStandard) {
  EXPECT_EQ(HashOf(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(HashOf("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(HashOf("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(HashOf(std::string(1'000'000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, DoesNotCareHowItsInputIsCut) {
  const std::string text(300, 'x');
  for (size_t cut = 0; cut <= text.size(); ++cut) {
    Sha256 sha;
    sha.Add(std::string_view(text).substr(0, cut));
    sha.Add(std::string_view(text).substr(cut));
    EXPECT_EQ(Hex(sha.Finish()), HashOf(text)) << cut;
  }
}

}  // namespace
}  // namespace purser::budget
