#ifndef PURSER_ENGINE_CLI_REPLAY_RUN_H_
#define PURSER_ENGINE_CLI_REPLAY_RUN_H_

#include <purser/purser.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/cli/trace_file.h"

namespace purser::cli {

// What a replay came to. Money in nano-dollars.
//
// The routed model is taken to have used the tokens that the traced one did: a trace cannot say what another
// model would have answered. Baselines (the traced model, each candidate as the only one) price every call
// that was not refused, so that refusing calls saves nothing.
struct ReplayTotals {
  struct Model {
    int64_t calls = 0;
    int64_t input_tokens = 0;
    int64_t output_tokens = 0;
    int64_t cost_nanos = 0;
  };
  struct Constant {
    std::string candidate;
    int64_t cost_nanos = 0;
    int64_t unpriced_calls = 0;
  };
  struct FeatureRow {
    int64_t calls = 0;
    int64_t answered = 0;
    int64_t refused = 0;
    int64_t cost_nanos = 0;
    int64_t traced_nanos = 0;
    std::map<std::string, int64_t> candidates;  // Calls by candidate.
  };
  struct RefusedCall {
    std::string request_id;
    std::string task;
    std::string reason;
  };

  // What a shadow policy would have done. Compared are the calls that both would have dispatched, at the
  // tokens that the traced model used.
  struct Shadow {
    struct Move {
      int64_t calls = 0;
      int64_t cost_nanos = 0;         // As decided.
      int64_t shadow_cost_nanos = 0;  // As the shadow would have it.
    };
    int64_t calls = 0;  // All that it was asked about.
    int64_t compared = 0;
    int64_t same = 0;  // Of the compared: the same candidate by name.
    int64_t cost_nanos = 0;
    int64_t shadow_cost_nanos = 0;
    int64_t expected_difference_nanos = 0;  // As quoted before dispatch.
    int64_t unpriced = 0;                   // Neither refused nor compared: no price for the traced tokens.
    int64_t only_shadow_refuses = 0;
    int64_t only_policy_refuses = 0;
    int64_t no_signal = 0;
    std::map<std::pair<std::string, std::string>, Move> moves;  // From candidate, to the shadow's.
    std::map<std::string, int64_t> refusals;                    // By the shadow's reason.
  };

  int64_t calls = 0;
  int64_t dispatched = 0;
  int64_t answered_exact = 0;
  int64_t answered_semantic = 0;
  int64_t refused = 0;
  int64_t clamped = 0;
  int64_t cost_nanos = 0;
  int64_t expected_nanos = 0;  // What the quotes of the dispatched calls expected.
  // What was set aside for the dispatched calls: the sum, and how many calls cost more.
  struct Holds {
    int64_t nanos = 0;
    int64_t exceeded = 0;
  };
  Holds worst_case;
  Holds likely;  // In budgets that hold a quantile; all 0 if the policy has none.
  int64_t traced_nanos = 0;
  int64_t traced_unpriced_calls = 0;
  std::map<std::string, Model> models;
  std::vector<Constant> constants;
  std::map<std::string, FeatureRow> features;
  std::map<std::string, int64_t> refusals;  // By kind.
  std::vector<RefusedCall> first_refused;   // One per task, or per call without one.
  std::vector<double> input_errors;         // |estimated - real| / real, of the dispatched calls.
  Shadow shadow;                            // All 0 without one.
  std::vector<int64_t> overhead_nanos;      // Of Decide, MarkDispatched and Settle together, by call.
};

struct ReplayOptions {
  double calls_per_second = 0;  // 0: as fast as it goes.
  LoadedPolicy shadow;          // Of the engine; asked about every call. Empty: none.
};

// Replays `trace` through `engine`, whose clock must be `clock`: it is set to each call's time.
absl::StatusOr<ReplayTotals> RunReplay(const std::vector<TracedCall>& trace, const ReplayOptions& options,
                                       Engine* engine, ManualClock* clock);

// The value that a share of `values` does not exceed; 0 if there are none.
template <typename T>
T Quantile(std::vector<T> values, double share) {
  if (values.empty()) return T{};
  const size_t index =
      std::min(values.size() - 1, static_cast<size_t>(share * static_cast<double>(values.size())));
  std::nth_element(values.begin(), values.begin() + static_cast<ptrdiff_t>(index), values.end());
  return values[index];
}

}  // namespace purser::cli

#endif  // PURSER_ENGINE_CLI_REPLAY_RUN_H_
