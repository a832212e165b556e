#include "tests/routing/plain_interpreter.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>

#include "policies/amount.h"

namespace purser::routing {
namespace {

constexpr int kNotPreferred = 1'000'000;
constexpr double kUnknown = 1e30;

class Interpreter {
 public:
  Interpreter(const policy::Policy& policy, std::span<const CandidateFacts> facts, const PlainFiles& files,
              const Request& request, const Context& context)
      : policy_(policy),
        facts_(facts),
        request_(request),
        context_(context),
        signals_(policy.routing(), files, request, context) {}

  PlainResult Run() {
    PlainResult result;
    result.reasons.resize(policy_.candidates_size());
    result.preferred.resize(policy_.candidates_size(), kNotPreferred);
    result.request_class = ClassOf();
    result.latency_limit_ms = request_.latency_limit_ms;
    std::set<int> left;
    for (int i = 0; i < policy_.candidates_size(); ++i) {
      result.reasons[i].reject = Gate(i);
      if (result.reasons[i].reject == Reject::kNone) left.insert(i);
      if (result.reasons[i].reject == Reject::kLacksCapability) result.reasons[i].missing = Missing(i);
    }
    for (int s = 0; s < policy_.scores_size(); ++s) {
      result.bands.push_back(Band(policy_.scores(s)));
      result.sums.push_back(Sum(policy_.scores(s)));
      if (NoSignal(policy_.scores(s)) && policy_.scores(s).on_no_signal().has_refuse() &&
          result.refusal == Refusal::kNone) {
        result.refusal = Refusal::kNoSignal;
        result.refusing = s;
      }
    }
    if (result.refusal != Refusal::kNone) return result;

    std::vector<int> order;
    for (int r = 0; r < policy_.rules_size(); ++r) order.push_back(r);
    std::stable_sort(order.begin(), order.end(),
                     [&](int a, int b) { return policy_.rules(a).priority() > policy_.rules(b).priority(); });
    std::set<int> by_lists = left;
    int preferring = 0;
    for (const int r : order) {
      const policy::Rule& rule = policy_.rules(r);
      ++result.rules_tried;
      if (!Holds(rule.when())) continue;
      result.rules.push_back(r);
      if (!rule.refuse().empty()) {
        result.refusal = Refusal::kRule;
        result.refusing = r;
        return result;
      }
      std::set<int> next;
      std::set<int> next_by_lists;
      std::vector<RejectReason> why = result.reasons;
      for (const int c : by_lists) {
        if (OnLists(rule, c)) next_by_lists.insert(c);
      }
      for (const int c : left) {
        const Reject reject = RuleReject(rule, c);
        if (reject == Reject::kNone) {
          next.insert(c);
        } else {
          why[c] = {reject, static_cast<int16_t>(r), 0};
        }
      }
      const bool narrows =
          rule.has_only() || rule.has_deny() || rule.has_min_quality() || rule.has_max_quality();
      if (narrows && rule.yield_if_none() && next.empty()) {
        result.stepped_aside.push_back(r);
        continue;
      }
      left = next;
      by_lists = next_by_lists;
      result.reasons = why;
      if (rule.has_min_quality()) result.min_quality = std::max(result.min_quality, rule.min_quality());
      if (rule.has_max_quality()) result.max_quality = std::min(result.max_quality, rule.max_quality());
      if (rule.has_prefer()) {
        for (int c = 0; c < policy_.candidates_size(); ++c) {
          if (Selects(rule.prefer(), c)) result.preferred[c] = std::min(result.preferred[c], preferring);
        }
        ++preferring;
      }
      if (rule.latency_limit_ms() > 0 &&
          (result.latency_limit_ms == 0 || rule.latency_limit_ms() < result.latency_limit_ms)) {
        result.latency_limit_ms = rule.latency_limit_ms();
      }
      if (rule.stop()) break;
    }
    if (left.empty() && policy_.routing().if_none() == policy::Routing::BEST_LEFT) {
      int best = -1;
      for (const int c : by_lists) best = std::max(best, policy_.candidates(c).quality());
      for (const int c : by_lists) {
        if (policy_.candidates(c).quality() != best) continue;
        left.insert(c);
        result.reasons[c] = RejectReason();
        result.quality_dropped = true;
      }
    }
    if (left.empty()) result.refusal = Refusal::kNoCandidate;
    result.candidates = left;
    return result;
  }

