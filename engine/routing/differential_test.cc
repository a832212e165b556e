// Random policies and requests: the compiled program against an interpreter of the policy's text that is as
// plain as can be. PURSER_FUZZ_SECONDS says how long (default 10).

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/routing/program.h"
#include "gtest/gtest.h"
#include "policies/textproto.h"
#include "re2/re2.h"

namespace purser::routing {
namespace {

// The interpreter: walks the messages of the policy, with no table, no test, no automaton.
class Interpreter {
 public:
  Interpreter(const policy::Policy& policy, std::span<const CandidateFacts> facts, const Request& request,
              const Context& context)
      : policy_(policy), facts_(facts), request_(request), context_(context) {}

  struct Result {
    std::set<int> candidates;
    Refusal refusal = Refusal::kNone;
    int refusing = -1;
    std::vector<int> rules;
    std::vector<Reject> reasons;
    std::vector<std::string> bands;
  };

  Result Run() {
    Result result;
    result.reasons.resize(policy_.candidates_size(), Reject::kNone);
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
      if (narrows && rule.yield_if_none() && next.empty()) continue;
      left = next;
      by_lists = next_by_lists;
      result.reasons = why;
      if (rule.stop()) break;
    }
    if (left.empty() && policy_.routing().if_none() == policy::Routing::BEST_LEFT) {
      int best = -1;
      for (const int c : by_lists) best = std::max(best, policy_.candidates(c).quality());
      for (const int c : by_lists) {
        if (policy_.candidates(c).quality() != best) continue;
        left.insert(c);
        result.reasons[c] = Reject::kNone;
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
    return false;
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
    switch (signal.measure()) {
      case policy::INPUT_TOKENS:
        return static_cast<double>(context_.input_tokens);
      case policy::TASK_STEP:
        return request_.step;
      case policy::BUDGET_HEADROOM:
        return context_.budget_headroom;
      case policy::MESSAGES:
        return static_cast<double>(request_.messages.size());
      default:
        std::abort();
    }
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
    return true;
  }

  const policy::Policy& policy_;
  std::span<const CandidateFacts> facts_;
  const Request& request_;
  const Context& context_;
};

// Draws small policies whose parts refer to each other often, and requests that meet them often.
class Generator {
 public:
  explicit Generator(uint64_t seed) : random_(seed) {}

  int Below(int n) { return static_cast<int>(random_() % static_cast<uint64_t>(n)); }
  bool Chance(int percent) { return Below(100) < percent; }
  template <typename T>
  const T& OneOf(const std::vector<T>& values) {
    return values[Below(static_cast<int>(values.size()))];
  }

  policy::Policy Policy() {
    policy::Policy policy;
    const int candidates = 1 + Below(6);
    for (int i = 0; i < candidates; ++i) {
      policy::Candidate* candidate = policy.add_candidates();
      candidate->set_name(absl::StrCat("c", i));
      candidate->set_model("m");
      candidate->set_quality(10 * Below(6));
      if (Chance(40)) candidate->set_context_window(100 * (1 + Below(4)));
      if (Chance(30)) candidate->set_max_output_tokens(50 * (1 + Below(3)));
      if (Chance(50)) candidate->add_capabilities(policy::TOOLS);
      if (Chance(20)) candidate->add_lacks(policy::VISION);
      if (Chance(50)) candidate->add_regions("eu");
      if (Chance(50)) candidate->add_data_policies("zdr");
      candidate->add_labels(Chance(50) ? "cheap" : "good");
    }
    AddSignals(&policy);
    for (int s = Below(3); s > 0; --s) AddScore(&policy);
    for (int r = Below(8); r > 0; --r) AddRule(&policy);
    if (Chance(20)) *policy.mutable_routing()->mutable_allow() = Select(policy);
    if (Chance(20)) policy.mutable_routing()->mutable_deny()->add_names("c0");
    policy.mutable_routing()->set_allow_unpriced(Chance(30));
    if (Chance(40)) policy.mutable_routing()->set_if_none(policy::Routing::BEST_LEFT);
    return policy;
  }

  std::string Text() {
    static const std::vector<std::string> kWords = {"alpha",   "Alpha", "beta", "alphabet", "gam-ma", "x1",
                                                    "lemma 7", "é",     "\n",   "a_b",      ""};
    std::string text;
    for (int i = Below(7); i > 0; --i) absl::StrAppend(&text, OneOf(kWords), Chance(80) ? " " : "");
    return text;
  }

 private:
  policy::Select Select(const policy::Policy& policy) {
    policy::Select select;
    if (Chance(70)) select.add_names(absl::StrCat("c", Below(policy.candidates_size())));
    if (select.names().empty() || Chance(30))
      select.add_labels(policy.candidates(Below(policy.candidates_size())).labels(0));
    return select;
  }

