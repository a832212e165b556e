#include "engine/routing/explain.h"

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
  -  small: lacks tools
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

}  // namespace
}  // namespace purser::routing