 private:
  bool Selects(const policy::Select& select, int c) const {
    const policy::Candidate& candidate = policy_.candidates(c);
    const std::string& called = candidate.name().empty() ? candidate.model() : candidate.name();
    const std::string_view sold_by = candidate.provider().empty() ? facts_[c].provider : candidate.provider();
    for (const std::string& name : select.names()) {
      if (name == called) return true;
    }
    for (const std::string& wanted : select.labels()) {
      for (const std::string& label : candidate.labels()) {
        if (label == wanted) return true;
      }
    }
    for (const std::string& provider : select.providers()) {
      if (provider == sold_by) return true;
    }
    return false;
  }
  // The first class that names the request's use case or feature.
  int ClassOf() const {
    for (int i = 0; i < policy_.request_classes_size(); ++i) {
      for (const std::string& use_case : policy_.request_classes(i).use_cases()) {
        if (use_case == request_.use_case) return i;
      }
      for (const std::string& feature : policy_.request_classes(i).features()) {
        if (feature == request_.feature) return i;
      }
    }
    return -1;
  }
  bool OnLists(const policy::Rule& rule, int c) const {
    return (!rule.has_only() || Selects(rule.only(), c)) && !(rule.has_deny() && Selects(rule.deny(), c));
  }
  Reject RuleReject(const policy::Rule& rule, int c) const {
    const int quality = policy_.candidates(c).quality();
    if (rule.has_only() && !Selects(rule.only(), c)) return Reject::kRuleOnly;
    if (rule.has_deny() && Selects(rule.deny(), c)) return Reject::kRuleDeny;
    if (rule.has_min_quality() && quality < rule.min_quality()) return Reject::kRuleMinQuality;
    if (rule.has_max_quality() && quality > rule.max_quality()) return Reject::kRuleMaxQuality;
    return Reject::kNone;
  }

  // The needs that the candidate does not meet.
  uint32_t Missing(int c) const {
    const policy::Candidate& candidate = policy_.candidates(c);
    uint32_t missing = 0;
    for (int need = 1; need < 13; ++need) {
      if ((request_.needs >> need & 1) == 0) continue;
      bool can = (facts_[c].capabilities >> need & 1) != 0;
      for (const int capability : candidate.capabilities()) can |= capability == need;
      for (const int capability : candidate.lacks()) can &= capability != need;
      if (!can) missing += 1u << need;
    }
    return missing;
  }

  // "eu-west-1" and "EU" are in "eu".
  static bool RunsIn(const policy::Candidate& candidate, std::string_view region) {
    const auto lower = [](std::string_view text) {
      std::string lowered(text);
      for (char& c : lowered) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
      }
      return lowered;
    };
    return std::any_of(candidate.regions().begin(), candidate.regions().end(), [&](const std::string& one) {
      return (lower(one) + "-").starts_with(lower(region) + "-");
    });
  }

  Reject Gate(int c) const {
    const policy::Candidate& candidate = policy_.candidates(c);
    const policy::Routing& routing = policy_.routing();
    const auto has = [](const auto& list, std::string_view wanted) {
      return std::any_of(list.begin(), list.end(), [&](const std::string& one) { return one == wanted; });
    };
    if (routing.has_allow() && !Selects(routing.allow(), c)) return Reject::kNotAllowed;
    if (routing.has_deny() && Selects(routing.deny(), c)) return Reject::kDenied;
    if (!facts_[c].priced && !routing.allow_unpriced()) return Reject::kUnpriced;
    if (context_.unhealthy.Has(c)) return Reject::kUnhealthy;
    const int64_t window =
        candidate.context_window() > 0 ? candidate.context_window() : facts_[c].context_window;
    const int64_t output = std::max<int64_t>(1, request_.max_output_tokens);
    const int64_t input =
        context_.candidate_input_tokens.empty() ? context_.input_tokens : context_.candidate_input_tokens[c];
    if (window > 0 && input + output > window) return Reject::kContextWindow;
    const int64_t most =
        candidate.max_output_tokens() > 0 ? candidate.max_output_tokens() : facts_[c].max_output_tokens;
    if (most > 0 && request_.max_output_tokens > most) return Reject::kMaxOutput;
    if (Missing(c) != 0) return Reject::kLacksCapability;
    if (!request_.region.empty() && !RunsIn(candidate, request_.region)) return Reject::kRegion;
    if (!request_.data_policy.empty() && !has(candidate.data_policies(), request_.data_policy)) {
      return Reject::kDataPolicy;
    }
    return Reject::kNone;
  }

