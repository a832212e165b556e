#include "engine/routing/plain_interpreter.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>

#include "policies/amount.h"
#include "re2/re2.h"

namespace purser::routing {
namespace {

constexpr int kNotPreferred = 1'000'000;

class Interpreter {
 public:
  Interpreter(const policy::Policy& policy, std::span<const CandidateFacts> facts,
              std::span<const PlainOutcome> outcomes, const Request& request, const Context& context)
      : policy_(policy), facts_(facts), outcomes_(outcomes), request_(request), context_(context) {}

  PlainResult Run() {
    PlainResult result;
    result.reasons.resize(policy_.candidates_size(), Reject::kNone);
    result.preferred.resize(policy_.candidates_size(), kNotPreferred);
    result.request_class = ClassOf();
    result.latency_limit_ms = request_.latency_limit_ms;
    std::set<int> left;
    for (int i = 0; i < policy_.candidates_size(); ++i) {
      result.reasons[i] = Gate(i);
      if (result.reasons[i] == Reject::kNone) left.insert(i);
    }
    for (int s = 0; s < policy_.scores_size(); ++s) {
      result.bands.push_back(Band(policy_.scores(s)));
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
      if (!Holds(rule.when())) continue;
      result.rules.push_back(r);
      if (!rule.refuse().empty()) {
        result.refusal = Refusal::kRule;
        result.refusing = r;
        return result;
      }
      std::set<int> next;
      std::set<int> next_by_lists;
      std::vector<Reject> why = result.reasons;
      for (const int c : by_lists) {
        if (OnLists(rule, c)) next_by_lists.insert(c);
      }
      for (const int c : left) {
        const Reject reject = RuleReject(rule, c);
        if (reject == Reject::kNone) {
          next.insert(c);
        } else {
          why[c] = reject;
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
        result.reasons[c] = Reject::kNone;
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
    for (const std::string& name : select.names()) {
      if (name == candidate.name()) return true;
    }
    for (const std::string& wanted : select.labels()) {
      for (const std::string& label : candidate.labels()) {
        if (label == wanted) return true;
      }
    }
    for (const std::string& provider : select.providers()) {
      if (provider == candidate.provider()) return true;
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
    if (window > 0 && context_.input_tokens + output > window) return Reject::kContextWindow;
    const int64_t most =
        candidate.max_output_tokens() > 0 ? candidate.max_output_tokens() : facts_[c].max_output_tokens;
    if (most > 0 && request_.max_output_tokens > most) return Reject::kMaxOutput;
    for (int need = 1; need < 13; ++need) {
      if ((request_.needs >> need & 1) == 0) continue;
      bool can = (facts_[c].capabilities >> need & 1) != 0;
      for (const int capability : candidate.capabilities()) can |= capability == need;
      for (const int capability : candidate.lacks()) can &= capability != need;
      if (!can) return Reject::kLacksCapability;
    }
    if (!request_.region.empty() && !has(candidate.regions(), request_.region)) return Reject::kRegion;
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
  bool IsText(const policy::Signal& signal) const { return signal.has_field() || signal.has_metadata(); }
  std::string Text(const policy::Signal& signal) const {
    if (signal.has_field())
      return std::string(signal.field() == "team" ? request_.team : request_.customer_tier);
    for (const auto& [key, value] : request_.metadata) {
      if (key == signal.metadata()) return std::string(value);
    }
    return "";
  }
  static bool IsWord(char c) { return isalnum(static_cast<unsigned char>(c)) || c == '_' || (c & 0x80) != 0; }
  static bool HasKeyword(std::string text, std::string keyword) {
    for (char& c : text) c = static_cast<char>(tolower(c));
    for (char& c : keyword) c = static_cast<char>(tolower(c));
    for (size_t at = text.find(keyword); at != std::string::npos; at = text.find(keyword, at + 1)) {
      const size_t end = at + keyword.size();
      const bool begins =
          !isalnum(static_cast<unsigned char>(keyword.front())) || at == 0 || !IsWord(text[at - 1]);
      const bool ends =
          !isalnum(static_cast<unsigned char>(keyword.back())) || end == text.size() || !IsWord(text[end]);
      if (begins && ends) return true;
    }
    return false;
  }
  std::vector<std::string> Texts(policy::TextPart part) const {
    int last_user = -1;
    for (size_t m = 0; m < request_.messages.size(); ++m) {
      if (request_.messages[m].role == Role::kUser) last_user = static_cast<int>(m);
    }
    std::vector<std::string> texts;
    for (size_t m = 0; m < request_.messages.size(); ++m) {
      const bool system = request_.messages[m].role == Role::kSystem;
      const bool last = static_cast<int>(m) == last_user;
      const policy::TextPart is = last     ? policy::LAST_USER_TURN
                                  : system ? policy::SYSTEM_PROMPT
                                           : policy::HISTORY;
      if (is == part) texts.emplace_back(request_.messages[m].content);
    }
    return texts;
  }
  double Value(const policy::Signal& signal) const {
    if (signal.has_patterns()) {
      double count = 0;
      const auto texts = Texts(signal.patterns().in());
      for (const std::string& regex : signal.patterns().regex()) {
        RE2::Options options;
        options.set_case_sensitive(signal.patterns().case_sensitive());
        const RE2 compiled(regex, options);
        count += std::any_of(texts.begin(), texts.end(),
                             [&](const auto& t) { return RE2::PartialMatch(t, compiled); });
      }
      for (const std::string& keyword : signal.patterns().keyword()) {
        count +=
            std::any_of(texts.begin(), texts.end(), [&](const auto& t) { return HasKeyword(t, keyword); });
      }
      return count;
    }
    if (signal.has_examples()) return Nearest(signal.examples());
    if (signal.has_outcomes()) return Guarded(signal.outcomes());
    switch (signal.measure()) {
      case policy::INPUT_TOKENS:
        return static_cast<double>(context_.input_tokens);
      case policy::TASK_STEP:
        return request_.step;
      case policy::BUDGET_HEADROOM:
        return context_.budget_headroom;
      case policy::TEXT_BYTES:
        return Texts(policy::LAST_USER_TURN).empty()
                   ? 0.0
                   : static_cast<double>(Texts(policy::LAST_USER_TURN)[0].size());
      case policy::QUESTION_MARKS: {
        double count = 0;
        for (const std::string& text : Texts(policy::LAST_USER_TURN))
          count += static_cast<double>(std::count(text.begin(), text.end(), '?'));
        return count;
      }
      case policy::MESSAGES:
        return static_cast<double>(request_.messages.size());
      default:
        std::abort();
    }
  }

  double Cosine(std::span<const float> embedding) const {
    double dot = 0;
    double of_request = 0;
    double of_other = 0;
    for (size_t i = 0; i < embedding.size(); ++i) {
      dot += request_.embedding[i] * embedding[i];
      of_request += request_.embedding[i] * request_.embedding[i];
      of_other += embedding[i] * embedding[i];
    }
    return of_request == 0 ? 0 : dot / std::sqrt(of_request) / std::sqrt(of_other);
  }

  // The probability of `good` or more of `near`, each good with probability `share`.
  static double Tail(int good, int near, double share) {
    double tail = 0;
    for (int k = good; k <= near; ++k) {
      double ways = 1;
      for (int i = 0; i < k; ++i) ways *= static_cast<double>(near - i) / (i + 1);
      tail += ways * std::pow(share, k) * std::pow(1 - share, near - k);
    }
    return tail;
  }

  // The share under which as many good ones would be as unlikely as the confidence says. Of all that are
  // near: policies must not ask for fewer.
  double Guarded(const policy::Outcomes& outcomes) const {
    if (request_.embedding_model != outcomes.embedding_model()) return -1;
    int near = 0;
    int good = 0;
    for (const PlainOutcome& outcome : outcomes_) {
      const bool well = outcome.well.count(outcomes.candidate()) > 0;
      if (!well && outcome.badly.count(outcomes.candidate()) == 0) continue;
      if (outcome.embedding.size() != request_.embedding.size()) return -1;
      if (Cosine(outcome.embedding) < outcomes.least_similarity()) continue;
      ++near;
      good += well ? 1 : 0;
    }
    if (near < outcomes.least_neighbours()) return -1;
    double low = 0;
    double high = 1;
    for (int i = 0; i < 50; ++i) {
      const double middle = (low + high) / 2;
      (Tail(good, near, middle) < 1 - outcomes.confidence() ? low : high) = middle;
    }
    return good == 0 ? 0 : std::floor(low * 1e6) / 1e6;
  }

  // The cosine with the nearest example.
  double Nearest(const policy::Examples& examples) const {
    if (request_.embedding_model != examples.embedding_model()) return 0;
    double best = -1;
    for (const policy::Example& example : examples.example()) {
      if (example.embedding_size() != static_cast<int>(request_.embedding.size())) return 0;
      best = std::max(best, Cosine({example.embedding().data(), request_.embedding.size()}));
    }
    return best;
  }

  double Adds(const policy::Term& term) const {
    const policy::Signal& signal = Find(term.signal());
    double x =
        IsText(signal) ? (Text(signal) == term.equals() ? 1 : 0) : std::max(0.0, Value(signal) - term.over());
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
      const bool above = b == 0 && !band.has_from() ? true : sum >= band.from();
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
      if (IsText(signal)) {
        const std::string text = Text(signal);
        if (c.one_of().empty()) return !text.empty();
        return std::find(c.one_of().begin(), c.one_of().end(), text) != c.one_of().end();
      }
      return Compares(c) ? Within(c, Value(signal)) : Value(signal) > 0;
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
  std::span<const PlainOutcome> outcomes_;
  const Request& request_;
  const Context& context_;
};

}  // namespace

PlainResult Interpret(const policy::Policy& policy, std::span<const CandidateFacts> facts,
                      std::span<const PlainOutcome> outcomes, const Request& request,
                      const Context& context) {
  return Interpreter(policy, facts, outcomes, request, context).Run();
}

std::vector<int> PlainChoice(const policy::Policy& policy, const ChoiceContext& context,
                             std::span<const Price> prices, PlainResult* result) {
  const policy::Routing& routing = policy.routing();
  const auto remove = [&](int c, Reject why) {
    result->candidates.erase(c);
    result->reasons[c] = why;
  };
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

  constexpr double kUnknown = 1e30;
  std::map<int, double> cost;
  for (const int c : result->candidates) {
    const bool batch =
        routing.batch_if_deferrable() && context.deferrable && prices[c].batch_expected_nanos >= 0;
    cost[c] = static_cast<double>(batch ? prices[c].batch_expected_nanos : prices[c].expected_nanos);
    if (!batch)
      cost[c] +=
          static_cast<double>(ParseUsd(routing.usd_per_second()).value_or(0)) * prices[c].p50_ms / 1000;
    if (!prices[c].known) cost[c] = kUnknown;
  }
  if (cost.count(context.current) > 0 && prices[context.current].known) {
    const double margin = std::max(static_cast<double>(ParseUsd(routing.switch_margin_usd()).value_or(0)),
                                   routing.switch_margin_share() * cost[context.current]);
    for (auto& [c, nanos] : cost) {
      if (c != context.current && prices[c].known)
        nanos += margin + static_cast<double>(context.lost_prefix_nanos);
    }
  }
  double lowest = kUnknown;
  for (const auto& [c, nanos] : cost) lowest = std::min(lowest, nanos);
  for (auto& [c, nanos] : cost) {
    if (nanos <= lowest * (1 + routing.equal_cost_share())) nanos = lowest;
  }
  std::vector<int> order(result->candidates.begin(), result->candidates.end());
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
    return cost[a] != cost[b] ? cost[a] < cost[b] : result->preferred[a] < result->preferred[b];
  });
  return order;
}

}  // namespace purser::routing
