// Everything before dispatch: signals, cache, gates and rules, quotes, choice, hold.

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "engine/decide_scratch.h"
#include "engine/engine_impl.h"
#include "engine/fingerprint.h"
#include "engine/refusal_text.h"
#include "engine/request_fields.h"

namespace purser {
namespace {

// A hold clamped below this would cut answers off before they have said anything.
constexpr int64_t kLeastClampedOutput = 16;
// What a model that states no limit is taken to answer with at most.
constexpr int64_t kUnstatedMaxOutput = 16'384;

DecideScratch& ThreadScratch() {
  thread_local DecideScratch scratch;
  return scratch;
}

std::string_view LastUserTurn(const Request& request) {
  for (auto message = request.messages.rbegin(); message != request.messages.rend(); ++message) {
    if (message->role == Role::kUser) return message->content;
  }
  return {};
}

// A length before each part, so that no two lists of parts read alike.
void AppendPart(std::string_view part, std::string* out) {
  const uint64_t size = part.size();
  out->append(reinterpret_cast<const char*>(&size), sizeof(size));
  out->append(part);
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
  decision->cache_hit = {};
}

// Whether an earlier answer may serve this request, or its answer a later one.
bool MayCache(const Request& request) {
  return request.cacheable && !request.has_side_effects && !request.messages.empty();
}

// The query's views point into the request and the scratch.
cache::Query MakeCacheQuery(const Revision& revision, const Request& request, DecideScratch* scratch) {
  revision.cache_namespace().Render(request, &scratch->cache_namespace);
  const std::string_view last_turn = LastUserTurn(request);
  scratch->cache_key.clear();
  scratch->compatibility.clear();
  scratch->cache_key.push_back(request.tools_json);
  scratch->cache_key.push_back(request.parameters);
  AppendPart(request.tools_json, &scratch->compatibility);
  AppendPart(request.parameters, &scratch->compatibility);
  static constexpr std::string_view kRoles[] = {"system", "user", "assistant", "tool"};
  for (const Message& message : request.messages) {
    const std::string_view role = kRoles[static_cast<int>(message.role)];
    scratch->cache_key.push_back(role);
    scratch->cache_key.push_back(message.content);
    if (message.content.data() == last_turn.data()) continue;
    AppendPart(role, &scratch->compatibility);
    AppendPart(message.content, &scratch->compatibility);
  }
  cache::Query query;
  query.name_space = scratch->cache_namespace;
  query.key = scratch->cache_key;
  query.compatibility = scratch->compatibility;
  query.text = last_turn;
  query.embedding = request.embedding;
  query.embedding_model = request.embedding_model;
  query.request_class = revision.request_class(revision.program().RequestClassOf(request)).name;
  return query;
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

void EngineImpl::ReadSignals(const Revision& revision, const Request& request, int64_t now,
                             DecideScratch* scratch) const {
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
    context.budget_headroom = LeastShareLeft(accounts_->Inspect(revision.plan(), ScopeOf(request), now));
  }
  revision.program().Read(request, context, &scratch->features);
}

bool EngineImpl::AnswerFromCache(const Revision& revision, const Request& request, int64_t now,
                                 DecideScratch* scratch, Decision* decision) {
  if (revision.cache() == nullptr || !MayCache(request)) return false;
  const cache::Query query = MakeCacheQuery(revision, request, scratch);
  decision->cache_hit = revision.cache()->Lookup(query, now, &decision->answer);
  const cache::Hit& hit = decision->cache_hit;
  if (hit.kind == cache::Hit::kNone) return false;

  if (journal_ != nullptr) {
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
    if (journal_->Append(record) == 0) return false;
    booked_.fetch_add(1, std::memory_order_relaxed);
  }
  decision->action = Action::kAnswer;
  decision->exact = hit.kind == cache::Hit::kExact;
  decision->similarity = decision->exact ? 1.0F : hit.similarity;
  decision->cache_entry = hit.entry_id;
  decision->saved_nanos = hit.saved_nano_usd;
  return true;
}

void EngineImpl::QuoteCandidates(const Revision& revision, const Request& request, int64_t now,
                                 DecideScratch* scratch, Decision* decision) const {
  const size_t count = revision.candidates().size();
  scratch->prices.resize(count);
  scratch->outputs.resize(count);
  scratch->quote_inputs.resize(count);
  const Revision::RequestClass& request_class = revision.request_class(scratch->verdict.request_class);
  const uint64_t feature = pricing::HashName(request.feature);
  pricing::Quote quote;
  scratch->verdict.candidates.ForEach([&](int i) {
    const Revision::Candidate& candidate = revision.candidates()[i];
    pricing::QuoteInput& input = scratch->quote_inputs[i];
    input = {};
    input.input_tokens = scratch->input_tokens[i];
    input.most_input_tokens = scratch->most_input_tokens[i];
    input.cached_tokens = std::clamp<int64_t>(request.cached_input_tokens, 0, input.input_tokens);
    input.cache_write_tokens = std::clamp<int64_t>(request.cache_write_tokens, 0, input.input_tokens);
    input.images = request.images;
    input.region = request.region;
    input.time_nanos = now;
    input.most_output_tokens =
        candidate.max_output_tokens > 0 ? candidate.max_output_tokens : kUnstatedMaxOutput;
    if (request.max_output_tokens > 0) {
      input.most_output_tokens = std::min(input.most_output_tokens, request.max_output_tokens);
    }

    int64_t cold = candidate.expected_output_tokens;
    if (cold == 0) cold = request_class.expected_output_tokens;
    if (cold == 0) cold = revision.expected_output_tokens();
    pricing::OutputEstimate& output = scratch->outputs[i];
    // Nothing learned: the policy's number is the mean, and the cap the only bound.
    output =
        outputs_.Get({candidate.model_hash, request_class.hash, feature}, {.mean = static_cast<double>(cold),
                                                                           .p50 = cold,
                                                                           .p90 = input.most_output_tokens,
                                                                           .p99 = input.most_output_tokens,
                                                                           .count = 0});
    input.output_tokens =
        std::min<int64_t>(static_cast<int64_t>(std::ceil(output.mean)), input.most_output_tokens);

    routing::Price& price = scratch->prices[i];
    price = {};
    pricing::MakeQuote(candidate.priced, input, &quote);
    price.known = quote.priced;
    price.expected_nanos = quote.priced ? quote.expected_nanos : 0;
    price.worst_nanos = quote.priced ? quote.worst_nanos : 0;
    if (request.deferrable && candidate.batch.prices != nullptr) {
      pricing::MakeQuote(candidate.batch, input, &quote);
      if (quote.priced) {
        price.batch_expected_nanos = quote.expected_nanos;
        price.batch_worst_nanos = quote.worst_nanos;
      }
    }
    const pricing::QuantileSummary latency = candidate.stats->latency_ms.Summary();
    price.p50_ms = latency.count > 0 ? static_cast<int32_t>(latency.p50) : candidate.expected_latency_ms;
    price.p95_ms = static_cast<int32_t>(latency.p95);
    decision->candidates[i].expected_nanos = price.expected_nanos;
    decision->candidates[i].worst_nanos = price.worst_nanos;
  });
}

namespace {

// One attempt after another to hold money for a ranked candidate, as the short budget's policy says.
class HoldSearch {
 public:
  HoldSearch(budget::Accounts* accounts, const Revision& revision, const Request& request, int64_t now,
             Ticket rehold, uint64_t fingerprint, DecideScratch* scratch)
      : accounts_(*accounts),
        revision_(revision),
        request_(request),
        now_(now),
        rehold_(rehold),
        scratch_(*scratch) {
    const Revision::RequestClass& request_class = revision.request_class(scratch->verdict.request_class);
    call_.scope = ScopeOf(request);
    call_.waived = revision.plan().waived_from_start();
    call_.fingerprint = fingerprint;
    call_.attempt = std::max(request.attempt, 1);
    call_.single_shot_nanos = request_class.single_shot_nanos > 0
                                  ? request_class.single_shot_nanos
                                  : request_class.stats->single_shot_nanos.load(std::memory_order_relaxed);
  }

