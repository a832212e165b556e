#ifndef PURSER_ENGINE_CALLS_DECIDE_SCRATCH_H_
#define PURSER_ENGINE_CALLS_DECIDE_SCRATCH_H_

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "engine/calls/cache_query.h"
#include "engine/estimates/output_estimate.h"
#include "engine/estimates/quantile_sketch.h"
#include "engine/estimates/token_estimate.h"
#include "engine/pricing/quote.h"
#include "engine/routing/choice.h"
#include "engine/routing/features.h"
#include "engine/routing/verdict.h"

namespace purser {

// What was learned about every candidate for one kind of request, kept by each thread: reading it again costs
// as much as quoting. Read again at the 1st, 2nd, 4th ... 64th use and from then on at every 64th, so that
// what is new is soon seen and what is known is not asked for again.
struct LearnedEstimates {
  uint64_t revision = 0;  // Revision::serial. 0: empty.
  uint64_t request_class = 0;
  uint64_t feature = 0;
  uint32_t uses = 0;
  struct OfCandidate {
    int64_t output_tokens = 0;  // Expected: the mean, rounded up.
    int64_t output_p90 = 0;
    int64_t output_p99 = 0;
    int32_t latency_p50_ms = 0;  // 0: not known.
    int32_t latency_p95_ms = 0;
  };
  std::vector<OfCandidate> candidates;

  // Counts a use. True: it has to be read (again).
  bool IsDue(uint64_t new_revision, uint64_t new_class, uint64_t new_feature) {
    if (revision != new_revision || request_class != new_class || feature != new_feature) {
      revision = new_revision;
      request_class = new_class;
      feature = new_feature;
      uses = 0;
    }
    ++uses;
    return (uses & (uses - 1)) == 0 || uses % 64 == 0;
  }
};

// What Decide works on: one per thread, reused from call to call so that nothing is allocated.
struct DecideScratch {
  // Size of the input per tokenizer family, without history; by candidate: corrected by what was learned.
  std::array<int64_t, estimates::kTokenFamilies> family_tokens = {};
  std::array<int64_t, estimates::kTokenFamilies> family_bounds = {};
  std::vector<int64_t> input_tokens;
  std::vector<int64_t> most_input_tokens;
  bool counted_by_caller = false;

  routing::Context context;
  routing::Features features;
  routing::Verdict verdict;
  routing::Choice choice;
  std::vector<routing::Price> prices;
  static constexpr int kLearnedKinds = 16;
  std::array<LearnedEstimates, kLearnedKinds> learned;  // By the hash of class and feature.
  const LearnedEstimates* estimates = nullptr;          // Of this request.
  bool no_signal = false;                               // A score saw nothing in the request that it knows.
  routing::CandidateSet quoted;                         // Those that passed rules and gates.
  // What is quoted: the request's part, and by candidate what differs. A candidate that was not quoted has
  // stale numbers.
  pricing::QuoteInput request_input;
  struct OutputTokens {
    int64_t expected = 0;
    int64_t most = 0;
  };
  std::vector<OutputTokens> output_tokens;

  pricing::QuoteInput QuoteInputOf(int candidate) const {
    pricing::QuoteInput input = request_input;
    SetQuoteInput(candidate, &input);
    return input;
  }
  // Makes `input`, a copy of request_input, that of `candidate`.
  void SetQuoteInput(int candidate, pricing::QuoteInput* input) const {
    input->input_tokens = input_tokens[candidate];
    input->most_input_tokens = most_input_tokens[candidate];
    const int64_t cached = without_prefix.Has(candidate) ? 0 : request_input.cached_tokens;
    input->cached_tokens = std::clamp<int64_t>(cached, 0, input->input_tokens);
    input->cache_write_tokens = std::clamp<int64_t>(request_input.cache_write_tokens, 0, input->input_tokens);
    input->output_tokens = output_tokens[candidate].expected;
    input->most_output_tokens = output_tokens[candidate].most;
  }

  // The candidate that served the request's task or session before, and those of other models, which cannot
  // have its cached prefix. -1 and none: not known.
  int current = -1;
  routing::CandidateSet without_prefix;

  CacheQueryScratch cache_query;

  // Of the candidate that was chosen.
  int chosen = -1;
  int best_constant = -1;  // As PendingCall has it.
  bool batch = false;
  bool clamped = false;
  bool failed_over = false;
  bool over_budget = false;
  int64_t max_output_tokens = 0;
  int64_t expected_nanos = 0;
  int64_t worst_nanos = 0;
  int64_t likely_nanos = 0;        // Held amount for quantile budgets; 0 if there are none.
  routing::CandidateSet excluded;  // Tried before and failed.
};

}  // namespace purser

#endif  // PURSER_ENGINE_CALLS_DECIDE_SCRATCH_H_
