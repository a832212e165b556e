#include "tests/routing/random_policies.h"

#include <purser/dimensions.h>

#include "absl/strings/str_cat.h"

namespace purser::routing {

policy::Policy RandomPolicies::Policy() {
  policy::Policy policy;
  AddCandidates(&policy);
  for (int i = Below(3); i > 0; --i) {
    policy::RequestClass* request_class = policy.add_request_classes();
    request_class->set_name(absl::StrCat("class", i));
    if (Chance(70)) request_class->add_use_cases(absl::StrCat("u", Below(3)));
    if (Chance(70)) request_class->add_features(absl::StrCat("f", Below(3)));
  }
  for (int i = 1 + Below(5); i > 0; --i) AddSignal(&policy);
  for (int s = Below(3); s > 0; --s) AddScore(&policy);
  for (int r = Below(8); r > 0; --r) AddRule(&policy);
  AddRouting(&policy);
  return policy;
}

std::string RandomPolicies::Text() {
  if (Chance(35)) return Phrase();
  static const std::vector<std::string> kWords = {
      "alpha",  "Alpha", "beta",      "alphabet", "gam-ma",  "x1",     "lemma 7", "é",    "\n",
      "a_b",    "?",     "",          "must",     "Exactly", "half",   "twice",   "if",   "not",
      "never",  "don't", "1,250.50",  "2x",       "12",      "1/2",    "f();",    "{",    "}",
      "a == b", "->",    "camelCase", "::",       "```",     "\\frac", "x = 3",   "^",    "* ",
      "≤",      "×",     "π",         "x²",       "\n- ",    "\n1. ",  "\na) ",   "\n• ", ",",
      ". ",     "! ",    "\"so.\" ",  "(",        "то",      "日本",   "1_2",     "=",    "a->b",
      "\t",     "…",     "</p>",      "3.",       "x*y",     "10km"};
  std::string text;
  for (int i = Below(Chance(10) ? 40 : 8); i > 0; --i)
    absl::StrAppend(&text, OneOf(kWords), Chance(70) ? " " : "");
  return text;
}

// Words that tell languages apart, and letters of every script; mostly of one place in the list.
std::string RandomPolicies::Phrase() {
  static const std::vector<std::string> kWords = {
      "the",  "and",  "this", "with",         "is",   "in",     "do",
      "a",    "Und",  "der",  "den",          "les",  "que",    "la",
      "un",   "el",   "como", "che",          "e",    "het",    "de",
      "och",  "i",    "się",  "mi",           "için", "straße", "word",
      "и",    "что",  "я",    "не",           "що",   "от",     "слово",
      "في",   "من",   "که",   "كلمة",         "και",  "λόγος",  "של",
      "מילה", "शब्द",  "শব্দ",  "சொல்",          "คำ",   "단어",   "ことば",
      "カナ", "漢字", "漢",   "你好吗我们去", "7",    "--",     "x1"};
  static const std::vector<std::string> kBetween = {" ", " ", " ", ", ", ".\n", "-", " 3 "};
  std::string text;
  const int size = static_cast<int>(kWords.size());
  const int first = Below(size);
  const int spread = 2 + Below(8);
  for (int i = Below(Chance(5) ? 130 : 12); i > 0; --i) {
    const int at = Chance(85) ? (first + Below(spread)) % size : Below(size);
    absl::StrAppend(&text, kWords[at], OneOf(kBetween));
  }
  return text;
}

std::vector<float> RandomPolicies::Embedding() {
  if (Chance(20)) return {};
  std::vector<float> embedding(Chance(90) ? 4 : 3, 0.0F);
  if (Chance(95))
    embedding[Below(static_cast<int>(embedding.size()))] = static_cast<float>(Below(2) == 0 ? 2 : -1);
  return embedding;
}

void RandomPolicies::AddCandidates(policy::Policy* policy) {
  const int candidates = 1 + Below(6);
  for (int i = 0; i < candidates; ++i) {
    policy::Candidate* candidate = policy->add_candidates();
    if (Chance(80)) candidate->set_name(absl::StrCat("c", i));
    candidate->set_model(absl::StrCat("c", i));
    if (Chance(80)) candidate->set_provider(Chance(50) ? "p" : "q");
    candidate->set_quality(10 * Below(6));
    if (Chance(40)) candidate->set_context_window(100 * (1 + Below(4)));
    if (Chance(30)) candidate->set_max_output_tokens(50 * (1 + Below(3)));
    if (Chance(50)) candidate->add_capabilities(policy::TOOLS);
    if (Chance(30)) candidate->add_capabilities(policy::DOCUMENTS);
    if (Chance(20)) candidate->add_lacks(policy::VISION);
    if (Chance(20)) candidate->add_lacks(static_cast<policy::Capability>(3 + Below(6)));
    if (Chance(50)) candidate->add_regions("eu");
    if (Chance(20)) candidate->add_regions("us");
    if (Chance(10)) candidate->add_regions(Chance(50) ? "eu-west-1" : "EU");
    if (Chance(50)) candidate->add_data_policies("zdr");
    candidate->add_labels(Chance(50) ? "cheap" : "good");
  }
}

void RandomPolicies::AddRouting(policy::Policy* policy) {
  policy::Routing* routing = policy->mutable_routing();
  if (Chance(20)) *routing->mutable_allow() = Select(*policy);
  if (Chance(20)) *routing->mutable_deny() = Select(*policy);
  if (Chance(30)) routing->set_read_bytes(1 + Below(40));
  routing->set_allow_unpriced(Chance(30));
  if (Chance(40)) routing->set_if_none(policy::Routing::BEST_LEFT);
  if (Chance(30)) routing->set_equal_cost_share(0.25 * Below(3));
  if (Chance(30)) routing->set_usd_per_second("0.002");
  routing->set_batch_if_deferrable(Chance(50));
  if (Chance(30)) routing->set_switch_margin_share(0.5 * Below(3));
  if (Chance(30)) routing->set_switch_margin_usd("0.00002");
  routing->set_escalate_only_in_tool_loop(Chance(50));
  if (!Chance(30)) return;
  policy::Exploration* exploration = routing->mutable_exploration();
  exploration->set_share(0.25 * (1 + Below(4)));
  if (Chance(50)) exploration->set_salt(absl::StrCat("salt", Below(3)));
  if (Chance(50)) exploration->set_most_times_cheapest(0.5 * Below(7));
}

policy::Select RandomPolicies::Select(const policy::Policy& policy) {
  policy::Select select;
  if (Chance(70)) select.add_names(absl::StrCat("c", Below(policy.candidates_size())));
  if (select.names().empty() || Chance(30))
    select.add_labels(policy.candidates(Below(policy.candidates_size())).labels(0));
  const std::string& provider = policy.candidates(Below(policy.candidates_size())).provider();
  if (Chance(15) && !provider.empty()) select.add_providers(provider);
  return select;
}

void RandomPolicies::AddSignal(policy::Policy* policy) {
  static const std::vector<std::string> kRegexes = {
      "alpha", "\\bbeta\\b", "lemma [0-9]", "^a", "x\\d$", "(a|b)_", "ALPHA", "   ", "\\Qa_b", "must|never"};
  static const std::vector<std::string> kKeywords = {"alpha", "Beta", "lemma 7", "gam-ma", "é", "a"};
  static const std::vector<std::string> kFields = [] {
    std::vector<std::string> fields = {"model",       "region",       "script",
                                       "data_policy", "service_tier", "language"};
    for (const RequestDimension& dimension : kRequestDimensions) fields.emplace_back(dimension.name);
    return fields;
  }();
  policy::Signal* signal = policy->add_signals();
  signal->set_name(absl::StrCat("s", policy->signals_size()));
  if (Chance(5)) {
    policy::Outcomes* outcomes = signal->mutable_outcomes();
    outcomes->set_file(std::string(kOutcomesFile));
    outcomes->set_embedding_model("e");
    outcomes->set_candidate(Chance(70) ? "small" : "large");
    if (Chance(70)) outcomes->set_neighbours(7 + Below(3));
    if (Chance(70)) outcomes->set_least_neighbours(4 + Below(3));
    if (Chance(70)) outcomes->set_least_similarity(0.9);
    if (Chance(70)) outcomes->set_confidence(Chance(50) ? 0.95 : 0.75);
    return;
  }
  if (Chance(5)) {
    signal->set_scorer_file(std::string(kScorerFile));
    return;
  }
  switch (Below(6)) {
    case 0:
    case 1:
      signal->set_measure(Measure());
      break;
    case 5:
      signal->set_field(Chance(30) ? Chance(50) ? "script" : "language" : OneOf(kFields));
      break;
    case 2:
      signal->set_metadata("key");
      break;
    case 3:
      signal->mutable_examples()->set_embedding_model(Chance(90) ? "e" : "other");
      for (int i = 1 + Below(3), axis = Below(4); i > 0; --i) {
        policy::Example* example = signal->mutable_examples()->add_example();
        for (int d = 0; d < 4; ++d) example->add_embedding(d == (axis + i) % 4 ? 3.0F : 0.0F);
      }
      break;
    default:
      signal->mutable_patterns()->set_in(static_cast<policy::TextPart>(Below(3)));
      signal->mutable_patterns()->set_case_sensitive(Chance(30));
      for (int p = Below(4); p > 0; --p) signal->mutable_patterns()->add_regex(OneOf(kRegexes));
      for (int p = 1 + Below(3); p > 0; --p) signal->mutable_patterns()->add_keyword(OneOf(kKeywords));
  }
}

policy::Measure RandomPolicies::Measure() {
  int measure = policy::MEASURE_UNSPECIFIED;
  while (measure == policy::MEASURE_UNSPECIFIED || !policy::Measure_IsValid(measure))
    measure = Below(policy::Measure_MAX + 1);
  return static_cast<policy::Measure>(measure);
}

std::string RandomPolicies::TextValue(const policy::Signal& signal) {
  static const std::vector<std::string> kColors = {"", "red", "green", "blue"};
  static const std::vector<std::string> kScripts = {"",           "latin", "cyrillic", "arabic",
                                                    "devanagari", "kana",  "han"};
  static const std::vector<std::string> kLanguages = {"",   "en", "de", "fr", "pt",
                                                      "pl", "ru", "fa", "ja", "el"};
  if (signal.field() == "script") return OneOf(kScripts);
  if (signal.field() == "language") return OneOf(kLanguages);
  if (signal.field() == "region") return Chance(50) ? "eu" : "us";
  if (signal.field() == "data_policy") return "zdr";
  if (signal.field() == "use_case") return absl::StrCat("u", Below(3));
  if (signal.field() == "feature") return absl::StrCat("f", Below(3));
  return OneOf(kColors);
}

void RandomPolicies::AddScore(policy::Policy* policy) {
  policy::Score* score = policy->add_scores();
  score->set_name(absl::StrCat("score", policy->scores_size()));
  score->set_base(Below(3) - 1);
  for (int t = 1 + Below(4); t > 0; --t) {
    policy::Term* term = score->add_terms();
    const policy::Signal& signal = policy->signals(Below(policy->signals_size()));
    term->set_signal(signal.name());
    term->set_weight(0.5 * (Below(9) - 4) + 0.25);
    term->set_shape(static_cast<policy::Term::Shape>(Below(3)));
    // Left out only where the text cannot raise it as far as it likes.
    const bool bounded = !signal.has_measure() || term->shape() == policy::Term::PRESENT;
    if (!bounded || Chance(80)) term->set_most(0.5 * Below(7));
    term->set_background(score->terms_size() > 1 && Chance(30));
    if (signal.has_field() || signal.has_metadata()) {
      while (term->equals().empty()) term->set_equals(TextValue(signal));
    } else {
      term->set_over(Below(4) - 1);
    }
  }
  double from = Below(3) - 1.5;
  for (int b = 0; b < 3; ++b) {
    policy::Band* band = score->add_bands();
    band->set_name(absl::StrCat("b", b));
    const bool follows = b > 0 && score->bands(b - 1).has_to();
    if (follows ? Chance(70) : b > 0 || Chance(20)) band->set_from(from);
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

// One of `kinds`: bounds on one side, on both, and from 4 on none.
void RandomPolicies::SetBounds(policy::Condition* condition, int kinds, double bound) {
  const int kind = Below(kinds);
  if (kind == 0) condition->set_at_least(bound);
  if (kind == 1) condition->set_above(bound);
  if (kind == 2) condition->set_at_most(bound);
  if (kind == 3) condition->set_below(bound);
  if (kind < 2 && Chance(30)) condition->set_below(bound + 1 + Below(5));
  if (kind < 2 && !condition->has_below() && Chance(30)) condition->set_at_most(bound + 1 + Below(5));
}

policy::Condition RandomPolicies::Condition(const policy::Policy& policy, int depth) {
  policy::Condition condition;
  const int kind = Below(depth > 0 ? 8 : 5);
  if (kind == 4 && policy.request_classes_size() > 0 && Chance(40)) {
    condition.set_request_class(policy.request_classes(Below(policy.request_classes_size())).name());
  } else if (kind == 5) {
    for (int i = 1 + Below(3); i > 0; --i) *condition.add_all() = Condition(policy, depth - 1);
  } else if (kind == 6) {
    for (int i = 1 + Below(3); i > 0; --i) *condition.add_any() = Condition(policy, depth - 1);
  } else if (kind == 7) {
    *condition.mutable_not_() = Condition(policy, depth - 1);
  } else if (kind >= 3 && policy.scores_size() > 0) {
    const policy::Score& score = policy.scores(Below(policy.scores_size()));
    condition.set_score(score.name());
    if (Chance(40)) {
      SetBounds(&condition, 4, Below(4) - 1);
    } else if (Chance(30)) {
      condition.set_no_signal(true);
    } else {
      for (int i = 1 + Below(2); i > 0; --i) condition.add_band(absl::StrCat("b", Below(3)));
    }
  } else {
    const policy::Signal& signal = policy.signals(Below(policy.signals_size()));
    condition.set_signal(signal.name());
    if (signal.has_field() || signal.has_metadata()) {
      for (int i = Below(3); i > 0; --i) condition.add_one_of(TextValue(signal));
    } else {
      // Shares and cosines as well.
      SetBounds(&condition, 5, Chance(30) ? 0.25 * (Below(9) - 4) : Chance(80) ? Below(5) : Below(100));
    }
  }
  return condition;
}

void RandomPolicies::AddRule(policy::Policy* policy) {
  policy::Rule* rule = policy->add_rules();
  rule->set_name(absl::StrCat("r", policy->rules_size()));
  rule->set_priority(Below(3));
  if (Chance(90)) *rule->mutable_when() = Condition(*policy, 3);
  if (Chance(40)) rule->set_min_quality(10 * Below(5));
  if (Chance(20)) rule->set_max_quality(rule->has_min_quality() ? 50 : 10 * Below(6));
  if (Chance(25)) *rule->mutable_only() = Select(*policy);
  if (Chance(25)) *rule->mutable_deny() = Select(*policy);
  if (Chance(25)) *rule->mutable_prefer() = Select(*policy);
  if (Chance(20)) rule->set_latency_limit_ms(100 * (1 + Below(4)));
  if (Chance(8)) rule->set_refuse("no");
  rule->set_stop(Chance(15));
  rule->set_yield_if_none(Chance(25));
}

}  // namespace purser::routing