  // True: `result` is a hold, and the scratch says for what.
  bool Run(budget::HoldResult* result) {
    const routing::Choice& choice = scratch_.choice;
    uint64_t acted_for = 0;  // Budgets that have had their say.
    int first = 0;
    while (true) {
      if (Try(choice.ranked[first], 0, result)) return true;
      if (result->status != budget::HoldStatus::kShort) return false;
      const int budget = result->shortage.budget;
      if ((acted_for & (uint64_t{1} << budget)) != 0) return false;
      acted_for |= uint64_t{1} << budget;
      const budget::HoldResult refused = *result;
      bool again = false;
      for (const auto action : revision_.plan().budgets()[budget].when_short) {
        if (action == policy::Budget::NEXT_CHEAPER && TryOthers(first, result)) return true;
        if (action == policy::Budget::CLAMP_OUTPUT && TryClamped(first, result)) return true;
        if (action == policy::Budget::BATCH && TryBatch(first, result)) return true;
        if (action == policy::Budget::WARN_ONLY) {
          call_.waived |= uint64_t{1} << budget;
          again = true;
        }
        if (action == policy::Budget::WARN_ONLY || action == policy::Budget::DENY) break;
      }
      *result = refused;
      if (!again) return false;
    }
  }

 private:
  // `output_cap` 0: as quoted.
  bool Try(const routing::Ranked& ranked, int64_t output_cap, budget::HoldResult* result) {
    const int i = ranked.candidate;
    const Revision::Candidate& candidate = revision_.candidates()[i];
    pricing::QuoteInput input = scratch_.quote_inputs[i];
    int64_t expected = ranked.expected_nanos;
    int64_t worst = ranked.worst_nanos;
    if (output_cap > 0) {
      input.most_output_tokens = output_cap;
      input.output_tokens = std::min(input.output_tokens, output_cap);
      const pricing::Quote clamped =
          pricing::MakeQuote(ranked.batch ? candidate.batch : candidate.priced, input);
      expected = clamped.expected_nanos;
      worst = clamped.worst_nanos;
    }
    call_.scope.provider = candidate.provider;
    call_.scope.model = candidate.model;
    const int64_t steps = StepsOf(request_.attempt);
    call_.worst = budget::Amounts::Call(worst, input.most_input_tokens + input.most_output_tokens,
                                        input.most_output_tokens, steps);
    call_.expected_nanos = expected;
    if (revision_.plan().hold_quantile() > 0) call_.likely = Likely(ranked, input);
    *result = rehold_ == 0 ? accounts_.Hold(revision_.plan(), call_, now_)
                           : accounts_.Rehold(revision_.plan(), rehold_, call_, now_);
    if (result->status != budget::HoldStatus::kHeld) return false;
    scratch_.chosen = i;
    scratch_.batch = ranked.batch;
    scratch_.clamped = output_cap > 0;
    scratch_.over_budget = result->over_waived != 0;
    scratch_.max_output_tokens = input.most_output_tokens;
    scratch_.expected_nanos = expected;
    scratch_.worst_nanos = worst;
    return true;
  }

