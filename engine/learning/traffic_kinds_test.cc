#include "engine/learning/traffic_kinds.h"

#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/learning/training.h"
#include "engine/routing/scorer.h"
#include "gtest/gtest.h"

namespace purser::learning {
namespace {

// "deep" makes a sum hard and a question of law easy.
std::vector<Labelled> Prompts(bool sums, int count, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<Labelled> prompts;
  for (int i = 0; i < count; ++i) {
    const bool deep = random() % 2 == 0;
    std::string prompt = sums ? "How many apples are left" : "Which court hears the appeal";
    absl::StrAppend(&prompt, deep ? " in the deep" : " in the plain");
    for (size_t w = random() % 10; w > 0; --w) absl::StrAppend(&prompt, " filler", random() % 50);
    const bool weak = random() % 100 < (deep == sums ? 20 : 90);
    prompts.push_back({prompt, random() % 100 < 95 ? 1.0 : 0.0, weak ? 1.0 : 0.0, ""});
  }
  return prompts;
}

FitOptions Small() {
  FitOptions options;
  options.bucket_bits = 12;
  options.deals = 1;
  options.report_deals = 1;
  return options;
}

double Apgr(const routing::LearnedScorer& proto, const std::vector<Labelled>& data) {
  const auto scorer = routing::Scorer::Create(proto);
  EXPECT_TRUE(scorer.ok()) << scorer.status();
  std::vector<double> scores;
  for (const Labelled& labelled : data) scores.push_back((*scorer)->Score(labelled.prompt));
  return MeasureRouting(scores, data)->apgr;
}

class TrafficKindsTest : public testing::Test {
 protected:
  TrafficKindsTest() {
    for (const Traffic& one : traffic_) own_.push_back(FitScorer(one.prompts, Small())->scorer);
    combined_ = CombineScorers(traffic_, own_);
  }

  const std::vector<Traffic> traffic_ = {{"sums", Prompts(true, 900, 1)}, {"law", Prompts(false, 300, 2)}};
  std::vector<routing::LearnedScorer> own_;
  routing::LearnedScorer combined_;
};

TEST_F(TrafficKindsTest, EachPromptIsScoredByItsOwnKindsScorer) {
  const auto combined = routing::Scorer::Create(combined_);
  ASSERT_TRUE(combined.ok()) << combined.status();
  for (const int kind : {0, 1}) {
    const auto own = routing::Scorer::Create(own_[kind]);
    for (const Labelled& labelled : Prompts(kind == 0, 200, 3)) {
      EXPECT_EQ((*combined)->Score(labelled.prompt), (*own)->Score(labelled.prompt)) << labelled.prompt;
    }
  }
}

TEST_F(TrafficKindsTest, IsBetterThanOneLinearScorerWhereTheSameWordMeansTheOpposite) {
  std::vector<Labelled> pooled = traffic_[0].prompts;
  pooled.insert(pooled.end(), traffic_[1].prompts.begin(), traffic_[1].prompts.end());
  const auto linear = FitScorer(pooled, Small());
  ASSERT_TRUE(linear.ok());
  const std::vector<Labelled> law = Prompts(false, 2000, 4);
  EXPECT_LT(Apgr(linear->scorer, law), 0.6);
  EXPECT_GT(Apgr(combined_, law), 0.65);
}

TEST_F(TrafficKindsTest, TellsKindsFromShardsOfOneKind) {
  EXPECT_GT(ShareRecognised(traffic_, 1), 0.99);
  const std::vector<Traffic> shards = {{"a", Prompts(true, 300, 5)}, {"b", Prompts(true, 300, 6)}};
  EXPECT_LT(ShareRecognised(shards, 1), 0.6);
}

TEST_F(TrafficKindsTest, DamagedKindsAreRefused) {
  const auto refused = [&](auto damage) {
    routing::LearnedScorer proto = combined_;
    damage(&proto);
    const auto scorer = routing::Scorer::Create(proto);
    EXPECT_FALSE(scorer.ok());
    return std::string(scorer.status().message());
  };
  EXPECT_EQ(refused([](routing::LearnedScorer* p) { p->mutable_kinds()->RemoveLast(); }),
            "the scorer has 1 kinds of traffic; expected none, or 2 to 16");
  EXPECT_EQ(refused([](routing::LearnedScorer* p) { p->mutable_kinds(1)->clear_words(); }),
            "kind \"law\": its words have no weights, or another number than those of the first kind");
  EXPECT_EQ(refused([](routing::LearnedScorer* p) { p->mutable_kinds(1)->set_bias(std::nan("")); }),
            "kind \"law\": its bias must be finite");
  EXPECT_EQ(
      refused([](routing::LearnedScorer* p) { p->mutable_kinds(0)->mutable_scorer()->clear_structure(); }),
      "kind \"sums\": the scorer has 0 structure features; expected 25");
  EXPECT_EQ(
      refused([](routing::LearnedScorer* p) { *p->mutable_kinds(0)->mutable_scorer()->add_kinds() = {}; }),
      "kind \"sums\": it has kinds itself");
}

}  // namespace
}  // namespace purser::learning
