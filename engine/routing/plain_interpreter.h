#ifndef PURSER_ENGINE_ROUTING_PLAIN_INTERPRETER_H_
#define PURSER_ENGINE_ROUTING_PLAIN_INTERPRETER_H_

#include <set>
#include <span>
#include <string>
#include <vector>

#include "engine/routing/choice.h"
#include "engine/routing/program.h"

namespace purser::routing {

// What a policy means, as plainly as it can be said: the oracle that the compiled program is held to. It
// walks the messages of the policy for each request, with no table, no automaton and nothing kept; it shares
// no code with the program.

struct PlainResult {
  std::set<int> candidates;
  Refusal refusal = Refusal::kNone;
  int refusing = -1;
  int request_class = -1;
  int latency_limit_ms = 0;
  bool quality_dropped = false;
  std::vector<int> rules;  // That hold.
  std::vector<int> stepped_aside;
  std::vector<Reject> reasons;     // By candidate.
  std::vector<std::string> bands;  // By score.
  std::vector<int>
      preferred;  // By candidate: how many rules preferred others before it did; large: none did.
};

// A recorded request and who answered it well, as a line of an outcomes file has it.
struct PlainOutcome {
  std::vector<float> embedding;
  std::set<std::string> well;
  std::set<std::string> badly;
};

// Gates, scores and rules. `outcomes` are those of every outcomes file.
PlainResult Interpret(const policy::Policy& policy, std::span<const CandidateFacts> facts,
                      std::span<const PlainOutcome> outcomes, const Request& request, const Context& context);

// The choice among what passed: the candidates in the order in which they are tried. Takes out what latency
// and tool loops rule out. Exploration is left to others.
std::vector<int> PlainChoice(const policy::Policy& policy, const ChoiceContext& context,
                             std::span<const Price> prices, PlainResult* result);

}  // namespace purser::routing

#endif  // PURSER_ENGINE_ROUTING_PLAIN_INTERPRETER_H_
