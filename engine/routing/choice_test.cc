#include "engine/routing/choice.h"

#include <random>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace purser::routing {
namespace {

using ::testing::ElementsAre;

class ChoiceTest : public ::testing::Test {
 protected:
  ChoiceTest() {
    settings_.quality = quality_;
    verdict_.preference.fill(0xFFFF);
  }

  // Candidates that cost this much, expected; all pass.
  std::vector<int> Order(const std::vector<int64_t>& costs) {
    prices_.resize(costs.size());
    for (size_t i = 0; i < costs.size(); ++i) {
      prices_[i].known = true;
      prices_[i].expected_nanos = costs[i];
      prices_[i].worst_nanos = costs[i] > INT64_MAX / 2 ? INT64_MAX : 2 * costs[i];
    }
    return Order();
  }
  std::vector<int> Order() {
    verdict_.candidates = CandidateSet::FirstN(static_cast<int>(prices_.size()));
    verdict_.refusal = Refusal::kNone;
    Choose(settings_, context_, prices_, &verdict_, &choice_);
    std::vector<int> order;
    for (int i = 0; i < choice_.count; ++i) order.push_back(choice_.ranked[i].candidate);
    return order;
  }

  std::vector<int32_t> quality_ = {10, 20, 30, 40};
  std::vector<Price> prices_;
  ChoiceSettings settings_;
  ChoiceContext context_;
  Verdict verdict_;
  Choice choice_;
};

TEST_F(ChoiceTest, TheLowestExpectedCostComesFirstAndEqualOnesInThePolicysOrder) {
  EXPECT_THAT(Order({30, 10, 20, 10}), ElementsAre(1, 3, 2, 0));
  EXPECT_EQ(choice_.ranked[0].worst_nanos, 20);
}

TEST_F(ChoiceTest, PreferenceDecidesBetweenCostsThatCountAsEqual) {
  verdict_.preference[2] = 0;
  EXPECT_THAT(Order({100, 100, 100}), ElementsAre(2, 0, 1));
  EXPECT_THAT(Order({100, 100, 104}), ElementsAre(0, 1, 2));
  settings_.equal_cost_share = 0.05;
  EXPECT_THAT(Order({100, 100, 104}), ElementsAre(2, 0, 1));
  EXPECT_THAT(Order({100, 100, 106}), ElementsAre(0, 1, 2));
}

TEST_F(ChoiceTest, UnknownPricesAreOut) {
  Order({30, 10, 20});
  prices_[1].known = false;
  EXPECT_THAT(Order(), ElementsAre(2, 0));
  EXPECT_EQ(verdict_.reasons[1].reject, Reject::kUnpriced);
  prices_[0].known = prices_[2].known = false;
  EXPECT_THAT(Order(), ElementsAre());
  EXPECT_EQ(verdict_.refusal, Refusal::kNoCandidate);
  prices_[1].batch_expected_nanos = 5;
  context_.deferrable = settings_.batch_if_deferrable = true;
  EXPECT_THAT(Order(), ElementsAre(1)) << "it is sent as a batch, whose price is known";
}

TEST_F(ChoiceTest, UnknownPricesComeLastWhereTheyMayServe) {
  settings_.allow_unpriced = true;
  Order({30, 10, 20});
  prices_[1].known = false;
  EXPECT_THAT(Order(), ElementsAre(2, 0, 1));
}

TEST_F(ChoiceTest, SlowCandidatesAreOutAndUnknownLatencyPasses) {
  Order({30, 10, 20});
  prices_[1].p95_ms = 1001;
  prices_[2].p95_ms = 1000;
  verdict_.latency_limit_ms = 1000;
  EXPECT_THAT(Order(), ElementsAre(2, 0));
  EXPECT_EQ(verdict_.reasons[1].reject, Reject::kLatency);
  for (Price& price : prices_) price.p95_ms = 2000;
  EXPECT_THAT(Order(), ElementsAre());
  EXPECT_EQ(verdict_.refusal, Refusal::kNoCandidate);
}

TEST_F(ChoiceTest, ASecondIsWorthWhatThePolicySays) {
  Order({1'000'000, 2'000'000});
  prices_[0].p50_ms = 2000;
  prices_[1].p50_ms = 500;
  EXPECT_THAT(Order(), ElementsAre(0, 1));
  settings_.nanos_per_second = 1'000'000;  // 1.5 s are worth 1.5 million.
  EXPECT_THAT(Order(), ElementsAre(1, 0));
}

TEST_F(ChoiceTest, DeferrableCallsTakeTheBatchPriceIfThePolicyDoes) {
  Order({100, 90});
  prices_[0].batch_expected_nanos = 50;
  prices_[0].batch_worst_nanos = 70;
  context_.deferrable = true;
  EXPECT_THAT(Order(), ElementsAre(1, 0));
  settings_.batch_if_deferrable = true;
  EXPECT_THAT(Order(), ElementsAre(0, 1));
  EXPECT_TRUE(choice_.ranked[0].batch);
  EXPECT_EQ(choice_.ranked[0].worst_nanos, 70);
  context_.deferrable = false;
  EXPECT_THAT(Order(), ElementsAre(1, 0));
}

TEST_F(ChoiceTest, ASessionLeavesItsModelOnlyForMoreThanTheMargin) {
  struct Case {
    double share;
    int64_t margin;
    int first;
  };
  // The session's candidate 0 costs 100, the other 80.
  const Case cases[] = {{0, 0, 1},  {0.19, 0, 1}, {0.21, 0, 0},  {0, 19, 1},
                        {0, 21, 0}, {0.1, 15, 1}, {0.05, 14, 1}, {0, 20, 0}};
  for (const Case& c : cases) {
    SCOPED_TRACE(testing::Message() << c.share << " " << c.margin);
    settings_.switch_margin_share = c.share;
    settings_.switch_margin_nanos = c.margin;
    context_.current = 0;
    EXPECT_EQ(Order({100, 80})[0], c.first);
    EXPECT_EQ(choice_.kept_current, c.first == 0);
  }
}

TEST_F(ChoiceTest, AModelIsNotKeptByTheMarginIfItWouldHaveBeenFirstAnyway) {
  settings_.equal_cost_share = 0.25;
  context_.current = 1;
  EXPECT_THAT(Order({80, 90}), ElementsAre(0, 1)) << "as cheap as the first, which the policy names first";
  verdict_.preference[1] = 0;
  verdict_.preference[0] = 1;
  settings_.switch_margin_nanos = 50;
  EXPECT_THAT(Order(), ElementsAre(1, 0));
  EXPECT_FALSE(choice_.kept_current) << "a rule prefers it";
}

TEST_F(ChoiceTest, AToolLoopOnlyEscalates) {
  settings_.escalate_only_in_tool_loop = true;
  context_.current = 2;
  EXPECT_THAT(Order({1, 2, 3, 4}), ElementsAre(0, 1, 2, 3)) << "outside of a loop anything goes";
  context_.in_tool_loop = true;
  EXPECT_THAT(Order({1, 2, 3, 4}), ElementsAre(2, 3));
  EXPECT_EQ(verdict_.reasons[0].reject, Reject::kToolLoop);
  context_.current = 3;
  EXPECT_THAT(Order({1, 2, 3}), ElementsAre(0, 1, 2))
      << "none as good is left: better a weaker one than none";
}

TEST_F(ChoiceTest, ExplorationIsAStatedShareDrawnByTheRequestsId) {
  settings_.exploration_share = 0.1;
  int explored = 0;
  std::vector<int> first(3, 0);
  for (int i = 0; i < 20'000; ++i) {
    const std::string id = "request-" + std::to_string(i);
    context_.request_id = id;
    const std::vector<int> order = Order({10, 20, 40});
    EXPECT_EQ(order, Order({10, 20, 40}));
    EXPECT_EQ(order.size(), 3u);
    explored += choice_.explored ? 1 : 0;
    if (choice_.explored) ++first[order[0]];
  }
  EXPECT_NEAR(explored, 2000, 150);
  for (const int count : first) EXPECT_NEAR(count, explored / 3.0, 120);
  settings_.exploration_most_times_cheapest = 2;
  for (int i = 0; i < 2'000; ++i) {
    const std::string id = "request-" + std::to_string(i);
    context_.request_id = id;
    EXPECT_NE(Order({10, 20, 40})[0], 2) << "more expensive than twice the cheapest";
  }
}

TEST_F(ChoiceTest, ABoundOnExplorationLeavesUnknownPricesAlone) {
  settings_.exploration_share = 1;
  settings_.exploration_most_times_cheapest = 2;
  settings_.allow_unpriced = true;
  Order({0, 20, 40, 50});
  prices_[0].known = false;
  std::vector<int> first(4, 0);
  for (int i = 0; i < 200; ++i) {
    const std::string id = "request-" + std::to_string(i);
    context_.request_id = id;
    ++first[Order()[0]];
  }
  EXPECT_EQ(first[0], 0) << "its price is unknown";
  EXPECT_GT(first[1], 50);
  EXPECT_GT(first[2], 50) << "twice the cheapest of those that are known";
  EXPECT_EQ(first[3], 0);
}

TEST_F(ChoiceTest, AmountsAtTheEndOfTheRangeDoNotWrapAround) {
  constexpr int64_t kMaxNanos = std::numeric_limits<int64_t>::max();
  settings_.nanos_per_second = kMaxNanos;
  settings_.switch_margin_share = 0.5;
  settings_.equal_cost_share = 1;
  context_.current = 1;
  settings_.switch_margin_nanos = kMaxNanos;
  Order({kMaxNanos, kMaxNanos - 1, 5});
  prices_[2].p50_ms = 2'000'000'000;
  EXPECT_EQ(Order().size(), 3u);
  for (int i = 0; i < choice_.count; ++i) EXPECT_GE(choice_.ranked[i].ranked_nanos, 0);
}

}  // namespace
}  // namespace purser::routing
