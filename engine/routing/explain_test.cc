#include "engine/routing/explain.h"

#include <fstream>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "policies/textproto.h"

namespace purser::routing {
namespace {

using ::testing::HasSubstr;

constexpr std::string_view kPolicy =
    R"pb(candidates { name: "small" model: "s" quality: 30 }
         candidates { name: "large" model: "l" quality: 90 capabilities: TOOLS }
         candidates { name: "vast" model: "v" quality: 95 capabilities: TOOLS }
         signals {
           name: "law"
           patterns { regex: "\\bclause [0-9]+" keyword: "lease" }
         }
         signals { name: "tier" field: "customer_tier" }
         signals { name: "length" measure: TEXT_BYTES }
         signals { name: "idle" measure: IMAGES }
         scores {
           name: "hard"
           terms { signal: "law" weight: 2 most: 3 }
           terms { signal: "length" weight: 0.01 most: 1 background: true }
           bands { name: "low" to: 2 }
           bands { name: "high" }
           on_no_signal { band: "low" }
         }
         rules {
           name: "careful"
           when { score: "hard" band: "high" }
           min_quality: 60
         }
         rules {
           name: "frugal"
           priority: -1
           when {
             all { signal: "tier" one_of: "free" }
             all { not { signal: "length" above: 1000 } }
           }
           deny { names: "vast" }
           stop: true
         }
         rules { name: "late" priority: -2 refuse: "never reached" }
    )pb";

constexpr std::string_view kExpected = R"(signals
  law = 2
    "Clause 7" at byte 5 of last user turn ("\bclause [0-9]+")
    "lease" at byte 21 of last user turn ("lease")
  tier = "free"
  length = 27
  idle = not read: nothing uses it
scores
  hard = 3.27: high
      +3.000 law (linear is 2, weight 2, bounded)
      +0.270 length (linear is 27, weight 0.01, background)
rules
  p.textproto:19 "careful" holds: hard in high [is high] -> min_quality 60
  p.textproto:24 "frugal" holds: (tier one_of "free" [is "free"] and not length above 1000 [is 27]) -> deny vast, stop
  p.textproto:34 "late" not tried: always -> refuse "never reached"
candidates
  1. large
  -  small: lacks tools; candidate at p.textproto:1
  -  vast: denied by a rule: rule "frugal" at p.textproto:24
)";

TEST(ExplainTest, ShowsEveryStepWithItsPlaceInThePolicy) {
  policy::Policy policy;
  Diagnostics diagnostics = ParseTextproto(kPolicy, "p.textproto", &policy);
  const auto program = Program::Compile(policy, {}, {}, &diagnostics);
  ASSERT_NE(program, nullptr) << diagnostics.ToStatus();
  const std::vector<Message> messages = {{Role::kSystem, "lease"},
                                         {Role::kUser, "Read Clause 7 of the lease."}};
  Request request;
  request.messages = messages;
  request.customer_tier = "free";
  request.needs = kNeedsTools;
  const Context context;
  Features features;
  Verdict verdict;
  Choice choice;
  program->Read(request, context, &features);
  program->Evaluate(request, context, features, &verdict);
  const std::vector<Price> prices(3, Price{.known = true});
  Choose(program->choice_settings(), {}, prices, &verdict, &choice);
  EXPECT_EQ(Explain(*program, request, context, features, verdict, &choice).ToString(), kExpected);
}

// Reads, evaluates and chooses under a policy; every price is known.
std::string Explained(std::string_view text, const Request& request, const Context& context,
                      const ChoiceContext& choice_context, const std::vector<Price>& prices) {
  policy::Policy policy;
  Diagnostics diagnostics = ParseTextproto(text, "p.textproto", &policy);
  const auto program = Program::Compile(policy, {}, {}, &diagnostics);
  if (program == nullptr) return diagnostics.ToStatus().ToString();
  Features features;
  Verdict verdict;
  Choice choice;
  program->Read(request, context, &features);
  program->Evaluate(request, context, features, &verdict);
  Choose(program->choice_settings(), choice_context, prices, &verdict, &choice);
  return Explain(*program, request, context, features, verdict, &choice).ToString();
}

TEST(ExplainTest, EveryCandidateThatIsOutHasAReasonWithItsNumbers) {
  constexpr std::string_view kThree =
      R"pb(candidates { name: "a" model: "a" quality: 10 context_window: 100 }
           candidates { name: "b" model: "b" quality: 20 max_output_tokens: 50 }
           candidates { name: "c" model: "c" quality: 30 }
           rules { name: "fast" latency_limit_ms: 200 }
           routing { escalate_only_in_tool_loop: true }
      )pb";
  Request request;
  request.max_output_tokens = 60;
  Context context;
  context.input_tokens = 41;
  std::vector<Price> prices(3, Price{.known = true, .p95_ms = 150});
  std::string text = Explained(kThree, request, context, {}, prices);
  EXPECT_THAT(text, HasSubstr("a: context window: 100 tokens are too few for 41 of input and 60 of output; "
                              "candidate at p.textproto:1"));
  EXPECT_THAT(text,
              HasSubstr("b: max output: answers with 50 tokens at most, not 60; candidate at p.textproto:2"));
  request = Request();
  prices[0].p95_ms = 201;
  text = Explained(kThree, request, {}, {.current = 2, .in_tool_loop = true}, prices);
  EXPECT_THAT(text, HasSubstr("a: slower than the latency limit of 200 ms; rule \"fast\" at p.textproto:4"));
  EXPECT_THAT(text,
              HasSubstr("b: lower quality inside a tool loop: quality 20; escalate_only_in_tool_loop at "
                        "p.textproto:5"));
  request.latency_limit_ms = 180;
  EXPECT_THAT(Explained(kThree, request, {}, {}, prices),
              HasSubstr("a: slower than the latency limit of 180 ms; the request's own"));
}

