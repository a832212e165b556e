// A hold covers whatever is billed for what was granted: by the candidate's own region, with what is written
// to the provider's cache, with images, and however often it is extended.

#include <purser/purser.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <limits>
#include <memory>
#include <random>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "tests/support/engine_fixture.h"

namespace purser {
namespace {

using ::testing::HasSubstr;

constexpr char kBook[] = R"(
  name: "regional"
  models { id: "m" provider: "p" context_window: 1000000 max_output_tokens: 100000
    sheets { regions: "eu" rates { meter: "input_tokens" usd: "11" } rates { meter: "output_tokens" usd: "44" }
             rates { meter: "cache_read_tokens" usd: "1.1" } rates { meter: "cache_write_tokens" usd: "13.75" } }
    sheets { rates { meter: "input_tokens" usd: "10" } rates { meter: "output_tokens" usd: "40" }
             rates { meter: "cache_read_tokens" usd: "1" } rates { meter: "cache_write_tokens" usd: "12.5" } } }
)";

class QuotedHoldTest : public EngineTest {
 protected:
  QuotedHoldTest() { std::ofstream(folder_ / "book.textproto") << kBook; }

  std::unique_ptr<Engine> OpenIn(const std::string& regions, const std::string& usd = "1000000") {
    return Open(absl::StrCat("name: \"test\" candidates { model: \"m\" ", regions, " }\n",
                             "routing { expected_output_tokens: 100 }\n",
                             "budgets { name: \"cap\" scope: CUSTOMER usd: \"", usd, "\" }"));
  }
  static Request OneRequest() {
    Request request;
    request.id = "r";
    request.tenant = "t";
    request.customer = "c";
    request.input_tokens = 1000;
    request.max_output_tokens = 500;
    return request;
  }
  static int64_t HeldNanos(Engine* engine) { return engine->Accounts(OneRequest())[0].limits[0].held; }
};

TEST_F(QuotedHoldTest, ACandidateIsQuotedWhereItRuns) {
  const auto engine = OpenIn("regions: \"EU-west-1\"");
  Decision decision;
  engine->Decide(OneRequest(), &decision);
  ASSERT_EQ(decision.action, Action::kDispatch) << decision.reason;
  EXPECT_EQ(decision.held_nanos, 11'000'000 + 22'000'000);
  EXPECT_EQ(SettleWith(engine.get(), decision.ticket, 1000, 500).cost_nanos, decision.held_nanos);
}

TEST_F(QuotedHoldTest, ARegionTakesWhatLiesInItInAnyCase) {
  const auto engine = OpenIn("regions: \"us-east-1\" regions: \"eu-west-1\"");
  const auto decide = [&](std::string_view region) {
    Request request = OneRequest();
    request.region = region;
    Decision decision;
    engine->Decide(request, &decision);
    return decision.action == Action::kDispatch ? decision.held_nanos : -1;
  };
  EXPECT_EQ(decide(""), 30'000'000) << "billed in the first region";
  EXPECT_EQ(decide("us"), 30'000'000);
  EXPECT_EQ(decide("EU"), 33'000'000);
  EXPECT_EQ(decide("eu-west"), 33'000'000);
  EXPECT_EQ(decide("eu-west-1"), 33'000'000);
  EXPECT_EQ(decide("eu-west-2"), -1);
  EXPECT_EQ(decide("e"), -1);
  EXPECT_EQ(decide("eu-west-1-a"), -1) << "narrower than what the candidate says of itself";
}

// Unknown is never free: what has no price at the time of the call is not chosen.
TEST_F(QuotedHoldTest, APriceThatRanOutIsNotNothing) {
  const std::string rates =
      R"(rates { meter: "input_tokens" usd: "1" } rates { meter: "output_tokens" usd: "2" })";
  const std::string model =
      R"(name: "b" models { id: "m" provider: "p" context_window: 9000 max_output_tokens: 900 )";
  const std::string ended = "sheets { until: \"2026-06-01\" " + rates + " } ";
  for (const std::string& sheets : {ended, ended + "sheets { from: \"2027-01-01\" " + rates + " }",
                                    "sheets { from: \"2027-01-01\" " + rates + " }",
                                    std::string(R"(sheets { rates { meter: "input_tokens" usd: "1" } })"),
                                    std::string(R"(sheets { rates { meter: "output_tokens" usd: "1" } })"),
                                    "sheets { regions: \"eu\" " + rates + " }"}) {
    std::ofstream(folder_ / "book.textproto") << model << sheets << "}";
    const auto engine = OpenIn("");
    Decision decision;
    engine->Decide(OneRequest(), &decision);
    EXPECT_EQ(decision.action, Action::kRefuse) << sheets;
    EXPECT_EQ(decision.refusal, Refusal::kNoCandidate) << sheets;
    EXPECT_THAT(engine->Explain(OneRequest()).candidates[0].why_not, HasSubstr("no price")) << sheets;
  }
  std::ofstream(folder_ / "book.textproto") << model << ended << "sheets { " << rates << " } }";
  const auto engine = OpenIn("");
  Decision decision;
  engine->Decide(OneRequest(), &decision);
  EXPECT_EQ(decision.action, Action::kDispatch) << decision.reason;
}

TEST_F(QuotedHoldTest, AnExtensionThatNobodyCanPayIsRefused) {
  const auto engine = OpenIn("", "1");
  Decision decision;
  engine->Decide(OneRequest(), &decision);
  const int64_t held = HeldNanos(engine.get());
  EXPECT_FALSE(engine->Extend(decision.ticket, std::numeric_limits<int64_t>::max()));
  EXPECT_FALSE(engine->Extend(decision.ticket, std::numeric_limits<int64_t>::max() / 2));
  EXPECT_FALSE(engine->Extend(decision.ticket, 0));
  EXPECT_FALSE(engine->Extend(decision.ticket, -5));
  EXPECT_EQ(HeldNanos(engine.get()), held);
  EXPECT_EQ(engine->Progress(decision.ticket, 0), 500);
  EXPECT_TRUE(engine->Extend(decision.ticket, 500));
}

// Whatever was granted and extended, the most that it can be billed is held, and nothing passes the cap.
TEST_F(QuotedHoldTest, WhatIsBilledForWhatWasGrantedWasHeld) {
  std::mt19937_64 random(std::random_device{}());
  const auto below = [&](int64_t n) { return static_cast<int64_t>(random() % static_cast<uint64_t>(n)); };
  for (int round = 0; round < 300; ++round) {
    const bool own_region = below(2) == 0;
    const auto engine = OpenIn(own_region ? "regions: \"eu\"" : "regions: \"us\"", "2");
    int64_t settled = 0;
    for (int call = 0; call < 5; ++call) {
      Request request = OneRequest();
      request.input_tokens = below(20'000);
      request.cache_write_tokens = below(3) == 0 ? 0 : below(20'000);
      request.cached_input_tokens = below(3) == 0 ? below(20'000) : 0;
      request.max_output_tokens = 1 + below(2'000);
      if (below(3) == 0) request.region = own_region ? "EU" : "us";
      Decision decision;
      engine->Decide(request, &decision);
      if (decision.action != Action::kDispatch) continue;
      int64_t output = decision.max_output_tokens;
      for (int64_t extensions = below(4); extensions > 0; --extensions) {
        const int64_t more = 1 + below(5'000);
        if (engine->Extend(decision.ticket, more)) output += more;
      }
      const int64_t held = HeldNanos(engine.get());
      const int64_t written = std::min(request.cache_write_tokens, request.input_tokens);
      Usage usage;
      usage.Set(Meter::kInputTokens, request.input_tokens);
      usage.Set(Meter::kCacheWriteTokens, written);
      usage.Set(Meter::kOutputTokens, output);
      CallResult result;
      result.usage = &usage;
      const Settlement settlement = engine->Settle(decision.ticket, result);
      ASSERT_EQ(settlement.result, SettleResult::kSettled);
      ASSERT_LE(settlement.cost_nanos, held)
          << "round " << round << ", call " << call << ": input " << request.input_tokens << ", written "
          << written << ", output " << output << ", region " << request.region;
      settled += settlement.cost_nanos;
      ASSERT_LE(settled, 2'000'000'000);
    }
  }
}

}  // namespace
}  // namespace purser