  void AddSignals(policy::Policy* policy) {
    static const std::vector<std::string> kRegexes = {"alpha", "\\bbeta\\b", "lemma [0-9]", "^a",
                                                      "x\\d$", "(a|b)_",     "ALPHA"};
    static const std::vector<std::string> kKeywords = {"alpha", "Beta", "lemma 7", "gam-ma", "é", "a"};
    static const std::vector<policy::Measure> kMeasures = {policy::INPUT_TOKENS, policy::TASK_STEP,
                                                           policy::BUDGET_HEADROOM, policy::MESSAGES};
    for (int i = 1 + Below(5); i > 0; --i) {
      policy::Signal* signal = policy->add_signals();
      signal->set_name(absl::StrCat("s", i));
      switch (Below(4)) {
        case 0:
          signal->set_measure(OneOf(kMeasures));
          break;
        case 1:
          signal->set_field(Chance(50) ? "team" : "customer_tier");
          break;
        case 2:
          signal->set_metadata("key");
          break;
        default:
          signal->mutable_patterns()->set_in(static_cast<policy::TextPart>(Below(3)));
          signal->mutable_patterns()->set_case_sensitive(Chance(30));
          for (int p = Below(4); p > 0; --p) signal->mutable_patterns()->add_regex(OneOf(kRegexes));
          for (int p = 1 + Below(3); p > 0; --p) signal->mutable_patterns()->add_keyword(OneOf(kKeywords));
      }
    }
  }

  std::string TextValue() { return OneOf(std::vector<std::string>{"", "red", "green", "blue"}); }

  void AddScore(policy::Policy* policy) {
    policy::Score* score = policy->add_scores();
    score->set_name(absl::StrCat("score", policy->scores_size()));
    score->set_base(Below(3) - 1);
    for (int t = 1 + Below(4); t > 0; --t) {
      policy::Term* term = score->add_terms();
      const policy::Signal& signal = policy->signals(Below(policy->signals_size()));
      term->set_signal(signal.name());
      term->set_weight(0.5 * (Below(9) - 4) + 0.25);
      term->set_shape(static_cast<policy::Term::Shape>(Below(3)));
      term->set_most(0.5 * (1 + Below(6)));
      term->set_background(score->terms_size() > 1 && Chance(30));
      if (signal.has_field() || signal.has_metadata()) {
        term->set_equals(OneOf(std::vector<std::string>{"red", "green"}));
      } else {
        term->set_over(Below(3));
      }
    }
    double from = Below(3) - 1.5;
    for (int b = 0; b < 3; ++b) {
      policy::Band* band = score->add_bands();
      band->set_name(absl::StrCat("b", b));
      if (b > 0 || Chance(20)) band->set_from(from);
      from += 0.5 + Below(2);
      if (Chance(20)) band->set_to(from);
      from += Below(2) * 0.25;
    }
    if (Chance(85)) {
      score->mutable_on_no_signal()->set_band(absl::StrCat("b", Below(3)));
    } else {
      score->mutable_on_no_signal()->set_refuse("nothing seen");
    }
  }

  policy::Condition Condition(const policy::Policy& policy, int depth) {
    policy::Condition condition;
    const int kind = Below(depth > 0 ? 8 : 5);
    if (kind == 5) {
      for (int i = 1 + Below(3); i > 0; --i) *condition.add_all() = Condition(policy, depth - 1);
    } else if (kind == 6) {
      for (int i = 1 + Below(3); i > 0; --i) *condition.add_any() = Condition(policy, depth - 1);
    } else if (kind == 7) {
      *condition.mutable_not_() = Condition(policy, depth - 1);
    } else if (kind >= 3 && policy.scores_size() > 0) {
      const policy::Score& score = policy.scores(Below(policy.scores_size()));
      condition.set_score(score.name());
      if (Chance(40)) {
        condition.set_at_least(Below(4) - 1);
      } else if (Chance(30)) {
        condition.set_no_signal(true);
      } else {
        for (int i = 1 + Below(2); i > 0; --i) condition.add_band(absl::StrCat("b", Below(3)));
      }
    } else {
      const policy::Signal& signal = policy.signals(Below(policy.signals_size()));
      condition.set_signal(signal.name());
      if (signal.has_field() || signal.has_metadata()) {
        for (int i = Below(3); i > 0; --i) condition.add_one_of(TextValue());
      } else {
        const int bound = Below(4);
        if (bound == 0) condition.set_at_least(Below(4));
        if (bound == 1) condition.set_above(Below(4));
        if (bound < 2 && Chance(30)) condition.set_below(5 + Below(100));
        if (bound == 2) condition.set_at_most(Below(4));
      }
    }
    return condition;
  }

