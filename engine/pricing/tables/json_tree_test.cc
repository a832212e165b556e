#include "engine/pricing/tables/json_tree.h"

#include "gtest/gtest.h"

namespace purser::pricing {
namespace {

TEST(JsonTree, KeepsNumbersAsTheyAreWritten) {
  const auto tree = ParseJsonTree(
      R"([3, -7, 0.10, 4.063e-7, 1.2999000000000001e-07, 1E2, 18446744073709551615, 123456789012345678901234567890])");
  ASSERT_TRUE(tree.ok()) << tree.status();
  std::vector<std::string> texts;
  for (const JsonTree& item : tree->items) {
    EXPECT_TRUE(item.is_number()) << item.text;
    texts.push_back(item.text);
  }
  EXPECT_EQ(texts, (std::vector<std::string>{"3", "-7", "0.10", "4.063e-7", "1.2999000000000001e-07", "1E2",
                                             "18446744073709551615", "123456789012345678901234567890"}));
}

TEST(JsonTree, KeepsTheOrderOfMembers) {
  const auto tree = ParseJsonTree(R"({"z": {"b": [true, null, "x"], "a": []}, "a": "caf\u00e9"})");
  ASSERT_TRUE(tree.ok()) << tree.status();
  ASSERT_EQ(tree->members.size(), 2u);
  EXPECT_EQ(tree->members[0].first, "z");
  EXPECT_EQ(tree->StringAt("a"), "caf\xc3\xa9");
  const JsonTree& list = *tree->Find("z")->Find("b");
  ASSERT_EQ(list.items.size(), 3u);
  EXPECT_TRUE(list.items[0].is_true());
  EXPECT_EQ(list.items[1].type, JsonTree::Type::kNull);
  EXPECT_EQ(list.items[2].text, "x");
  EXPECT_TRUE(tree->Find("z")->Find("a")->is_array());
  EXPECT_EQ(tree->Find("none"), nullptr);
}

TEST(JsonTree, RefusesWhatIsNotJsonOrTooDeep) {
  for (const char* text : {"", "{", "[1,]", "{\"a\" 1}", "[1] 2", "[NaN]", "\"\xff\"", "[01]", "[1e999]"}) {
    EXPECT_FALSE(ParseJsonTree(text).ok()) << text;
  }
  EXPECT_TRUE(ParseJsonTree(std::string(64, '[') + std::string(64, ']')).ok());
  const auto deep = ParseJsonTree(std::string(65, '[') + std::string(65, ']'));
  EXPECT_EQ(deep.status().message(), "not JSON: nested more than 64 deep");
}

}  // namespace
}  // namespace purser::pricing
