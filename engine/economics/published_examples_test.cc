// Examples of unit economics as they are published in the field, booked as calls and asked back. What the
// examples leave open is assumed here, and said.

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/economics/margins.h"
#include "engine/economics/survey.h"
#include "engine/pricing/cost.h"
#include "gtest/gtest.h"
#include "tests/support/prices_for_test.h"

namespace purser::economics {
namespace {

using ledger::RecordView;

constexpr int64_t kMillicent = 10'000;  // $0.00001 in nano-dollars.
constexpr int64_t kDollar = 1'000'000'000;
constexpr int64_t kMarch = 1'772'438'400'000'000'000;  // 2026-03-02T08:00:00Z

// $5 and $15 per million input and output tokens, through the price book.
int64_t CostOf(int64_t input_tokens, int64_t output_tokens) {
  static const auto prices = pricing::PricesForTest(R"(sheets {
    rates { meter: "input_tokens" usd: "5" } rates { meter: "output_tokens" usd: "15" } })");
  Usage usage;
  usage.Set(Meter::kInputTokens, input_tokens);
  usage.Set(Meter::kOutputTokens, output_tokens);
  return pricing::Realize(*prices, usage, ServiceTier::kUnstated, "", 0).total_nanos;
}

class Ledger {
 public:
  explicit Ledger(const std::string& economics) : economics_(*Economics::Parse(economics, "test")) {
    span_.Add(kMarch);
    span_.Add(kMarch + kNanosPerDay);
  }
  RecordView& Call() {
    records_.emplace_back();
    records_.back().time_nanos = kMarch;
    return records_.back();
  }
  Survey Read() const {
    Survey survey(economics_, span_);
    for (const RecordView& record : records_) {
      ledger::Entry entry;
      entry.record = record;
      survey.Add(entry);
    }
    return survey;
  }

