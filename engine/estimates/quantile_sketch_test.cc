#include "engine/estimates/quantile_sketch.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>
#include <thread>
#include <vector>

namespace purser::estimates {
namespace {

// The slow obvious twin: keeps everything.
int64_t ExactQuantile(std::vector<int64_t> values, double q) {
  std::sort(values.begin(), values.end());
  const auto rank = static_cast<size_t>(std::ceil(q * static_cast<double>(values.size())));
  return values[std::clamp<size_t>(rank, 1, values.size()) - 1];
}

TEST(QuantileSketchTest, BucketsAreInOrderAndWithinOneThirtySecond) {
  int previous = -1;
  for (int64_t value = 0; value <= QuantileSketch::kMaxValue; value += 1 + value / 200) {
    const int bucket = QuantileSketch::BucketOf(value);
    EXPECT_GE(bucket, previous);
    EXPECT_LT(bucket, QuantileSketch::kBuckets);
    EXPECT_LE(std::abs(QuantileSketch::ValueOf(bucket) - value), value / 32) << value;
    previous = bucket;
  }
  EXPECT_EQ(QuantileSketch::BucketOf(QuantileSketch::kMaxValue), QuantileSketch::kBuckets - 1);
  for (int bucket = 0; bucket < QuantileSketch::kBuckets; ++bucket)
    EXPECT_EQ(QuantileSketch::BucketOf(QuantileSketch::ValueOf(bucket)), bucket);
}

TEST(QuantileSketchTest, KnowsNothingAtFirst) {
  const QuantileSketch sketch;
  EXPECT_EQ(sketch.Summary(), QuantileSummary());
  EXPECT_EQ(sketch.Quantile(0.5), 0);
}

TEST(QuantileSketchTest, QuantilesOfAnyDistributionAreWithinTheStatedError) {
  std::mt19937_64 random(7);
  std::lognormal_distribution<double> answers(5.5, 1.1);
  std::exponential_distribution<double> latencies(1 / 800.0);
  std::uniform_int_distribution<int64_t> few(0, 20);
  const std::vector<std::function<int64_t()>> kinds = {
      [&] { return std::min<int64_t>(QuantileSketch::kMaxValue, static_cast<int64_t>(answers(random))); },
      [&] { return static_cast<int64_t>(latencies(random)); },
      [&] { return few(random); },
      [&] { return random() % 2 ? int64_t{3} : int64_t{100'000}; },
      [&] { return int64_t{0}; },
  };
  for (size_t kind = 0; kind < kinds.size(); ++kind) {
    QuantileSketch sketch;
    std::vector<int64_t> all;
    double sum = 0;
    for (int n = 0; n < QuantileSketch::kMemory - 1; ++n) {
      all.push_back(kinds[kind]());
      sum += static_cast<double>(all.back());
      sketch.Add(all.back());
    }
    for (const double q : {0.0, 0.01, 0.25, 0.5, 0.9, 0.95, 0.99, 1.0}) {
      const int64_t exact = ExactQuantile(all, q);
      EXPECT_LE(std::abs(sketch.Quantile(q) - exact), exact / 32) << "kind " << kind << " q " << q;
    }
    // The summary may be a thirty-second of the observations old; merging nothing new makes it current.
    QuantileSketch current;
    current.Merge(sketch);
    const QuantileSummary summary = current.Summary();
    EXPECT_NEAR(summary.mean, sum / static_cast<double>(all.size()), 1e-6 * sum + 1e-6);
    EXPECT_EQ(summary.p50, sketch.Quantile(0.5));
    EXPECT_EQ(summary.p90, sketch.Quantile(0.9));
    EXPECT_EQ(summary.p95, sketch.Quantile(0.95));
    EXPECT_EQ(summary.p99, sketch.Quantile(0.99));
    EXPECT_EQ(summary.count, static_cast<int64_t>(all.size()));
  }
}

TEST(QuantileSketchTest, ClampsWhatIsOutOfRange) {
  QuantileSketch sketch;
  sketch.Add(-5);
  EXPECT_EQ(sketch.Quantile(1), 0);
  sketch.Add(int64_t{1} << 60);
  EXPECT_GE(sketch.Quantile(1), QuantileSketch::kMaxValue - QuantileSketch::kMaxValue / 32);
}

TEST(QuantileSketchTest, ForgettingKeepsQuantilesAndTheMean) {
  QuantileSketch sketch;
  std::mt19937_64 random(3);
  std::lognormal_distribution<double> answers(5, 0.7);
  std::vector<int64_t> all;
  for (int n = 0; n < 50'000; ++n) {
    all.push_back(static_cast<int64_t>(answers(random)));
    sketch.Add(all.back());
    ASSERT_LT(sketch.Summary().count, QuantileSketch::kMemory);
  }
  EXPECT_NEAR(static_cast<double>(sketch.Summary().p50), static_cast<double>(ExactQuantile(all, 0.5)), 12);
  EXPECT_NEAR(sketch.Summary().mean, std::exp(5 + 0.245), 12);
}

TEST(QuantileSketchTest, FollowsDrift) {
  QuantileSketch sketch;
  for (int n = 0; n < 20'000; ++n) sketch.Add(100);
  for (int n = 0; n < 10 * 1024; ++n) sketch.Add(1000);
  EXPECT_NEAR(static_cast<double>(sketch.Summary().p50), 1000, 1000 / 32);
  EXPECT_NEAR(sketch.Summary().mean, 1000, 10);
  EXPECT_NEAR(static_cast<double>(sketch.Quantile(0.001)), 100, 1000);
}

TEST(QuantileSketchTest, MergedIsAsIfAllHadBeenAddedToOne) {
  QuantileSketch one, other, all;
  for (int n = 1; n < 900; ++n) {
    one.Add(n);
    other.Add(3 * n);
    all.Add(n);
    all.Add(3 * n);
  }
  one.Merge(other);
  for (const double q : {0.1, 0.5, 0.9, 0.99}) EXPECT_EQ(one.Quantile(q), all.Quantile(q));
  EXPECT_NEAR(one.Summary().mean, 2 * 450, 1);
}

TEST(QuantileSketchTest, MergingManyStaysWithinItsMemory) {
  QuantileSketch total;
  for (int part = 0; part < 20; ++part) {
    QuantileSketch sketch;
    for (int n = 0; n < 2000; ++n) sketch.Add(n);
    total.Merge(sketch);
    EXPECT_LT(total.Summary().count, QuantileSketch::kMemory);
  }
  EXPECT_NEAR(static_cast<double>(total.Summary().p50), 1000, 50);
}

TEST(QuantileSketchTest, BytesBringItBack) {
  QuantileSketch sketch, back;
  for (int n = 0; n < 1500; ++n) sketch.Add(n * n % 4001);
  std::string bytes;
  sketch.AppendTo(&bytes);
  bytes += "rest";
  std::string_view rest = bytes;
  ASSERT_TRUE(back.MergeFrom(&rest));
  EXPECT_EQ(rest, "rest");
  for (const double q : {0.01, 0.5, 0.9, 0.99}) EXPECT_EQ(back.Quantile(q), sketch.Quantile(q));
}

TEST(QuantileSketchTest, DamagedBytesChangeNothing) {
  QuantileSketch sketch;
  for (int n = 0; n < 300; ++n) sketch.Add(n);
  std::string bytes;
  sketch.AppendTo(&bytes);
  std::mt19937 random(1);
  for (size_t length = 0; length < bytes.size(); ++length) {
    QuantileSketch back;
    std::string_view cut(bytes.data(), length);
    EXPECT_FALSE(back.MergeFrom(&cut)) << length;
    EXPECT_EQ(back.Summary(), QuantileSummary());
  }
  for (int trial = 0; trial < 5000; ++trial) {  // No crash, no endless loop, no absurd count.
    std::string damaged = bytes;
    for (int edits = 0; edits < 3; ++edits) damaged[random() % damaged.size()] = static_cast<char>(random());
    QuantileSketch back;
    std::string_view rest = damaged;
    back.MergeFrom(&rest);
    EXPECT_LT(back.Summary().count, QuantileSketch::kMemory);
  }
}

TEST(QuantileSketchTest, ThreadsLoseNothing) {
  QuantileSketch sketch;
  constexpr int kEach = 200'000;
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t)
    threads.emplace_back([&sketch] {
      for (int n = 0; n < kEach; ++n) {
        // 0 ... 999 in scattered order: recent values weigh more, so that a slow ramp would be judged by its
        // last part.
        sketch.Add(int64_t{n} * 7919 % 1000);
        if (n % 256 == 0) {
          const QuantileSummary summary = sketch.Summary();
          ASSERT_LE(summary.p50, summary.p90);
          ASSERT_LE(summary.p90, summary.p99);
        }
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_GE(sketch.Summary().count, QuantileSketch::kMemory / 2 - 100);
  // All are idle, so that no halving is under way.
  EXPECT_LE(sketch.Summary().count, QuantileSketch::kMemory);
  EXPECT_NEAR(static_cast<double>(sketch.Quantile(0.5)), 500, 80);
  EXPECT_NEAR(sketch.Summary().mean, 500, 80);
}

}  // namespace
}  // namespace purser::estimates