  // What a learned share of such calls does not exceed.
  budget::Amounts Likely(const routing::Ranked& ranked, const pricing::QuoteInput& input) const {
    const pricing::OutputEstimate& output = scratch_.outputs[ranked.candidate];
    const Revision::Candidate& candidate = revision_.candidates()[ranked.candidate];
    pricing::QuoteInput likely = input;
    const int64_t quantile = revision_.plan().hold_quantile() <= 0.9 ? output.p90 : output.p99;
    likely.most_output_tokens = std::min(quantile, input.most_output_tokens);
    likely.output_tokens = std::min(likely.output_tokens, likely.most_output_tokens);
    likely.most_input_tokens = input.input_tokens;
    const pricing::Quote quote =
        pricing::MakeQuote(ranked.batch ? candidate.batch : candidate.priced, likely);
    return budget::Amounts::Call(quote.worst_nanos, likely.most_input_tokens + likely.most_output_tokens,
                                 likely.most_output_tokens, StepsOf(request_.attempt));
  }

  bool TryOthers(int first, budget::HoldResult* result) {
    // By the worst case: that is what has to fit. Each is tried once; few candidates pass, so no sorting.
    const routing::Choice& choice = scratch_.choice;
    int64_t floor = -1;
    int floor_index = -1;
    for (int tried = 1; tried < choice.count; ++tried) {
      int next = -1;
      for (int i = 0; i < choice.count; ++i) {
        if (i == first) continue;
        const int64_t worst = choice.ranked[i].worst_nanos;
        const bool after = worst > floor || (worst == floor && i > floor_index);
        if (after && (next < 0 || worst < choice.ranked[next].worst_nanos)) next = i;
      }
      if (next < 0) return false;
      if (Try(choice.ranked[next], 0, result)) return true;
      if (result->status != budget::HoldStatus::kShort) return false;
      floor = choice.ranked[next].worst_nanos;
      floor_index = next;
    }
    return false;
  }

