#include "engine/estimates/token_correction.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <thread>
#include <vector>

namespace purser::estimates {
namespace {

TEST(TokenCorrectionTest, ChangesNothingBeforeItHasSeenAnything) {
  const TokenCorrection correction;
  EXPECT_EQ(correction.expected_factor(), 1);
  EXPECT_EQ(correction.bound_factor(), 0);
  EXPECT_EQ(correction.Expected(1000), 1000);
  EXPECT_EQ(correction.Bound(1000, 1200), 1200);
}

TEST(TokenCorrectionTest, LearnsAModelsOwnRatio) {
  for (const double ratio : {0.6, 0.95, 1.0, 1.18, 2.5}) {
    TokenCorrection correction;
    std::mt19937_64 random(11);
    std::normal_distribution<double> noise(0, 0.04);
    std::uniform_int_distribution<int64_t> sizes(50, 20'000);
    int above_bound = 0;
    constexpr int kCalls = 4000;
    for (int call = 0; call < kCalls; ++call) {
      const int64_t estimated = sizes(random);
      const auto realised =
          static_cast<int64_t>(static_cast<double>(estimated) * ratio * std::exp(noise(random)));
      if (call >= kCalls / 2) above_bound += realised > correction.Bound(estimated, estimated);
      correction.Observe(estimated, realised);
    }
    EXPECT_NEAR(correction.expected_factor() / ratio, 1, 0.02) << ratio;
    EXPECT_GT(correction.bound_factor(), correction.expected_factor());
    EXPECT_NEAR(correction.bound_factor() / ratio, std::exp(2.33 * 0.04), 0.05) << ratio;
    EXPECT_LT(above_bound, kCalls / 2 / 33) << ratio;
  }
}

TEST(TokenCorrectionTest, OutliersMoveItByAStepOnly) {
  TokenCorrection correction;
  for (int call = 0; call < 1000; ++call) correction.Observe(1000, 1100);
  const double before = correction.expected_factor();
  correction.Observe(1000, 1'000'000'000);
  correction.Observe(1'000'000'000, 20);
  EXPECT_NEAR(correction.expected_factor(), before, 0.005);
  // One call in twenty is absurd: the middle stays.
  for (int call = 0; call < 4000; ++call) correction.Observe(1000, call % 20 == 0 ? 90'000 : 1100);
  EXPECT_NEAR(correction.expected_factor(), 1.1, 0.01);
}

TEST(TokenCorrectionTest, FollowsDrift) {
  TokenCorrection correction;
  for (int call = 0; call < 5000; ++call) correction.Observe(1000, 1000);
  for (int call = 0; call < 1000; ++call) correction.Observe(1000, 1300);
  EXPECT_NEAR(correction.expected_factor(), 1.3, 0.02);
}

TEST(TokenCorrectionTest, PassesOverWhatSaysNothing) {
  TokenCorrection correction;
  correction.Observe(5, 50);
  correction.Observe(0, 10);
  correction.Observe(-3, 10);
  correction.Observe(1000, 0);
  correction.Observe(1000, -1);
  EXPECT_EQ(correction.observations(), 0);
}

TEST(TokenCorrectionTest, AnyWordLoadsIntoRange) {
  std::mt19937_64 random(5);
  TokenCorrection correction;
  for (int trial = 0; trial < 20'000; ++trial) {
    correction.Load(random());
    EXPECT_GE(correction.expected_factor(), 1 / 8.001);
    EXPECT_LE(correction.expected_factor(), 8.001);
    EXPECT_LE(correction.bound_factor(), 8.001);
    correction.Observe(100, 120);
  }
  correction.Load(0);
  EXPECT_EQ(correction.expected_factor(), 1);
}

TEST(TokenCorrectionTest, SaveAndLoadKeepTheState) {
  TokenCorrection correction, back;
  for (int call = 0; call < 100; ++call) correction.Observe(1000, 1234);
  back.Load(correction.Save());
  EXPECT_EQ(back.expected_factor(), correction.expected_factor());
  EXPECT_EQ(back.bound_factor(), correction.bound_factor());
  EXPECT_EQ(back.observations(), 100);
}

TEST(TokenCorrectionTest, ThreadsAgree) {
  TokenCorrection correction;
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t)
    threads.emplace_back([&correction] {
      for (int call = 0; call < 20'000; ++call) correction.Observe(1000, 900);
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_NEAR(correction.expected_factor(), 0.9, 0.001);
  EXPECT_EQ(correction.observations(), 60'000);
}

}  // namespace
}  // namespace purser::estimates
