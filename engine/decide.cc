// Everything before dispatch: signals, cache, gates and rules, quotes, choice, hold.

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "engine/books/live_books.h"
#include "engine/cache_query.h"
#include "engine/decide_scratch.h"
#include "engine/engine_impl.h"
#include "engine/fingerprint.h"
#include "engine/hold_search.h"
#include "engine/refusal_text.h"
#include "engine/request_fields.h"

namespace purser {
namespace {

// What a model that states no limit is taken to answer with at most.
constexpr int64_t kUnstatedMaxOutput = 16'384;

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
  decision->cache_hit = {};
}

// The least share of a limit that is left, over all accounts and dimensions.
double LeastShareLeft(const std::vector<budget::AccountView>& accounts) {
  double least = 1;
  for (const budget::AccountView& account : accounts) {
    for (int d = 0; d < budget::kDimensions; ++d) {
      const int64_t limit = account.limits.of[d];
      if (limit == budget::kUnlimited) continue;
      const int64_t used = account.settled.of[d] + account.held.of[d] + account.presumed.of[d];
      least =
          std::min(least, limit <= 0 ? 0 : static_cast<double>(limit - used) / static_cast<double>(limit));
    }
  }
  return std::max(least, 0.0);
}

}  // namespace

void EngineImpl::ReadTokens(const Revision& revision, const Request& request, DecideScratch* scratch) const {
  const size_t count = revision.candidates().size();
  scratch->input_tokens.resize(count);
  scratch->most_input_tokens.resize(count);
  scratch->counted_by_caller = request.input_tokens >= 0;
  if (scratch->counted_by_caller) {
    std::fill(scratch->input_tokens.begin(), scratch->input_tokens.end(), request.input_tokens);
    std::fill(scratch->most_input_tokens.begin(), scratch->most_input_tokens.end(), request.input_tokens);
    return;
  }
  pricing::TextFeatures text = pricing::ReadText(request.tools_json);
  for (const Message& message : request.messages) text += pricing::ReadText(message.content);
  for (int f = 0; f < pricing::kTokenFamilies; ++f) {
    const auto family = static_cast<pricing::TokenFamily>(f);
    const int64_t overhead =
        pricing::ChatOverheadTokens(family, static_cast<int64_t>(request.messages.size()));
    scratch->family_tokens[f] = pricing::EstimateTokens(family, text) + overhead;
    scratch->family_bounds[f] = pricing::TokenBound(family, text) + overhead;
  }
  const int64_t history = std::max<int64_t>(request.history_tokens, 0);
  for (size_t i = 0; i < count; ++i) {
    const Revision::Candidate& candidate = revision.candidates()[i];
    const int f = static_cast<int>(candidate.family);
    const pricing::TokenCorrection& learned = candidate.stats->input;
    scratch->input_tokens[i] = history + learned.Expected(scratch->family_tokens[f]);
    scratch->most_input_tokens[i] =
        history + learned.Bound(scratch->family_tokens[f], scratch->family_bounds[f]);
  }
}

void EngineImpl::ReadSignals(const Revision& revision, const budget::Plan& plan, const Request& request,
                             int64_t now, DecideScratch* scratch) const {
  routing::Context& context = scratch->context;
  context = {};
  context.candidate_input_tokens = scratch->input_tokens;
  context.input_tokens = scratch->input_tokens.empty() ? 0 : scratch->input_tokens[0];
  context.now_nanos = now;
  context.task_depth = request.parent_task.empty() ? 0 : 1;
  context.unhealthy = scratch->excluded;
  for (size_t i = 0; i < revision.candidates().size(); ++i) {
    if (revision.candidates()[i].stats->cooling_until_nanos.load(std::memory_order_relaxed) > now) {
      context.unhealthy.Add(static_cast<int>(i));
    }
  }
  if (revision.reads_headroom()) {
    context.budget_headroom = LeastShareLeft(accounts_->Inspect(plan, ScopeOf(request), now));
  }
  revision.program().Read(request, context, &scratch->features);
}

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
    if (options_.live_books != nullptr) options_.live_books->Add(record);
  }
  decision->action = Action::kAnswer;
  decision->exact = hit.kind == cache::Hit::kExact;
  decision->similarity = decision->exact ? 1.0F : hit.similarity;
  decision->cache_entry = hit.entry_id;
  decision->saved_nanos = hit.saved_nano_usd;
  return true;
}

