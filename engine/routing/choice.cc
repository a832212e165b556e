#include "engine/routing/choice.h"

#include <algorithm>
#include <limits>

#include "engine/base/saturating.h"
#include "xxhash.h"

namespace purser::routing {
namespace {

constexpr int64_t kMaxNanos = std::numeric_limits<int64_t>::max();

int64_t ToNanos(double nanos) { return nanos >= 9.2e18 ? kMaxNanos : static_cast<int64_t>(nanos); }

// What `share` of an amount is; amounts below 2^53 nano-dollars (nine million dollars) exactly.
int64_t ShareOf(double share, int64_t nanos) { return ToNanos(share * static_cast<double>(nanos)); }

void RejectCandidate(Verdict* verdict, int candidate, Reject why) {
  verdict->candidates.Remove(candidate);
  verdict->reasons[candidate].reject = why;
  verdict->reasons[candidate].rule = -1;
}

void DropSlow(std::span<const Price> prices, Verdict* verdict) {
  if (verdict->latency_limit_ms <= 0) return;
  const CandidateSet before = verdict->candidates;
  before.ForEach([&](int i) {
    if (prices[i].p95_ms > verdict->latency_limit_ms) RejectCandidate(verdict, i, Reject::kLatency);
  });
}

// What this request would cost there at this time is not known: a price list that ended, or has no rate for
// something that the request needs.
void DropUnpriced(const ChoiceSettings& settings, const ChoiceContext& context, std::span<const Price> prices,
                  Verdict* verdict) {
  if (settings.allow_unpriced) return;
  const bool batch = settings.batch_if_deferrable && context.deferrable;
  const CandidateSet before = verdict->candidates;
  before.ForEach([&](int i) {
    if (!prices[i].known && !(batch && prices[i].batch_expected_nanos >= 0))
      RejectCandidate(verdict, i, Reject::kUnpriced);
  });
}

void DropLowerInToolLoop(const ChoiceSettings& settings, const ChoiceContext& context, Verdict* verdict) {
  if (!settings.escalate_only_in_tool_loop || !context.in_tool_loop || context.current < 0) return;
  const int least = settings.quality[context.current];
  CandidateSet lower;
  verdict->candidates.ForEach([&](int i) {
    if (settings.quality[i] < least) lower.Add(i);
  });
  if (verdict->candidates.Without(lower).empty()) return;
  lower.ForEach([&](int i) { RejectCandidate(verdict, i, Reject::kToolLoop); });
}

Ranked RankOne(const ChoiceSettings& settings, const ChoiceContext& context, const Price& price,
               int candidate) {
  Ranked ranked;
  ranked.candidate = static_cast<int16_t>(candidate);
  ranked.batch = settings.batch_if_deferrable && context.deferrable && price.batch_expected_nanos >= 0;
  ranked.expected_nanos = ranked.batch ? price.batch_expected_nanos : price.expected_nanos;
  ranked.worst_nanos = ranked.batch ? price.batch_worst_nanos : price.worst_nanos;
  ranked.ranked_nanos = ranked.expected_nanos;
  if (!ranked.batch) {
    ranked.ranked_nanos = AddSaturating(
        ranked.ranked_nanos, ToNanos(static_cast<double>(settings.nanos_per_second) * price.p50_ms / 1000.0));
  }
  if (!price.known) ranked.ranked_nanos = kMaxNanos;
  return ranked;
}

// What leaving the current candidate has to save.
int64_t SwitchMargin(const ChoiceSettings& settings, int64_t current_nanos) {
  return std::max(settings.switch_margin_nanos, ShareOf(settings.switch_margin_share, current_nanos));
}

// The order of choice: costs that count as equal by preference, then by the policy's order.
class Order {
 public:
  Order(const ChoiceSettings& settings, std::span<const Ranked> ranked, const Verdict& verdict)
      : verdict_(verdict) {
    for (const Ranked& one : ranked) lowest_ = std::min(lowest_, one.ranked_nanos);
    equal_until_ = AddSaturating(lowest_, ShareOf(settings.equal_cost_share, std::max<int64_t>(lowest_, 0)));
  }

