// Everything before dispatch: signals, cache, gates and rules, quotes, choice, hold.

#include <purser/live_books.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "engine/base/saturating.h"
#include "engine/calls/cache_query.h"
#include "engine/calls/decide_scratch.h"
#include "engine/calls/engine_impl.h"
#include "engine/calls/fingerprint.h"
#include "engine/calls/hold_search.h"
#include "engine/calls/rank.h"
#include "engine/calls/refusal_text.h"
#include "engine/calls/request_limits.h"
#include "engine/economics/live_books.h"
#include "engine/revision/request_fields.h"

namespace purser {
namespace {

DecideScratch& ThreadScratch();
void Clear(Decision* decision);
bool Accept(const Request& request, const absl::Status& time, Decision* decision);
void RefuseForked(const absl::Status& why, Decision* decision);
void DescribeCandidates(const Revision& revision, const DecideScratch& scratch, Decision* decision);

}  // namespace

void EngineImpl::Decide(const Request& request, Decision* decision) {
  if (!own_.here()) [[unlikely]]
    return RefuseForked(Forked(), decision);
  const Revision& revision = Pin(decision);
  Clear(decision);
  DecideScratch& scratch = ThreadScratch();
  scratch.excluded = {};
  scratch.failed_over = false;
  const int64_t now = Now(request);
  decision->unrecorded = LedgerFails();
  if (decision->unrecorded && !revision.serves_unrecorded()) {
    decision->refusal = Refusal::kLedger;
    decision->reason = std::string(LedgerFailure().message());
    return;
  }
  if (!Accept(request, CheckTime(request), decision)) return;
  if (AnswerFromCache(revision, request, now, &scratch, decision)) return;
  Route(request, now, &scratch, decision);
}

// From the signals to a hold. decision->ticket, if there is one, is to be held again for another candidate.
void EngineImpl::Route(const Request& request, int64_t now, DecideScratch* scratch, Decision* decision) {
  const Revision& revision = *decision->policy.revision();
  const bool ranked = RankCandidates(revision, StateFor(revision.plan()), request, now, scratch);
  DescribeCandidates(revision, *scratch, decision);
  if (!ranked) {
    decision->refusal =
        scratch->verdict.refusal == routing::Refusal::kNoCandidate ? Refusal::kNoCandidate : Refusal::kRule;
    decision->reason = revision.program().RefusalMessage(scratch->verdict);
    return;
  }
  FindBestConstant(revision, scratch);
  if (!Hold(revision, request, now, scratch, decision)) return;
  KeepPending(revision, request, now, *scratch, decision);
}

void EngineImpl::FailOver(const Request& request, Decision* decision) {
  if (!own_.here()) return RefuseForked(Forked(), decision);
  const Ticket ticket = decision->ticket;
  PendingCall* call = pending_.ClaimOpen(ticket);
  if (call == nullptr) {
    Clear(decision);
    decision->refusal = Refusal::kNoCandidate;
    decision->reason = "the ticket is not pending";
    return;
  }
  const int64_t now = Now(request);
  DecideScratch& scratch = ThreadScratch();
  // A ticket stays under the revision that granted it.
  if (decision->policy.revision() != call->revision) decision->policy = LoadedPolicy(call->revision);
  const Revision& revision = *call->revision;
  scratch.excluded = call->failed;
  scratch.excluded.Add(call->candidate);
  scratch.failed_over = true;
  revision.candidates()[call->candidate].stats->CountFailure(now);
  call->failed = scratch.excluded;
  // In the log the earlier attempt ends here, whether another candidate is found or not.
  const bool logged = call->presumed || LogAttemptEnd(call, ticket, /*failed=*/true, now);
  pending_.Publish(call, ticket);

  Clear(decision);
  if (!logged && !revision.serves_unrecorded()) {
    decision->refusal = Refusal::kLedger;
    decision->reason = std::string(LedgerFailure().message());
    return;
  }
  decision->ticket = ticket;
  decision->unrecorded = LedgerFails();
  if (Accept(request, CheckTime(request), decision)) Route(request, now, &scratch, decision);
  if (decision->action != Action::kDispatch) {
    Void(ticket);
    decision->ticket = 0;
  }
}

namespace {

DecideScratch& ThreadScratch() {
  thread_local DecideScratch scratch;
  return scratch;
}

void Clear(Decision* decision) {
  decision->action = Action::kRefuse;
  decision->ticket = 0;
  decision->candidate.clear();
  decision->model.clear();
  decision->provider.clear();
  decision->service_tier.clear();
  decision->max_output_tokens = 0;
  decision->output_clamped = false;
  decision->expected_nanos = 0;
  decision->held_nanos = 0;
  decision->likely_nanos = 0;
  decision->answer.clear();
  decision->exact = false;
  decision->similarity = 0;
  decision->cache_entry = 0;
  decision->saved_nanos = 0;
  decision->refusal = Refusal::kNone;
  decision->reason.clear();
  decision->input_tokens = 0;
  decision->expected_output_tokens = 0;
  decision->no_signal = false;
  decision->warned = false;
  decision->unrecorded = false;
  decision->candidates.clear();
  decision->cache_hit = {};
}

// What could not be booked is refused before anything is held.
bool Accept(const Request& request, const absl::Status& time, Decision* decision) {
  if (!time.ok()) {
    decision->refusal = Refusal::kBadRequest;
    decision->reason = std::string(time.message());
    return false;
  }
  if (CheckLimits(request, &decision->reason)) return true;
  decision->refusal = Refusal::kBadRequest;
  return false;
}

void RefuseForked(const absl::Status& why, Decision* decision) {
  Clear(decision);
  decision->refusal = Refusal::kForked;
  decision->reason = std::string(why.message());
}

// What was seen of each candidate.
void DescribeCandidates(const Revision& revision, const DecideScratch& scratch, Decision* decision) {
  decision->input_tokens = scratch.context.input_tokens;
  decision->no_signal = scratch.no_signal;
  decision->candidates.resize(revision.candidates().size());
  for (size_t i = 0; i < decision->candidates.size(); ++i) {
    CandidateOutcome& outcome = decision->candidates[i];
    outcome = {.name = revision.candidates()[i].name};
    if (!scratch.quoted.Has(static_cast<int>(i))) continue;
    outcome.expected_nanos = scratch.prices[i].expected_nanos;
    outcome.worst_nanos = scratch.prices[i].worst_nanos;
  }
  for (int rank = 0; rank < scratch.choice.count; ++rank)
    decision->candidates[scratch.choice.ranked[rank].candidate].passed = true;
}

}  // namespace

bool EngineImpl::AnswerFromCache(const Revision& revision, const Request& request, int64_t now,
                                 DecideScratch* scratch, Decision* decision) {
  if (revision.cache() == nullptr || !MayCache(request)) return false;
  const cache::Query query = MakeCacheQuery(revision, request, &scratch->cache_query);
  decision->cache_hit = revision.cache()->Lookup(query, now, &decision->answer);
  const cache::Hit& hit = decision->cache_hit;
  if (hit.kind == cache::Hit::kNone) return false;

  if (journal_ != nullptr || options_.live_books != nullptr) {
    ledger::RecordView record;
    DescribeRequest(request, &record);
    record.time_nanos = record.settled_nanos = now;
    record.request_class = query.request_class;
    record.policy_revision = revision.policy_hash();
    record.price_revision = revision.price_hash();
    record.cache_hit = hit.kind == cache::Hit::kExact ? ledger::CACHE_EXACT : ledger::CACHE_SEMANTIC;
    record.similarity = hit.similarity;
    record.default_cost_nanos = hit.saved_nano_usd;
    record.saved_cache_nanos = hit.saved_nano_usd;
    record.outcome = ledger::SUCCEEDED;
    // An answer that cannot be booked is not given: the books would miss it.
    const bool booked = journal_ == nullptr || journal_->Append(record) != 0;
    if (!booked && !revision.serves_unrecorded()) return false;
    if (options_.live_books != nullptr) options_.live_books->books()->Add(record);
  }
  decision->action = Action::kAnswer;
  decision->exact = hit.kind == cache::Hit::kExact;
  decision->similarity = decision->exact ? 1.0F : hit.similarity;
  decision->cache_entry = hit.entry_id;
  decision->saved_nanos = hit.saved_nano_usd;
  return true;
}

bool EngineImpl::Hold(const Revision& revision, const Request& request, int64_t now, DecideScratch* scratch,
                      Decision* decision) {
  const bool repeats_matter = revision.plan().guards().max_repeats > 0 && !request.task.empty();
  HoldWish wish;
  wish.now_nanos = now;
  wish.rehold = decision->ticket;
  if (repeats_matter) wish.fingerprint = FingerprintOf(request);
  budget::HoldResult result;
  if (HoldFirstThatFits(revision, request, wish, accounts_.get(), scratch, &result)) {
    decision->ticket = result.ticket;
    decision->warned = result.levels_crossed > 0 || result.guards_flagged != 0 || result.over_waived != 0;
    return true;
  }
  const int64_t drop =
      result.status == budget::HoldStatus::kShort ? TokensToDrop(revision, *scratch, result.shortage) : 0;
  decision->refusal = result.status == budget::HoldStatus::kGuard ? Refusal::kLoopGuard : Refusal::kBudget;
  RefusalText(revision.plan(), result, drop, &decision->reason);
  return false;
}

// The one model that could have served all of the class's requests, and this one for the least.
void EngineImpl::FindBestConstant(const Revision& revision, DecideScratch* scratch) const {
  AlwaysPassed& always = *revision.request_class(scratch->verdict.request_class).always_passed;
  always.Note(scratch->verdict.candidates);
  scratch->best_constant = -1;
  (always.Get() & scratch->verdict.candidates).ForEach([scratch](int i) {
    const routing::Price& price = scratch->prices[i];
    if (!price.known) return;
    const int best = scratch->best_constant;
    if (best < 0 || price.expected_nanos < scratch->prices[best].expected_nanos) scratch->best_constant = i;
  });
}

void EngineImpl::KeepPending(const Revision& revision, const Request& request, int64_t now,
                             const DecideScratch& scratch, Decision* decision) {
  const Revision::Candidate& candidate = revision.candidates()[scratch.chosen];
  PendingCall* call = pending_.Claim(decision->ticket);
  call->request.Assign(request);
  if (call->revision != decision->policy.revision()) call->revision = decision->policy.revision();
  call->candidate = scratch.chosen;
  call->request_class = scratch.verdict.request_class;
  call->best_constant = scratch.best_constant;
  call->batch = scratch.batch;
  call->clamped = scratch.clamped;
  call->failed_over = scratch.failed_over;
  call->over_budget = scratch.over_budget;
  // After a failover the log was told of the earlier attempt's end, unless it could not be written.
  call->dispatched = scratch.failed_over && call->dispatched;
  call->presumed = call->presumed_final = false;
  call->part = {};
  call->failed = scratch.excluded;  // The slot's last call may have left some.
  call->decided_nanos = now;
  call->expires_nanos = now + revision.plan().lifetimes().dispatch_nanos;
  call->expected_nanos = scratch.expected_nanos;
  call->held_nanos = scratch.worst_nanos;
  call->held_output_tokens = scratch.max_output_tokens;
  call->held_tokens = AddSaturating(scratch.most_input_tokens[scratch.chosen], scratch.max_output_tokens);
  call->quoted = scratch.QuoteInputOf(scratch.chosen);
  call->quoted.region = {};
  call->input_tokens = scratch.input_tokens[scratch.chosen];
  call->uncorrected_input_tokens =
      scratch.counted_by_caller ? 0 : scratch.family_tokens[static_cast<int>(candidate.family)];
  call->history_tokens = scratch.counted_by_caller ? 0 : std::max<int64_t>(request.history_tokens, 0);
  call->expected_output_tokens = scratch.output_tokens[scratch.chosen].expected;
  pending_.Publish(call, decision->ticket);

  decision->action = Action::kDispatch;
  decision->candidate = candidate.name;
  decision->model = candidate.model;
  decision->provider = candidate.provider;
  decision->service_tier = scratch.batch ? "batch" : candidate.service_tier;
  decision->max_output_tokens = scratch.max_output_tokens;
  decision->output_clamped = scratch.clamped;
  decision->expected_nanos = scratch.expected_nanos;
  decision->held_nanos = scratch.worst_nanos;
  decision->likely_nanos = scratch.likely_nanos;
  decision->input_tokens = call->input_tokens;
  decision->expected_output_tokens = call->expected_output_tokens;
}

void EngineImpl::StoreInCache(const Request& request, const Decision& decision,
                              const CacheableAnswer& answer) {
  if (!own_.here()) return;
  if (decision.policy.revision() == nullptr || decision.policy.revision()->cache() == nullptr ||
      !MayCache(request))
    return;
  if (decision.action != Action::kDispatch) return;
  if (std::string beyond; !CheckLimits(request, &beyond)) return;
  DecideScratch& scratch = ThreadScratch();
  cache::Entry entry;
  entry.query = MakeCacheQuery(*decision.policy.revision(), request, &scratch.cache_query);
  entry.answer = answer.text;
  entry.saved_nano_usd = answer.cost_nanos >= 0 ? answer.cost_nanos : decision.expected_nanos;
  entry.ttl_nanos = answer.ttl_nanos;
  entry.model = decision.model;
  entry.policy = decision.policy.revision()->policy().name();
  entry.tags = answer.tags;
  entry.source_versions = answer.source_versions;
  entry.answer_key = answer.meaning;
  entry.generation = decision.cache_hit.generation;
  entry.trial = decision.cache_hit.trial;
  decision.policy.revision()->cache()->Store(entry, Now(request));
}

void EngineImpl::Feedback(const Decision& decision, bool right) {
  if (!own_.here()) return;
  if (decision.policy.revision() == nullptr || decision.policy.revision()->cache() == nullptr) return;
  decision.policy.revision()->cache()->Feedback(decision.cache_hit.trial, right);
}

}  // namespace purser
