#ifndef PURSER_ENGINE_ROUTING_VERDICT_H_
#define PURSER_ENGINE_ROUTING_VERDICT_H_

#include <array>
#include <cstdint>
#include <limits>
#include <string_view>
#include <vector>

#include "engine/routing/candidate_set.h"

namespace purser::routing {

// Why a candidate is out. Gates come before rules; the first that fails is named.
enum class Reject : uint8_t {
  kNone,
  // Gates.
  kNotAllowed,       // The policy's allow list.
  kDenied,           // The policy's deny list.
  kUnpriced,         // No price is known of this request at this time.
  kUnhealthy,        // The engine says so.
  kContextWindow,    // Input, and the output asked for, do not fit.
  kMaxOutput,        // It cannot answer with as many tokens as asked for.
  kLacksCapability,  // Tools, vision ...: see Need.
  kRegion,
  kDataPolicy,
  // Rules: RejectReason::rule says which.
  kRuleMinQuality,
  kRuleMaxQuality,
  kRuleOnly,
  kRuleDeny,
  // The choice.
  kLatency,   // Known to be slower than the request's or a rule's limit.
  kToolLoop,  // Would lower the quality inside a tool loop.
};

// "context window", "denied by a rule", ...
std::string_view RejectName(Reject reject);

struct RejectReason {
  Reject reject = Reject::kNone;
  int16_t rule = -1;     // Index in the policy.
  uint32_t missing = 0;  // kLacksCapability: the Need bits that it lacks.
};

// A score of one request.
struct ScoreValue {
  double sum = 0;
  int16_t band = -1;       // Index in the score; -1: in none.
  bool no_signal = false;  // No term recognised anything; `band` is then what on_no_signal says.
};

// Why nothing serves a request.
enum class Refusal : uint8_t {
  kNone,
  kNoCandidate,  // Gates and rules left none.
  kRule,         // A rule refuses: `refusing` is its index.
  kNoSignal,     // A score saw nothing and its on_no_signal refuses: `refusing` is the score's index.
};

// What rules and gates say about one request. Reused from request to request, it allocates only while it
// grows.
struct Verdict {
  CandidateSet candidates;  // Those that may serve it. Empty if refused.
  Refusal refusal = Refusal::kNone;
  int refusing = -1;
  int request_class = -1;  // Index in the policy; -1: none.

  int min_quality = std::numeric_limits<int>::min();  // What the rules that hold ask for.
  int max_quality = std::numeric_limits<int>::max();
  bool quality_dropped = false;  // if_none: BEST_LEFT had to drop the quality bounds.
  int32_t latency_limit_ms = 0;  // The least of the request's and the rules'. 0: none.

  std::vector<ScoreValue> scores;  // By the score's index in the policy.
  std::vector<int> rules;          // The rules that hold, by index in the policy, in the order tried.
  std::vector<int> stepped_aside;  // Those of them that would have left nothing (yield_if_none).
  int rules_tried = 0;             // Fewer than the policy's if one said stop or refused.

  // By candidate. Preference 0 comes first among equal costs: each rule's `prefer` is one rank below that of
  // the rule before it, and candidates that no rule prefers come last.
  std::array<RejectReason, kMaxCandidates> reasons;
  std::array<uint16_t, kMaxCandidates> preference;

  // What the conditions tested (compiled_policy.h); for explanations.
  std::vector<double> values;
};

}  // namespace purser::routing

#endif  // PURSER_ENGINE_ROUTING_VERDICT_H_