  bool operator()(const Ranked& a, const Ranked& b) const {
    const int64_t a_nanos = CountsAs(a);
    const int64_t b_nanos = CountsAs(b);
    if (a_nanos != b_nanos) return a_nanos < b_nanos;
    const uint16_t a_preference = verdict_.preference[a.candidate];
    const uint16_t b_preference = verdict_.preference[b.candidate];
    if (a_preference != b_preference) return a_preference < b_preference;
    return a.candidate < b.candidate;
  }

 private:
  int64_t CountsAs(const Ranked& one) const {
    return one.ranked_nanos <= equal_until_ ? lowest_ : one.ranked_nanos;
  }

  const Verdict& verdict_;
  int64_t lowest_ = kMaxNanos;
  int64_t equal_until_ = kMaxNanos;
};

// A number in [0, 1) and a second one, drawn by the request's id.
struct Draw {
  double share;
  uint64_t pick;
};
Draw DrawFor(const ChoiceSettings& settings, std::string_view request_id) {
  const XXH128_hash_t hash =
      XXH3_128bits_withSeed(request_id.data(), request_id.size(), settings.exploration_salt);
  return {static_cast<double>(hash.low64 >> 11) * 0x1p-53, hash.high64};
}

void Explore(const ChoiceSettings& settings, const ChoiceContext& context, Choice* choice) {
  if (choice->count < 2 || !Explores(settings, context.request_id)) return;
  int drawable = choice->count;
  if (settings.exploration_most_times_cheapest > 0) {
    int64_t cheapest = kMaxNanos;
    // An unknown price may be any price.
    const auto known = [](const Ranked& one) { return one.ranked_nanos < kMaxNanos; };
    for (int i = 0; i < choice->count; ++i) {
      if (known(choice->ranked[i])) cheapest = std::min(cheapest, choice->ranked[i].expected_nanos);
    }
    const int64_t most = ShareOf(settings.exploration_most_times_cheapest, cheapest);
    const auto too_expensive = std::stable_partition(
        choice->ranked.begin(), choice->ranked.begin() + choice->count,
        [&](const Ranked& ranked) { return known(ranked) && ranked.expected_nanos <= most; });
    drawable = static_cast<int>(too_expensive - choice->ranked.begin());
    if (drawable == 0) return;
  }
  const auto picked = choice->ranked.begin() + static_cast<int>(DrawFor(settings, context.request_id).pick %
                                                                static_cast<uint64_t>(drawable));
  std::rotate(choice->ranked.begin(), picked, picked + 1);
  choice->explored = true;
}

}  // namespace

bool Explores(const ChoiceSettings& settings, std::string_view request_id) {
  return settings.exploration_share > 0 && !request_id.empty() &&
         DrawFor(settings, request_id).share < settings.exploration_share;
}

void Choose(const ChoiceSettings& settings, const ChoiceContext& context, std::span<const Price> prices,
            Verdict* verdict, Choice* choice) {
  choice->count = 0;
  choice->explored = false;
  choice->kept_current = false;
  DropUnpriced(settings, context, prices, verdict);
  DropSlow(prices, verdict);
  DropLowerInToolLoop(settings, context, verdict);
  if (verdict->candidates.empty()) {
    if (verdict->refusal == Refusal::kNone) verdict->refusal = Refusal::kNoCandidate;
    return;
  }
  verdict->candidates.ForEach(
      [&](int i) { choice->ranked[choice->count++] = RankOne(settings, context, prices[i], i); });
  const std::span<Ranked> ranked(choice->ranked.data(), choice->count);

  const bool keeps =
      context.current >= 0 && verdict->candidates.Has(context.current) && prices[context.current].known;
  int first_without_margin = -1;
  if (keeps) {
    const Order order(settings, ranked, *verdict);
    first_without_margin = std::min_element(ranked.begin(), ranked.end(), order)->candidate;
    int64_t current_nanos = 0;
    for (const Ranked& one : ranked) {
      if (one.candidate == context.current) current_nanos = one.ranked_nanos;
    }
    const int64_t margin = SwitchMargin(settings, current_nanos);
    for (Ranked& other : ranked) {
      if (other.candidate != context.current) other.ranked_nanos = AddSaturating(other.ranked_nanos, margin);
    }
  }
  std::sort(ranked.begin(), ranked.end(), Order(settings, ranked, *verdict));
  choice->kept_current =
      keeps && ranked[0].candidate == context.current && first_without_margin != context.current;
  Explore(settings, context, choice);
}

}  // namespace purser::routing
