#ifndef PURSER_TESTS_ROUTING_RANDOM_POLICIES_H_
#define PURSER_TESTS_ROUTING_RANDOM_POLICIES_H_

#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "purser/policy.pb.h"

namespace purser::routing {

// What their outcomes are read from: of "small" and "large", at most seven of each near to any request.
inline constexpr std::string_view kOutcomesFile = "outcomes.jsonl";
// Their learned scorer.
inline constexpr std::string_view kScorerFile = "scorer.textproto";

// Draws small policies whose parts refer to each other often, and texts that meet them often. The same seed,
// the same draws, on every platform.
class RandomPolicies {
 public:
  explicit RandomPolicies(uint64_t seed) : random_(seed) {}

  policy::Policy Policy();
  std::string Text();
  // Along an axis or nowhere, so that cosines are exact.
  std::vector<float> Embedding();

  int Below(int n) { return static_cast<int>(random_() % static_cast<uint64_t>(n)); }
  bool Chance(int percent) { return Below(100) < percent; }
  template <typename T>
  const T& OneOf(const std::vector<T>& values) {
    return values[Below(static_cast<int>(values.size()))];
  }

 private:
  void AddCandidates(policy::Policy* policy);
  void AddRouting(policy::Policy* policy);
  void AddSignal(policy::Policy* policy);
  void AddScore(policy::Policy* policy);
  void AddRule(policy::Policy* policy);
  policy::Select Select(const policy::Policy& policy);
  policy::Condition Condition(const policy::Policy& policy, int depth);
  policy::Measure Measure();
  std::string Phrase();
  // That the signal may have; empty is one.
  std::string TextValue(const policy::Signal& signal);
  void SetBounds(policy::Condition* condition, int kinds, double bound);

  std::mt19937_64 random_;
};

}  // namespace purser::routing

#endif  // PURSER_TESTS_ROUTING_RANDOM_POLICIES_H_
