#include "policies/textproto.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "purser/policy.pb.h"

namespace purser {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> Lines(const Diagnostics& diagnostics) {
  std::vector<std::string> lines;
  for (const Diagnostic& d : diagnostics.Sorted()) lines.push_back(d.ToString());
  return lines;
}

TEST(Textproto, KnowsWhereEachFieldStands) {
  policy::Policy policy;
  const Diagnostics read = ParseTextproto(
      "name: \"p\"\n"
      "candidates { model: \"a\" }\n"
      "candidates {\n"
      "  model: \"b\"\n"
      "    quality: 3\n"
      "}\n",
      "p.textproto", &policy);
  ASSERT_TRUE(read.ok()) << read.ToStatus();
  Diagnostics diagnostics = read;
  diagnostics.Error("candidates[1].quality", "too high");
  diagnostics.Error("candidates[1].regions[0]", "not there: falls back to its candidate");
  diagnostics.Warning("candidates[0]", "first");
  EXPECT_THAT(Lines(diagnostics),
              ElementsAre("p.textproto:2:1: warning: first",
                          "p.textproto:3:1: error: not there: falls back to its candidate",
                          "p.textproto:5:5: error: too high"));
}

TEST(Textproto, ReportsEveryMistakeOfFormInOneRound) {
  policy::Policy policy;
  const Diagnostics read = ParseTextproto(
      "nam: \"p\"\n"
      "candidates { model: \"a\" quality: \"high\" }\n"
      "candidates {\n"
      "  model: b\n"
      "  capabilities: TOLS\n"
      "  quality: 2\n"
      "}\n"
      "request_classes { frobnicate: 3 }\n",
      "p.textproto", &policy);
  EXPECT_THAT(
      Lines(read),
      ElementsAre(
          HasSubstr("p.textproto:1:1: error: unknown field \"nam\" in Policy; did you mean \"name\"?"),
          HasSubstr("p.textproto:2:34: error: Expected integer"),
          HasSubstr("p.textproto:4:10: error: Expected string"),
          HasSubstr(
              "p.textproto:5:17: error: unknown value \"TOLS\" of capabilities; did you mean \"TOOLS\"?"),
          HasSubstr("p.textproto:8:19: error: unknown field \"frobnicate\" in RequestClass; expected one of: "
                    "name, ")));
}

TEST(Textproto, WhatStandsBesideAMistakeIsRead) {
  policy::Policy policy;
  ParseTextproto(
      "candidates { model: \"a\" quality: high name: \"n\" }\ncandidates { model \"b\" quality: 3 }\n", "p",
      &policy);
  ASSERT_EQ(policy.candidates_size(), 2);
  policy::Policy three;
  EXPECT_EQ(
      ParseTextproto("candidates { quality: high max_output_tokens: many model: 3 }", "p", &three).errors(),
      3);
  EXPECT_EQ(policy.candidates(0).model(), "a");
  EXPECT_EQ(policy.candidates(0).name(), "n");
  EXPECT_EQ(policy.candidates(1).quality(), 3);
}

TEST(Textproto, AnyBytesAreReadToAnEnd) {
  // Whatever is cut out of or put into a good text, reading ends and says where.
  const std::string good =
      "name: \"p\"\ncandidates { model: \"a\" quality: 3 capabilities: [TOOLS, VISION] }\n";
  for (size_t i = 0; i < good.size(); ++i) {
    for (const char* insert : {"", "{", "}", "\"", ":", "\n", "\\", "[", "x"}) {
      policy::Policy policy;
      std::string text = good;
      text.replace(i, *insert == 0 ? 1 : 0, insert);
      for (const Diagnostic& diagnostic : ParseTextproto(text, "p", &policy).Sorted()) {
        EXPECT_GE(diagnostic.position.line, 1) << text;
        EXPECT_LE(diagnostic.position.line, 4) << text;
      }
    }
  }
}

TEST(Textproto, AnUnclosedMessageIsOneError) {
  policy::Policy policy;
  const Diagnostics read = ParseTextproto("candidates {\n  model: \"a\"\n", "p.textproto", &policy);
  EXPECT_EQ(read.errors(), 1) << read.ToStatus();
}

TEST(Textproto, ADefaultThatMeansSomethingIsAmongWhatIsExpected) {
  policy::Patterns patterns;
  EXPECT_THAT(Lines(ParseTextproto("in: EVERYTHING", "p", &patterns)),
              ElementsAre(HasSubstr("expected one of: LAST_USER_TURN, SYSTEM_PROMPT, HISTORY")));
}

TEST(Textproto, WhatIsNestedTooDeeplyIsAMistake) {
  for (const std::string field : {"not", "unknown"}) {
    std::string text;
    for (int i = 0; i < 50'000; ++i) text += field + " { ";
    text += "signal: \"s\"";
    for (int i = 0; i < 50'000; ++i) text += " }";
    policy::Condition condition;
    const Diagnostics read = ParseTextproto(text, "p.textproto", &condition);
    EXPECT_FALSE(read.ok()) << field;
    EXPECT_THAT(Lines(read), ::testing::Contains(HasSubstr("too deep"))) << field;
  }
}

TEST(Textproto, AFileThatCannotBeReadSaysWhy) {
  policy::Policy policy;
  const Diagnostics read = ReadTextproto("/nonexistent/policy.textproto", &policy);
  EXPECT_THAT(Lines(read),
              ElementsAre(HasSubstr("/nonexistent/policy.textproto: error: cannot be read: No such file")));
  EXPECT_THAT(Lines(ReadTextproto(testing::TempDir(), &policy)),
              ElementsAre(HasSubstr("error: cannot be read: Is a directory")));
}

}  // namespace
}  // namespace purser
