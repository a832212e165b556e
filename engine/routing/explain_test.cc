#include "engine/routing/explain.h"

#include <fstream>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "policies/textproto.h"

namespace purser::routing {
namespace {

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
