#include "engine/estimates/output_estimate.h"

#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "engine/base/name_hash.h"
#include "engine/estimates/quantile_sketch.h"

namespace purser::estimates {
namespace {

constexpr OutputEstimate kColdStart = {.mean = 400, .p50 = 300, .p90 = 900, .p99 = 2000, .count = 0};
const uint64_t kSmall = HashName("small"), kLarge = HashName("large");
const uint64_t kChat = HashName("chat"), kBatch = HashName("batch");
const uint64_t kTitle = HashName("title"), kEssay = HashName("essay");

TEST(OutputEstimateTest, NothingLearnedIsTheColdStart) {
  const OutputEstimator estimator;
  EXPECT_EQ(estimator.Get({kSmall, kChat, kTitle}, kColdStart), kColdStart);
}

TEST(OutputEstimateTest, NamesHashApartAndNothingIsZero) {
  EXPECT_EQ(HashName(""), 0u);
  EXPECT_NE(HashName("a"), HashName("b"));
  EXPECT_EQ(HashName("same"), HashName("same"));
}

TEST(OutputEstimateTest, TheMostSpecificLevelThatHasSeenEnoughAnswers) {
  OutputEstimator estimator;
  for (int call = 0; call < 500; ++call) estimator.Observe({kLarge, kChat, kEssay}, 1000);
  for (int call = 0; call < 15; ++call) estimator.Observe({kLarge, kChat, kTitle}, 10);
  // 15 calls of its own are too few: (model, class) answers.
  EXPECT_EQ(estimator.Get({kLarge, kChat, kTitle}, kColdStart).p50,
            QuantileSketch::ValueOf(QuantileSketch::BucketOf(1000)));
  estimator.Observe({kLarge, kChat, kTitle}, 10);
  const OutputEstimate own = estimator.Get({kLarge, kChat, kTitle}, kColdStart);
  EXPECT_EQ(own.p50, 10);
  EXPECT_NEAR(own.mean, 10, 0.01);
  EXPECT_EQ(own.count, 16);
  // Its tail is still the wider level's: 16 calls say nothing about the worst of a hundred.
  EXPECT_GT(own.p99, 900);
  // A model that the class has not seen: the class answers. Another class: the cold start.
  EXPECT_GT(estimator.Get({kSmall, kChat, kTitle}, kColdStart).mean, 900);
  EXPECT_EQ(estimator.Get({kLarge, kBatch, kTitle}, kColdStart), kColdStart);
}

TEST(OutputEstimateTest, QuantilesAreInOrderThoughLevelsDisagree) {
  OutputEstimator estimator;
  for (int call = 0; call < 20; ++call) estimator.Observe({kLarge, kChat, kEssay}, 50'000);
  const OutputEstimate estimate = estimator.Get({kLarge, kChat, kEssay}, kColdStart);
  EXPECT_LE(estimate.p50, estimate.p90);
  EXPECT_LE(estimate.p90, estimate.p99);
  EXPECT_GT(estimate.p99, 45'000);
}

TEST(OutputEstimateTest, UnknownUsageIsPassedOver) {
  OutputEstimator estimator;
  for (int call = 0; call < 100; ++call) estimator.Observe({kLarge, kChat, kEssay}, -1);
  EXPECT_EQ(estimator.Get({kLarge, kChat, kEssay}, kColdStart), kColdStart);
}

TEST(OutputEstimateTest, ManyKeysStayWithinTheMemoryAndTheBusyOnesStay) {
  OutputEstimator estimator(512);
  const size_t memory = estimator.memory_bytes();
  EXPECT_LE(memory, estimator.capacity() * 640 + 4096);
  for (int call = 0; call < 20'000; ++call) {
    estimator.Observe({kLarge, kChat, kEssay}, 777);
    estimator.Observe({HashName("m" + std::to_string(call)), HashName("c" + std::to_string(call)), 0}, 5);
  }
  EXPECT_EQ(estimator.memory_bytes(), memory);
  EXPECT_GT(estimator.Get({kLarge, kChat, kEssay}, kColdStart).count, 500);
  EXPECT_NEAR(estimator.Get({kLarge, kChat, kEssay}, kColdStart).mean, 777, 1);
}

TEST(OutputEstimateTest, SavedIsLoaded) {
  OutputEstimator estimator, back;
  std::mt19937_64 random(2);
  for (int call = 0; call < 3000; ++call) {
    estimator.Observe({kLarge, kChat, kEssay}, static_cast<int64_t>(random() % 2000));
    estimator.Observe({kSmall, kBatch, kTitle}, static_cast<int64_t>(random() % 20));
  }
  const std::string bytes = estimator.Save();
  ASSERT_TRUE(back.Load(bytes).ok());
  for (const OutputKey& key : {OutputKey{kLarge, kChat, kEssay}, OutputKey{kSmall, kBatch, kTitle}}) {
    const OutputEstimate a = estimator.Get(key, kColdStart), b = back.Get(key, kColdStart);
    EXPECT_NEAR(a.mean, b.mean, a.mean / 20);
    EXPECT_NEAR(static_cast<double>(a.p50), static_cast<double>(b.p50), 1 + static_cast<double>(a.p50) / 16);
    EXPECT_NEAR(static_cast<double>(a.p99), static_cast<double>(b.p99), 1 + static_cast<double>(a.p99) / 16);
  }
}

TEST(OutputEstimateTest, DamagedBytesAreRefusedAndChangeNothing) {
  OutputEstimator estimator;
  for (int call = 0; call < 100; ++call) estimator.Observe({kLarge, kChat, kEssay}, 50);
  const std::string bytes = estimator.Save();
  for (size_t length = 0; length < bytes.size(); ++length) {
    OutputEstimator back;
    const absl::Status status = back.Load(std::string_view(bytes).substr(0, length));
    if (status.ok()) continue;  // Cut between two sketches: whole as far as it goes.
    EXPECT_EQ(back.Save(), OutputEstimator().Save()) << length;
  }
  OutputEstimator back;
  EXPECT_FALSE(back.Load("something else").ok());
  EXPECT_FALSE(back.Load(bytes + "x").ok());
}

TEST(OutputEstimateTest, EvictionUnderThreadsNeverMixesKinds) {
  // Every kind's calls all have the same size, so any other answer comes from another kind. A small table, so
  // that kinds are evicted all the time.
  OutputEstimator estimator(64);
  constexpr int kKinds = 200;
  std::atomic<bool> stop{false};
  const auto size_of = [](int kind) { return int64_t{kind % 30}; };
  const auto key_of = [](int kind) {
    const uint64_t hash = HashName("kind" + std::to_string(kind));
    return OutputKey{hash, hash, hash};
  };
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t)
    threads.emplace_back([&, t] {
      std::mt19937 random(static_cast<uint32_t>(t));
      while (!stop.load(std::memory_order_relaxed)) {
        const int kind = static_cast<int>(random() % kKinds);
        for (int call = 0; call < 20; ++call) estimator.Observe(key_of(kind), size_of(kind));
      }
    });
  constexpr OutputEstimate kNone = {.mean = -1, .p50 = 0, .p90 = 0, .p99 = 0, .count = 0};
  std::mt19937 random(99);
  int64_t answered = 0;
  for (int look = 0; look < 60'000; ++look) {
    const int kind = static_cast<int>(random() % kKinds);
    const OutputEstimate estimate = estimator.Get(key_of(kind), kNone);
    if (estimate.mean < 0) continue;
    ++answered;
    ASSERT_EQ(estimate.p50, size_of(kind)) << kind;
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(answered, 100);
}

}  // namespace
}  // namespace purser::estimates
