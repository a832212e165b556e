#include "engine/routing/program.h"

#include <string>
#include <vector>

#include "engine/routing/choice.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "policies/textproto.h"

namespace purser::routing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::string_view kCandidates = R"pb(
  candidates { name: "small" model: "s" quality: 30 capabilities: TOOLS context_window: 8000 labels: "cheap" }
  candidates {
    name: "medium"
    model: "m"
    quality: 60
    capabilities: TOOLS
    capabilities: VISION
    context_window: 100000
    max_output_tokens: 4000
    regions: "eu"
  }
  candidates {
    name: "large"
    model: "l"
    quality: 90
    capabilities: TOOLS
    capabilities: VISION
    context_window: 200000
    regions: "eu"
    regions: "us"
    data_policies: "zdr"
  }
)pb";

struct Compiled {
  std::shared_ptr<const Program> program;
  Diagnostics diagnostics;
};

Compiled Compile(std::string_view text, std::span<const CandidateFacts> facts = {}) {
  policy::Policy policy;
  Compiled result;
  result.diagnostics = ParseTextproto(std::string(kCandidates) + std::string(text), "p.textproto", &policy);
  EXPECT_TRUE(result.diagnostics.ok()) << result.diagnostics.ToStatus();
  result.program = Program::Compile(policy, facts, {}, &result.diagnostics);
  return result;
}

std::vector<std::string> Messages(const Diagnostics& diagnostics) {
  std::vector<std::string> messages;
  for (const Diagnostic& diagnostic : diagnostics.Sorted()) messages.push_back(diagnostic.ToString());
  return messages;
}

std::vector<std::string> Left(const Program& program, const Verdict& verdict) {
  std::vector<std::string> names;
  verdict.candidates.ForEach([&](int i) { names.emplace_back(program.candidate_name(i)); });
  return names;
}

class Runner {
 public:
  explicit Runner(std::string_view text, std::span<const CandidateFacts> facts = {})
      : compiled_(Compile(text, facts)) {
    EXPECT_NE(compiled_.program, nullptr) << compiled_.diagnostics.ToStatus();
  }

  std::vector<std::string> operator()(const Request& request, const Context& context = {}) {
    compiled_.program->Read(request, context, &features);
    compiled_.program->Evaluate(request, context, features, &verdict);
    return Left(*compiled_.program, verdict);
  }
  std::vector<std::string> operator()(std::string_view prompt) {
    const Message message{Role::kUser, prompt};
    Request request;
    request.messages = {&message, 1};
    return (*this)(request);
  }
  const Program& program() const { return *compiled_.program; }

  Features features;
  Verdict verdict;

 private:
  Compiled compiled_;
};

TEST(ProgramTest, GatesNameWhatACandidateFails) {
  struct Case {
    std::string name;
    void (*change)(Request*, Context*);
    std::vector<std::string> left;
    Reject small;
  };
  const Case cases[] = {
      {"nothing asked", [](Request*, Context*) {}, {"small", "medium", "large"}, Reject::kNone},
      {"vision",
       [](Request* r, Context*) { r->needs = kNeedsVision; },
       {"medium", "large"},
       Reject::kLacksCapability},
      {"long input",
       [](Request*, Context* c) { c->input_tokens = 8000; },
       {"medium", "large"},
       Reject::kContextWindow},
      {"input that just fits",
       [](Request*, Context* c) { c->input_tokens = 7999; },
       {"small", "medium", "large"},
       Reject::kNone},
      {"input and output",
       [](Request* r, Context* c) {
         c->input_tokens = 7000;
         r->max_output_tokens = 1001;
       },
       {"medium", "large"},
       Reject::kContextWindow},
      {"long output",
       [](Request* r, Context*) { r->max_output_tokens = 5000; },
       {"small", "large"},
       Reject::kNone},
      {"region", [](Request* r, Context*) { r->region = "us"; }, {"large"}, Reject::kRegion},
      {"data policy", [](Request* r, Context*) { r->data_policy = "zdr"; }, {"large"}, Reject::kDataPolicy},
      {"unknown region", [](Request* r, Context*) { r->region = "moon"; }, {}, Reject::kRegion},
      {"health", [](Request*, Context* c) { c->unhealthy.Add(0); }, {"medium", "large"}, Reject::kUnhealthy},
  };
  Runner run("");
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    Request request;
    Context context;
    c.change(&request, &context);
    EXPECT_EQ(run(request, context), c.left);
    EXPECT_EQ(run.verdict.reasons[0].reject, c.small);
    EXPECT_EQ(run.verdict.refusal, c.left.empty() ? Refusal::kNoCandidate : Refusal::kNone);
  }
}