  // The largest output cap whose worst case fits into what the accounts have left.
  bool TryClamped(int first, budget::HoldResult* result) {
    const routing::Ranked& ranked = scratch_.choice.ranked[first];
    const Revision::Candidate& candidate = revision_.candidates()[ranked.candidate];
    call_.scope.provider = candidate.provider;
    call_.scope.model = candidate.model;
    const budget::Amounts left = accounts_.Headroom(revision_.plan(), call_.scope, call_.waived, now_).left;
    pricing::QuoteInput input = scratch_.quote_inputs[ranked.candidate];
    const auto fits = [&](int64_t cap) {
      input.most_output_tokens = cap;
      input.output_tokens = std::min(input.output_tokens, cap);
      const pricing::Quote quote =
          pricing::MakeQuote(ranked.batch ? candidate.batch : candidate.priced, input);
      return quote.worst_nanos <= left[budget::Dimension::kUsd] &&
             input.most_input_tokens + cap <= left[budget::Dimension::kTokens] &&
             cap <= left[budget::Dimension::kOutputTokens];
    };
    int64_t low = kLeastClampedOutput;
    int64_t high = input.most_output_tokens - 1;
    if (low > high || !fits(low)) return false;
    while (low < high) {
      const int64_t middle = low + (high - low + 1) / 2;
      if (fits(middle)) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    return Try(ranked, low, result);
  }

  bool TryBatch(int first, budget::HoldResult* result) {
    routing::Ranked ranked = scratch_.choice.ranked[first];
    const routing::Price& price = scratch_.prices[ranked.candidate];
    if (!request_.deferrable || ranked.batch || price.batch_worst_nanos < 0) return false;
    ranked.batch = true;
    ranked.expected_nanos = price.batch_expected_nanos;
    ranked.worst_nanos = price.batch_worst_nanos;
    return Try(ranked, 0, result);
  }

  budget::Accounts& accounts_;
  const Revision& revision_;
  const Request& request_;
  const int64_t now_;
  const Ticket rehold_;
  DecideScratch& scratch_;
  budget::Call call_;
};

// For a person who asks what would help: the input tokens that would have to go for the worst case to fit.
int64_t TokensToDrop(const Revision& revision, const DecideScratch& scratch,
                     const budget::Shortage& shortage) {
  const routing::Ranked& ranked = scratch.choice.ranked[0];
  const int64_t left = shortage.limit - shortage.settled - shortage.held - shortage.presumed;
  pricing::QuoteInput input = scratch.quote_inputs[ranked.candidate];
  const int64_t all = input.most_input_tokens;
  if (shortage.dimension == budget::Dimension::kTokens) return std::min(all, shortage.asked - left);
  if (shortage.dimension != budget::Dimension::kUsd) return 0;
  const Revision::Candidate& candidate = revision.candidates()[ranked.candidate];
  const auto fits = [&](int64_t tokens) {
    input.most_input_tokens = tokens;
    input.input_tokens = std::min(input.input_tokens, tokens);
    input.cached_tokens = std::min(input.cached_tokens, input.input_tokens);
    input.cache_write_tokens = std::min(input.cache_write_tokens, input.input_tokens);
    return pricing::MakeQuote(ranked.batch ? candidate.batch : candidate.priced, input).worst_nanos <= left;
  };
  int64_t low = 0;
  int64_t high = all;
  if (!fits(0)) return 0;
  while (low < high) {
    const int64_t middle = low + (high - low + 1) / 2;
    if (fits(middle)) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return all - low;
}

}  // namespace

bool EngineImpl::HoldFirstThatFits(const Revision& revision, const Request& request, int64_t now,
                                   DecideScratch* scratch, Decision* decision) {
  const bool repeats_matter = revision.plan().guards().max_repeats > 0 && !request.task.empty();
  HoldSearch search(accounts_.get(), revision, request, now, decision->ticket,
                    repeats_matter ? FingerprintOf(request) : 0, scratch);
  budget::HoldResult result;
  if (search.Run(&result)) {
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

void EngineImpl::KeepPending(const Revision& revision, const Request& request, int64_t now,
                             const DecideScratch& scratch, Decision* decision) {
  const Revision::Candidate& candidate = revision.candidates()[scratch.chosen];
  PendingCall* call = pending_.Claim(decision->ticket);
  call->request.Assign(request);
  if (call->revision != decision->revision) call->revision = decision->revision;
  call->candidate = scratch.chosen;
  call->request_class = scratch.verdict.request_class;
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
  call->expected_output_tokens = scratch.quote_inputs[scratch.chosen].output_tokens;
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

  QuoteCandidates(revision, request, now, scratch, decision);
  routing::ChoiceContext choice_context;
  choice_context.request_id = request.id;
  choice_context.deferrable = request.deferrable;
  choice_context.in_tool_loop = !request.messages.empty() && request.messages.back().role == Role::kTool;
  routing::Choose(revision.program().choice_settings(), choice_context, scratch->prices, &scratch->verdict,
                  &scratch->choice);
  if (scratch->choice.count == 0) return RefuseForRouting(revision, *scratch, decision);
  for (int i = 0; i < scratch->choice.count; ++i)
    decision->candidates[scratch->choice.ranked[i].candidate].passed = true;

  if (!HoldFirstThatFits(revision, request, now, scratch, decision)) return;
  KeepPending(revision, request, now, *scratch, decision);
}

void EngineImpl::Decide(const Request& request, Decision* decision) {
  const Revision& revision = Pin(decision);
  Clear(decision);
  DecideScratch& scratch = ThreadScratch();
  scratch.excluded = {};
  scratch.failed_over = false;
  const int64_t now = Now(request);
  if (journal_ != nullptr && !journal_->status().ok()) {
    decision->refusal = Refusal::kLedger;
    decision->reason = absl::StrCat("the ledger cannot be written: ", journal_->status().message());
    return;
  }
  if (AnswerFromCache(revision, request, now, &scratch, decision)) return;
  ReadTokens(revision, request, &scratch);
  ReadSignals(revision, request, now, &scratch);
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
  ReadTokens(revision, request, &scratch);
  ReadSignals(revision, request, now, &scratch);
  Route(request, now, &scratch, decision);
  if (decision->action != Action::kDispatch) {
    Void(ticket);
    decision->ticket = 0;
  }
}

void EngineImpl::StoreInCache(const Request& request, const Decision& decision, std::string_view answer) {
  if (decision.revision == nullptr || decision.revision->cache() == nullptr || !MayCache(request)) return;
  if (decision.action != Action::kDispatch) return;
  DecideScratch& scratch = ThreadScratch();
  cache::Entry entry;
  entry.query = MakeCacheQuery(*decision.revision, request, &scratch);
  entry.answer = answer;
  entry.saved_nano_usd = decision.expected_nanos;
  entry.model = decision.model;
  entry.policy = decision.revision->policy().name();
  entry.generation = decision.cache_hit.generation;
  entry.trial = decision.cache_hit.trial;
  decision.revision->cache()->Store(entry, Now(request));
}

void EngineImpl::Feedback(const Decision& decision, bool right) {
  if (decision.revision == nullptr || decision.revision->cache() == nullptr) return;
  decision.revision->cache()->Feedback(decision.cache_hit.trial, right);
}

}  // namespace purser
