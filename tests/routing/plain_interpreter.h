#ifndef PURSER_TESTS_ROUTING_PLAIN_INTERPRETER_H_
#define PURSER_TESTS_ROUTING_PLAIN_INTERPRETER_H_

#include <limits>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "engine/routing/choice.h"
#include "engine/routing/program.h"
#include "tests/routing/plain_signals.h"

namespace purser::routing {

// What a policy means, as plainly as it can be said: the oracle that the compiled program is held to. It
// walks the messages of the policy for each request, with no table, no automaton and nothing kept; it shares
// no code with the program.

struct PlainResult {
  std::set<int> candidates;
  Refusal refusal = Refusal::kNone;
  int refusing = -1;
  int request_class = -1;
  int min_quality = std::numeric_limits<int>::min();
  int max_quality = std::numeric_limits<int>::max();
  int latency_limit_ms = 0;
  bool quality_dropped = false;
  std::vector<int> rules;  // That hold.
  std::vector<int> stepped_aside;
  int rules_tried = 0;
  std::vector<RejectReason> reasons;  // By candidate.
  std::vector<std::string> bands;     // By score.
  std::vector<double> sums;
  std::vector<int>
      preferred;  // By candidate: how many rules preferred others before it did; large: none did.
};

// Gates, scores and rules.
PlainResult Interpret(const policy::Policy& policy, std::span<const CandidateFacts> facts,
                      const PlainFiles& files, const Request& request, const Context& context);

// A candidate in the order in which they are tried.
struct PlainRanked {
  int candidate = -1;
  bool batch = false;
  int64_t expected_nanos = 0;
  int64_t worst_nanos = 0;
  double ranked_nanos = 0;  // 1e30: the price is not known.
};
struct PlainOrder {
  std::vector<PlainRanked> ranked;
  bool kept_current = false;
};

// The choice among what passed, without exploration. Takes out what latency and tool loops rule out.
PlainOrder PlainChoice(const policy::Policy& policy, const ChoiceContext& context,
                       std::span<const Price> prices, PlainResult* result);

// Those that exploration may put in front of this order.
std::set<int> PlainDrawable(const policy::Exploration& exploration, const PlainOrder& order);
// The order with one of them drawn.
std::vector<int> PlainDrawn(const policy::Exploration& exploration, const PlainOrder& order, int drawn);

}  // namespace purser::routing

#endif  // PURSER_TESTS_ROUTING_PLAIN_INTERPRETER_H_
