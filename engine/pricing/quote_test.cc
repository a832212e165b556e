#include "engine/pricing/quote.h"

#include <algorithm>
#include <random>
#include <string>

#include "absl/strings/str_cat.h"
#include "engine/pricing/cost.h"
#include "tests/support/prices_for_test.h"

namespace purser::pricing {
namespace {

constexpr char kTiered[] = R"(sheets {
  rates { meter: "input_tokens" usd: "3" tiers { above: 200000 usd: "6" } }
  rates { meter: "cache_read_tokens" usd: "0.3" tiers { above: 200000 usd: "0.6" } }
  rates { meter: "cache_write_tokens" usd: "3.75" tiers { above: 200000 usd: "7.5" } }
  rates { meter: "cache_write_1h_tokens" usd: "6" tiers { above: 200000 usd: "12" } }
  rates { meter: "output_tokens" usd: "15" tiers { above: 200000 usd: "22.5" } } })";

TEST(MakeQuote, PricesWhatIsExpectedAndTheWorst) {
  const auto prices = PricesForTest(kTiered);
  QuoteInput input;
  input.input_tokens = 10'000;
  input.most_input_tokens = 12'000;
  input.output_tokens = 500;
  input.most_output_tokens = 4'000;
  const Quote quote = MakeQuote({prices.get()}, input);
  ASSERT_TRUE(quote.priced);
  EXPECT_EQ(quote.expected_nanos, 10'000 * 3'000 + 500 * 15'000);
  EXPECT_EQ(quote.worst_nanos, 12'000 * 3'000 + 4'000 * 15'000);
  ASSERT_EQ(quote.items().size(), 2u);
  EXPECT_EQ(quote.items()[1].meter, Meter::kOutputTokens);
  EXPECT_EQ(quote.items()[1].most_nanos, 60'000'000);
}

TEST(MakeQuote, TheWorstReachesTheMostExpensiveTierAndCountsOnNoCache) {
  const auto prices = PricesForTest(kTiered);
  QuoteInput input;
  input.input_tokens = 190'000;
  input.most_input_tokens = 210'000;
  input.cached_tokens = 100'000;
  input.cache_write_tokens = 40'000;
  input.cache_write_1h = true;
  input.output_tokens = 100;
  input.most_output_tokens = 100;
  const Quote quote = MakeQuote({prices.get()}, input);
  EXPECT_EQ(quote.expected_nanos, 100'000 * 300 + 40'000 * 6'000 + 50'000 * 3'000 + 100 * 15'000);
  EXPECT_EQ(quote.worst_nanos, 210'000ll * 12'000 + 100 * 22'500);
}

TEST(MakeQuote, ReasoningThatCostsMoreThanOutputDecidesTheWorst) {
  const auto prices = PricesForTest(R"(sheets { rates { meter: "input_tokens" usd: "1" }
    rates { meter: "output_tokens" usd: "2" } rates { meter: "output_reasoning_tokens" usd: "9" } })");
  QuoteInput input;
  input.output_tokens = 10;
  input.most_output_tokens = 100;
  const Quote quote = MakeQuote({prices.get()}, input);
  EXPECT_EQ(quote.expected_nanos, 20'000);
  EXPECT_EQ(quote.worst_nanos, 900'000);
}

TEST(MakeQuote, WhatHasNoRateIsUnpriced) {
  const auto embedding = PricesForTest(R"(sheets { rates { meter: "input_tokens" usd: "1" } })");
  QuoteInput input;
  input.input_tokens = input.most_input_tokens = 10;
  EXPECT_TRUE(MakeQuote({embedding.get()}, input).priced);
  input.most_output_tokens = 5;
  const Quote quote = MakeQuote({embedding.get()}, input);
  EXPECT_FALSE(quote.priced);
  EXPECT_TRUE(quote.unpriced.Has(Meter::kOutputTokens));
  EXPECT_FALSE(MakeQuote({nullptr}, input).priced);
  EXPECT_FALSE(MakeQuote({PricesForTest("").get()}, input).priced);
}

TEST(MakeQuote, SaturatesInsteadOfWrapping) {
  const auto prices = PricesForTest(R"(sheets { rates { meter: "input_tokens" usd: "9000" per: 1 }
                                                rates { meter: "output_tokens" usd: "9000" per: 1 } })");
  QuoteInput input;
  input.input_tokens = input.most_input_tokens = INT64_MAX;
  input.output_tokens = input.most_output_tokens = INT64_MAX;
  const Quote quote = MakeQuote({prices.get()}, input);
  EXPECT_EQ(quote.expected_nanos, kMaxNanos);
  EXPECT_EQ(quote.worst_nanos, kMaxNanos);
}

// Whatever a call uses within its bounds, the bill is within the worst case; and what is expected is billed
// as quoted, but for rounding up.
TEST(MakeQuote, NoCallWithinItsBoundsCostsMoreThanTheWorst) {
  std::mt19937 random(5);
  const auto upto = [&](int64_t most) { return most <= 0 ? 0 : static_cast<int64_t>(random() % (most + 1)); };
  int flat = 0;
  for (int round = 0; round < 3000; ++round) {
    // Half of the books tier all rates at one size, as most public ones do.
    const int64_t shared_above = round % 2 == 0 ? 0 : 1 + static_cast<int64_t>(random() % 4000);
    const bool shared_inclusive = random() % 3 == 0;
    const auto usd = [&] { return absl::StrCat(1 + random() % 20, ".", 1 + random() % 999); };
    std::string text = "sheets {";
    for (const char* meter : {"input_tokens", "cache_read_tokens", "cache_write_tokens",
                              "cache_write_1h_tokens", "output_tokens", "output_reasoning_tokens"}) {
      const bool needed = std::string(meter) == "input_tokens" || std::string(meter) == "output_tokens";
      if (!needed && random() % 2 == 0) continue;
      const bool inclusive = shared_above > 0 ? shared_inclusive : random() % 3 == 0;
      absl::StrAppend(&text, "rates { meter: \"", meter, "\" usd: \"", usd(), "\"",
                      inclusive ? " inclusive: true" : "");
      if (shared_above > 0) {
        if (random() % 4 > 0)
          absl::StrAppend(&text, " tiers { above: ", shared_above, " usd: \"", usd(), "\" }");
        absl::StrAppend(&text, " }");
        continue;
      }
      for (int64_t above = 0, t = random() % 4; t > 0; --t) {
        above += 1 + random() % 2000;
        absl::StrAppend(&text, " tiers { above: ", above, " usd: \"", usd(), "\" }");
      }
      absl::StrAppend(&text, " }");
    }
    const auto prices = PricesForTest(text + "}");
    QuoteInput input;
    input.most_input_tokens = 1 + upto(5000);
    input.input_tokens = upto(input.most_input_tokens);
    input.cached_tokens = random() % 2 ? upto(input.input_tokens) : 0;
    input.cache_write_tokens = random() % 2 ? upto(input.input_tokens - input.cached_tokens) : 0;
    input.cache_write_1h = random() % 2;
    input.most_output_tokens = upto(3000);
    input.output_tokens = upto(input.most_output_tokens);
    const Quote quote = MakeQuote({prices.get()}, input);
    ASSERT_TRUE(quote.priced);
    ASSERT_LE(quote.expected_nanos, quote.worst_nanos);

    const Meter write = input.cache_write_1h ? Meter::kCacheWrite1hTokens : Meter::kCacheWrite5mTokens;
    const auto bill = [&](int64_t in, int64_t read, int64_t written, int64_t out, int64_t reasoning) {
      Usage usage;
      usage.Set(Meter::kInputTokens, in);
      usage.Set(Meter::kCacheReadTokens, read);
      usage.Set(Meter::kCacheWriteTokens, written);
      usage.Set(write, written);
      usage.Set(Meter::kOutputTokens, out);
      usage.Set(Meter::kOutputReasoningTokens, reasoning);
      const Cost cost = Realize(*prices, usage, ServiceTier::kUnstated, "", 0);
      EXPECT_EQ(cost.state, CostState::kPriced) << cost.Explain();
      return cost.total_nanos;
    };
    const int64_t as_expected =
        bill(input.input_tokens, input.cached_tokens, input.cache_write_tokens, input.output_tokens, 0);
    ASSERT_GE(quote.expected_nanos, as_expected) << text;
    ASSERT_LE(quote.expected_nanos, as_expected + 5) << text;
    // A fee of nothing per request leaves the amounts as they are, and takes the longer arithmetic.
    const auto with_fee = PricesForTest(text + R"(rates { meter: "requests" free: true } })");
    ASSERT_FALSE(with_fee->sheets[0].flat.serves);
    flat += prices->sheets[0].flat.serves;
    const Quote longer = MakeQuote({with_fee.get()}, input);
    const QuoteTotals totals = MakeQuoteTotals({prices.get()}, input);
    ASSERT_EQ(totals.priced, quote.priced);
    ASSERT_EQ(totals.expected_nanos, quote.expected_nanos) << text;
    ASSERT_EQ(totals.worst_nanos, quote.worst_nanos) << text;
    ASSERT_EQ(quote.expected_nanos, longer.expected_nanos) << text;
    ASSERT_EQ(quote.worst_nanos, longer.worst_nanos) << text;
    // Realized costs round to the nearest, quotes up: never below.
    const bool caches = input.cached_tokens > 0 || input.cache_write_tokens > 0;
    const int64_t in = upto(input.most_input_tokens);
    const int64_t written = caches ? upto(in) : 0;
    const int64_t out = upto(input.most_output_tokens);
    ASSERT_GE(quote.worst_nanos, bill(in, 0, written, out, upto(out))) << text;
    ASSERT_GE(quote.worst_nanos, bill(input.most_input_tokens, 0, 0, input.most_output_tokens, 0)) << text;
  }
  EXPECT_GE(flat, 1500);
}

}  // namespace
}  // namespace purser::pricing