TEST(ProgramTest, UnpricedCandidatesAreOutUnlessThePolicyAllowsThem) {
  std::vector<CandidateFacts> facts(3);
  facts[0].priced = false;
  Runner strict("", facts);
  EXPECT_THAT(strict("hi"), ElementsAre("medium", "large"));
  EXPECT_EQ(strict.verdict.reasons[0].reject, Reject::kUnpriced);
  Runner lax("routing { allow_unpriced: true }", facts);
  EXPECT_THAT(lax("hi"), ElementsAre("small", "medium", "large"));
}

TEST(ProgramTest, ScoresAreSumsOfBoundedTermsCutIntoBands) {
  Runner run(R"pb(
    signals {
      name: "proof"
      patterns { keyword: "prove" keyword: "theorem" regex: "\\bQ\\.?E\\.?D" }
    }
    signals { name: "length" measure: TEXT_BYTES }
    scores {
      name: "hard"
      terms { signal: "proof" weight: 2 most: 3 }
      terms { signal: "length" weight: 0.001 most: 1 background: true }
      bands { name: "low" to: 2 }
      bands { name: "high" }
      on_no_signal { band: "high" }
    }
    rules {
      name: "hard ones"
      when { score: "hard" band: "high" }
      min_quality: 60
    }
  )pb");
  EXPECT_THAT(run("Prove the theorem, q.e.d."), ElementsAre("medium", "large"));
  EXPECT_NEAR(run.verdict.scores[0].sum, 3 + 0.025, 1e-9) << "three patterns weigh 6, bounded by 3";
  EXPECT_THAT(run("hello"), ElementsAre("medium", "large"));
  EXPECT_TRUE(run.verdict.scores[0].no_signal);
  EXPECT_EQ(run.verdict.reasons[0].reject, Reject::kRuleMinQuality);
  EXPECT_EQ(run.verdict.reasons[0].rule, 0);
  EXPECT_THAT(run("prove, prove, prove, prove it"), ElementsAre("medium", "large")) << "2 and a little";
  EXPECT_LT(run.verdict.scores[0].sum, 2.1) << "a pattern counts once";
}

TEST(ProgramTest, RulesAreTriedByPriorityThenByPlace) {
  Runner run(R"pb(
    signals { name: "tier" field: "customer_tier" }
    rules {
      name: "a"
      when { signal: "tier" one_of: "pro" one_of: "team" }
      min_quality: 60
    }
    rules {
      name: "b"
      priority: 5
      when { not { signal: "tier" } }
      only { labels: "cheap" }
      stop: true
    }
    rules {
      name: "c"
      deny { names: "medium" }
      yield_if_none: true
    }
  )pb");
  Request request;
  EXPECT_THAT(run(request), ElementsAre("small"));
  EXPECT_THAT(run.verdict.rules, ElementsAre(1));
  request.customer_tier = "pro";
  EXPECT_THAT(run(request), ElementsAre("large"));
  EXPECT_THAT(run.verdict.rules, ElementsAre(0, 2));
  EXPECT_EQ(run.verdict.min_quality, 60);
  request.customer_tier = "other";
  EXPECT_THAT(run(request), ElementsAre("small", "large"));
  request.region = "eu";
  Context context;
  context.unhealthy.Add(2);
  EXPECT_THAT(run(request, context), ElementsAre("medium")) << "c would leave nothing and steps aside";
  EXPECT_THAT(run.verdict.stepped_aside, ElementsAre(2));
}

TEST(ProgramTest, RefusalsSayWhy) {
  Runner run(R"pb(
    signals { name: "attempt" measure: ATTEMPT }
    rules {
      name: "loop"
      when { signal: "attempt" above: 5 }
      refuse: "too many attempts"
    }
  )pb");
  Request request;
  request.attempt = 6;
  EXPECT_THAT(run(request), IsEmpty());
  EXPECT_EQ(run.verdict.refusal, Refusal::kRule);
  EXPECT_EQ(run.program().RefusalMessage(run.verdict), "too many attempts");
  request.attempt = 5;
  EXPECT_EQ(run(request).size(), 3u);
}

