// What another policy would have done, without doing it.

#include "engine/calls/decide_scratch.h"
#include "engine/calls/engine_impl.h"
#include "engine/calls/rank.h"
#include "engine/calls/request_limits.h"

namespace purser {
namespace {

// Not Decide's own: what is kept there by kind of request would be read again for every policy in turn.
struct ShadowScratch {
  DecideScratch scratch;
  Decision decision;
};
ShadowScratch& ThreadScratch() {
  thread_local ShadowScratch scratch;
  return scratch;
}

}  // namespace

void EngineImpl::DecideShadow(const LoadedPolicy& shadow_policy, const Request& request,
                              const Decision& decision, ShadowDecision* out) {
  if (!own_.here()) {
    *out = {.refused = true, .reason = std::string(Forked().message())};
    return;
  }
  if (!shadow_policy) {
    *out = {.refused = true, .reason = "no shadow policy is loaded; LoadShadowPolicy returns one"};
    return;
  }
  if (std::string beyond; !CheckLimits(request, &beyond)) {
    *out = {.refused = true, .reason = beyond};
    return;
  }
  const Revision& shadow = *shadow_policy.revision();
  ShadowScratch& mine = ThreadScratch();
  DecideScratch& scratch = mine.scratch;
  // The engine's budgets stand behind the decision; without its revision, those of today.
  const Revision& actual = decision.policy ? *decision.policy.revision() : Pin(&mine.decision);
  scratch.excluded = {};
  out->refused = !RankCandidates(shadow, StateFor(actual.plan()), request, Now(request), &scratch);
  out->no_signal = scratch.no_signal;
  out->reason.clear();
  out->candidate_index = -1;
  out->candidate.clear();
  out->model.clear();
  out->expected_nanos = 0;
  out->comparable = false;
  out->difference_nanos = 0;
  if (out->refused) {
    out->reason = shadow.program().RefusalMessage(scratch.verdict);
    return;
  }
  const routing::Ranked& first = scratch.choice.ranked[0];
  out->candidate_index = first.candidate;
  out->candidate = shadow.candidates()[first.candidate].name;
  out->model = shadow.candidates()[first.candidate].model;
  out->expected_nanos = first.expected_nanos;
  out->comparable = decision.action == Action::kDispatch;
  if (out->comparable) out->difference_nanos = first.expected_nanos - decision.expected_nanos;
}

}  // namespace purser
