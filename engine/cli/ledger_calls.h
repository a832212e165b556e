#ifndef PURSER_ENGINE_CLI_LEDGER_CALLS_H_
#define PURSER_ENGINE_CLI_LEDGER_CALLS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/learning/observed_calls.h"

namespace purser::cli {

// Where calls with outcomes are found. A ledger holds no texts: the prompts come from a file of the caller's.
struct LedgerCallsSource {
  std::string ledger;
  std::string prompts;  // Lines of {"request_id", "prompt"}.
  std::string strong;   // Candidates, as the policy named them, or models.
  std::string weak;
  std::string explored_by;  // A policy: only calls that it drew to explore count. Empty: all.
};

struct LedgerCalls {
  std::vector<learning::ObservedCall> calls;
  // Settled calls of the two that were left out:
  int64_t without_outcome = 0;
  int64_t without_prompt = 0;
  int64_t not_explored = 0;
  int64_t not_chosen = 0;  // Failed over, or a retry: what served it was not drawn.
};

// Reads the settled calls that one of the two models served, with the outcome that was told of them: its
// quality from 0 to 1, or else whether it succeeded. Errors name the file and what was expected.
absl::StatusOr<LedgerCalls> ReadLedgerCalls(const LedgerCallsSource& source);

}  // namespace purser::cli

#endif  // PURSER_ENGINE_CLI_LEDGER_CALLS_H_