const LearnedEstimates& EngineImpl::ReadLearned(const Revision& revision,
                                                const Revision::RequestClass& request_class,
                                                const Request& request, DecideScratch* scratch) const {
  const uint64_t feature = pricing::HashName(request.feature);
  LearnedEstimates& estimates =
      scratch->learned[((request_class.hash ^ feature) >> 32) % DecideScratch::kLearnedKinds];
  scratch->estimates = &estimates;
  if (!estimates.IsDue(revision.serial(), request_class.hash, feature)) return estimates;
  estimates.candidates.clear();
  for (const Revision::Candidate& candidate : revision.candidates()) {
    int64_t cold = candidate.expected_output_tokens;
    if (cold == 0) cold = request_class.expected_output_tokens;
    if (cold == 0) cold = revision.expected_output_tokens();
    // Nothing learned: the policy's number is the mean, and the request's cap the only bound.
    constexpr int64_t kNoBound = std::numeric_limits<int64_t>::max();
    const pricing::OutputEstimate output = outputs_.Get(
        {candidate.model_hash, request_class.hash, feature},
        {.mean = static_cast<double>(cold), .p50 = cold, .p90 = kNoBound, .p99 = kNoBound, .count = 0});
    const pricing::QuantileSummary latency = candidate.stats->latency_ms.Summary();
    estimates.candidates.push_back({
        .output_tokens = static_cast<int64_t>(std::ceil(output.mean)),
        .output_p90 = output.p90,
        .output_p99 = output.p99,
        .latency_p50_ms =
            latency.count > 0 ? static_cast<int32_t>(latency.p50) : candidate.expected_latency_ms,
        .latency_p95_ms = static_cast<int32_t>(latency.p95),
    });
  }
  return estimates;
}

void EngineImpl::FindCurrent(const Revision& revision, const Request& request, DecideScratch* scratch) const {
  scratch->current = -1;
  scratch->without_prefix = {};
  const uint64_t model = served_before_.Find(request);
  if (model == 0) return;
  const int count = static_cast<int>(revision.candidates().size());
  for (int i = 0; i < count; ++i) {
    if (revision.candidates()[i].model_hash != model) {
      scratch->without_prefix.Add(i);
    } else if (scratch->current < 0) {
      scratch->current = i;
    }
  }
}

routing::ChoiceContext ChoiceContextOf(const Request& request, const DecideScratch& scratch) {
  routing::ChoiceContext context;
  context.request_id = request.id;
  context.deferrable = request.deferrable;
  context.current = scratch.current;
  context.in_tool_loop = !request.messages.empty() && request.messages.back().role == Role::kTool;
  return context;
}

