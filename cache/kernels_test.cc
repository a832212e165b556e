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
    const uint64_t query[2] = {random_() & random_(), random_() & random_()};
    EXPECT_EQ(GetParam()->hamming(first.data(), second.data(), n),
              PlainKernels().hamming(first.data(), second.data(), n));
    for (uint32_t cut = 0; cut <= 64; cut += 4) {
      std::vector<uint16_t> expected(n + 8), actual(n + 8);
      expected.resize(PlainKernels().filter(first.data(), second.data(), n, query, cut, 2 * cut - cut / 8,
                                            expected.data()));
      actual.resize(
          GetParam()->filter(first.data(), second.data(), n, query, cut, 2 * cut - cut / 8, actual.data()));
      EXPECT_EQ(actual, expected) << "n " << n << " cut " << cut;
    }
  }
}

TEST_P(EveryKernel, HadamardAgreesWithThePlainOne) {
  for (size_t n = 32; n <= 4096; n *= 2) {
    std::vector<float> expected(n);
    for (float& x : expected) x = std::normal_distribution<float>()(random_);
    std::vector<float> actual = expected;
    PlainKernels().hadamard(expected.data(), n);
    GetParam()->hadamard(actual.data(), n);
    for (size_t i = 0; i < n; ++i) ASSERT_NEAR(actual[i], expected[i], 1e-3) << "n " << n << " i " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Usable, EveryKernel,
                         testing::ValuesIn(UsableKernels().begin(), UsableKernels().end()),
                         [](const auto& info) { return std::string(info.param->name); });

}  // namespace
}  // namespace purser::cache
