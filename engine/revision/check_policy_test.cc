// What a person who writes a policy is told: every mistake of every stage, with its line, in one round.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/revision/revision.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace purser {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> FindingsOf(const std::string& policy, Severity severity) {
  std::vector<Diagnostics> diagnostics;
  const auto revision = Revision::Compile({.policy_text = policy}, 0, &diagnostics);
  std::vector<std::string> findings;
  bool errors = false;
  for (const Diagnostics& of_file : diagnostics) {
    errors |= of_file.errors() > 0;
    for (const Diagnostic& diagnostic : of_file.Sorted()) {
      if (diagnostic.severity == severity) findings.push_back(diagnostic.ToString());
    }
  }
  EXPECT_EQ(revision == nullptr, errors);
  return findings;
}
std::vector<std::string> ErrorsOf(const std::string& policy) { return FindingsOf(policy, Severity::kError); }

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
          HasSubstr("policy:4:35: error: \"(unclosed\" is not a valid regex"),
          HasSubstr("policy:7:10: error: no signal is named \"cod\""),
          HasSubstr("policy:8:3: error: unknown field \"min_qualty\" in Rule; did you mean \"min_quality\"?"),
          HasSubstr("policy:11:39: error: \"five\" is not an amount")));
}

TEST(CheckPolicy, AnAmountWithACommaIsAnError) {
  for (const char* usd : {"0,50", "4,99", "1,250.00"}) {
    EXPECT_THAT(ErrorsOf(absl::StrCat("candidates { model: \"gpt-5\" quality: 90 }\n"
                                      "budgets { name: \"cap\" scope: CUSTOMER usd: \"",
                                      usd, "\" }\n")),
                ElementsAre(HasSubstr(absl::StrCat("policy:2:39: error: \"", usd, "\" is not an amount"))));
  }
}

TEST(CheckPolicy, WhatCannotBeReadIsOneError) {
  std::vector<Diagnostics> diagnostics;
  EXPECT_EQ(Revision::Compile({.policy_file = "/nonexistent/p.textproto"}, 0, &diagnostics), nullptr);
  ASSERT_EQ(diagnostics.size(), 1u);
  EXPECT_EQ(diagnostics[0].errors(), 1);
}

// Gives one text to whoever reads first and another one to whoever reads after that.
class TwoTexts {
 public:
  TwoTexts(const std::string& path, const std::string& first, const std::string& second) {
    EXPECT_EQ(mkfifo(path.c_str(), 0600), 0);
    writer_ = std::thread([=, this] {
      Write(open(path.c_str(), O_WRONLY), first);
      while (!done_ && HasReader(path)) Pause();
      while (!done_) {
        if (const int fd = open(path.c_str(), O_WRONLY | O_NONBLOCK); fd >= 0) Write(fd, second);
        Pause();
      }
    });
  }
  ~TwoTexts() {
    done_ = true;
    writer_.join();
  }

 private:
  static void Write(int fd, const std::string& text) {
    EXPECT_EQ(write(fd, text.data(), text.size()), static_cast<ssize_t>(text.size()));
    close(fd);
  }
  // Opening a pipe to write, without waiting, fails for as long as nothing reads it.
  static bool HasReader(const std::string& path) {
    const int fd = open(path.c_str(), O_WRONLY | O_NONBLOCK);
    if (fd >= 0) close(fd);
    return fd >= 0;
  }
  static void Pause() { std::this_thread::sleep_for(std::chrono::milliseconds(1)); }

  std::atomic<bool> done_{false};
  std::thread writer_;
};

TEST(CheckPolicy, ThePolicysHashIsOfTheTextThatWasParsed) {
  const std::string path = ::testing::TempDir() + "/changing." + std::to_string(getpid());
  const std::string served = "candidates { model: \"gpt-5\" }";
  std::shared_ptr<Revision> from_file;
  std::vector<Diagnostics> diagnostics;
  {
    const TwoTexts file(path, served, "candidates { model: \"gpt-5-nano\" }");
    from_file = Revision::Compile({.policy_file = path}, 0, &diagnostics);
  }
  unlink(path.c_str());
  const auto from_text = Revision::Compile({.policy_text = served}, 0, &diagnostics);
  ASSERT_NE(from_file, nullptr);
  ASSERT_NE(from_text, nullptr);
  EXPECT_EQ(from_file->policy_hash(), from_text->policy_hash());
}

