#ifndef PURSER_ENGINE_ROUTING_CHOICE_H_
#define PURSER_ENGINE_ROUTING_CHOICE_H_

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "engine/routing/candidate_set.h"
#include "engine/routing/verdict.h"

namespace purser::routing {

// A candidate priced for one request.
struct Price {
  bool known = false;
  int64_t expected_nanos = 0;
  int64_t worst_nanos = 0;
  // On the provider's batch price list; -1: it has none.
  int64_t batch_expected_nanos = -1;
  int64_t batch_worst_nanos = -1;
  // How long it takes, learned or stated: half of the calls, 19 of 20. 0: not known.
  int32_t p50_ms = 0;
  int32_t p95_ms = 0;
};

// From the policy (Program::choice_settings).
struct ChoiceSettings {
  double equal_cost_share = 0;
  int64_t nanos_per_second = 0;  // What a second is worth.
  bool batch_if_deferrable = false;
  double switch_margin_share = 0;
  int64_t switch_margin_nanos = 0;
  bool escalate_only_in_tool_loop = false;
  double exploration_share = 0;
  double exploration_most_times_cheapest = 0;
  uint64_t exploration_salt = 0;
  bool allow_unpriced = false;       // Serve, last of all, what has no price for this request at this time.
  std::span<const int32_t> quality;  // By candidate.
};

// What Choose has to know about the request.
struct ChoiceContext {
  std::string_view request_id;  // Draws the exploration.
  bool deferrable = false;
  // The candidate that served the session's previous call; -1: none, or not known. What a switch loses of the
  // provider's prompt cache is in the prices: the prefix as cached for `current` and as fresh for the others.
  int current = -1;
  bool in_tool_loop = false;
};

// A candidate in the order of choice.
struct Ranked {
  int16_t candidate = -1;
  bool batch = false;  // At the batch price.
  int64_t expected_nanos = 0;
  int64_t worst_nanos = 0;
  // What it was ranked by: expected_nanos, plus latency at the policy's price of time, plus what a switch
  // from the current candidate has to be worth.
  int64_t ranked_nanos = 0;
};

// The order in which candidates are to be tried: the first whose hold the budgets can bear serves the
// request.
struct Choice {
  int count = 0;
  std::array<Ranked, kMaxCandidates> ranked;
  bool explored = false;  // The first was drawn, not the cheapest.
  bool kept_current =
      false;  // The first is the session's current one, and only because of the switch margin.
};

// Whether the policy draws the candidate of this request rather than choosing it, if more than one passes.
bool Explores(const ChoiceSettings& settings, std::string_view request_id);

// Orders verdict->candidates: lowest ranked cost first; costs that count as equal by preference, then by the
// policy's order. Candidates whose price is not known (the policy allows them) come last. What latency limit
// and tool loop rule out is removed from verdict->candidates with its reason. A pure function of its
// arguments; O(n log n) in the candidates that passed; no allocation.
//
// Inside a tool loop with escalate_only_in_tool_loop, candidates below the current one's quality are removed,
// unless none would be left.
void Choose(const ChoiceSettings& settings, const ChoiceContext& context, std::span<const Price> prices,
            Verdict* verdict, Choice* choice);

}  // namespace purser::routing

#endif  // PURSER_ENGINE_ROUTING_CHOICE_H_