  const policy::Signal& Find(const std::string& name) const {
    for (const policy::Signal& signal : policy_.signals()) {
      if (signal.name() == name) return signal;
    }
    std::abort();
  }
  double Adds(const policy::Term& term) const {
    const policy::Signal& signal = Find(term.signal());
    double x = IsTextSignal(signal) ? (signals_.Text(signal) == term.equals() ? 1 : 0)
                                    : std::max(0.0, signals_.Number(signal) - term.over());
    if (term.shape() == policy::Term::LOG) x = std::log1p(x);
    if (term.shape() == policy::Term::PRESENT) x = x > 0 ? 1 : 0;
    double adds = term.weight() * x;
    if (term.has_most()) adds = std::min(std::max(adds, -term.most()), term.most());
    return adds;
  }
  double Sum(const policy::Score& score) const {
    double sum = score.base();
    for (const policy::Term& term : score.terms()) sum += Adds(term);
    return sum;
  }
  bool NoSignal(const policy::Score& score) const {
    return std::all_of(score.terms().begin(), score.terms().end(),
                       [&](const policy::Term& term) { return term.background() || Adds(term) == 0; });
  }
  std::string Band(const policy::Score& score) const {
    if (NoSignal(score)) return score.on_no_signal().band();
    const double sum = Sum(score);
    for (int b = 0; b < score.bands_size(); ++b) {
      const policy::Band& band = score.bands(b);
      const policy::Band* before = b == 0 ? nullptr : &score.bands(b - 1);
      const bool above = band.has_from() ? sum >= band.from() : before == nullptr || sum >= before->to();
      const bool below =
          band.has_to() ? sum < band.to() : b + 1 == score.bands_size() || sum < score.bands(b + 1).from();
      if (above && below) return band.name();
    }
    return "";
  }

  static bool Compares(const policy::Condition& c) {
    return c.has_at_least() || c.has_above() || c.has_at_most() || c.has_below();
  }
  static bool Within(const policy::Condition& c, double x) {
    return !(c.has_at_least() && !(x >= c.at_least())) && !(c.has_above() && !(x > c.above())) &&
           !(c.has_at_most() && !(x <= c.at_most())) && !(c.has_below() && !(x < c.below()));
  }
  bool Holds(const policy::Condition& c) const {
    if (!c.all().empty())
      return std::all_of(c.all().begin(), c.all().end(), [&](const auto& p) { return Holds(p); });
    if (!c.any().empty())
      return std::any_of(c.any().begin(), c.any().end(), [&](const auto& p) { return Holds(p); });
    if (c.has_not_()) return !Holds(c.not_());
    if (!c.signal().empty()) {
      const policy::Signal& signal = Find(c.signal());
      if (IsTextSignal(signal)) {
        const std::string text = signals_.Text(signal);
        if (c.one_of().empty()) return !text.empty();
        return std::find(c.one_of().begin(), c.one_of().end(), text) != c.one_of().end();
      }
      const double number = signals_.Number(signal);
      return Compares(c) ? Within(c, number) : number > 0;
    }
    if (!c.score().empty()) {
      for (const policy::Score& score : policy_.scores()) {
        if (score.name() != c.score()) continue;
        if (c.no_signal()) return NoSignal(score);
        if (Compares(c)) return Within(c, Sum(score));
        return std::find(c.band().begin(), c.band().end(), Band(score)) != c.band().end();
      }
    }
    if (!c.request_class().empty()) {
      return ClassOf() >= 0 && policy_.request_classes(ClassOf()).name() == c.request_class();
    }
    return true;
  }