 private:
  const Economics economics_;
  Span span_;
  std::vector<RecordView> records_;
};

TEST(PublishedExamples, AThousandTokensInAndTwoHundredOutCostEightTenthsOfACent) {
  EXPECT_EQ(CostOf(1000, 200), 8'000'000);
}

// 2,000 tokens of planning, 3 x 1,500 of tools, 3,000 of synthesis and 5,000 of a retry are 14,500 of the
// 15,500 that the example names; assumed: the question and the final check take the other 1,000. Assumed as
// well: a quarter of each step's tokens is output. The single completion is the 1,000 + 200 tokens above.
TEST(PublishedExamples, AnAgentTaskCostsTenCompletions) {
  Ledger ledger("");
  int64_t expected = 0, tokens = 0;
  int step = 0;
  for (const int64_t step_tokens : {1000, 2000, 1500, 1500, 1500, 3000, 5000}) {
    RecordView& call = ledger.Call();
    call.request_class = "agent";
    call.task = "task-1";
    call.step = ++step;
    call.input_tokens = step_tokens * 3 / 4;
    call.output_tokens = step_tokens / 4;
    call.cost_nanos = CostOf(call.input_tokens, call.output_tokens);
    expected += call.cost_nanos;
    tokens += step_tokens;
  }
  RecordView& single = ledger.Call();
  single.request_class = "agent";
  single.task = "task-2";
  single.cost_nanos = CostOf(1000, 200);

  EXPECT_EQ(tokens, 15'500);
  EXPECT_EQ(expected, 11'625 * 5'000 + 3'875 * 15'000);  // $0.11625
  const Survey survey = ledger.Read();
  const std::vector<TaskMultiple> multiples = TaskMultiples(survey);
  ASSERT_EQ(multiples.size(), 1u);
  EXPECT_EQ(multiples[0].per_task_nanos, expected);
  EXPECT_EQ(multiples[0].single_shot_nanos, 8'000'000);
  EXPECT_TRUE(multiples[0].from_single_shots);
  EXPECT_NEAR(multiples[0].multiple(), 14.5, 0.04);
  EXPECT_EQ(multiples[0].costliest_task, "task-1");
}

// Two endpoints, -$0.006 and +$0.0056 a request. Assumed: revenue of $0.002 and $0.006, costs of $0.008 (the
// completion above) and $0.0004, and one request of the first to four of the second, so that the blend earns.
TEST(PublishedExamples, ABlendThatLooksHealthyHidesAnEndpointThatLoses) {
  Ledger ledger(R"(classes { name: "summarize" revenue_per_request_usd: "0.002" }
                   classes { name: "classify" revenue_per_request_usd: "0.006" })");
  for (int i = 0; i < 1000; ++i) {
    RecordView& call = ledger.Call();
    call.request_class = i % 5 == 0 ? "summarize" : "classify";
    call.cost_nanos = i % 5 == 0 ? CostOf(1000, 200) : 400'000;
  }
  const Survey survey = ledger.Read();
  const std::vector<ClassMargin> margins = ClassMargins(survey);
  ASSERT_EQ(margins.size(), 2u);
  EXPECT_EQ(margins[0].name, "summarize");
  EXPECT_EQ(margins[0].per_request(margins[0].margin_nanos()), -6'000'000);
  EXPECT_EQ(margins[1].per_request(margins[1].margin_nanos()), 5'600'000);
  EXPECT_GT(margins[0].margin_nanos() + margins[1].margin_nanos(), 0);
}

// The tier table's margins, -$0.45, $26.90 and $481.50 per customer and month. Assumed: plans of $0, $29 and
// $499, so that an average customer costs $0.45, $2.10 and $17.50.
TEST(PublishedExamples, TiersEarnWhatTheirPlansLeave) {
  Ledger ledger(R"(plans { customer_tier: "free" usd_per_month: "0" }
                   plans { customer_tier: "pro" usd_per_month: "29" monthly_churn: 0.04 }
                   plans { customer_tier: "enterprise" usd_per_month: "499" })");
  struct Tier {
    const char* name;
    int customers;
    int64_t nanos;
  };
  std::vector<std::string> ids;
  ids.reserve(1000);
  for (const Tier& tier : {Tier{"free", 100, 45'000 * kMillicent}, Tier{"pro", 20, 210'000 * kMillicent},
                           Tier{"enterprise", 3, 1'750'000 * kMillicent}}) {
    for (int c = 0; c < tier.customers; ++c) {
      ids.push_back(absl::StrCat(tier.name, "-", c));
      for (const int64_t part : {1, 3}) {
        RecordView& call = ledger.Call();
        call.customer = ids.back();
        call.customer_tier = tier.name;
        call.cost_nanos = tier.nanos * part / 4;
      }
    }
  }
  const std::vector<TierMonth> tiers = TierMonths(ledger.Read());
  ASSERT_EQ(tiers.size(), 3u);
  EXPECT_EQ(tiers[0].tier, "free");
  EXPECT_EQ(tiers[0].Each(tiers[0].margin_nanos()), -450'000'000);
  EXPECT_EQ(tiers[1].Each(tiers[1].margin_nanos()), 26'900'000'000);
  EXPECT_EQ(tiers[2].Each(tiers[2].margin_nanos()), 481'500'000'000);
  EXPECT_EQ(tiers[0].use_until_loss(), 0);
  EXPECT_NEAR(tiers[1].use_until_loss(), 29 / 2.10, 1e-9);
  EXPECT_EQ(tiers[1].lifetime_nanos, 672'500'000'000);  // $26.90 for 25 months.
  EXPECT_FALSE(tiers[2].lifetime_nanos.has_value());
}

TEST(PublishedExamples, AMillionQueriesOfACentAreTenThousandDollarsAMonth) {
  const Economics economics = *Economics::Parse(
      R"(fixed_costs { name: "vector store" usd_per_month: "500" utilisation: 0.4 })", "test");
  Span span;
  span.Add(kMarch);
  Survey survey(economics, span);
  ledger::Entry entry;
  entry.record.time_nanos = kMarch;
  entry.record.cost_nanos = 10'000'000;
  const std::vector<std::string> customers = {"a", "b", "c", "d"};
  for (int i = 0; i < 1'000'000; ++i) {
    entry.record.customer = customers[static_cast<size_t>(i) % customers.size()];
    survey.Add(entry);
  }
  EXPECT_EQ(survey.total().cost_nanos, 10'000 * kDollar);
  const UnitCosts units = UnitCostsOf(survey);
  EXPECT_EQ(units.per_call, 10'000'000);
  EXPECT_EQ(units.per_customer_month, (10'000 + 500) * kDollar / 4);
  EXPECT_EQ(units.fixed_unused_nanos, 300 * kDollar);
}

}  // namespace
}  // namespace purser::economics
