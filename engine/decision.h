#ifndef PURSER_ENGINE_DECISION_H_
#define PURSER_ENGINE_DECISION_H_

#include <purser/cache/hit.h>
#include <purser/policy_source.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace purser {

// What Engine::Decide answers. Money in nano-dollars, sizes in tokens.

enum class Action : uint8_t { kRefuse, kDispatch, kAnswer };

enum class Refusal : uint8_t {
  kNone,
  kNoCandidate,  // No candidate passed the gates and rules.
  kRule,         // A rule refuses such requests.
  kBudget,       // An account has too little left, even for the cheapest candidate that passed.
  kLoopGuard,    // The task looks like a loop.
  kLedger,  // The ledger cannot be written. Nothing is granted that could not be booked, unless the policy
            // says to serve on (budget_settings.when_ledger_fails).
  kForked,  // This process is a fork of the one that opened the engine, and may not spend from its accounts:
            // open an engine after the fork.
  kBadRequest,  // The request is not as its header says: a field is beyond its limit, or its time cannot be.
};

// Names one pending call. 0: none.
using Ticket = uint64_t;

// One candidate in a decision. Entries are independent of one another.
struct CandidateOutcome {
  // The candidate's name in the policy. Valid for as long as the decision that holds this entry is neither
  // destroyed nor used again.
  std::string_view name{};
  bool passed = false;
  // Quoted for this request; 0 where the candidate was rejected before it was priced.
  int64_t expected_nanos = 0;
  int64_t worst_nanos = 0;
};

// Reuse one object per thread: its strings keep their memory. For one thread at a time.
struct Decision {
  Action action = Action::kRefuse;

  // kDispatch.
  Ticket ticket = 0;      // Ends in Settle or Void.
  std::string candidate;  // Its name in the policy.
  std::string model;      // What to call.
  std::string provider;
  std::string service_tier;       // To ask the provider for. Empty: standard.
  int64_t max_output_tokens = 0;  // To send along: the hold covers no more.
  bool output_clamped = false;    // It is less than was asked, because a budget is short.
  int64_t expected_nanos = 0;     // What the call will probably cost.
  int64_t held_nanos = 0;         // Its worst case, set aside in the accounts it touches ...
  int64_t likely_nanos =
      0;  // ... and this much in accounts whose budget holds a quantile; 0 if there are none.

  // kAnswer.
  std::string answer;
  bool exact = false;        // The same request was asked before, byte for byte.
  float similarity = 0;      // Cosine to the question that was answered; 1 for an exact hit.
  uint64_t cache_entry = 0;  // For Feedback.
  int64_t saved_nanos = 0;   // The expected cost of the candidate that would have served it.

  // kRefuse.
  Refusal refusal = Refusal::kNone;
  std::string reason;  // For people; names the rule, the gate or the account. Filled for refusals only.

  // Always.
  int64_t input_tokens = 0;  // Estimated, or as the caller said.
  int64_t expected_output_tokens = 0;
  bool no_signal = false;                    // The policy saw nothing in this request that it knows.
  bool warned = false;                       // A budget is past a warn level.
  bool unrecorded = false;                   // The ledger cannot be written, and the policy serves on.
  std::vector<CandidateOutcome> candidates;  // In the policy's order. Empty where none was considered.

  // The policy that decided.
  LoadedPolicy policy;
  // What the cache saw; for StoreInCache and Feedback.
  cache::Hit cache_hit;
};

// What a shadow policy would have done with a request; see Engine::LoadShadowPolicy.
struct ShadowDecision {
  bool refused = false;  // By its rules or gates.
  std::string reason;    // Filled for refusals only.
  int candidate_index = -1;
  std::string candidate;
  std::string model;
  int64_t expected_nanos = 0;
  bool no_signal = false;

  // Whether both would have dispatched, so that there is something to compare ...
  bool comparable = false;
  // ... and what the shadow would have cost beyond the decision, as quoted; negative is a saving. 0 if they
  // are not comparable: an answer from the cache would have come under either policy, and a refusal costs
  // nothing.
  int64_t difference_nanos = 0;
};

}  // namespace purser

#endif  // PURSER_ENGINE_DECISION_H_
