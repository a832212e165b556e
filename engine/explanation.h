#ifndef PURSER_ENGINE_EXPLANATION_H_
#define PURSER_ENGINE_EXPLANATION_H_

#include <cstdint>
#include <string>
#include <vector>

namespace purser {

// Budgets and decisions, opened for inspection. Made off the hot path: everything here allocates.

// One account that a request draws on: a budget of the policy for one key ("customer month" of acme/c7).
struct AccountStatus {
  std::string budget;  // Its name in the policy.
  std::string key;     // For people: "acme/c7". Bytes that do not print appear as \xNN.
  int level = 0;       // 0: the task itself, 1: its parent ...; 0 for every other budget.

  // One limit of the budget. settled + held + presumed <= limit, unless a provider billed more than it could
  // at most, or the limit was lowered; then headroom() is negative and holds are refused.
  struct Limit {
    std::string dimension;  // "usd" (in nano-dollars), "tokens", "output_tokens", "requests", "steps".
    int64_t limit = 0;      // Top-ups included.
    int64_t settled = 0;    // Booked in this window.
    int64_t held = 0;       // Set aside for calls that are open.
    int64_t presumed = 0;   // Dispatched, expired, and not settled: taken as spent.
    int64_t headroom() const { return limit - settled - held - presumed; }
  };
  std::vector<Limit> limits;    // Those that the budget states.
  int64_t resets_at_nanos = 0;  // When the window restarts, or next frees a part. 0: never.
  bool overrun = false;         // A call cost more than its hold and took the account past a limit.
};

// Why a request would be decided as it would.
struct Explanation {
  struct Candidate {
    std::string name;
    int rank = 0;         // From 1, in the order in which candidates are tried; 0: it did not pass.
    std::string why_not;  // Of a candidate that did not pass: the gate or the rule, with the policy's line.
    int64_t expected_nanos = 0;
    int64_t worst_nanos = 0;
    bool batch = false;  // At the provider's batch prices.
  };
  std::vector<Candidate> candidates;    // In the policy's order.
  std::vector<AccountStatus> accounts;  // Those that the best candidate would draw on.
  std::string refusal;                  // Why no candidate passed. Empty: one did.
  // All of it for people, with the arithmetic of every quote: what `purser explain` prints.
  std::string text;
};

}  // namespace purser

#endif  // PURSER_ENGINE_EXPLANATION_H_
