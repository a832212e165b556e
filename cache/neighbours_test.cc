#include "cache/neighbours.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "gtest/gtest.h"

namespace purser::cache {
namespace {

constexpr size_t kDimension = 40;  // Not a multiple of what vectors are padded to.

std::vector<float> Vectors(size_t count, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> vectors(count * kDimension);
  for (float& x : vectors) x = 3 * normal(random);
  return vectors;
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

// The slow twin: every vector, sorted.
std::vector<uint32_t> Nearest(std::span<const float> vectors, std::span<const float> query, size_t most) {
  std::vector<std::pair<double, uint32_t>> all;
  for (size_t at = 0; at < vectors.size(); at += kDimension)
    all.emplace_back(-Cosine(vectors.subspan(at, kDimension), query), at / kDimension);
  std::sort(all.begin(), all.end());
  std::vector<uint32_t> best;
  for (size_t i = 0; i < most; ++i) best.push_back(all[i].second);
  return best;
}

class NeighboursTest : public testing::TestWithParam<size_t> {};

TEST_P(NeighboursTest, FindsWhatLookingAtAllFinds) {
  const std::vector<float> vectors = Vectors(GetParam(), 1);
  const auto neighbours = Neighbours::Build(vectors, kDimension);
  EXPECT_EQ(neighbours->size(), GetParam());
  const std::vector<float> queries = Vectors(50, 2);
  int found = 0;
  for (size_t q = 0; q < 50; ++q) {
    const std::span query = std::span(queries).subspan(q * kDimension, kDimension);
    Neighbours::Neighbour out[8];
    const size_t count = neighbours->Find(query, -1, out);
    ASSERT_EQ(count, 8u);
    const std::vector<uint32_t> wanted = Nearest(vectors, query, 8);
    for (size_t i = 0; i < count; ++i) {
      found += std::count(wanted.begin(), wanted.end(), out[i].index);
      EXPECT_NEAR(out[i].similarity,
                  Cosine(std::span(vectors).subspan(out[i].index * kDimension, kDimension), query), 1e-3);
      if (i > 0) {
        EXPECT_LE(out[i].similarity, out[i - 1].similarity);
      }
    }
  }
  EXPECT_GE(found, 50 * 8 * 95 / 100);
}
INSTANTIATE_TEST_SUITE_P(Sizes, NeighboursTest, testing::Values(100, 3000));

TEST(NeighboursTest, WhatIsTooFarIsNoNeighbour) {
  const std::vector<float> vectors = {1, 0, 0.9F, 0.1F, 0, 1};
  const auto neighbours = Neighbours::Build(vectors, 2);
  Neighbours::Neighbour out[8];
  const float query[] = {2, 0};
  ASSERT_EQ(neighbours->Find(query, 0.9F, out), 2u);
  EXPECT_EQ(out[0].index, 0u);
  EXPECT_EQ(out[1].index, 1u);
  EXPECT_EQ(neighbours->Find(query, 0.9F, std::span(out).first(1)), 1u);
  const float zero[] = {0, 0};
  EXPECT_EQ(neighbours->Find(zero, -1, out), 0u);
  EXPECT_EQ(Neighbours::Build(zero, 2), nullptr);
  const float other[] = {1, 0, 0};
  EXPECT_EQ(neighbours->Find(other, -1, out), 0u);
}

}  // namespace
}  // namespace purser::cache