TEST(ExplainTest, SaysThatQualityBoundsWereDropped) {
  const std::string text = Explained(R"pb(candidates { name: "a" model: "a" quality: 10 }
                                          candidates { name: "b" model: "b" quality: 20 }
                                          rules { name: "r" min_quality: 30 }
                                          routing { if_none: BEST_LEFT })pb",
                                     {}, {}, {}, std::vector<Price>(2, Price{.known = true}));
  EXPECT_THAT(text, HasSubstr("none has the quality that the rules ask for: the best of the others"));
  EXPECT_THAT(text, HasSubstr("1. b"));
}

TEST(ExplainTest, SaysWhichExampleIsNearestOrWhyNoneIs) {
  constexpr std::string_view kNear = R"pb(candidates { name: "a" model: "a" }
                                          signals {
                                            name: "near"
                                            examples {
                                              embedding_model: "e"
                                              example {
                                                phrase: "east"
                                                embedding: [ 1, 0 ]
                                              }
                                              example {
                                                phrase: "north"
                                                embedding: [ 0, 2 ]
                                              }
                                            }
                                          }
                                          rules {
                                            name: "r"
                                            when { signal: "near" above: 0.5 }
                                            prefer { names: "a" }
                                          })pb";
  const struct {
    std::vector<float> embedding;
    const char* model;
    const char* says;
  } kCases[] = {{{3, 4}, "e", "near = 0.8\n    nearest is \"north\"\n"},
                {{1, 0, 0}, "e", "near = 0\n    the embedding has 3 numbers, the examples have 2\n"},
                {{1, 0}, "f", "near = 0\n    the embedding is not one of \"e\"\n"},
                {{}, "", "near = 0\n    the caller passed no embedding\n"}};
  for (const auto& [embedding, model, says] : kCases) {
    Request request;
    request.embedding = embedding;
    request.embedding_model = model;
    EXPECT_THAT(Explained(kNear, request, {}, {}, {Price{.known = true}}), HasSubstr(says));
  }
}

TEST(ExplainTest, TheCallersTextCannotSteerATerminal) {
  const std::string content = "\x1b[2Jprove" + std::string(52, 'x') + "\xc3\xa9\xc3\xa9";
  const Message message{Role::kUser, content};
  Request request;
  request.messages = {&message, 1};
  const std::string text = Explained(R"pb(candidates { name: "a" model: "a" }
                                          signals {
                                            name: "all"
                                            patterns { regex: "(?s).*prove.*" }
                                          }
                                          rules {
                                            name: "r"
                                            when { signal: "all" }
                                            prefer { names: "a" }
                                          })pb",
                                     request, {}, {}, {Price{.known = true}});
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_THAT(text, HasSubstr("\" [2Jprovexxx"));
  EXPECT_EQ(text.find("\xc3..."), std::string::npos) << "cut inside a character";
}

// What recorded outcomes say, and why they say nothing.
TEST(ExplainTest, ShowsWhatRecordedOutcomesSay) {
  std::ofstream file(testing::TempDir() + "/outcomes.jsonl");
  for (int i = 0; i < 8; ++i) {
    file << R"({"embedding": [1, 0], "outcomes": {"small": )" << (i < 7 ? "true" : "false") << "}}\n";
  }
  file << R"({"embedding": [0, 1], "outcomes": {"small": true}})";
  file.close();
  policy::Policy policy;
  Diagnostics diagnostics =
      ParseTextproto(R"pb(candidates { name: "small" model: "s" }
                          signals {
                            name: "known"
                            outcomes { file: "outcomes.jsonl" embedding_model: "e" candidate: "small" }
                          }
                          rules {
                            name: "unknown"
                            when { signal: "known" below: 0 }
                            refuse: "no"
                          }
                     )pb",
                     "p.textproto", &policy);
  const auto program = Program::Compile(policy, {}, {.directory = testing::TempDir()}, &diagnostics);
  ASSERT_NE(program, nullptr) << diagnostics.ToStatus();
  const struct {
    std::vector<float> embedding;
    const char* model;
    const char* signal;
  } kCases[] = {
      {{1, 0.1F}, "e", R"(signals
  known = 0.593754
    8 of 9 recorded requests are near (cosine at least 0.8; at most 16 count): small answered 0.875 of them well, so above 0.5938 with confidence 0.9
)"},
      {{0, 1}, "e", R"(signals
  known = -1
    abstains: 1 of 9 recorded requests are near (cosine at least 0.8; at most 16 count), fewer than 5
)"},
      {{0, 1}, "f", "signals\n  known = -1\n    abstains: the embedding is not one of \"e\"\n"},
      {{}, "", "signals\n  known = -1\n    abstains: the caller passed no embedding\n"},
  };
  for (const auto& [embedding, model, signal] : kCases) {
    Request request;
    request.embedding = embedding;
    request.embedding_model = model;
    Features features;
    Verdict verdict;
    program->Read(request, {}, &features);
    program->Evaluate(request, {}, features, &verdict);
    const std::string text = Explain(*program, request, {}, features, verdict, nullptr).ToString();
    EXPECT_EQ(text.substr(0, text.find("rules")), signal);
  }
}

}  // namespace
}  // namespace purser::routing