TEST(ProgramTest, BestLeftServesWhenQualityLeavesNone) {
  constexpr std::string_view kRule = R"pb(rules { name: "top" min_quality: 90 })pb";
  Request request;
  Context context;
  context.unhealthy.Add(2);
  Runner strict(kRule);
  EXPECT_THAT(strict(request, context), IsEmpty());
  Runner lax(std::string(kRule) + "routing { if_none: BEST_LEFT }");
  EXPECT_THAT(lax(request, context), ElementsAre("medium"));
  EXPECT_TRUE(lax.verdict.quality_dropped);
}

TEST(ProgramTest, LanguageScriptAndDocumentsAreSignals) {
  const auto program = Compile(R"pb(
                         candidates { name: "reader" quality: 90 model: "l" capabilities: DOCUMENTS }
                         signals { name: "language" field: "language" }
                         signals { name: "script" field: "script" }
                         signals { name: "files" measure: FILES }
                         rules {
                           name: "only English"
                           when { not { signal: "language" one_of: "en" one_of: "" } }
                           min_quality: 50
                         }
                         rules {
                           name: "not Latin"
                           when { not { signal: "script" one_of: "latin" } }
                           min_quality: 50
                         }
                         rules {
                           name: "files"
                           when { signal: "files" }
                           min_quality: 50
                         })pb")
                           .program;
  ASSERT_NE(program, nullptr);
  const struct {
    const char* text;
    uint32_t needs;
    std::vector<int> rules;
  } kCases[] = {{"What is the time?", 0, {}},
                {"Wie spät ist es, und was mache ich nicht mit der Zeit?", 0, {0}},
                {"几点了", 0, {0, 1}},
                {"What is in the file?", kNeedsDocuments, {2}}};
  for (const auto& [text, needs, rules] : kCases) {
    const Message message{Role::kUser, text};
    Request request;
    request.messages = {&message, 1};
    request.needs = needs;
    Features features;
    Verdict verdict;
    program->Read(request, {}, &features);
    program->Evaluate(request, {}, features, &verdict);
    EXPECT_EQ(verdict.rules, rules) << text;
  }
}

TEST(ProgramTest, MistakesAreReportedTogetherWithTheirPlaces) {
  Compiled compiled = Compile(R"pb(
    signals {
      name: "a"
      patterns { regex: "(" }
    }
    signals { name: "t" measure: TEXT_BYTES }
    scores {
      name: "s"
      terms { signal: "b" weight: 1 }
      terms { signal: "t" weight: 1 }
      bands { name: "x" }
    }
    rules {
      name: "r"
      when { signal: "c" }
      min_quality: 1
    }
    rules {
      name: "r"
      only { names: "huge" }
    }
    rules {
      name: "q"
      when { score: "s" band: "y" }
      stop: true
    }
  )pb");
  EXPECT_EQ(compiled.program, nullptr);
  EXPECT_THAT(Messages(compiled.diagnostics),
              ElementsAre(HasSubstr("\"(\" is not a valid regex"),
                          HasSubstr("does not say what to do when it sees nothing"),
                          HasSubstr("no signal is named \"b\""), HasSubstr("as large as it likes"),
                          HasSubstr("no signal is named \"c\"; defined are: \"a\", \"t\""),
                          HasSubstr("a second rule named \"r\""), HasSubstr("no candidate is named \"huge\""),
                          HasSubstr("the score \"s\" has no band \"y\"")));
}

