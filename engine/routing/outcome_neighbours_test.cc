#include "engine/routing/outcome_neighbours.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <random>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cache/binomial.h"
#include "engine/routing/program.h"
#include "gtest/gtest.h"
#include "policies/textproto.h"

namespace purser::routing {
namespace {

using Abstains = OutcomeNeighbours::Abstains;
using Outcome = OutcomeNeighbours::Outcome;
using Options = OutcomeNeighbours::Options;

constexpr size_t kDimension = 24;

// Requests of a few topics; how well they are answered depends on the topic.
std::vector<Outcome> Recorded(size_t count, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<float> normal;
  std::vector<Outcome> outcomes(count);
  for (Outcome& outcome : outcomes) {
    const size_t topic = random() % 6;
    for (size_t d = 0; d < kDimension; ++d)
      outcome.embedding.push_back((d == topic ? 4.0F : 0.0F) + 0.35F * normal(random));
    outcome.good = random() % 6 < topic ? 1.0F : 0.0F;
  }
  return outcomes;
}

double Cosine(std::span<const float> a, std::span<const float> b) {
  double dot = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    dot += double{a[i]} * b[i];
    aa += double{a[i]} * a[i];
    bb += double{b[i]} * b[i];
  }
  return dot / std::sqrt(aa * bb);
}

struct Exact {
  size_t near = 0;
  double good = 0;
  double guarded = -1;
};

// The slow twin: every recorded request, sorted.
Exact LookAtAll(std::span<const Outcome> recorded, std::span<const float> embedding, const Options& options) {
  std::vector<std::pair<double, double>> near;
  for (const Outcome& outcome : recorded) {
    const double cosine = Cosine(outcome.embedding, embedding);
    if (cosine >= options.least_similarity) near.emplace_back(-cosine, outcome.good);
  }
  std::sort(near.begin(), near.end());
  Exact exact;
  exact.near = std::min(near.size(), static_cast<size_t>(options.neighbours));
  double good = 0;
  for (size_t i = 0; i < exact.near; ++i) good += near[i].second;
  if (exact.near > 0) exact.good = good / static_cast<double>(exact.near);
  if (exact.near >= static_cast<size_t>(options.least_neighbours))
    exact.guarded = cache::LowerLimit(good, static_cast<double>(exact.near), 1 - options.confidence);
  return exact;
}

class OutcomeNeighboursTest : public testing::TestWithParam<size_t> {};

TEST_P(OutcomeNeighboursTest, EstimatesAsLookingAtAllDoes) {
  const std::vector<Outcome> recorded = Recorded(GetParam(), 1);
  const Options options{.embedding_model = "e", .candidate = "small", .least_similarity = 0.9};
  const auto neighbours = OutcomeNeighbours::Create(recorded, options);
  ASSERT_TRUE(neighbours.ok()) << neighbours.status();
  int same = 0;
  int abstained = 0;
  constexpr int kQueries = 200;
  std::vector<Outcome> queries = Recorded(kQueries - 20, 2);
  std::mt19937_64 random(3);
  std::normal_distribution<float> normal;
  while (queries.size() < kQueries) {  // Of no topic.
    Outcome& stray = queries.emplace_back();
    for (size_t d = 0; d < kDimension; ++d) stray.embedding.push_back(normal(random));
  }
  for (const Outcome& query : queries) {
    const auto estimated = (*neighbours)->Estimate(query.embedding, "e");
    const Exact exact = LookAtAll(recorded, query.embedding, options);
    same += estimated.near == static_cast<int>(exact.near) && std::abs(estimated.good - exact.good) < 1e-6 &&
            std::abs(estimated.guarded - exact.guarded) < 1.1e-6;
    EXPECT_EQ(estimated.abstains == Abstains::kNo, estimated.guarded >= 0);
    abstained += exact.guarded < 0;
  }
  // All, but for the rounding of components and what the graph passes by.
  EXPECT_GE(same, kQueries * 96 / 100);
  EXPECT_GE(abstained, 20);
  EXPECT_LT(abstained, kQueries);
}
// Compared one by one; and through the graph.
INSTANTIATE_TEST_SUITE_P(Sizes, OutcomeNeighboursTest, testing::Values(300, 4000));

std::vector<float> Axis(size_t axis, size_t dimension) {
  std::vector<float> embedding(dimension, 0.0F);
  embedding[axis] = 2;
  return embedding;
}

// The outcomes of the first topic lie on the first axis, and so on.
std::vector<Outcome> OnAxes(const std::vector<std::vector<float>>& goods_by_axis, size_t dimension = 4) {
  std::vector<Outcome> outcomes;
  for (size_t axis = 0; axis < goods_by_axis.size(); ++axis) {
    for (const float good : goods_by_axis[axis]) outcomes.push_back({Axis(axis, dimension), good});
  }
  return outcomes;
}

// The promise of the guard: where the true share is p, the limit is above p in at most 1 - confidence of all
// samples.
TEST(OutcomeNeighboursTest, TheLimitIsSeldomAboveTheTrueShare) {
  constexpr size_t kTopics = 60;
  constexpr int kRounds = 8;
  std::mt19937_64 random(5);
  for (const double share : {0.3, 0.7, 0.95}) {
    const int near = share > 0.5 ? 16 : 5;
    int above = 0;
    for (int round = 0; round < kRounds; ++round) {
      std::vector<std::vector<float>> goods(kTopics);
      for (std::vector<float>& topic : goods) {
        for (int i = 0; i < near; ++i) topic.push_back(random() % 1000 < share * 1000 ? 1.0F : 0.0F);
      }
      const auto neighbours = OutcomeNeighbours::Create(
          OnAxes(goods, kTopics),
          {.embedding_model = "e", .candidate = "small", .neighbours = near, .least_neighbours = near});
      ASSERT_TRUE(neighbours.ok());
      for (size_t topic = 0; topic < kTopics; ++topic)
        above += (*neighbours)->Estimate(Axis(topic, kTopics), "e").guarded > share ? 1 : 0;
    }
    EXPECT_LE(above, kRounds * static_cast<int>(kTopics) * 14 / 100)
        << share;  // 10 %, and 3 standard errors.
  }
}

TEST(OutcomeNeighboursTest, SaysWhyItAbstains) {
  const auto neighbours = OutcomeNeighbours::Create(OnAxes({{1, 1, 1, 0, 1}, {1, 1, 1, 1}}),
                                                    {.embedding_model = "e", .candidate = "small"});
  ASSERT_TRUE(neighbours.ok()) << neighbours.status();
  const float dense[] = {1, 0, 0, 0}, sparse[] = {0, 1, 0, 0}, between[] = {1, 1, 0, 0},
              nowhere[] = {0, 0, 0, 0};
  const float shorter[] = {1, 0};
  const auto why = [&](std::span<const float> embedding, std::string_view model) {
    return (*neighbours)->Estimate(embedding, model).abstains;
  };
  EXPECT_EQ(why(dense, "e"), Abstains::kNo);
  EXPECT_EQ(why({}, "e"), Abstains::kNoEmbedding);
  EXPECT_EQ(why(dense, "f"), Abstains::kOtherModel);
  EXPECT_EQ(why(shorter, "e"), Abstains::kOtherModel);
  EXPECT_EQ(why(sparse, "e"), Abstains::kTooFewNear);
  EXPECT_EQ(why(between, "e"), Abstains::kTooFewNear);
  EXPECT_EQ(why(nowhere, "e"), Abstains::kTooFewNear);
  EXPECT_NEAR((*neighbours)->Estimate(dense, "e").good, 0.8, 1e-9);
  EXPECT_EQ((*neighbours)->Estimate(sparse, "e").near, 4);
  EXPECT_EQ((*neighbours)->Estimate(sparse, "e").guarded, -1);
}

TEST(OutcomeNeighboursTest, PartsOfOutcomesCountInQuartersRoundedDown) {
  const Options options{.candidate = "small"};
  const float axis[] = {1, 0, 0, 0};
  const auto guarded = [&](std::vector<float> goods) {
    return (*OutcomeNeighbours::Create(OnAxes({std::move(goods)}), options))->Estimate(axis, "").guarded;
  };
  EXPECT_EQ(guarded({1, 1, 1, 0, 0.3F}), guarded({1, 1, 1, 0, 0.25F}));
  EXPECT_GT(guarded({1, 1, 1, 0, 0.5F}), guarded({1, 1, 1, 0, 0.25F}));
  EXPECT_EQ(guarded({0, 0, 0, 0, 0}), 0);
  EXPECT_NEAR(guarded({1, 1, 1, 1, 1}), std::pow(0.1, 1.0 / 5), 1.1e-6);  // All good: alpha^(1/n).
}

TEST(OutcomeNeighboursTest, MistakesSayWhatIsExpected) {
  const std::vector<Outcome> some = OnAxes({{1, 1, 1, 1, 1}});
  const struct {
    Options options;
    const char* says;
  } kCases[] = {
      {{.candidate = ""}, "names no candidate"},
      {{.candidate = "c", .neighbours = 33}, "neighbours is 33; expected 1 to 32"},
      {{.candidate = "c", .least_neighbours = 17}, "least_neighbours is 17"},
      {{.candidate = "c", .least_similarity = 1.5}, "least_similarity is 1.5"},
      {{.candidate = "c", .confidence = 0.5}, "confidence is 0.5"},
  };
  for (const auto& [options, says] : kCases) {
    EXPECT_NE(OutcomeNeighbours::Create(some, options).status().message().find(says), std::string::npos)
        << says;
  }
  EXPECT_FALSE(OutcomeNeighbours::Create({}, {.candidate = "c"}).ok());
  EXPECT_FALSE(OutcomeNeighbours::Create(std::vector<Outcome>{{{0, 0}, 1}}, {.candidate = "c"}).ok());
  EXPECT_FALSE(
      OutcomeNeighbours::Create(std::vector<Outcome>{{{1, 0}, 1}, {{1}, 1}}, {.candidate = "c"}).ok());
}

class OutcomesFile : public testing::Test {
 protected:
  std::string Write(std::string_view text) {
    const std::string path = testing::TempDir() + "/outcomes.jsonl";
    std::ofstream(path) << text;
    return path;
  }
};

TEST_F(OutcomesFile, OtherCandidatesAndOtherEmbeddingsAreLeftOut) {
  const std::string path = Write(R"({"embedding": [1, 0], "outcomes": {"small": true, "large": true}}
{"embedding": [1, 0.1], "outcomes": {"small": 0.5}, "embedding_model": "e"}

{"embedding": [1, 0], "outcomes": {"large": true}}
{"embedding": [1, 0, 0], "outcomes": {"small": true}, "embedding_model": "other"}
)");
  const auto neighbours = OutcomeNeighbours::Load(path, {.embedding_model = "e", .candidate = "small"});
  ASSERT_TRUE(neighbours.ok()) << neighbours.status();
  EXPECT_EQ((*neighbours)->size(), 2u);
  EXPECT_FALSE(OutcomeNeighbours::Load(path, {.embedding_model = "e", .candidate = "unknown"}).ok());
}

TEST_F(OutcomesFile, ErrorsNameTheLine) {
  const std::pair<const char*, const char*> kCases[] = {
      {"[]\n", ":1: the line is not a JSON object"},
      {"\n{\"embedding\": [1]}\n", ":2: the line has no \"outcomes\""},
      {R"({"embedding": [1], "outcomes": {"small": 2}})", ":1: the line has an outcome"},
      {R"({"embedding": ["a"], "outcomes": {"small": 1}})", ":1: the line has an \"embedding\""},
      {R"({"outcomes": {"small": 1}})", ":1: the line has no \"embedding\""},
  };
  for (const auto& [text, says] : kCases) {
    const absl::Status status =
        OutcomeNeighbours::Load(Write(text), {.embedding_model = "e", .candidate = "small"}).status();
    EXPECT_NE(status.message().find(says), std::string::npos) << status;
  }
  EXPECT_EQ(OutcomeNeighbours::Load("nowhere.jsonl", {.candidate = "small"}).status().code(),
            absl::StatusCode::kNotFound);
}

// From the file to a rule: the cheap candidate serves what it is known to answer, the better one the rest,
// and what nobody knows.
TEST_F(OutcomesFile, RaisesTheFloorOfAPolicy) {
  std::string lines;
  for (int i = 0; i < 16; ++i) {
    absl::StrAppend(&lines, R"({"embedding": [1, 0, 0.0)", i, R"(], "outcomes": {"small": true}})", "\n");
    absl::StrAppend(&lines, R"({"embedding": [0, 1, 0.0)", i, R"(], "outcomes": {"small": )",
                    i % 2 == 0 ? 1 : 0, "}}\n");
  }
  Write(lines);
  policy::Policy policy;
  Diagnostics diagnostics =
      ParseTextproto(R"pb(
                       candidates { name: "small" model: "s" quality: 30 }
                       candidates { name: "large" model: "l" quality: 90 }
                       signals {
                         name: "small_does_well"
                         outcomes { file: "outcomes.jsonl" embedding_model: "e" candidate: "small" }
                       }
                       rules {
                         name: "not known to do well"
                         when { signal: "small_does_well" below: 0.7 }
                         min_quality: 60
                       }
                     )pb",
                     "p.textproto", &policy);
  const auto program = Program::Compile(policy, {}, {.directory = testing::TempDir()}, &diagnostics);
  ASSERT_NE(program, nullptr) << diagnostics.ToStatus();
  EXPECT_EQ(diagnostics.warnings(), 0);
  const struct {
    std::vector<float> embedding;
    bool small_serves;
  } kCases[] = {{{1, 0, 0}, true}, {{0, 1, 0}, false}, {{0, 0, 1}, false}, {{}, false}};
  for (const auto& [embedding, small_serves] : kCases) {
    Request request;
    request.embedding = embedding;
    request.embedding_model = "e";
    const Context context;
    Features features;
    Verdict verdict;
    program->Read(request, context, &features);
    program->Evaluate(request, context, features, &verdict);
    EXPECT_EQ(verdict.candidates.Has(0), small_serves) << absl::StrJoin(embedding, ",");
    EXPECT_TRUE(verdict.candidates.Has(1));
  }
}

}  // namespace
}  // namespace purser::routing
