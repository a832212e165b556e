#include "engine/calls/hold_search.h"

#include <algorithm>

#include "engine/base/saturating.h"
#include "engine/revision/request_fields.h"

namespace purser {
namespace {

// A hold clamped below this would cut answers off before they have said anything.
constexpr int64_t kMinClampedOutput = 16;

// The largest number from `low` to `high` that fits. `low` does, and what fits still fits when it is smaller.
template <typename Fits>
int64_t LargestThatFits(int64_t low, int64_t high, const Fits& fits) {
  while (low < high) {
    const int64_t middle = low + (high - low + 1) / 2;
    if (fits(middle)) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return low;
}

// One attempt after another to hold money for a ranked candidate, as the short budget's policy says.
class HoldSearch {
 public:
  HoldSearch(const Revision& revision, const Request& request, const HoldWish& wish,
             budget::Accounts* accounts, DecideScratch* scratch)
      : accounts_(*accounts),
        revision_(revision),
        request_(request),
        now_(wish.now_nanos),
        rehold_(wish.rehold),
        scratch_(*scratch) {
    const Revision::RequestClass& request_class = revision.request_class(scratch->verdict.request_class);
    call_.scope = ScopeOf(request);
    call_.waived = revision.plan().waived_from_start();
    call_.fingerprint = wish.fingerprint;
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
    pricing::QuoteInput input = scratch_.QuoteInputOf(i);
    int64_t expected = ranked.expected_nanos;
    int64_t worst = ranked.worst_nanos;
    if (output_cap > 0) {
      input.most_output_tokens = output_cap;
      input.output_tokens = std::min(input.output_tokens, output_cap);
      const pricing::QuoteTotals clamped =
          pricing::MakeQuoteTotals(ranked.batch ? candidate.batch : candidate.priced, input);
      expected = clamped.expected_nanos;
      worst = clamped.worst_nanos;
    }
    call_.scope.provider = candidate.provider;
    call_.scope.model = candidate.model;
    const int64_t steps = StepsOf(request_.attempt);
    call_.worst =
        budget::Amounts::Call(worst, AddSaturating(input.most_input_tokens, input.most_output_tokens),
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
    scratch_.likely_nanos = revision_.plan().hold_quantile() > 0 ? call_.likely[budget::Dimension::kUsd] : 0;
    return true;
  }

  // What a learned share of such calls does not exceed.
  budget::Amounts Likely(const routing::Ranked& ranked, const pricing::QuoteInput& input) const {
    const LearnedEstimates::OfCandidate& learned = scratch_.estimates->candidates[ranked.candidate];
    const Revision::Candidate& candidate = revision_.candidates()[ranked.candidate];
    pricing::QuoteInput likely = input;
    const int64_t quantile =
        revision_.plan().hold_quantile() <= 0.9 ? learned.output_p90 : learned.output_p99;
    likely.most_output_tokens = std::min(quantile, input.most_output_tokens);
    likely.output_tokens = std::min(likely.output_tokens, likely.most_output_tokens);
    likely.most_input_tokens = input.input_tokens;
    const pricing::QuoteTotals quote =
        pricing::MakeQuoteTotals(ranked.batch ? candidate.batch : candidate.priced, likely);
    return budget::Amounts::Call(quote.worst_nanos,
                                 AddSaturating(likely.most_input_tokens, likely.most_output_tokens),
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
    const budget::Amounts left = accounts_.HeadroomOf(revision_.plan(), call_.scope, call_.waived, now_).left;
    pricing::QuoteInput input = scratch_.QuoteInputOf(ranked.candidate);
    const auto fits = [&](int64_t cap) {
      input.most_output_tokens = cap;
      input.output_tokens = std::min(input.output_tokens, cap);
      const pricing::QuoteTotals quote =
          pricing::MakeQuoteTotals(ranked.batch ? candidate.batch : candidate.priced, input);
      return quote.worst_nanos <= left[budget::Dimension::kUsd] &&
             AddSaturating(input.most_input_tokens, cap) <= left[budget::Dimension::kTokens] &&
             cap <= left[budget::Dimension::kOutputTokens];
    };
    const int64_t most = input.most_output_tokens - 1;
    if (kMinClampedOutput > most || !fits(kMinClampedOutput)) return false;
    return Try(ranked, LargestThatFits(kMinClampedOutput, most, fits), result);
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
  const budget::Ticket rehold_;
  DecideScratch& scratch_;
  budget::Call call_;
};

}  // namespace

bool HoldFirstThatFits(const Revision& revision, const Request& request, const HoldWish& wish,
                       budget::Accounts* accounts, DecideScratch* scratch, budget::HoldResult* result) {
  return HoldSearch(revision, request, wish, accounts, scratch).Run(result);
}

int64_t TokensToDrop(const Revision& revision, const DecideScratch& scratch,
                     const budget::Shortage& shortage) {
  const routing::Ranked& ranked = scratch.choice.ranked[0];
  const int64_t left = shortage.limit - shortage.settled - shortage.held - shortage.presumed;
  pricing::QuoteInput input = scratch.QuoteInputOf(ranked.candidate);
  const int64_t all = input.most_input_tokens;
  if (shortage.dimension == budget::Dimension::kTokens) return std::min(all, shortage.asked - left);
  if (shortage.dimension != budget::Dimension::kUsd) return 0;
  const Revision::Candidate& candidate = revision.candidates()[ranked.candidate];
  const auto fits = [&](int64_t tokens) {
    input.most_input_tokens = tokens;
    input.input_tokens = std::min(input.input_tokens, tokens);
    input.cached_tokens = std::min(input.cached_tokens, input.input_tokens);
    input.cache_write_tokens = std::min(input.cache_write_tokens, input.input_tokens);
    return pricing::MakeQuoteTotals(ranked.batch ? candidate.batch : candidate.priced, input).worst_nanos <=
           left;
  };
  return fits(0) ? all - LargestThatFits(0, all, fits) : 0;
}

}  // namespace purser
