#include "engine/learning/training.h"

#include <cmath>
#include <fstream>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/learning/ridge.h"
#include "engine/routing/program.h"
#include "engine/routing/prompt_features.h"
#include "engine/routing/scorer.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "policies/textproto.h"

namespace purser::learning {
namespace {

// Prompts whose need for the strong model is in their words: mostly needed with "theorem", seldom with
// "weather".
std::vector<Labelled> Learnable(int count, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<Labelled> data;
  for (int i = 0; i < count; ++i) {
    const bool hard = random() % 2 == 0;
    const bool weak = random() % 100 < (hard ? 20 : 85);
    std::string prompt = hard ? "State the theorem" : "Tell me about the weather";
    for (size_t w = random() % 10; w > 0; --w) absl::StrAppend(&prompt, " filler", random() % 50);
    data.push_back({prompt, random() % 100 < 90 ? 1.0 : 0.0, weak ? 1.0 : 0.0, hard ? "maths" : "talk"});
  }
  return data;
}

// Labels that nothing in the prompt foretells.
std::vector<Labelled> Hopeless(int count) {
  std::mt19937_64 random(9);
  std::vector<Labelled> data;
  for (int i = 0; i < count; ++i) {
    data.push_back({std::string(20 + static_cast<size_t>(i % 7), 'x'), 1, random() % 2 == 0 ? 1.0 : 0.0, ""});
  }
  return data;
}

double Apgr(const routing::LearnedScorer& proto, const std::vector<Labelled>& data) {
  const auto scorer = routing::Scorer::Create(proto);
  EXPECT_TRUE(scorer.ok()) << scorer.status();
  std::vector<double> scores;
  for (const Labelled& labelled : data) scores.push_back((*scorer)->Score(labelled.prompt));
  return MeasureRouting(scores, data)->apgr;
}

// Whichever the scorer has.
routing::HashedWeights* Weights(routing::LearnedScorer* proto) {
  return proto->has_words() ? proto->mutable_words() : proto->mutable_trigrams();
}

FitOptions Small() {
  FitOptions options;
  options.bucket_bits = 12;
  options.deals = 1;
  return options;
}

TEST(TrainingTest, LearnsWhatWordsTellAndCarriesItOver) {
  const auto fitted = FitScorer(Learnable(600, 1), Small());
  ASSERT_TRUE(fitted.ok()) << fitted.status();
  EXPECT_TRUE(fitted->report.Wins());
  EXPECT_GT(Apgr(fitted->scorer, Learnable(2000, 2)), 0.68);
  EXPECT_NEAR(Apgr(fitted->scorer, Learnable(2000, 3)), fitted->report.scorer.mean, 0.05)
      << "what cross-validation promised is kept on new prompts";
}

TEST(TrainingTest, ScoresAreAboutTheShareOfPromptsThatOnlyTheStrongModelAnswers) {
  const auto fitted = FitScorer(Learnable(2000, 1), Small());
  ASSERT_TRUE(fitted.ok());
  const auto scorer = routing::Scorer::Create(fitted->scorer);
  ASSERT_TRUE(scorer.ok());
  // 0.9 right of the strong model, less 0.2 and 0.85 of the weak one.
  EXPECT_NEAR((*scorer)->Score("State the theorem filler1 filler2"), 0.7, 0.1);
  EXPECT_NEAR((*scorer)->Score("Tell me about the weather filler1 filler2"), 0.05, 0.1);
}

// Cross-validated on one draw of prompts, and measured on many others.
TEST(TrainingTest, TheStandardErrorIsWhatOtherPromptsDifferBy) {
  std::vector<double> apgr;
  double stated = 0;
  for (uint64_t draw = 0; draw < 40; ++draw) {
    const std::vector<Labelled> data = Learnable(400, 100 + draw);
    std::vector<double> scores;
    for (const Labelled& labelled : data) scores.push_back(labelled.group == "maths" ? 1.0 : 0.0);
    apgr.push_back(MeasureRouting(scores, data)->apgr);
    if (draw > 0) continue;
    const auto fitted = FitScorer(data, Small());
    ASSERT_TRUE(fitted.ok());
    stated = fitted->report.standard_error;
  }
  const double seen = SpreadOf(apgr).deviation;
  EXPECT_GT(stated, 0.7 * seen);
  EXPECT_LT(stated, 2 * seen);
}

TEST(TrainingTest, DoesNotWinWhereThereIsNothingToLearn) {
  const auto fitted = FitScorer(Hopeless(600), Small());
  ASSERT_TRUE(fitted.ok()) << fitted.status();
  EXPECT_LT(fitted->report.scorer.mean, 0.56);
}

TEST(TrainingTest, HeldOutPromptsAreThoseNotFittedOn) {
  const std::vector<Labelled> data = Learnable(600, 1);
  const auto report = HoldOut(data, Small(), 2, 400);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->prompts, 200u);
  EXPECT_EQ(report->trials, 2);
  EXPECT_TRUE(report->Wins());
  EXPECT_NEAR(report->scorer.mean, Apgr(FitScorer(data, Small())->scorer, Learnable(2000, 2)), 0.08);
  EXPECT_FALSE(HoldOut(data, Small(), 0, 400).ok());
  EXPECT_FALSE(HoldOut(data, Small(), 1, 600).ok()) << "nothing is left to measure on";
}

// What a scorer is fitted on and what it reads at work are the same numbers: compared with slow twins.
TEST(PromptFeaturesTest, WordBucketsAreDistinctAndTrigramsAreAll) {
  const std::string prompt = "The cat, the CAT and x_2.\n";
  routing::TextMeasures measures;
  routing::Measure(prompt, &measures);
  std::vector<uint32_t> buckets;
  const int count =
      routing::ForEachWordBucket(prompt, measures, 22, [&](uint32_t b) { buckets.push_back(b); });
  EXPECT_EQ(count, static_cast<int>(buckets.size()));
  EXPECT_EQ(std::set<uint32_t>(buckets.begin(), buckets.end()).size(), buckets.size());
  // the, cat, and, x_2; the cat, cat the, cat and, and x_2; nine steps of structure.
  EXPECT_EQ(count, 4 + 4 + 9);
  int trigrams = 0;
  // " the ", " cat, ", " the ", " cat ", " and ", " x_2. "
  EXPECT_EQ(routing::ForEachTrigramBucket(prompt, 16, [&](uint32_t) { ++trigrams; }), 3 + 4 + 3 + 3 + 3 + 4);
  EXPECT_EQ(trigrams, 20);
  EXPECT_EQ(routing::ForEachTrigramBucket("", 16, [](uint32_t) {}), 0);
  EXPECT_EQ(routing::ForEachTrigramBucket(" a ", 16, [](uint32_t) {}), 1);
}

TEST(PromptFeaturesTest, ALongPromptIsReadSoFar) {
  std::string prompt;
  for (int i = 0; i < 20'000; ++i) absl::StrAppend(&prompt, "w", i, " ");
  int visits = 0;
  EXPECT_EQ(routing::ForEachWordBucket(prompt, routing::TextMeasures{}, 22, [&](uint32_t) { ++visits; }),
            3072);
  EXPECT_EQ(visits, 3072);
}

TEST(TrainingTest, TheSameDataGiveTheSameScorerToTheByte) {
  const auto a = FitScorer(Learnable(200, 1), Small());
  const auto b = FitScorer(Learnable(200, 1), Small());
  ASSERT_TRUE(a.ok() && b.ok());
  EXPECT_EQ(a->scorer.SerializeAsString(), b->scorer.SerializeAsString());
}

TEST(TrainingTest, RefusesWhatCannotBeFitted) {
  EXPECT_EQ(FitScorer(Learnable(49, 1), Small()).status().code(), absl::StatusCode::kInvalidArgument);
  std::vector<Labelled> no_gap = Learnable(100, 1);
  for (Labelled& labelled : no_gap) labelled.strong = labelled.weak;
  EXPECT_EQ(FitScorer(no_gap, Small()).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST(ScorerTest, RefusesWhatItCannotRead) {
  const auto fitted = FitScorer(Learnable(100, 1), Small());
  ASSERT_TRUE(fitted.ok());
  const auto broken = [&](auto change) {
    routing::LearnedScorer proto = fitted->scorer;
    change(&proto);
    return !routing::Scorer::Create(proto).ok();
  };
  EXPECT_FALSE(broken([](routing::LearnedScorer*) {}));
  EXPECT_TRUE(broken([](routing::LearnedScorer* p) { p->set_version(99); }));
  EXPECT_TRUE(broken([](routing::LearnedScorer* p) { Weights(p)->mutable_weights()->pop_back(); }));
  EXPECT_TRUE(broken([](routing::LearnedScorer* p) { Weights(p)->set_bucket_bits(60); }));
  EXPECT_TRUE(broken([](routing::LearnedScorer* p) { Weights(p)->set_step(NAN); }));
  EXPECT_TRUE(broken([](routing::LearnedScorer* p) { p->mutable_structure()->RemoveLast(); }));
  EXPECT_TRUE(broken([](routing::LearnedScorer* p) { p->mutable_structure(0)->set_deviation(0); }));
  EXPECT_TRUE(broken([](routing::LearnedScorer* p) { p->mutable_structure(0)->set_name("other"); }));
}

// From labels to a rule: fitted, written as text, read by a policy.
TEST(ScorerTest, AFittedScorerIsASignalOfAPolicy) {
  const auto fitted = FitScorer(Learnable(600, 1), Small());
  ASSERT_TRUE(fitted.ok());
  std::string text;
  ASSERT_TRUE(google::protobuf::TextFormat::PrintToString(fitted->scorer, &text));
  std::ofstream(::testing::TempDir() + "/need.textproto") << text;

  policy::Policy policy;
  Diagnostics diagnostics = ParseTextproto(R"pb(
                                             candidates { name: "small" model: "s" quality: 30 }
                                             candidates { name: "large" model: "l" quality: 90 }
                                             signals { name: "need" scorer_file: "need.textproto" }
                                             rules {
                                               name: "needed"
                                               when { signal: "need" above: 0.4 }
                                               min_quality: 90
                                             }
                                           )pb",
                                           "p.textproto", &policy);
  const auto program =
      routing::Program::Compile(policy, {}, {.directory = ::testing::TempDir()}, &diagnostics);
  ASSERT_NE(program, nullptr) << diagnostics.ToStatus();
  const auto candidates_for = [&](std::string_view prompt) {
    const Message message{Role::kUser, prompt};
    Request request;
    request.messages = {&message, 1};
    routing::Features features;
    routing::Verdict verdict;
    program->Read(request, {}, &features);
    program->Evaluate(request, {}, features, &verdict);
    return verdict.candidates.size();
  };
  EXPECT_EQ(candidates_for("State the theorem filler1"), 1);
  EXPECT_EQ(candidates_for("Tell me about the weather filler1"), 2);

  Diagnostics missing = ParseTextproto("", "p.textproto", &policy);
  policy.add_candidates()->set_model("m");
  policy.add_signals()->set_scorer_file("nowhere.textproto");
  EXPECT_EQ(routing::Program::Compile(policy, {}, {.directory = ::testing::TempDir()}, &missing), nullptr);
  EXPECT_NE(missing.ToStatus().message().find("nowhere.textproto"), absl::string_view::npos);
}

TEST(RidgeTest, SolvesASmallProblemExactly) {
  // X = [[1, 0], [1, 1], [0, 2]], y = [1, 2, 3], penalty 1.
  RidgeProblem problem;
  problem.columns = 2;
  problem.Add(0, 1);
  problem.EndRow();
  problem.Add(0, 1);
  problem.Add(1, 1);
  problem.EndRow();
  problem.Add(1, 2);
  problem.EndRow();
  problem.targets = {1, 2, 3};
  const std::vector<float> weights = SolveRidge(problem, 1);
  // [[3, 1], [1, 6]] w = [3, 8]: w = (10/17, 21/17).
  EXPECT_NEAR(weights[0], 10.0 / 17, 1e-3);
  EXPECT_NEAR(weights[1], 21.0 / 17, 1e-3);
}

}  // namespace
}  // namespace purser::learning
