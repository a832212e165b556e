// How the default policy's complexity score sorts prompts of eleven kinds, written for this test and labelled
// before the score saw them. What it gets wrong stands in the file as "got": a change of the score shows
// here, whichever way.

#include <map>
#include <string>

#include "engine/routing/program.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "policies/textproto.h"
#include "tests/routing/default_policy_files.h"

namespace purser::routing {
namespace {

TEST(DefaultPolicyTest, SortsPromptsAsRecorded) {
  policy::Policy policy;
  Diagnostics diagnostics = ParseTextproto(kDefaultPolicy, "default.textproto", &policy);
  const auto program = Program::Compile(policy, {}, {}, &diagnostics);
  ASSERT_NE(program, nullptr) << diagnostics.ToStatus();
  EXPECT_EQ(diagnostics.warnings(), 0);
  ASSERT_EQ(policy.scores(0).name(), "complexity");

  Features features;
  Verdict verdict;
  std::map<std::string, std::pair<int, int>> by_kind;  // As expected, of how many.
  int right = 0;
  int prompts = 0;
  int far = 0;
  std::string text(kPrompts);
  for (size_t begin = 0, end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    const auto line = nlohmann::json::parse(text.substr(begin, end - begin));
    const std::string prompt = line["prompt"];
    const std::string expected = line["expected"];
    const Message message{Role::kUser, prompt};
    Request request;
    request.messages = {&message, 1};
    const Context context;
    program->Read(request, context, &features);
    program->Evaluate(request, context, features, &verdict);
    ASSERT_GE(verdict.scores[0].band, 0);
    const std::string got = policy.scores(0).bands(verdict.scores[0].band).name();
    EXPECT_EQ(got, line.value("got", expected)) << prompt << "\nscore " << verdict.scores[0].sum;
    EXPECT_FALSE(verdict.candidates.empty()) << prompt;
    ++prompts;
    right += got == expected;
    far += (got == "easy" && expected == "hard") || (got == "hard" && expected == "easy");
    by_kind[line["kind"]].first += got == expected;
    by_kind[line["kind"]].second += 1;
  }
  for (const auto& [kind, counts] : by_kind) {
    std::printf("%-14s %d of %d as expected\n", kind.c_str(), counts.first, counts.second);
  }
  std::printf("%-14s %d of %d as expected, %d two bands off\n", "all", right, prompts, far);
  EXPECT_GE(prompts, 60);
  EXPECT_GE(by_kind.size(), 10u);
  EXPECT_EQ(far, 0) << "no hard prompt may be called easy, nor an easy one hard";
}

// What the caller writes raises the score to a bound and no further.
TEST(DefaultPolicyTest, TextCannotRaiseTheScoreWithoutBound) {
  policy::Policy policy;
  Diagnostics diagnostics = ParseTextproto(kDefaultPolicy, "default.textproto", &policy);
  const auto program = Program::Compile(policy, {}, {}, &diagnostics);
  ASSERT_NE(program, nullptr);
  double bound = policy.scores(0).base();
  for (const policy::Term& term : policy.scores(0).terms()) {
    ASSERT_TRUE(term.has_most()) << term.signal();
    bound += term.weight() > 0 ? term.most() : 0;
  }
  std::string flood;
  for (int i = 0; i < 5000; ++i)
    flood += "prove the theorem, if and only if the court must, exactly 7 times; x^2 = 3 {\n";
  const Message message{Role::kUser, flood};
  Request request;
  request.messages = {&message, 1};
  const Context context;
  Features features;
  Verdict verdict;
  program->Read(request, context, &features);
  program->Evaluate(request, context, features, &verdict);
  EXPECT_LE(verdict.scores[0].sum, bound);
}

}  // namespace
}  // namespace purser::routing