  const policy::Policy& policy_;
  std::span<const CandidateFacts> facts_;
  const Request& request_;
  const Context& context_;
  const PlainSignals signals_;
};

std::vector<PlainRanked> Rank(const policy::Policy& policy, const ChoiceContext& context,
                              std::span<const Price> prices, const PlainResult& result) {
  const policy::Routing& routing = policy.routing();
  std::map<int, PlainRanked> by_candidate;
  for (const int c : result.candidates) {
    PlainRanked& one = by_candidate[c];
    one.candidate = c;
    one.batch = routing.batch_if_deferrable() && context.deferrable && prices[c].batch_expected_nanos >= 0;
    one.expected_nanos = one.batch ? prices[c].batch_expected_nanos : prices[c].expected_nanos;
    one.worst_nanos = one.batch ? prices[c].batch_worst_nanos : prices[c].worst_nanos;
    one.ranked_nanos = static_cast<double>(one.expected_nanos);
    if (!one.batch) {
      one.ranked_nanos +=
          static_cast<double>(ParseUsd(routing.usd_per_second()).value_or(0)) * prices[c].p50_ms / 1000;
    }
    if (!prices[c].known) one.ranked_nanos = kUnknown;
  }
  if (by_candidate.count(context.current) > 0 && prices[context.current].known) {
    const double margin =
        std::max(static_cast<double>(ParseUsd(routing.switch_margin_usd()).value_or(0)),
                 routing.switch_margin_share() * by_candidate[context.current].ranked_nanos);
    for (auto& [c, one] : by_candidate) {
      if (c != context.current && prices[c].known) one.ranked_nanos += margin;
    }
  }
  double lowest = kUnknown;
  for (const auto& [c, one] : by_candidate) lowest = std::min(lowest, one.ranked_nanos);
  const auto counts_as = [&](int c) {
    const double nanos = by_candidate[c].ranked_nanos;
    return nanos <= lowest * (1 + routing.equal_cost_share()) ? lowest : nanos;
  };
  std::vector<int> order(result.candidates.begin(), result.candidates.end());
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
    return counts_as(a) != counts_as(b) ? counts_as(a) < counts_as(b)
                                        : result.preferred[a] < result.preferred[b];
  });
  std::vector<PlainRanked> ranked;
  for (const int c : order) ranked.push_back(by_candidate[c]);
  return ranked;
}

}  // namespace

PlainResult Interpret(const policy::Policy& policy, std::span<const CandidateFacts> facts,
                      const PlainFiles& files, const Request& request, const Context& context) {
  return Interpreter(policy, facts, files, request, context).Run();
}

PlainOrder PlainChoice(const policy::Policy& policy, const ChoiceContext& context,
                       std::span<const Price> prices, PlainResult* result) {
  const policy::Routing& routing = policy.routing();
  const auto remove = [&](int c, Reject why) {
    result->candidates.erase(c);
    result->reasons[c] = {why, -1, 0};
  };
  for (const int c : std::set<int>(result->candidates)) {
    const bool as_batch =
        routing.batch_if_deferrable() && context.deferrable && prices[c].batch_expected_nanos >= 0;
    if (!prices[c].known && !as_batch && !routing.allow_unpriced()) remove(c, Reject::kUnpriced);
  }
  for (const int c : std::set<int>(result->candidates)) {
    if (result->latency_limit_ms > 0 && prices[c].p95_ms > result->latency_limit_ms)
      remove(c, Reject::kLatency);
  }
  if (routing.escalate_only_in_tool_loop() && context.in_tool_loop && context.current >= 0) {
    const int least = policy.candidates(context.current).quality();
    const auto good = [&](int c) { return policy.candidates(c).quality() >= least; };
    if (std::any_of(result->candidates.begin(), result->candidates.end(), good)) {
      for (const int c : std::set<int>(result->candidates)) {
        if (!good(c)) remove(c, Reject::kToolLoop);
      }
    }
  }
  if (result->candidates.empty() && result->refusal == Refusal::kNone)
    result->refusal = Refusal::kNoCandidate;

  PlainOrder order;
  order.ranked = Rank(policy, context, prices, *result);
  ChoiceContext no_session = context;
  no_session.current = -1;
  const std::vector<PlainRanked> without_margin = Rank(policy, no_session, prices, *result);
  order.kept_current = !order.ranked.empty() && order.ranked[0].candidate == context.current &&
                       without_margin[0].candidate != context.current;
  return order;
}

std::set<int> PlainDrawable(const policy::Exploration& exploration, const PlainOrder& order) {
  std::set<int> drawable;
  for (const PlainRanked& one : order.ranked) {
    const bool bounded = exploration.most_times_cheapest() > 0;
    bool near = !bounded || one.ranked_nanos < kUnknown;
    for (const PlainRanked& other : order.ranked) {
      near &= !bounded || other.ranked_nanos == kUnknown ||
              static_cast<double>(one.expected_nanos) <=
                  exploration.most_times_cheapest() * static_cast<double>(other.expected_nanos);
    }
    if (near) drawable.insert(one.candidate);
  }
  return drawable;
}

std::vector<int> PlainDrawn(const policy::Exploration& exploration, const PlainOrder& order, int drawn) {
  const std::set<int> drawable = PlainDrawable(exploration, order);
  std::vector<int> result = {drawn};
  for (const bool near : {true, false}) {
    for (const PlainRanked& one : order.ranked) {
      if (one.candidate != drawn && (drawable.count(one.candidate) > 0) == near)
        result.push_back(one.candidate);
    }
  }
  return result;
}

}  // namespace purser::routing
