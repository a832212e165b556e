#include "engine/learning/quality_metrics.h"

#include <random>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace purser::learning {
namespace {

using ::testing::HasSubstr;

std::vector<Labelled> Data(const std::vector<std::pair<double, double>>& answers) {
  std::vector<Labelled> data;
  for (const auto& [strong, weak] : answers) data.push_back({"p", strong, weak, ""});
  return data;
}

TEST(EvaluationTest, APerfectScoreRecoversTheGapFirst) {
  // Of four prompts one needs the strong model.
  const auto data = Data({{1, 1}, {1, 0}, {1, 1}, {0, 0}});
  const absl::StatusOr<RoutingQuality> quality = MeasureRouting(std::vector<double>{0, 9, 1, 2}, data);
  ASSERT_TRUE(quality.ok());
  EXPECT_DOUBLE_EQ(quality->apgr, 0.125 + 0.75);
  EXPECT_DOUBLE_EQ(quality->cpt50, 0.125);
  EXPECT_DOUBLE_EQ(quality->cpt80, 0.2);
  EXPECT_DOUBLE_EQ(quality->strong_share_at_equal_quality, 0.25);
}

TEST(EvaluationTest, AnInvertedScoreRecoversItLast) {
  const auto data = Data({{1, 1}, {1, 0}, {1, 1}, {0, 0}});
  const absl::StatusOr<RoutingQuality> quality = MeasureRouting(std::vector<double>{9, 0, 8, 7}, data);
  ASSERT_TRUE(quality.ok());
  EXPECT_DOUBLE_EQ(quality->apgr, 0.125);
  EXPECT_DOUBLE_EQ(quality->strong_share_at_equal_quality, 1);
}

TEST(EvaluationTest, EqualScoresAreTakenInNoOrder) {
  for (const auto& data : {Data({{1, 0}, {1, 1}, {0, 0}}), Data({{0, 0}, {1, 1}, {1, 0}})}) {
    const absl::StatusOr<RoutingQuality> quality = MeasureRouting(ConstantScores(data), data);
    ASSERT_TRUE(quality.ok());
    EXPECT_DOUBLE_EQ(quality->apgr, 0.5);
    EXPECT_DOUBLE_EQ(quality->cpt50, 0.5);
    EXPECT_DOUBLE_EQ(quality->cpt80, 0.8);
  }
}

TEST(EvaluationTest, WithoutAGapThereIsNothingToMeasure) {
  const auto data = Data({{1, 1}, {0, 0}});
  EXPECT_EQ(MeasureRouting(ConstantScores(data), data).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

// The definition, written down naively: each k sends the k highest to the strong model.
TEST(EvaluationTest, AgreesWithTheDefinitionOnRandomData) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 50; ++round) {
    std::vector<std::pair<double, double>> answers;
    std::vector<double> scores;
    for (int i = 0; i < 40; ++i) {
      answers.push_back({random() % 4 != 0, random() % 2 == 0});
      scores.push_back(static_cast<double>(random() % 1000 * 64 + i));
    }
    const auto data = Data(answers);
    const absl::StatusOr<RoutingQuality> quality = MeasureRouting(scores, data);
    const double gap = (MeanStrong(data) - MeanWeak(data)) * 40;
    if (gap <= 0) continue;
    double area = 0;
    double previous = 0;
    for (int k = 1; k <= 40; ++k) {
      std::vector<double> sorted = scores;
      std::sort(sorted.rbegin(), sorted.rend());
      double right = 0;
      for (int i = 0; i < 40; ++i) right += scores[i] >= sorted[k - 1] ? data[i].strong : data[i].weak;
      const double recovered = (right - MeanWeak(data) * 40) / gap;
      area += (recovered + previous) / 2 / 40;
      previous = recovered;
    }
    ASSERT_TRUE(quality.ok());
    EXPECT_NEAR(quality->apgr, area, 1e-9);
  }
}

TEST(EvaluationTest, BadLinesAreNamedWithTheirPlace) {
  struct Case {
    std::string text;
    std::string error;
  };
  const Case cases[] = {
      {"{\"prompt\":\"a\",\"strong\":true,\"weak\":0.5}\n\n{\"prompt\":\"a\"}\n",
       ":3: the line has no \"strong\""},
      {"[1]\n", ":1: the line is not a JSON object"},
      {"{\"prompt\":\"a\",\"strong\":2,\"weak\":0}\n", "has a \"strong\" that is not between 0 and 1"},
      {"{\"prompt\":1,\"strong\":1,\"weak\":0}\n", "has no \"prompt\" text"},
      {"\n", "has no lines"},
  };
  for (const Case& c : cases) {
    const std::string path = ::testing::TempDir() + "/labelled.jsonl";
    FILE* file = fopen(path.c_str(), "w");
    ASSERT_NE(file, nullptr);
    fwrite(c.text.data(), 1, c.text.size(), file);
    fclose(file);
    EXPECT_THAT(std::string(ReadLabelled(path).status().message()), HasSubstr(c.error));
  }
  EXPECT_EQ(ReadLabelled("/nowhere/at/all").status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace purser::learning
