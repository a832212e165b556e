#include "cache/binomial.h"

#include <cmath>

namespace purser::cache {
namespace {

// The continued fraction of the incomplete beta function (Abramowitz and Stegun 26.5.8), by the modified
// Lentz method.
double ContinuedFraction(double a, double b, double x) {
  constexpr double kTiny = 1e-300;
  const auto nonzero = [](double v) { return std::fabs(v) < kTiny ? kTiny : v; };
  double c = 1.0;
  double d = 1.0 / nonzero(1.0 - (a + b) * x / (a + 1.0));
  double value = d;
  for (int m = 1; m <= 1000; ++m) {
    const double even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
    d = 1.0 / nonzero(1.0 + even * d);
    c = nonzero(1.0 + even / c);
    value *= d * c;
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
    d = 1.0 / nonzero(1.0 + odd * d);
    c = nonzero(1.0 + odd / c);
    value *= d * c;
    if (std::fabs(d * c - 1.0) < 1e-14) break;
  }
  return value;
}

// The x at which I_x(a, b) is `probability`.
double InverseIncompleteBeta(double a, double b, double probability) {
  double low = 0.0;
  double high = 1.0;
  for (int i = 0; i < 60; ++i) {
    const double middle = 0.5 * (low + high);
    (IncompleteBeta(a, b, middle) < probability ? low : high) = middle;
  }
  return 0.5 * (low + high);
}

}  // namespace

double IncompleteBeta(double a, double b, double x) {
  if (x <= 0.0) return 0.0;
  if (x >= 1.0) return 1.0;
  const double front =
      std::exp(std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) + a * std::log(x) + b * std::log1p(-x));
  if (x < (a + 1.0) / (a + b + 2.0)) return front * ContinuedFraction(a, b, x) / a;
  return 1.0 - front * ContinuedFraction(b, a, 1.0 - x) / b;
}

double UpperLimit(double wrong, double trials, double alpha) {
  if (trials <= 0.0 || wrong >= trials) return 1.0;
  return InverseIncompleteBeta(wrong + 1.0, trials - wrong, 1.0 - alpha);
}

double LowerLimit(double wrong, double trials, double alpha) {
  if (trials <= 0.0 || wrong <= 0.0) return 0.0;
  return InverseIncompleteBeta(wrong, trials - wrong + 1.0, alpha);
}

}  // namespace purser::cache
