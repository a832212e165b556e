#ifndef PURSER_ENGINE_ROUTING_FEATURES_H_
#define PURSER_ENGINE_ROUTING_FEATURES_H_

#include <cstdint>
#include <span>
#include <vector>

#include "engine/routing/candidate_set.h"
#include "engine/routing/pattern_matcher.h"

namespace purser::routing {

// What the engine knows about a request beside the request itself. A field left at its default is not known.
struct Context {
  // The whole input in tokens, history included; estimated or the caller's own count.
  int64_t input_tokens = 0;
  // The same per candidate, where tokenizers differ; empty: input_tokens for all.
  std::span<const int64_t> candidate_input_tokens;
  // The least share left of the budgets that the request would draw on, 0 to 1.
  double budget_headroom = 1.0;
  int32_t task_depth = 0;
  int64_t now_nanos = 0;
  // Candidates that are down, rate-limited or circuit-broken.
  CandidateSet unhealthy;
};

// The values of a policy's signals for one request. Filled by Program::Read.
//
// Reused from request to request, it allocates only while it grows. Not thread-safe: one per thread.
class Features {
 public:
  // By the signal's index in the policy. A text signal's number identifies its text among those that the
  // policy mentions (0: empty, 1: another).
  double number(int signal) const { return numbers_[signal]; }
  int size() const { return static_cast<int>(numbers_.size()); }

 private:
  friend class Program;
  std::vector<double> numbers_;
  std::vector<uint64_t> seen_;  // Which patterns occur: a bit each.
  PatternMatcher::Scratch scratch_;
};

}  // namespace purser::routing

#endif  // PURSER_ENGINE_ROUTING_FEATURES_H_
