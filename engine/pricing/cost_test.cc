#include "engine/pricing/cost.h"

#include <initializer_list>
#include <limits>
#include <random>
#include <utility>

#include "absl/time/time.h"
#include "tests/support/prices_for_test.h"

namespace purser::pricing {
namespace {

Usage Used(std::initializer_list<std::pair<Meter, int64_t>> units) {
  Usage usage;
  for (const auto& [meter, count] : units) usage.Set(meter, count);
  return usage;
}

int64_t At(const char* time) {
  absl::Time parsed;
  std::string error;
  EXPECT_TRUE(absl::ParseTime(absl::RFC3339_full, time, &parsed, &error)) << error;
  return absl::ToUnixNanos(parsed);
}

Cost CostOf(const ModelPrices& prices, const Usage& usage, ServiceTier tier = ServiceTier::kUnstated,
            std::string_view region = "", int64_t time = 0) {
  return Realize(prices, usage, tier, region, time);
}

constexpr char kPlain[] =
    R"(sheets { rates { meter: "input_tokens" usd: "3" } rates { meter: "output_tokens" usd: "15" }
                                      rates { meter: "cache_read_tokens" usd: "0.3" }
                                      rates { meter: "cache_write_tokens" usd: "3.75" }
                                      rates { meter: "cache_write_1h_tokens" usd: "6" } })";

