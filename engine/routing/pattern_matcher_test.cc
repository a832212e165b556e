#include "engine/routing/pattern_matcher.h"

#include <random>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace purser::routing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<int> Occurring(const PatternMatcher& matcher, std::string_view text) {
  std::vector<uint64_t> seen((matcher.size() + 63) / 64, 0);
  PatternMatcher::Scratch scratch;
  matcher.Match(text, seen.data(), &scratch);
  std::vector<int> numbers;
  for (int i = 0; i < matcher.size(); ++i) {
    if (seen[i >> 6] >> (i & 63) & 1) numbers.push_back(i);
  }
  return numbers;
}

TEST(PatternMatcherTest, KeywordsAreWholeWordsInAnyCase) {
  PatternMatcher matcher;
  for (const char* keyword : {"art", "state of the art", "c++", "é", "договор", "law"}) {
    ASSERT_TRUE(matcher.AddKeyword(keyword).ok());
  }
  ASSERT_TRUE(matcher.Compile().ok());
  EXPECT_THAT(Occurring(matcher, "ART!"), ElementsAre(0));
  EXPECT_THAT(Occurring(matcher, "start arty art_1 martl"), IsEmpty());
  EXPECT_THAT(Occurring(matcher, "the State of\nthe Art"), ElementsAre(0, 1));
  EXPECT_THAT(Occurring(matcher, "C++"), ElementsAre(2));
  EXPECT_THAT(Occurring(matcher, "xc++"), IsEmpty());
  EXPECT_THAT(Occurring(matcher, "café"), ElementsAre(3));
  EXPECT_THAT(Occurring(matcher, "договоры"), ElementsAre(4));
  EXPECT_THAT(Occurring(matcher, "law"), ElementsAre(5));
  EXPECT_THAT(Occurring(matcher, ""), IsEmpty());
}

TEST(PatternMatcherTest, FindSaysWhere) {
  PatternMatcher matcher;
  ASSERT_TRUE(matcher.AddKeyword("lease").ok());
  ASSERT_TRUE(matcher.AddRegex("[0-9]+", false).ok());
  ASSERT_TRUE(matcher.Compile().ok());
  const std::string_view text = "release 12, Lease 3";
  std::string_view where;
  ASSERT_TRUE(matcher.Find(0, text, &where));
  EXPECT_EQ(where.data() - text.data(), 12);
  ASSERT_TRUE(matcher.Find(1, text, &where));
  EXPECT_EQ(where, "12");
  EXPECT_FALSE(matcher.Find(0, "release", &where));
}

TEST(PatternMatcherTest, AKeywordHasToSaySomething) {
  PatternMatcher matcher;
  EXPECT_FALSE(matcher.AddKeyword("").ok());
  EXPECT_FALSE(matcher.AddKeyword(" \n").ok());
}

TEST(PatternMatcherTest, ABadRegexIsAnErrorWithRe2sReason) {
  PatternMatcher matcher;
  EXPECT_THAT(std::string(matcher.AddRegex("a(b", false).status().message()),
              ::testing::HasSubstr("missing )"));
}

// All ways to match give the same answer, and RE2's one by one is the reference.
TEST(PatternMatcherTest, LiteralsSetAndOneByOneAgree) {
  const std::vector<std::pair<std::string, bool>> regexes = {{"alpha", false},
                                                             {"\\bbeta\\b", true},
                                                             {"gam+a", false},
                                                             {"^delta", false},
                                                             {"x|y", false},
                                                             {"(foo|bar)baz", false},
                                                             {"[0-9]{3}", false},
                                                             {"Épsilon", false},
                                                             {"(?i)ZETA", true},
                                                             {"eta\\s+theta", false},
                                                             {"a.c", false},
                                                             {"omega$", true},
                                                             {"(?:)", false},
                                                             {"task", false},
                                                             {"TASK", true},
                                                             {"   ", false},
                                                             {"\\Qa.c", false},
                                                             {"\\QFoo", true},
                                                             {"foo|(?-i)ABC|bar", false}};
  const std::vector<std::string> words = {
      "alpha", "ALPHA", "beta",      "Beta",      "gamma", "gama", "delta", "foo",   "bar", "baz",
      "123",   "12",    "épsilon",   "ÉPSILON",   "zeta",  "Zeta", "eta",   "theta", "abc", "omega",
      "x",     "\n",    "tas\u212A", "ta\u017Fk", "task",  "   ",  "a.c",   "Foo",   "ABC"};
  std::mt19937_64 random(3);
  // Few of them, mostly: with many, the usual way is to match them together.
  for (int subset = 0; subset < 200; ++subset) {
    PatternMatcher usual;
    PatternMatcher one_by_one;
    PatternMatcher together;
    const uint64_t share = subset == 0 ? 1 : 2 + random() % 12;
    for (const auto& [regex, case_sensitive] : regexes) {
      if (random() % share != 0) continue;
      for (PatternMatcher* matcher : {&usual, &one_by_one, &together})
        ASSERT_TRUE(matcher->AddRegex(regex, case_sensitive).ok());
    }
    for (PatternMatcher* matcher : {&usual, &one_by_one, &together}) ASSERT_TRUE(matcher->Compile().ok());
    one_by_one.ForceForTest(PatternMatcher::Way::kOneByOne);
    together.ForceForTest(PatternMatcher::Way::kTogether);
    for (int round = 0; round < 100; ++round) {
      std::string text;
      for (size_t i = random() % 6; i > 0; --i)
        text += words[random() % words.size()] + (random() % 2 ? " " : "");
      const std::vector<int> expected = Occurring(one_by_one, text);
      ASSERT_EQ(Occurring(usual, text), expected) << text;
      ASSERT_EQ(Occurring(together, text), expected) << text;
    }
  }
}

TEST(PatternMatcherTest, ManyKeywordsAgreeWithAPlainSearch) {
  std::mt19937_64 random(5);
  const auto word = [&random] {
    std::string text;
    for (size_t i = 1 + random() % 4; i > 0; --i) text += static_cast<char>('a' + random() % 3);
    return text;
  };
  for (int round = 0; round < 100; ++round) {
    PatternMatcher matcher;
    std::vector<std::string> keywords;
    for (int i = 0; i < 40; ++i) {
      keywords.push_back(random() % 4 == 0 ? word() + " " + word() : word());
      ASSERT_TRUE(matcher.AddKeyword(keywords.back()).ok());
    }
    ASSERT_TRUE(matcher.Compile().ok());
    std::string text;
    for (int i = 0; i < 12; ++i) text += word() + (random() % 5 == 0 ? ". " : " ");
    std::vector<int> expected;
    for (int i = 0; i < 40; ++i) {
      const std::string padded = " " + text + " ";
      bool found = false;
      for (const char* before : {" ", "."}) {
        for (const char* after : {" ", "."})
          found |= padded.find(before + keywords[i] + after) != std::string::npos;
      }
      if (found) expected.push_back(i);
    }
    ASSERT_EQ(Occurring(matcher, text), expected) << text;
  }
}

}  // namespace
}  // namespace purser::routing
