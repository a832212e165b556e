#include "engine/calls/rank.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "engine/base/name_hash.h"
#include "engine/revision/request_fields.h"

namespace purser {
namespace {

// What a model that states no limit is taken to answer with at most.
constexpr int64_t kUnstatedMaxOutput = 16'384;

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

void ReadTokens(const Revision& revision, const Request& request, DecideScratch* scratch) {
  const size_t count = revision.candidates().size();
  scratch->input_tokens.resize(count);
  scratch->most_input_tokens.resize(count);
  scratch->counted_by_caller = request.input_tokens >= 0;
  if (scratch->counted_by_caller) {
    std::fill(scratch->input_tokens.begin(), scratch->input_tokens.end(), request.input_tokens);
    std::fill(scratch->most_input_tokens.begin(), scratch->most_input_tokens.end(), request.input_tokens);
    return;
  }
  estimates::TextFeatures text = estimates::ReadText(request.tools_json);
  for (const Message& message : request.messages) text += estimates::ReadText(message.content);
  for (int f = 0; f < estimates::kTokenFamilies; ++f) {
    const auto family = static_cast<estimates::TokenFamily>(f);
    const int64_t overhead =
        estimates::ChatOverheadTokens(family, static_cast<int64_t>(request.messages.size()));
    scratch->family_tokens[f] = estimates::EstimateTokens(family, text) + overhead;
    scratch->family_bounds[f] = estimates::TokenBound(family, text) + overhead;
  }
  const int64_t history = std::max<int64_t>(request.history_tokens, 0);
  for (size_t i = 0; i < count; ++i) {
    const Revision::Candidate& candidate = revision.candidates()[i];
    const int f = static_cast<int>(candidate.family);
    const estimates::TokenCorrection& learned = candidate.stats->input;
    scratch->input_tokens[i] = history + learned.Expected(scratch->family_tokens[f]);
    scratch->most_input_tokens[i] =
        history + learned.Bound(scratch->family_tokens[f], scratch->family_bounds[f]);
  }
}

void ReadSignals(const Revision& revision, const EngineState& state, const Request& request, int64_t now,
                 DecideScratch* scratch) {
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
    context.budget_headroom = LeastShareLeft(state.accounts.Inspect(state.plan, ScopeOf(request), now));
  }
  revision.program().Read(request, context, &scratch->features);
}

// Before candidates are quoted: what a switch loses is in the quotes.
void FindCurrent(const Revision& revision, const ServedBefore& served_before, const Request& request,
                 DecideScratch* scratch) {
  scratch->current = -1;
  scratch->without_prefix = {};
  const uint64_t model = served_before.Find(request);
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

const LearnedEstimates& ReadLearned(const Revision& revision, const estimates::OutputEstimator& outputs,
                                    const Revision::RequestClass& request_class, const Request& request,
                                    DecideScratch* scratch) {
  const uint64_t feature = HashName(request.feature);
  LearnedEstimates& learned =
      scratch->learned[((request_class.hash ^ feature) >> 32) % DecideScratch::kLearnedKinds];
  scratch->estimates = &learned;
  if (!learned.IsDue(revision.serial(), request_class.hash, feature)) return learned;
  learned.candidates.clear();
  for (const Revision::Candidate& candidate : revision.candidates()) {
    int64_t cold = candidate.expected_output_tokens;
    if (cold == 0) cold = request_class.expected_output_tokens;
    if (cold == 0) cold = revision.expected_output_tokens();
    // Nothing learned: the policy's number is the mean, and the request's cap the only bound.
    constexpr int64_t kNoBound = std::numeric_limits<int64_t>::max();
    const estimates::OutputEstimate output = outputs.Get(
        {candidate.model_hash, request_class.hash, feature},
        {.mean = static_cast<double>(cold), .p50 = cold, .p90 = kNoBound, .p99 = kNoBound, .count = 0});
    const estimates::QuantileSummary latency = candidate.stats->latency_ms.Summary();
    learned.candidates.push_back({
        .output_tokens = static_cast<int64_t>(std::ceil(output.mean)),
        .output_p90 = output.p90,
        .output_p99 = output.p99,
        .latency_p50_ms =
            latency.count > 0 ? static_cast<int32_t>(latency.p50) : candidate.expected_latency_ms,
        .latency_p95_ms = static_cast<int32_t>(latency.p95),
    });
  }
  return learned;
}

void QuoteCandidates(const Revision& revision, const estimates::OutputEstimator& outputs,
                     const Request& request, int64_t now, DecideScratch* scratch) {
  const size_t count = revision.candidates().size();
  scratch->prices.resize(count);
  scratch->output_tokens.resize(count);
  const Revision::RequestClass& request_class = revision.request_class(scratch->verdict.request_class);
  const LearnedEstimates& learned_of = ReadLearned(revision, outputs, request_class, request, scratch);
  pricing::QuoteInput& asked = scratch->request_input;
  asked = {};
  asked.cached_tokens = request.cached_input_tokens;
  asked.cache_write_tokens = request.cache_write_tokens;
  asked.images = request.images;
  asked.region = request.region;
  asked.time_nanos = now;
  pricing::QuoteInput input = asked;
  scratch->quoted = scratch->verdict.candidates;
  scratch->quoted.ForEach([&](int i) {
    const Revision::Candidate& candidate = revision.candidates()[i];
    const LearnedEstimates::OfCandidate& learned = learned_of.candidates[i];
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
  });
}

routing::ChoiceContext ChoiceContextOf(const Request& request, const DecideScratch& scratch) {
  routing::ChoiceContext context;
  context.request_id = request.id;
  context.deferrable = request.deferrable;
  context.current = scratch.current;
  context.in_tool_loop = !request.messages.empty() && request.messages.back().role == Role::kTool;
  return context;
}

}  // namespace

bool RankCandidates(const Revision& revision, const EngineState& state, const Request& request, int64_t now,
                    DecideScratch* scratch) {
  ReadTokens(revision, request, scratch);
  ReadSignals(revision, state, request, now, scratch);
  revision.program().Evaluate(request, scratch->context, scratch->features, &scratch->verdict);
  scratch->no_signal = false;
  for (const routing::ScoreValue& score : scratch->verdict.scores) scratch->no_signal |= score.no_signal;
  scratch->choice.count = 0;
  scratch->current = -1;
  scratch->quoted = {};
  if (scratch->verdict.candidates.empty()) return false;
  FindCurrent(revision, state.served_before, request, scratch);
  QuoteCandidates(revision, state.outputs, request, now, scratch);
  routing::Choose(revision.program().choice_settings(), ChoiceContextOf(request, *scratch), scratch->prices,
                  &scratch->verdict, &scratch->choice);
  return scratch->choice.count > 0;
}

}  // namespace purser