TEST(ProgramTest, LintsWhatCannotBeMeant) {
  struct Case {
    std::string text;
    std::string warning;
  };
  const Case cases[] = {
      {R"pb(signals { name: "a" measure: INPUT_TOKENS })pb", "uses the signal \"a\""},
      {R"pb(signals {
              name: "a"
              patterns { regex: "[^x]" }
            }
            rules {
              name: "r"
              when { signal: "a" }
              min_quality: 1
            })pb",
       "\"[^x]\" matches nearly every text"},
      {R"pb(signals { name: "a" measure: INPUT_TOKENS }
            rules {
              name: "r"
              when {
                all { signal: "a" below: 5 }
                all { signal: "a" at_least: 5 }
              }
              min_quality: 1
            })pb",
       "\"r\" can never hold"},
      {R"pb(signals { name: "a" measure: HOUR }
            rules {
              name: "r"
              when { signal: "a" at_least: 24 }
              min_quality: 1
            })pb",
       "\"r\" can never hold"},
      {R"pb(signals { name: "a" measure: HOUR }
            rules {
              name: "r"
              when { signal: "a" below: 24 }
              min_quality: 1
            })pb",
       "\"r\" always holds"},
      {R"pb(signals { name: "a" measure: INPUT_TOKENS }
            rules {
              name: "r"
              when { signal: "a" above: 5 }
              only { names: "large" }
              stop: true
            }
            rules {
              name: "q"
              when { signal: "a" above: 9 }
              min_quality: 1
            })pb",
       "\"q\" is never reached"},
      {R"pb(signals {
              name: "a"
              patterns { regex: "x*" }
            }
            rules {
              name: "r"
              when { signal: "a" }
              min_quality: 1
            })pb",
       "matches every text"},
      {R"pb(rules { name: "r" min_quality: 91 })pb", "no candidate has the quality"},
      {R"pb(rules { name: "r" })pb", "does nothing"},
      {R"pb(signals { name: "a" measure: IMAGES }
            scores {
              name: "s"
              terms { signal: "a" weight: 1 most: 2 }
              bands { name: "x" to: 1 }
              bands { name: "y" from: 2 }
              bands { name: "z" from: 3 }
              on_no_signal { band: "x" }
            }
            rules {
              name: "r"
              when { score: "s" band: "y" }
              min_quality: 1
            })pb",
       "no band covers 1 to 2"},
      {R"pb(signals { name: "a" measure: IMAGES }
            scores {
              name: "s"
              terms { signal: "a" weight: 1 most: 2 }
              bands { name: "x" }
              bands { name: "z" from: 3 }
              on_no_signal { band: "x" }
            }
            rules {
              name: "r"
              when { score: "s" band: "z" }
              min_quality: 1
            })pb",
       "never reaches this band"},
      {R"pb(signals { name: "a" field: "language" }
            rules {
              name: "r"
              when { signal: "a" one_of: "de" one_of: "English" }
              min_quality: 1
            })pb",
       "is never \"English\"; expected one of: \"el\", \"he\""},
      {R"pb(signals { name: "a" field: "script" }
            scores {
              name: "s"
              terms { signal: "a" weight: 1 equals: "Latin" }
              bands { name: "x" }
              on_no_signal { band: "x" }
            }
            rules {
              name: "r"
              when { score: "s" band: "x" }
              min_quality: 1
            })pb",
       "is never \"Latin\"; expected one of: \"latin\", \"greek\""},
      {R"pb(rules {
              name: "r"
              only { names: "large" }
              deny { names: "large" }
            })pb",
       "the rule \"r\" leaves no candidate; expected refuse"},
      {R"pb(rules {
              name: "r"
              only { names: "large" }
              max_quality: 80
              yield_if_none: true
            })pb",
       "the rule \"r\" leaves no candidate: it always steps aside"},
      {R"pb(routing { deny { names: "large" } }
            rules { name: "r" min_quality: 90 })pb",
       "no candidate has the quality"},
      {R"pb(signals {
              name: "a"
              patterns { keyword: "prove" keyword: "proof" keyword: "Prove" }
            }
            rules {
              name: "r"
              when { signal: "a" }
              min_quality: 1
            })pb",
       "\"Prove\" stands there twice"},
      {R"pb(request_classes { name: "x" use_cases: "u" features: "f" }
            request_classes { name: "y" features: "u" features: "f" })pb",
       "\"f\" belongs to the request class \"x\""},
      {R"pb(routing { exploration { share: 0.1 most_times_cheapest: 0.5 } })pb", "none is ever drawn"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.text);
    const Compiled compiled = Compile(c.text);
    EXPECT_NE(compiled.program, nullptr) << compiled.diagnostics.ToStatus();
    EXPECT_THAT(Messages(compiled.diagnostics), ::testing::Contains(HasSubstr(c.warning)));
  }
}

}  // namespace
}  // namespace purser::routing