  void AddRule(policy::Policy* policy) {
    policy::Rule* rule = policy->add_rules();
    rule->set_name(absl::StrCat("r", policy->rules_size()));
    rule->set_priority(Below(3));
    if (Chance(90)) *rule->mutable_when() = Condition(*policy, 3);
    if (Chance(40)) rule->set_min_quality(10 * Below(5));
    if (Chance(20)) rule->set_max_quality(50);
    if (Chance(25)) *rule->mutable_only() = Select(*policy);
    if (Chance(25)) *rule->mutable_deny() = Select(*policy);
    if (Chance(8)) rule->set_refuse("no");
    rule->set_stop(Chance(15));
    rule->set_yield_if_none(Chance(25));
  }

  std::mt19937_64 random_;
};

std::chrono::seconds Length() {
  const char* seconds = std::getenv("PURSER_FUZZ_SECONDS");
  return std::chrono::seconds(seconds == nullptr ? 10 : std::max(1, std::atoi(seconds)));
}

void Compare(uint64_t seed, int* decided) {
  Generator generator(seed);
  const policy::Policy policy = generator.Policy();
  std::vector<CandidateFacts> facts(policy.candidates_size());
  for (CandidateFacts& fact : facts) {
    fact.priced = generator.Chance(85);
    fact.capabilities = generator.Chance(50) ? kNeedsVision | kNeedsTools : 0;
    fact.context_window = generator.Chance(30) ? 300 : 0;
  }
  Diagnostics diagnostics;
  const auto program = Program::Compile(policy, facts, {}, &diagnostics);
  if (program == nullptr) return;  // Allow and deny lists that leave nothing, for instance.
  Features features;
  Verdict verdict;
  for (int round = 0; round < 8; ++round) {
    std::vector<std::string> texts;
    for (int m = generator.Below(5); m > 0; --m) texts.push_back(generator.Text());
    std::vector<Message> messages;
    for (const std::string& text : texts) messages.push_back({static_cast<Role>(generator.Below(4)), text});
    const std::vector<std::string> colors = {"", "red", "green", "blue", "violet"};
    const std::pair<std::string_view, std::string_view> metadata[] = {{"other", "red"},
                                                                      {"key", generator.OneOf(colors)}};
    Request request;
    request.messages = messages;
    request.metadata = metadata;
    request.team = generator.OneOf(colors);
    request.customer_tier = generator.OneOf(colors);
    request.step = generator.Below(4);
    request.needs = generator.Chance(30) ? kNeedsTools : generator.Chance(20) ? kNeedsVision : 0u;
    request.max_output_tokens = generator.Chance(50) ? generator.Below(200) : 0;
    request.region = generator.Chance(15) ? "eu" : generator.Chance(5) ? "us" : "";
    request.data_policy = generator.Chance(15) ? "zdr" : "";
    Context context;
    context.input_tokens = generator.Chance(50) ? generator.Below(5) : generator.Below(400);
    context.budget_headroom = generator.Below(5) / 4.0;
    if (generator.Chance(30)) context.unhealthy.Add(generator.Below(policy.candidates_size()));

    program->Read(request, context, &features);
    program->Evaluate(request, context, features, &verdict);
    const Interpreter::Result expected = Interpreter(policy, facts, request, context).Run();

    std::set<int> candidates;
    verdict.candidates.ForEach([&](int c) { candidates.insert(c); });
    const std::string trace = absl::StrCat("seed ", seed, " round ", round, "\n", policy.DebugString());
    ASSERT_EQ(candidates, expected.candidates) << trace;
    ASSERT_EQ(verdict.refusal, expected.refusal) << trace;
    ASSERT_EQ(verdict.refusing, expected.refusing) << trace;
    ASSERT_EQ(verdict.rules, expected.rules) << trace;
    for (int c = 0; c < policy.candidates_size(); ++c)
      ASSERT_EQ(verdict.reasons[c].reject, expected.reasons[c]) << c << trace;
    for (int s = 0; s < policy.scores_size(); ++s) {
      const int band = verdict.scores[s].band;
      ASSERT_EQ(band < 0 ? "" : policy.scores(s).bands(band).name(), expected.bands[s]) << s << trace;
    }
    *decided += candidates.empty() ? 0 : 1;
  }
}

TEST(DifferentialTest, TheProgramDecidesAsAPlainInterpreterDoes) {
  const auto until = std::chrono::steady_clock::now() + Length();
  int policies = 0;
  int decided = 0;
  for (uint64_t seed = 1; std::chrono::steady_clock::now() < until; ++seed, ++policies) {
    Compare(seed, &decided);
    if (HasFatalFailure()) return;
  }
  std::printf("%d policies, %d requests served\n", policies, decided);
  EXPECT_GT(decided, policies / 4) << "the generator refuses nearly everything";
}

}  // namespace
}  // namespace purser::routing
