// Costs that other projects' tests and issues state together with the rates they follow from, restated as
// numbers (testdata/stated_rates.jsonl): each has to come out exactly.

#include "engine/pricing/tables/stated_rates.h"

#include <fstream>
#include <functional>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/time/time.h"
#include "engine/pricing/cost.h"
#include "engine/pricing/model_compiler.h"
#include "engine/pricing/usage_block.h"
#include "gtest/gtest.h"
#include "policies/decimal.h"

namespace purser::pricing {
namespace {

std::string JsonOf(const JsonTree& usage) {
  std::string json = "{";
  for (const auto& [key, value] : usage.members)
    json += (json.size() > 1 ? ",\"" : "\"") + key + "\":" + value.text;
  return json + "}";
}

// The exact cost of some of the items.
std::string Sum(const Cost& cost, const std::function<bool(Meter)>& counts) {
  Cost part;
  for (const CostItem& item : cost.items()) {
    if (counts(item.meter)) part.Append(item);
  }
  return ExactDecimals(part).total;
}

std::string InScope(const Cost& cost, std::string_view scope) {
  const ExactCost exact = ExactDecimals(cost);
  if (scope == "total") return exact.total;
  if (scope == "input") return exact.input;
  if (scope == "output") return exact.output;
  return Sum(cost, [&](Meter meter) {
    const Kind kind = FactsOf(meter).kind;
    if (scope == "cache_write") return kind == Kind::kCacheWrite;
    // Where only the input has a rate, the cached tokens are billed under it.
    if (scope == "cache_read") return kind == Kind::kCacheRead || meter == Meter::kInputTokens;
    return kind == Kind::kReasoning || kind == Kind::kCacheRead;
  });
}

void Check(const JsonTree& stated) {
  int64_t unit = 0;
  ASSERT_TRUE(absl::SimpleAtoi(stated.Find("unit")->text, &unit));
  const auto model = ModelFromStatedRates(*stated.Find("rates"), stated.StringAt("provider"), unit);
  ASSERT_TRUE(model.ok()) << model.status();
  const auto prices = CompileModel(*model);
  ASSERT_TRUE(prices.ok()) << prices.status();
  UsageReader reader;
  Usage usage;
  const absl::Status read = reader.ReadNormalised(JsonOf(*stated.Find("usage")), &usage);
  ASSERT_TRUE(read.ok()) << read;
  absl::Time time = absl::FromUnixSeconds(1'760'000'000);
  std::string error;
  const std::string stated_time(stated.StringAt("time"));
  if (!stated_time.empty()) {
    ASSERT_TRUE(absl::ParseTime(absl::RFC3339_full, stated_time, &time, &error)) << error;
  }
  const Cost cost = Realize(**prices, usage, ParseServiceTier(stated.StringAt("service_tier")),
                            stated.StringAt("region"), absl::ToUnixNanos(time));
  ASSERT_TRUE(cost.state == CostState::kPriced || cost.state == CostState::kPartlyPriced) << cost.Explain();

  const auto expect = [&](std::string_view scope, std::string_view expected) {
    if (expected.empty()) return;
    const auto decimal = ParseDecimal(expected);
    ASSERT_TRUE(decimal.has_value());
    EXPECT_EQ(InScope(cost, scope), ToPlainString(*decimal)) << scope;
  };
  expect(stated.StringAt("scope"), stated.StringAt("expected"));
  expect("input", stated.StringAt("expected_input"));
  expect("output", stated.StringAt("expected_output"));
}

TEST(StatedRates, EveryStatedCostComesOutExactly) {
  std::ifstream in("engine/pricing/tables/testdata/stated_rates.jsonl");
  std::string line;
  int cases = 0;
  while (std::getline(in, line)) {
    const auto stated = ParseJsonTree(line);
    ASSERT_TRUE(stated.ok()) << line;
    SCOPED_TRACE(line);
    Check(*stated);
    ++cases;
  }
  EXPECT_EQ(cases, 104);
}

TEST(StatedRates, AnUnknownRateIsAnError) {
  for (const char* rates : {R"({"inptu": "3"})", R"({"input_mtok": "x"})", R"({"input_cost_per_tokn": "1"})",
                            "{}", R"({"input_mtok": "-1"})", R"({"input_cost_per_token": "-1e-6"})"}) {
    EXPECT_FALSE(ModelFromStatedRates(*ParseJsonTree(rates), "", 1).ok()) << rates;
  }
}

}  // namespace
}  // namespace purser::pricing
