// What another policy would have done, without doing it.

#include "engine/decide_scratch.h"
#include "engine/engine_impl.h"

namespace purser {
namespace {

// Not Decide's own: what is kept there by kind of request would be read anew for every policy in turn.
struct ShadowScratch {
  DecideScratch scratch;
  Decision decision;
};
ShadowScratch& ThreadScratch() {
  thread_local ShadowScratch scratch;
  return scratch;
}

}  // namespace

void EngineImpl::DecideInShadow(const Revision& shadow, const Request& request, const Decision& decision,
                                ShadowDecision* out) {
  ShadowScratch& mine = ThreadScratch();
  DecideScratch& scratch = mine.scratch;
  const int64_t now = Now(request);
  // The engine's budgets stand behind the decision; without its revision, those of today.
  const Revision& actual = decision.revision != nullptr ? *decision.revision : Pin(&mine.decision);
  scratch.excluded = {};
  ReadTokens(shadow, request, &scratch);
  ReadSignals(shadow, actual.plan(), request, now, &scratch);
  mine.decision.candidates.assign(shadow.candidates().size(), CandidateOutcome{});
  shadow.program().Evaluate(request, scratch.context, scratch.features, &scratch.verdict);
  out->no_signal = false;
  for (const routing::ScoreValue& score : scratch.verdict.scores) out->no_signal |= score.no_signal;
  scratch.choice.count = 0;
  if (!scratch.verdict.candidates.empty()) {
    FindCurrent(shadow, request, &scratch);
    QuoteCandidates(shadow, request, now, &scratch, &mine.decision);
    routing::Choose(shadow.program().choice_settings(), ChoiceContextOf(request, scratch), scratch.prices,
                    &scratch.verdict, &scratch.choice);
  }

  out->refused = scratch.choice.count == 0;
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
