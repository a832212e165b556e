#ifndef PURSER_ENGINE_DECIDE_SCRATCH_H_
#define PURSER_ENGINE_DECIDE_SCRATCH_H_

#include <array>
#include <cstdint>
#include <vector>

#include "engine/budget/plan.h"
#include "engine/cache_query.h"
#include "engine/pricing/output_estimate.h"
#include "engine/pricing/quote.h"
#include "engine/pricing/token_estimate.h"
#include "engine/routing/choice.h"
#include "engine/routing/features.h"
#include "engine/routing/verdict.h"

namespace purser {

// What Decide works on: one per thread, reused from call to call so that nothing is allocated.
struct DecideScratch {
  // Size of the input per tokenizer family, without history; by candidate: corrected by what was learned.
  std::array<int64_t, pricing::kTokenFamilies> family_tokens = {};
  std::array<int64_t, pricing::kTokenFamilies> family_bounds = {};
  std::vector<int64_t> input_tokens;
  std::vector<int64_t> most_input_tokens;
  bool counted_by_caller = false;

  routing::Context context;
  routing::Features features;
  routing::Verdict verdict;
  routing::Choice choice;
  std::vector<routing::Price> prices;
  std::vector<pricing::OutputEstimate> outputs;
  std::vector<pricing::QuoteInput> quote_inputs;

  budget::Scope scope;

  CacheQueryScratch cache_query;

  // Of the candidate that was chosen.
  int chosen = -1;
  bool batch = false;
  bool clamped = false;
  bool failed_over = false;
  bool over_budget = false;
  int64_t max_output_tokens = 0;
  int64_t expected_nanos = 0;
  int64_t worst_nanos = 0;
  routing::CandidateSet excluded;  // Tried before and failed.
};

}  // namespace purser

#endif  // PURSER_ENGINE_DECIDE_SCRATCH_H_
