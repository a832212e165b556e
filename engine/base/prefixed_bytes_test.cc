#include "engine/base/prefixed_bytes.h"

#include <limits>
#include <map>
#include <vector>

#include "gtest/gtest.h"

namespace purser {
namespace {

using Parts = std::vector<std::string>;

// Lengths that look like text, text that looks like lengths.
const Parts& Hostile() {
  static const Parts parts = {"",
                              "/",
                              "a",
                              "a/",
                              "/a",
                              "a/b",
                              std::string(1, '\0'),
                              std::string("\1\0\0\0", 4),
                              std::string("\1\0\0\0a", 5),
                              std::string("\0\0\0\0\0\0\0\0", 8),
                              "\xff\xff\xff\xff",
                              "\x80",
                              std::string(127, 'x'),
                              std::string(128, 'x'),
                              std::string(300, '\x80')};
  return parts;
}

std::vector<Parts> Lists() {
  std::vector<Parts> lists = {{}};
  for (const std::string& a : Hostile()) {
    lists.push_back({a});
    for (const std::string& b : Hostile()) {
      lists.push_back({a, b});
      lists.push_back({a, b, ""});
      lists.push_back({"", a, b});
    }
  }
  return lists;
}

// As written with lengths of each kind.
template <typename Length>
struct Fixed {
  static std::string Join(const Parts& parts) {
    std::string bytes;
    for (const std::string& part : parts) AppendPart<Length>(part, &bytes);
    return bytes;
  }
  static bool Take(std::string_view* bytes, std::string_view* part) { return TakePart<Length>(bytes, part); }
};
struct Varint {
  static std::string Join(const Parts& parts) {
    std::string bytes;
    for (const std::string& part : parts) {
      char length[kMaxVarintLength];
      bytes.append(length, PutVarintLength(part.size(), length));
      bytes += part;
    }
    return bytes;
  }
  static bool Take(std::string_view* bytes, std::string_view* part) {
    size_t length;
    if (!TakeVarintLength(bytes, &length) || length > bytes->size()) return false;
    *part = bytes->substr(0, length);
    bytes->remove_prefix(length);
    return true;
  }
};

template <typename Kind>
class PrefixedBytesTest : public ::testing::Test {};
using Kinds = ::testing::Types<Fixed<uint32_t>, Fixed<uint64_t>, Varint>;
TYPED_TEST_SUITE(PrefixedBytesTest, Kinds);

TYPED_TEST(PrefixedBytesTest, NoTwoListsReadAlikeAndEachComesBack) {
  std::map<std::string, Parts> seen;
  for (const Parts& parts : Lists()) {
    const std::string bytes = TypeParam::Join(parts);
    const auto [at, is_new] = seen.emplace(bytes, parts);
    EXPECT_TRUE(is_new || at->second == parts);
    Parts read;
    std::string_view rest = bytes, part;
    while (!rest.empty()) {
      ASSERT_TRUE(TypeParam::Take(&rest, &part));
      read.emplace_back(part);
    }
    EXPECT_EQ(read, parts);
  }
}

TYPED_TEST(PrefixedBytesTest, WhatIsCutOffIsNoPart) {
  for (const std::string& text : Hostile()) {
    const std::string bytes = TypeParam::Join({text});
    for (size_t size = 0; size < bytes.size(); ++size) {
      const std::vector<char> cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
      std::string_view rest(cut.data(), cut.size()), part;
      EXPECT_FALSE(TypeParam::Take(&rest, &part));
    }
  }
}

TEST(PrefixedLengthsTest, LengthsAreStoredAsTheyAlwaysWere) {
  EXPECT_EQ(Fixed<uint32_t>::Join({"ab"}), std::string("\2\0\0\0ab", 6));
  EXPECT_EQ(Fixed<uint64_t>::Join({"ab"}), std::string("\2\0\0\0\0\0\0\0ab", 10));
  EXPECT_EQ(Varint::Join({"ab"}), "\2ab");
  EXPECT_EQ(Varint::Join({std::string(300, 'x')}).substr(0, 3), "\xac\2x");
}

TEST(PrefixedLengthsTest, LengthsBeyondAllBytesAreRefused) {
  std::string_view part;
  for (const std::string& bytes : {std::string(8, '\xff'), std::string(20, '\xff')}) {
    std::string_view rest = bytes;
    EXPECT_FALSE(TakePart<uint64_t>(&rest, &part));
    EXPECT_FALSE(TakePart<uint32_t>(&rest, &part));
    size_t length;
    EXPECT_FALSE(TakeVarintLength(&rest, &length));
    EXPECT_EQ(rest, bytes);
  }
  char bytes[kMaxVarintLength];
  EXPECT_EQ(PutVarintLength(std::numeric_limits<size_t>::max(), bytes) - bytes, 10);
}

}  // namespace
}  // namespace purser