TEST(CheckPolicy, AGoodPolicyHasNone) {
  EXPECT_THAT(ErrorsOf("candidates { model: \"gpt-5\" }"), ElementsAre());
}

TEST(CheckPolicy, WhatCannotBeMeantIsAWarningOnItsLine) {
  const struct {
    std::string policy;  // After a candidate on the first line.
    std::string warning;
  } kCases[] = {
      {"signals { name: \"n\" measure: HOUR }\n"
       "rules { name: \"x\" when { signal: \"n\" at_least: 30 } min_quality: 50 }\n",
       "policy:3:1: warning: the rule \"x\" can never hold"},
      {"signals { name: \"n\" measure: MESSAGES }\n"
       "rules { name: \"x\" when { signal: \"n\" at_least: 2 } min_quality: 50 stop: true }\n"
       "rules { name: \"y\" when { signal: \"n\" at_least: 4 } min_quality: 80 }\n",
       "policy:4:1: warning: the rule \"y\" is never reached: whenever it holds, \"x\" has ended the round"},
      {"signals { name: \"n\" measure: MESSAGES }\n"
       "scores { name: \"s\" terms { signal: \"n\" weight: 1 most: 10 } bands { name: \"low\" to: 2 }\n"
       "  bands { name: \"high\" from: 5 } on_no_signal { band: \"low\" } }\n"
       "rules { name: \"x\" when { score: \"s\" band: \"high\" } min_quality: 50 }\n",
       "warning: no band covers 2 to 5"},
      {"candidates { model: \"made-up\" quality: 20 }\n", "policy:2:14: warning: no price is known"},
      {"budgets { name: \"tiny\" scope: TASK usd: \"0.0001\" }\n",
       "policy:2:36: warning: the budget \"tiny\" is smaller than its cheapest call"},
      {"budgets { name: \"short\" scope: TASK output_tokens: 300 }\n",
       "policy:2:37: warning: the budget \"short\" is smaller than its cheapest call: an answer of ordinary "
       "length "
       "has 400 tokens"},
      {"signals { name: \"r\" patterns { regex: \"(foo)*\" } }\n"
       "rules { name: \"x\" when { signal: \"r\" } min_quality: 50 }\n",
       "\"(foo)*\" matches every text"},
  };
  for (const auto& [policy, warning] : kCases) {
    const std::vector<std::string> warnings =
        FindingsOf("candidates { model: \"gpt-5\" quality: 90 }\n" + policy, Severity::kWarning);
    EXPECT_THAT(warnings, ElementsAre(HasSubstr(warning)));
  }
  // A budget that is just large enough, and one for a candidate that costs less.
  for (const char* budget : {"usd: \"0.005\"", "usd: \"0.0005\" only_for { models: \"gpt-5-nano\" }"}) {
    EXPECT_THAT(
        FindingsOf(std::string("candidates { model: \"gpt-5\" } candidates { model: \"gpt-5-nano\" }\n"
                               "budgets { name: \"b\" scope: TASK ") +
                       budget + " }",
                   Severity::kWarning),
        ElementsAre());
  }
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
      ElementsAre(HasSubstr("policy:3:14: error: "), HasSubstr("policy:3:26: error: 1.5 is not a cosine"),
                  HasSubstr("policy:3:41: error: \"much\" is not an amount"),
                  HasSubstr("policy:4:13: error: no request class is named \"chat\""),
                  HasSubstr("policy:5:14: error: -1 is not a fraction"), HasSubstr("policy:6:3: error: -1"),
                  HasSubstr("policy:7:14: error: cannot open /nonexistent")));
}

TEST(CheckPolicy, ANamespaceOfUnknownFieldsIsAnError) {
  EXPECT_THAT(ErrorsOf("candidates { model: \"gpt-5\" }\ncaching { namespace_template: \"{tennant}\" }"),
              ElementsAre(HasSubstr("policy:2:11: error: requests have no field {tennant}")));
}

}  // namespace
}  // namespace purser
