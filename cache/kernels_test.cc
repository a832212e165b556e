#include "cache/kernels.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

namespace purser::cache {
namespace {

class EveryKernel : public testing::TestWithParam<const Kernels*> {
 protected:
  std::mt19937_64 random_{7};
};

TEST_P(EveryKernel, DotsAgreeWithThePlainOnes) {
  for (size_t n = 32; n <= 1536; n += 32) {
    std::vector<float> query(n);
    std::vector<int16_t> wide(n);
    std::vector<int8_t> a(n), b(n);
    for (size_t i = 0; i < n; ++i) {
      query[i] = std::normal_distribution<float>()(random_);
      wide[i] = static_cast<int16_t>(random_());
      a[i] = static_cast<int8_t>(random_());
      b[i] = static_cast<int8_t>(random_());
    }
    if (n == 64) {
      a.assign(n, -128);
      b.assign(n, -128);
    }
    const float expected = PlainKernels().dot_int16(query.data(), wide.data(), n);
    EXPECT_NEAR(GetParam()->dot_int16(query.data(), wide.data(), n), expected, 1e-6 * 32768 * n);
    EXPECT_EQ(GetParam()->dot_int8(a.data(), b.data(), n), PlainKernels().dot_int8(a.data(), b.data(), n));
  }
}

TEST_P(EveryKernel, FilterAndHammingAgreeWithThePlainOnes) {
  for (size_t n : {size_t{0}, size_t{1}, size_t{7}, size_t{8}, size_t{9}, size_t{15}, size_t{16}, size_t{17},
                   size_t{100}, size_t{512}}) {
    std::vector<uint64_t> first(n), second(n);
    for (size_t i = 0; i < n; ++i) {
      first[i] = random_() & random_();
      second[i] = random_() & random_();
    }
    const SketchQuery query(random_() & random_(), random_() & random_());
    EXPECT_EQ(GetParam()->hamming(first.data(), second.data(), n),
              PlainKernels().hamming(first.data(), second.data(), n));
    for (uint32_t cut = 0; cut <= 64; cut += 4) {
      const uint32_t both = 2 * cut - cut / 8;
      std::vector<uint16_t> expected(n + 32), actual(n + 32);
      expected.resize(
          PlainKernels().filter(first.data(), second.data(), n, query, cut, both, expected.data()));
      actual.resize(GetParam()->filter(first.data(), second.data(), n, query, cut, both, actual.data()));
      EXPECT_EQ(actual, expected) << "n " << n << " cut " << cut;
    }
  }
}

TEST_P(EveryKernel, FilteringByColumnsIsFilteringByRows) {
  std::vector<uint64_t> first(Columns::kSlots), second(Columns::kSlots), bits(Columns::kWords);
  for (int round = 0; round < 20; ++round) {
    bits.assign(bits.size(), 0);
    for (size_t i = 0; i < Columns::kSlots; ++i) {
      first[i] = i == 0 ? ~uint64_t{0} : (i == 1 ? 0 : random_() & random_());
      second[i] = random_() & random_();
      for (size_t j = 0; j < 64; ++j) bits[Columns::kStride * j + i / 64] |= (first[i] >> j & 1) << (i % 64);
    }
    const SketchQuery query(round == 0 ? 0 : random_() & random_(), random_() & random_());
    for (uint32_t cut = 0; cut <= 66; ++cut) {
      const uint32_t both = round % 2 == 0 ? 128 : 2 * cut - cut / 8;
      std::vector<uint16_t> expected(Columns::kSlots + 32), actual(Columns::kSlots + 32);
      expected.resize(PlainKernels().filter(first.data(), second.data(), Columns::kSlots, query, cut, both,
                                            expected.data()));
      const size_t near = GetParam()->near_columns(bits.data(), bits.data(), query, cut, actual.data());
      EXPECT_EQ(actual[near], 0);
      EXPECT_EQ(actual[near + 7], 0);
      actual.resize(
          GetParam()->refine(first.data(), second.data(), actual.data(), near, query, both, actual.data()));
      EXPECT_EQ(actual, expected) << "round " << round << " cut " << cut;
    }
  }
}

TEST_P(EveryKernel, RotationsAgreeWithThePlainOnes) {
  for (size_t n = 32; n <= 4096; n *= 2) {
    std::vector<float> expected(n), signs(n);
    for (float& x : expected) x = std::normal_distribution<float>()(random_);
    for (float& sign : signs) sign = random_() % 2 == 0 ? 1.0F : -1.0F;
    std::vector<float> actual = expected;
    PlainKernels().rotate(expected.data(), signs.data(), n);
    GetParam()->rotate(actual.data(), signs.data(), n);
    for (size_t i = 0; i < n; ++i) ASSERT_NEAR(actual[i], expected[i], 1e-3) << "n " << n << " i " << i;
  }
}

TEST_P(EveryKernel, DifferencesAndSignsAgreeWithThePlainOnes) {
  for (size_t n = 64; n <= 1024; n += 64) {
    std::vector<float> a(n), b(n), expected(n), actual(n);
    for (float& x : a) x = std::normal_distribution<float>()(random_);
    for (size_t i = 0; i < n; ++i) b[i] = i % 7 == 0 ? a[i] : std::normal_distribution<float>()(random_);
    const float square = PlainKernels().subtract(a.data(), b.data(), expected.data(), n);
    EXPECT_NEAR(GetParam()->subtract(a.data(), b.data(), actual.data(), n), square, 1e-4 * square);
    EXPECT_EQ(actual, expected);
    std::vector<uint64_t> expected_bits(n / 64), actual_bits(n / 64);
    PlainKernels().sign_bits(expected.data(), n, expected_bits.data());
    GetParam()->sign_bits(expected.data(), n, actual_bits.data());
    EXPECT_EQ(actual_bits, expected_bits);
  }
}

INSTANTIATE_TEST_SUITE_P(Usable, EveryKernel,
                         testing::ValuesIn(UsableKernels().begin(), UsableKernels().end()),
                         [](const auto& info) { return std::string(info.param->name); });

}  // namespace
}  // namespace purser::cache
