#include "engine/learning/observed_calls.h"

#include <algorithm>
#include <random>

#include "absl/strings/str_cat.h"
#include "engine/learning/training.h"
#include "engine/routing/scorer.h"
#include "gtest/gtest.h"

namespace purser::learning {
namespace {

// Prompts whose truth is known for both models; hard ones say so in a word. The strong model always answers
// nine of ten, the weak one a fifth of the hard ones.
std::vector<Labelled> Truth(size_t count, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<Labelled> truth;
  for (size_t i = 0; i < count; ++i) {
    const bool hard = random() % 2 == 0;
    std::string prompt = absl::StrCat("number ", i, hard ? " prove the lemma" : " say hello");
    for (size_t w = random() % 10; w > 0; --w) absl::StrAppend(&prompt, " filler", random() % 50);
    truth.push_back(
        {prompt, random() % 10 < 9 ? 1.0 : 0.0, random() % 10 < (hard ? 2u : 8u) ? 1.0 : 0.0, ""});
  }
  return truth;
}

// Of each prompt one model's outcome, drawn by chance: the strong one in `percent` of the calls.
std::vector<ObservedCall> Observe(const std::vector<Labelled>& truth, uint64_t percent, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<ObservedCall> calls;
  for (const Labelled& one : truth) {
    const bool strong = random() % 100 < percent;
    calls.push_back({one.prompt, strong, strong ? one.strong : one.weak});
  }
  return calls;
}

// By prompt, so that scores of one measure on the other.
void Sort(std::vector<Labelled>* labels) {
  std::sort(labels->begin(), labels->end(),
            [](const Labelled& a, const Labelled& b) { return a.prompt < b.prompt; });
}

double MeanGain(const std::vector<Labelled>& labels) { return MeanStrong(labels) - MeanWeak(labels); }

TEST(ObservedCallsTest, PromptsThatBothAnsweredAreLabelledWithWhatWasSeen) {
  const std::vector<ObservedCall> calls = {
      {"a", true, 1}, {"a", false, 0}, {"a", false, 1}, {"b", true, 0}, {"b", false, 0.25}};
  const auto observed = LabelsOf(calls);
  ASSERT_TRUE(observed.ok()) << observed.status();
  EXPECT_EQ(observed->of_both, 2u);
  EXPECT_EQ(observed->of_one, 0u);
  ASSERT_EQ(observed->labels.size(), 2u);
  EXPECT_EQ(observed->labels[0].strong, 1);
  EXPECT_EQ(observed->labels[0].weak, 0.5);
  EXPECT_EQ(observed->labels[1].weak, 0.25);
}

// Over many draws, gains and APGR of what is seen of one model each are those of the truth.
TEST(ObservedCallsTest, LabelsOfOneModelAreRightOnAverage) {
  std::vector<Labelled> truth = Truth(3000, 1);
  Sort(&truth);
  std::vector<double> scores;
  for (const Labelled& one : truth)
    scores.push_back(one.prompt.find("lemma") != std::string::npos ? 1.0 : 0.0);
  const double gain = MeanGain(truth);
  const double apgr = MeasureRouting(scores, truth)->apgr;
  for (const uint64_t percent : {50, 20}) {
    double seen_gain = 0;
    double seen_apgr = 0;
    constexpr int kDraws = 20;
    for (uint64_t draw = 0; draw < kDraws; ++draw) {
      auto observed = LabelsOf(Observe(truth, percent, draw));
      ASSERT_TRUE(observed.ok());
      EXPECT_EQ(observed->of_one, truth.size());
      Sort(&observed->labels);
      seen_gain += MeanGain(observed->labels) / kDraws;
      seen_apgr += MeasureRouting(scores, observed->labels)->apgr / kDraws;
    }
    EXPECT_NEAR(seen_gain, gain, 0.02) << percent;
    EXPECT_NEAR(seen_apgr, apgr, 0.02) << percent;
  }
}

// A scorer fitted to one outcome a prompt tells hard from easy where both outcomes are known.
TEST(ObservedCallsTest, AScorerLearnsFromOneOutcomeAPrompt) {
  const auto observed = LabelsOf(Observe(Truth(1500, 2), 30, 3));
  ASSERT_TRUE(observed.ok());
  FitOptions options;
  options.deals = 1;
  options.report_deals = 1;
  options.bucket_bits = 12;
  const auto fitted = FitScorer(observed->labels, options);
  ASSERT_TRUE(fitted.ok()) << fitted.status();
  EXPECT_TRUE(fitted->report.Wins());
  const auto scorer = routing::Scorer::Create(fitted->scorer);
  ASSERT_TRUE(scorer.ok());
  const std::vector<Labelled> others = Truth(2000, 4);
  std::vector<double> scores;
  for (const Labelled& one : others) scores.push_back((*scorer)->Score(one.prompt));
  EXPECT_GT(MeasureRouting(scores, others)->apgr, 0.66);  // Knowing which are hard gives 0.69.
}

TEST(ObservedCallsTest, OneModelAloneTellsNothing) {
  const std::vector<ObservedCall> calls = {{"a", true, 1}, {"b", true, 0}};
  EXPECT_EQ(LabelsOf(calls).status().code(), absl::StatusCode::kFailedPrecondition);
  // Beside pairs, such prompts are left out.
  const std::vector<ObservedCall> with_pair = {{"a", true, 1}, {"b", true, 0}, {"b", false, 0}};
  const auto observed = LabelsOf(with_pair);
  ASSERT_TRUE(observed.ok());
  EXPECT_EQ(observed->labels.size(), 1u);
  EXPECT_EQ(observed->of_one, 0u);
}

}  // namespace
}  // namespace purser::learning
