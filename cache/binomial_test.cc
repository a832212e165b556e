#include "cache/binomial.h"

#include <gtest/gtest.h>

#include <cmath>

namespace purser::cache {
namespace {

// P(at most k of n), added up term by term.
double AtMost(int k, int n, double p) {
  double sum = 0.0;
  for (int i = 0; i <= k; ++i) {
    sum += std::exp(std::lgamma(n + 1.0) - std::lgamma(i + 1.0) - std::lgamma(n - i + 1.0) + i * std::log(p) +
                    (n - i) * std::log1p(-p));
  }
  return sum;
}

TEST(BinomialTest, LimitsAreWhereTheTailsAreAlpha) {
  for (const int n : {1, 5, 40, 300, 5000}) {
    for (const int k : {0, 1, 3, 4, 39, 200}) {
      if (k >= n) continue;
      for (const double alpha : {0.05, 0.001}) {
        EXPECT_NEAR(AtMost(k, n, UpperLimit(k, n, alpha)), alpha, alpha * 1e-6) << k << " of " << n;
        if (k > 0) {
          EXPECT_NEAR(1.0 - AtMost(k - 1, n, LowerLimit(k, n, alpha)), alpha, alpha * 1e-5);
        }
      }
    }
  }
}

TEST(BinomialTest, KnowsNothingWithoutTrials) {
  EXPECT_EQ(UpperLimit(0, 0, 0.05), 1.0);
  EXPECT_EQ(LowerLimit(0, 0, 0.05), 0.0);
  EXPECT_EQ(UpperLimit(7, 7, 0.05), 1.0);
  // The rule of three.
  EXPECT_NEAR(UpperLimit(0, 300, 0.05), 0.01, 1e-4);
}

}  // namespace
}  // namespace purser::cache
