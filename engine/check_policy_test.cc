// What a person who writes a policy is told: every mistake of every stage, with its line, in one round.

#include <string>
#include <vector>

#include "engine/revision.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace purser {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> ErrorsOf(const std::string& policy) {
  ModelStatsTable models;
  ClassStatsTable classes;
  std::vector<Diagnostics> diagnostics;
  const auto revision = Revision::Compile(
      {.policy_file = "", .policy_text = policy, .price_books = {}},
      {.models = &models, .classes = &classes, .now_nanos = 0, .previous = nullptr}, &diagnostics);
  std::vector<std::string> errors;
  for (const Diagnostics& of_file : diagnostics) {
    for (const Diagnostic& diagnostic : of_file.Sorted()) {
      if (diagnostic.severity == Severity::kError) errors.push_back(diagnostic.ToString());
    }
  }
  EXPECT_EQ(revision == nullptr, !errors.empty());
  return errors;
}

TEST(CheckPolicy, FivePlantedMistakesAreFiveErrorsOnTheirLines) {
  EXPECT_THAT(
      ErrorsOf("name: \"five mistakes\"\n"
               "candidates { model: \"gpt-5\" quality: 90 }\n"
               "candidates { model: \"gpt-5-mini\" quality: high }\n"
               "signals { name: \"code\" patterns { regex: \"(unclosed\" } }\n"
               "rules {\n"
               "  name: \"hard\"\n"
               "  when { signal: \"cod\" }\n"
               "  min_qualty: 80\n"
               "  min_quality: 80\n"
               "}\n"
               "budgets { name: \"cap\" scope: CUSTOMER usd: \"five\" }\n"),
      ElementsAre(
          HasSubstr("policy:3:43: error: Expected integer"),
          HasSubstr("policy:4:35: error: \"(unclosed\" is no regex"),
          HasSubstr("policy:7:10: error: no signal is named \"cod\""),
          HasSubstr("policy:8:3: error: unknown field \"min_qualty\" in Rule; did you mean \"min_quality\"?"),
          HasSubstr("policy:11:39: error: \"five\" is not an amount")));
}

TEST(CheckPolicy, WhatCannotBeReadIsOneError) {
  ModelStatsTable models;
  ClassStatsTable classes;
  std::vector<Diagnostics> diagnostics;
  EXPECT_EQ(Revision::Compile(
                {.policy_file = "/nonexistent/p.textproto", .policy_text = "", .price_books = {}},
                {.models = &models, .classes = &classes, .now_nanos = 0, .previous = nullptr}, &diagnostics),
            nullptr);
  ASSERT_EQ(diagnostics.size(), 1u);
  EXPECT_EQ(diagnostics[0].errors(), 1);
}

TEST(CheckPolicy, AGoodPolicyHasNone) {
  EXPECT_THAT(ErrorsOf("candidates { model: \"gpt-5\" }"), ElementsAre());
}

TEST(CheckPolicy, MistakesOfCachingStandOnTheirLines) {
  EXPECT_THAT(
      ErrorsOf("candidates { model: \"gpt-5\" }\n"
               "caching {\n"
               "  defaults { ttl: \"soon\" threshold: 1.5 lookup_cost_usd: \"much\" }\n"
               "  classes { request_class: \"chat\" }\n"
               "  verified { delta: -1 }\n"
               "  memory_mib: -1\n"
               "  embedder { static_model: \"/nonexistent\" }\n"
               "}\n"),
      ElementsAre(HasSubstr("policy:3:14: error: "), HasSubstr("policy:3:26: error: 1.5 is no cosine"),
                  HasSubstr("policy:3:41: error: \"much\" is not an amount"),
                  HasSubstr("policy:4:13: error: no request class is named \"chat\""),
                  HasSubstr("policy:5:14: error: -1 is no share"), HasSubstr("policy:6:3: error: -1"),
                  HasSubstr("policy:7:14: error: cannot open /nonexistent")));
}

TEST(CheckPolicy, ANamespaceOfUnknownFieldsIsAnError) {
  EXPECT_THAT(ErrorsOf("candidates { model: \"gpt-5\" }\ncaching { namespace_template: \"{tennant}\" }"),
              ElementsAre(HasSubstr("policy:2:11: error: requests have no field {tennant}")));
}

}  // namespace
}  // namespace purser
