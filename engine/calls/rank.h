#ifndef PURSER_ENGINE_CALLS_RANK_H_
#define PURSER_ENGINE_CALLS_RANK_H_

#include <purser/request.h>

#include <cstdint>

#include "engine/budget/accounts.h"
#include "engine/calls/decide_scratch.h"
#include "engine/calls/served_before.h"
#include "engine/estimates/output_estimate.h"
#include "engine/revision/revision.h"

namespace purser {

// What ranking reads of a running engine. Everything outlives the call.
struct EngineState {
  const estimates::OutputEstimator& outputs;
  const ServedBefore& served_before;
  budget::Accounts& accounts;  // For signals that ask how much is left.
  // The engine's budgets. Those of a shadow policy have no accounts.
  const budget::Plan& plan;
};

// Reads the request, evaluates the rules of `revision`, quotes the candidates that pass and ranks them: what
// Decide, FailOver, Explain and shadow policies share. Takes `scratch->excluded` as it is; fills everything
// else up to `scratch->choice`, whose `ranked` lists the candidates in the order in which they are to be
// tried. False: none passed, and scratch->verdict says why. Holds and learns nothing.
bool RankCandidates(const Revision& revision, const EngineState& state, const Request& request, int64_t now,
                    DecideScratch* scratch);

}  // namespace purser

#endif  // PURSER_ENGINE_CALLS_RANK_H_