void EngineImpl::QuoteCandidates(const Revision& revision, const Request& request, int64_t now,
                                 DecideScratch* scratch, Decision* decision) const {
  const size_t count = revision.candidates().size();
  scratch->prices.resize(count);
  scratch->output_tokens.resize(count);
  const Revision::RequestClass& request_class = revision.request_class(scratch->verdict.request_class);
  const LearnedEstimates& estimates = ReadLearned(revision, request_class, request, scratch);
  pricing::QuoteInput& asked = scratch->request_input;
  asked = {};
  asked.cached_tokens = request.cached_input_tokens;
  asked.cache_write_tokens = request.cache_write_tokens;
  asked.images = request.images;
  asked.region = request.region;
  asked.time_nanos = now;
  pricing::QuoteInput input = asked;
  scratch->verdict.candidates.ForEach([&](int i) {
    const Revision::Candidate& candidate = revision.candidates()[i];
    const LearnedEstimates::OfCandidate& learned = estimates.candidates[i];
    DecideScratch::OutputTokens& output = scratch->output_tokens[i];
    output.most = candidate.max_output_tokens > 0 ? candidate.max_output_tokens : kUnstatedMaxOutput;
    if (request.max_output_tokens > 0) output.most = std::min(output.most, request.max_output_tokens);
    output.expected = std::min(learned.output_tokens, output.most);
    scratch->SetQuoteInput(i, &input);

    routing::Price& price = scratch->prices[i];
    const pricing::QuoteTotals quote = pricing::MakeQuoteTotals(candidate.priced, input);
    price.known = quote.priced;
    price.expected_nanos = quote.expected_nanos;
    price.worst_nanos = quote.worst_nanos;
    price.batch_expected_nanos = price.batch_worst_nanos = -1;
    if (request.deferrable && candidate.batch.prices != nullptr) {
      const pricing::QuoteTotals batch = pricing::MakeQuoteTotals(candidate.batch, input);
      if (batch.priced) {
        price.batch_expected_nanos = batch.expected_nanos;
        price.batch_worst_nanos = batch.worst_nanos;
      }
    }
    price.p50_ms = learned.latency_p50_ms;
    price.p95_ms = learned.latency_p95_ms;
    decision->candidates[i].expected_nanos = quote.expected_nanos;
    decision->candidates[i].worst_nanos = quote.worst_nanos;
  });
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
  if (call->revision != decision->revision) call->revision = decision->revision;
  call->candidate = scratch.chosen;
  call->request_class = scratch.verdict.request_class;
  call->best_constant = scratch.best_constant;
  call->batch = scratch.batch;
  call->clamped = scratch.clamped;
  call->failed_over = scratch.failed_over;
  call->over_budget = scratch.over_budget;
  call->dispatched = false;
  call->decided_nanos = now;
  call->expires_nanos = now + revision.plan().lifetimes().dispatch_nanos;
  call->expected_nanos = scratch.expected_nanos;
  call->held_nanos = scratch.worst_nanos;
  call->held_output_tokens = scratch.max_output_tokens;
  call->held_tokens = scratch.most_input_tokens[scratch.chosen] + scratch.max_output_tokens;
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

void EngineImpl::RefuseForRouting(const Revision& revision, const DecideScratch& scratch,
                                  Decision* decision) const {
  decision->refusal =
      scratch.verdict.refusal == routing::Refusal::kNoCandidate ? Refusal::kNoCandidate : Refusal::kRule;
  decision->reason = revision.program().RefusalMessage(scratch.verdict);
}

// From the signals to a hold. decision->ticket, if there is one, is to be held anew for another candidate.
void EngineImpl::Route(const Request& request, int64_t now, DecideScratch* scratch, Decision* decision) {
  const Revision& revision = *decision->revision;
  const size_t count = revision.candidates().size();
  decision->candidates.assign(count, CandidateOutcome{});
  decision->input_tokens = scratch->context.input_tokens;
  revision.program().Evaluate(request, scratch->context, scratch->features, &scratch->verdict);
  for (const routing::ScoreValue& score : scratch->verdict.scores) decision->no_signal |= score.no_signal;
  if (scratch->verdict.candidates.empty()) return RefuseForRouting(revision, *scratch, decision);

  FindCurrent(revision, request, scratch);
  QuoteCandidates(revision, request, now, scratch, decision);
  routing::Choose(revision.program().choice_settings(), ChoiceContextOf(request, *scratch), scratch->prices,
                  &scratch->verdict, &scratch->choice);
  if (scratch->choice.count == 0) return RefuseForRouting(revision, *scratch, decision);
  FindBestConstant(revision, scratch);
  for (int i = 0; i < scratch->choice.count; ++i)
    decision->candidates[scratch->choice.ranked[i].candidate].passed = true;

  if (!Hold(revision, request, now, scratch, decision)) return;
  KeepPending(revision, request, now, *scratch, decision);
}

void EngineImpl::Decide(const Request& request, Decision* decision) {
  const Revision& revision = Pin(decision);
  Clear(decision);
  DecideScratch& scratch = ThreadScratch();
  scratch.excluded = {};
  scratch.failed_over = false;
  const int64_t now = Now(request);
  decision->unrecorded = LedgerFails();
  if (decision->unrecorded && !revision.serves_unrecorded()) {
    decision->refusal = Refusal::kLedger;
    decision->reason = absl::StrCat("the ledger cannot be written: ", journal_->status().message());
    return;
  }
  if (AnswerFromCache(revision, request, now, &scratch, decision)) return;
  ReadTokens(revision, request, &scratch);
  ReadSignals(revision, revision.plan(), request, now, &scratch);
  Route(request, now, &scratch, decision);
}

void EngineImpl::FailOver(const Request& request, Decision* decision) {
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
  decision->revision = call->revision;
  const Revision& revision = *decision->revision;
  scratch.excluded = call->failed;
  scratch.excluded.Add(call->candidate);
  scratch.failed_over = true;
  revision.candidates()[call->candidate].stats->CountFailure(now);
  call->failed = scratch.excluded;
  pending_.Publish(call, ticket);

  Clear(decision);
  decision->ticket = ticket;
  decision->unrecorded = LedgerFails();
  ReadTokens(revision, request, &scratch);
  ReadSignals(revision, revision.plan(), request, now, &scratch);
  Route(request, now, &scratch, decision);
  if (decision->action != Action::kDispatch) {
    Void(ticket);
    decision->ticket = 0;
  }
}

void EngineImpl::StoreInCache(const Request& request, const Decision& decision, const AnswerToKeep& answer) {
  if (decision.revision == nullptr || decision.revision->cache() == nullptr || !MayCache(request)) return;
  if (decision.action != Action::kDispatch) return;
  DecideScratch& scratch = ThreadScratch();
  cache::Entry entry;
  entry.query = MakeCacheQuery(*decision.revision, request, &scratch.cache_query);
  entry.answer = answer.text;
  entry.saved_nano_usd = answer.cost_nanos >= 0 ? answer.cost_nanos : decision.expected_nanos;
  entry.ttl_nanos = answer.ttl_nanos;
  entry.model = decision.model;
  entry.policy = decision.revision->policy().name();
  entry.tags = answer.tags;
  entry.source_versions = answer.source_versions;
  entry.answer_key = answer.meaning;
  entry.generation = decision.cache_hit.generation;
  entry.trial = decision.cache_hit.trial;
  decision.revision->cache()->Store(entry, Now(request));
}

void EngineImpl::Feedback(const Decision& decision, bool right) {
  if (decision.revision == nullptr || decision.revision->cache() == nullptr) return;
  decision.revision->cache()->Feedback(decision.cache_hit.trial, right);
}

}  // namespace purser
