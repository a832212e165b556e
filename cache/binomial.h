#ifndef PURSER_CACHE_BINOMIAL_H_
#define PURSER_CACHE_BINOMIAL_H_

namespace purser::cache {

// One-sided confidence limits of a probability of which `wrong` events in `trials` are known: Clopper and
// Pearson's (Biometrika 1934), exact for independent trials. The true probability is above the upper limit in
// at most `alpha` of all samples; the same for the lower. `wrong` may be a fraction. No trials: 1 and 0.
double UpperLimit(double wrong, double trials, double alpha);
double LowerLimit(double wrong, double trials, double alpha);

// The regularised incomplete beta function I_x(a, b), for a, b > 0 and x in [0, 1].
double IncompleteBeta(double a, double b, double x);

}  // namespace purser::cache

#endif  // PURSER_CACHE_BINOMIAL_H_