TEST(Realize, BillsEachUnitOnceUnderItsMostSpecificRate) {
  const auto prices = PricesForTest(kPlain);
  const Cost cost = CostOf(*prices, Used({{Meter::kInputTokens, 1000},
                                          {Meter::kCacheReadTokens, 600},
                                          {Meter::kCacheWriteTokens, 300},
                                          {Meter::kCacheWrite5mTokens, 100},
                                          {Meter::kCacheWrite1hTokens, 200},
                                          {Meter::kOutputTokens, 50},
                                          {Meter::kOutputReasoningTokens, 20}}));
  ASSERT_EQ(cost.state, CostState::kPriced) << cost.Explain();
  // 100 x 3 + 600 x 0.3 + 100 x 3.75 + 200 x 6 = 2055; 50 x 15 = 750, reasoning included.
  EXPECT_EQ(cost.input_nanos, 2'055'000);
  EXPECT_EQ(cost.output_nanos, 750'000);
  EXPECT_EQ(cost.total_nanos, 2'805'000);
  EXPECT_EQ(cost.items().size(), 5u);
}

TEST(Realize, UnknownIsNeverFree) {
  const auto only_output = PricesForTest(R"(sheets { rates { meter: "output_tokens" usd: "15" } })");
  const Cost part =
      CostOf(*only_output,
             Used({{Meter::kInputTokens, 10}, {Meter::kInputTextTokens, 10}, {Meter::kOutputTokens, 10}}));
  EXPECT_EQ(part.state, CostState::kPartlyPriced);
  EXPECT_EQ(part.Explain(), "no rate for input_tokens: the total is too low");
  const Cost none = CostOf(*only_output, Used({{Meter::kInputTokens, 10}, {Meter::kWebSearches, 1}}));
  EXPECT_EQ(none.state, CostState::kUnpriced);
  EXPECT_EQ(none.Explain(), "no rate for input_tokens, web_searches");
  EXPECT_EQ(CostOf(*PricesForTest(""), Used({{Meter::kInputTokens, 1}})).state, CostState::kUnpriced);
  const auto dated =
      PricesForTest(R"(sheets { from: "2030-01-01" rates { meter: "input_tokens" usd: "1" } })");
  EXPECT_EQ(CostOf(*dated, Used({{Meter::kInputTokens, 1}})).Explain(), "no price list applies");
  // Said to be free, it is.
  const auto free = PricesForTest(R"(sheets { rates { meter: "input_tokens" free: true } })");
  const Cost nothing = CostOf(*free, Used({{Meter::kInputTokens, 10}}));
  EXPECT_EQ(nothing.state, CostState::kPriced);
  EXPECT_EQ(nothing.total_nanos, 0);
}

TEST(Realize, UsageThatContradictsItselfIsNotBilled) {
  const auto prices = PricesForTest(kPlain);
  const Cost more_cached = CostOf(*prices, Used({{Meter::kInputTokens, 10}, {Meter::kCacheReadTokens, 11}}));
  EXPECT_EQ(more_cached.state, CostState::kContradictory);
  EXPECT_EQ(more_cached.at_fault, Meter::kInputTokens);
  // What is missing is the sum of its parts where they cannot overlap ...
  const Cost summed =
      CostOf(*prices, Used({{Meter::kCacheReadTokens, 1000}, {Meter::kCacheWriteTokens, 100}}));
  ASSERT_EQ(summed.state, CostState::kPriced);
  EXPECT_EQ(summed.total_nanos, 300'000 + 375'000);
  // ... and an error where they can.
  const Cost unclear = CostOf(*prices, Used({{Meter::kCacheReadTokens, 5}, {Meter::kInputAudioTokens, 5}}));
  EXPECT_EQ(unclear.state, CostState::kContradictory);
}

TEST(Realize, OverflowIsAnErrorNotAnAmount) {
  const auto prices = PricesForTest(R"(sheets { rates { meter: "input_tokens" usd: "9000" per: 1 } })");
  const Cost cost = CostOf(*prices, Used({{Meter::kInputTokens, std::numeric_limits<int64_t>::max()}}));
  EXPECT_EQ(cost.state, CostState::kOverflow);
}

TEST(Realize, TiersRepriceTheWholeCallAboveTheirSizeOfTheWholeInput) {
  const char* kTiered = R"(rates { meter: "input_tokens" usd: "3" tiers { above: 200000 usd: "6" } }
                           rates { meter: "cache_read_tokens" usd: "0.3" tiers { above: 200000 usd: "0.6" } }
                           rates { meter: "output_tokens" usd: "15" tiers { above: 200000 usd: "22.5" } })";
  const auto prices = PricesForTest(std::string("sheets {") + kTiered + "}");
  const auto total = [&](int64_t input, int64_t cached, int64_t output) {
    return CostOf(*prices, Used({{Meter::kInputTokens, input},
                                 {Meter::kCacheReadTokens, cached},
                                 {Meter::kOutputTokens, output}}))
        .total_nanos;
  };
  EXPECT_EQ(total(200'000, 0, 0), 600'000'000);
  EXPECT_EQ(total(200'001, 0, 0), 1'200'006'000);
  EXPECT_EQ(total(200'001, 200'000, 1000), 6'000 + 120'000'000 + 22'500'000);
  EXPECT_EQ(total(10, 0, 300'000), 30'000 + 4'500'000'000);
}

TEST(Realize, TiersMayIncludeTheirStartOrBeMarginal) {
  const auto inclusive = PricesForTest(
      R"(sheets { rates { meter: "input_tokens" usd: "3" inclusive: true tiers { above: 1000 usd: "6" } } })");
  EXPECT_EQ(CostOf(*inclusive, Used({{Meter::kInputTokens, 999}})).total_nanos, 999 * 3000);
  EXPECT_EQ(CostOf(*inclusive, Used({{Meter::kInputTokens, 1000}})).total_nanos, 1000 * 6000);
  const auto marginal = PricesForTest(
      R"(sheets { rates { meter: "input_tokens" usd: "3" marginal: true tiers { above: 100 usd: "2" }
                          tiers { above: 200 usd: "1" } } })");
  EXPECT_EQ(CostOf(*marginal, Used({{Meter::kInputTokens, 100}})).total_nanos, 300'000);
  EXPECT_EQ(CostOf(*marginal, Used({{Meter::kInputTokens, 101}})).total_nanos, 302'000);
  EXPECT_EQ(CostOf(*marginal, Used({{Meter::kInputTokens, 250}})).total_nanos, 300'000 + 200'000 + 50'000);
}

TEST(Realize, PicksTheFirstSheetThatApplies) {
  const auto prices = PricesForTest(R"(
    sheets { service_tiers: "batch" multiplier: "0.5" rates { meter: "input_tokens" usd: "8" } }
    sheets { regions: "eu" rates { meter: "input_tokens" usd: "9" } }
    sheets { windows { from: "16:30" until: "00:30" } rates { meter: "input_tokens" usd: "2" } }
    sheets { from: "2026-03-13" until: "2026-04-01" rates { meter: "input_tokens" usd: "3" } }
    sheets { rates { meter: "input_tokens" usd: "1" } })");
  struct Case {
    const char* time;
    ServiceTier tier;
    const char* region;
    int64_t millionths;
  };
  for (const Case& c : {
           Case{"2026-01-01T12:00:00Z", ServiceTier::kUnstated, "", 1},
           Case{"2026-01-01T12:00:00Z", ServiceTier::kBatch, "eu", 4},
           Case{"2026-01-01T12:00:00Z", ServiceTier::kPriority, "", 1},  // No list of its own: standard.
           Case{"2026-01-01T12:00:00Z", ServiceTier::kStandard, "eu-west-1", 9},
           Case{"2026-01-01T12:00:00Z", ServiceTier::kStandard, "europe", 1},
           Case{"2026-01-01T16:29:59Z", ServiceTier::kStandard, "", 1},
           Case{"2026-01-01T16:30:00Z", ServiceTier::kStandard, "", 2},
           Case{"2026-01-02T00:29:59Z", ServiceTier::kStandard, "", 2},
           Case{"2026-01-02T00:30:00Z", ServiceTier::kStandard, "", 1},
           Case{"2026-03-12T23:59:59Z", ServiceTier::kStandard, "us", 2},
           Case{"2026-03-13T01:00:00Z", ServiceTier::kStandard, "", 3},
           Case{"2026-03-31T12:00:00Z", ServiceTier::kStandard, "", 3},
           Case{"2026-04-01T12:00:00Z", ServiceTier::kStandard, "", 1},
       }) {
    EXPECT_EQ(CostOf(*prices, Used({{Meter::kInputTokens, 1000}}), c.tier, c.region, At(c.time)).total_nanos,
              c.millionths * 1'000'000)
        << c.time << " " << c.region;
  }
}

TEST(Realize, WindowsKeepTheirZoneAndTheDayTheyBeginOn) {
  const auto prices = PricesForTest(R"(
    sheets { windows { from: "22:00" until: "06:00" weekdays: [FRIDAY] zone: "Europe/Berlin" }
             rates { meter: "input_tokens" usd: "1" } }
    sheets { windows { from: "00:00" until: "00:00" weekdays: [SUNDAY] zone: "+08:00" }
             rates { meter: "input_tokens" usd: "2" } }
    sheets { rates { meter: "input_tokens" usd: "5" } })");
  struct Case {
    const char* time;
    int64_t rate;
  };
  for (const Case& c : {
           Case{"2026-01-09T20:59:59Z", 5},  // Friday 21:59:59 in Berlin (winter).
           Case{"2026-01-09T21:00:00Z", 1},
           Case{"2026-01-10T04:59:59Z", 1},  // Saturday morning belongs to Friday's window.
           Case{"2026-01-10T05:00:00Z", 5},
           Case{"2026-07-10T20:00:00Z", 1},  // Summer time.
           Case{"2026-01-08T22:00:00Z", 5},  // A Thursday.
           Case{"2026-01-10T15:59:59Z", 5},
           Case{"2026-01-10T16:00:00Z", 2},  // Sunday begins in Shanghai.
           Case{"2026-01-11T15:59:59Z", 2},
           Case{"2026-01-11T16:00:00Z", 5},
       }) {
    EXPECT_EQ(CostOf(*prices, Used({{Meter::kInputTokens, 1000}}), ServiceTier::kUnstated, "", At(c.time))
                  .total_nanos,
              c.rate * 1'000'000)
        << c.time;
  }
}

TEST(Realize, UpliftsRaiseEveryRateOfTheirRegions) {
  const auto prices = PricesForTest(R"(
    sheets { service_tiers: "batch" rates { meter: "input_tokens" usd: "1" } }
    sheets { rates { meter: "input_tokens" usd: "2" tiers { above: 5000 usd: "4" } } }
    uplifts { regions: "eu" multiplier: "1.1" }
    uplifts { regions_except: "global" multiplier: "6/5" })");
  const auto rate = [&](ServiceTier tier, const char* region, int64_t units) {
    return CostOf(*prices, Used({{Meter::kInputTokens, units}}), tier, region).total_nanos / units;
  };
  EXPECT_EQ(rate(ServiceTier::kStandard, "", 1000), 2000);
  EXPECT_EQ(rate(ServiceTier::kStandard, "eu", 1000), 2200);
  EXPECT_EQ(rate(ServiceTier::kStandard, "eu", 6000), 4400);
  EXPECT_EQ(rate(ServiceTier::kBatch, "eu-west-1", 1000), 1100);
  EXPECT_EQ(rate(ServiceTier::kStandard, "us-east5", 1000), 2400);
  EXPECT_EQ(rate(ServiceTier::kStandard, "global", 1000), 2000);
}

TEST(Realize, BillsRequestsToolsSecondsAndMinimums) {
  const auto prices = PricesForTest(R"(sheets {
    rates { meter: "input_tokens" usd: "1" } rates { meter: "requests" usd: "5" per: 1000 }
    rates { meter: "web_searches" usd: "10" per: 1000 } rates { meter: "web_searches_high" usd: "0.03" }
    rates { meter: "audio_seconds" usd: "0.36" per: 3600 minimum: 10 } })");
  const Cost cost = CostOf(*prices, Used({{Meter::kInputTokens, 1000},
                                          {Meter::kWebSearches, 3},
                                          {Meter::kWebSearchesHigh, 1},
                                          {Meter::kInputAudioSeconds, 2'500'000}}));
  ASSERT_EQ(cost.state, CostState::kPriced) << cost.Explain();
  EXPECT_EQ(cost.total_nanos, 1'000'000 + 5'000'000 + 2 * 10'000'000 + 30'000'000 + 10 * 100'000);
  EXPECT_EQ(cost.input_nanos, 1'000'000);
}

TEST(ExactDecimals, KeepsWhatNanoDollarsCannot) {
  const auto prices = PricesForTest(R"(sheets { rates { meter: "input_tokens" usd: "0.0375" } })");
  const Cost cost = CostOf(*prices, Used({{Meter::kInputTokens, 13}}));
  EXPECT_EQ(cost.total_nanos, 488);  // 487.5, to the even one.
  EXPECT_EQ(ExactDecimals(cost).total, "0.0000004875");
  EXPECT_EQ(ExactDecimals(cost).output, "0");
}

TEST(SelfHosted, CostsItsMachinesEnergyIdleTimeAndTraining) {
  const auto prices = PricesForTest(R"(self_hosted {
    gpu_hour_usd: "2.5" gpus: 4 kilowatts: "1" kilowatt_hour_usd: "0.2" utilisation: "0.5"
    input_tokens_per_second: 10000 output_tokens_per_second: 1000
    training_usd: "5000" training_spread_over_tokens: 10000000000 })");
  // An hour is 4 x 2.70 = 10.80; half of it serves: 0.006 a useful second. Training adds 0.0000005 a token.
  const Cost cost = CostOf(*prices, Used({{Meter::kInputTokens, 10'000}, {Meter::kOutputTokens, 1'000}}));
  ASSERT_EQ(cost.state, CostState::kPriced) << cost.Explain();
  EXPECT_EQ(cost.input_nanos, 6'000'000 + 5'000'000);
  EXPECT_EQ(cost.output_nanos, 6'000'000 + 500'000);
  const auto by_second = PricesForTest(R"(self_hosted { gpu_hour_usd: "3.6" utilisation: "0.5" })");
  EXPECT_EQ(CostOf(*by_second, Used({{Meter::kGpuSeconds, 1'500'000}})).total_nanos, 3'000'000);
}

// The slow, obvious twin: hands out single units, each to the most specific rate that still has one of its
// own.
TEST(Realize, AgreesWithCountingUnitByUnit) {
  std::mt19937 random(11);
  for (int round = 0; round < 2000; ++round) {
    const int64_t read = random() % 20, w5 = random() % 20, w1h = random() % 20, fresh = random() % 20;
    const int64_t reasoning = random() % 20, answer = random() % 20;
    const bool has_read = random() % 2, has_write = random() % 2, has_1h = random() % 2,
               has_reasoning = random() % 2;
    std::string text =
        R"(sheets { rates { meter: "input_tokens" usd: "100" } rates { meter: "output_tokens" usd: "700" })";
    if (has_read) text += R"(rates { meter: "cache_read_tokens" usd: "10" })";
    if (has_write) text += R"(rates { meter: "cache_write_tokens" usd: "130" })";
    if (has_1h) text += R"(rates { meter: "cache_write_1h_tokens" usd: "200" })";
    if (has_reasoning) text += R"(rates { meter: "output_reasoning_tokens" usd: "900" })";
    const auto prices = PricesForTest(text + "}");
    int64_t expected = 0;
    for (int64_t i = 0; i < fresh; ++i) expected += 100;
    for (int64_t i = 0; i < read; ++i) expected += has_read ? 10 : 100;
    for (int64_t i = 0; i < w5; ++i) expected += has_write ? 130 : 100;
    for (int64_t i = 0; i < w1h; ++i) expected += has_1h ? 200 : has_write ? 130 : 100;
    for (int64_t i = 0; i < reasoning; ++i) expected += has_reasoning ? 900 : 700;
    for (int64_t i = 0; i < answer; ++i) expected += 700;
    const Cost cost = CostOf(*prices, Used({{Meter::kInputTokens, fresh + read + w5 + w1h},
                                            {Meter::kCacheReadTokens, read},
                                            {Meter::kCacheWriteTokens, w5 + w1h},
                                            {Meter::kCacheWrite5mTokens, w5},
                                            {Meter::kCacheWrite1hTokens, w1h},
                                            {Meter::kOutputTokens, reasoning + answer},
                                            {Meter::kOutputReasoningTokens, reasoning}}));
    ASSERT_EQ(cost.total_nanos, expected * 1000) << text;
  }
}

}  // namespace
}  // namespace purser::pricing
