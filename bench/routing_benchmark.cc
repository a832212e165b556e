// What routing costs: rules and choice over features that were read, reading signals, compiling.
// "allocations" is per request, after warm-up.

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "benchmark/benchmark.h"
#include "engine/routing/choice.h"
#include "engine/routing/program.h"
#include "engine/routing/prompt_features.h"
#include "engine/routing/scorer.h"
#include "engine/routing/text_measures.h"
#include "tests/support/allocations.h"

namespace purser::routing {
namespace {

constexpr int kCandidates = 24;

void AddCandidates(policy::Policy* policy) {
  for (int i = 0; i < kCandidates; ++i) {
    policy::Candidate* candidate = policy->add_candidates();
    candidate->set_name(absl::StrCat("c", i));
    candidate->set_model("m");
    candidate->set_quality(10 * (i % 10));
    candidate->add_capabilities(policy::TOOLS);
    candidate->set_context_window(8'000 * (1 + i % 8));
    candidate->add_labels(i % 2 == 0 ? "even" : "odd");
  }
}

// Rules as people write them: two tests each on the tier, the tokens, the score or the step; few hold for one
// request.
policy::Policy PolicyOf(int rules) {
  policy::Policy policy;
  AddCandidates(&policy);
  const std::pair<const char*, policy::Measure> measures[] = {
      {"tokens", policy::INPUT_TOKENS}, {"step", policy::TASK_STEP}, {"headroom", policy::BUDGET_HEADROOM}};
  for (const auto& [name, measure] : measures) {
    policy::Signal* signal = policy.add_signals();
    signal->set_name(name);
    signal->set_measure(measure);
  }
  policy::Signal* tier = policy.add_signals();
  tier->set_name("tier");
  tier->set_field("customer_tier");
  policy::Score* score = policy.add_scores();
  score->set_name("hard");
  for (const char* name : {"tokens", "step"}) {
    policy::Term* term = score->add_terms();
    term->set_signal(name);
    term->set_weight(0.5);
    term->set_shape(policy::Term::LOG);
    term->set_most(3);
  }
  score->add_bands()->set_name("low");
  policy::Band* high = score->add_bands();
  high->set_name("high");
  high->set_from(2);
  score->mutable_on_no_signal()->set_band("low");
  for (int r = 0; r < rules; ++r) {
    policy::Rule* rule = policy.add_rules();
    rule->set_name(absl::StrCat("r", r));
    policy::Condition* first = rule->mutable_when()->add_all();
    policy::Condition* second = rule->mutable_when()->add_all();
    if (r % 3 == 0) {
      first->set_signal("tier");
      first->add_one_of(absl::StrCat("tier", r % 20));
    } else if (r % 3 == 1) {
      first->set_score("hard");
      first->add_band(r % 2 == 0 ? "low" : "high");
    } else {
      first->set_signal("step");
      first->set_at_least(r % 40);
    }
    second->set_signal("tokens");
    second->set_above(100.0 * (r % 50));
    rule->set_min_quality(10 * (r % 6));
    rule->set_yield_if_none(true);
  }
  return policy;
}

std::shared_ptr<const Program> Compiled(const policy::Policy& policy) {
  Diagnostics diagnostics;
  auto program = Program::Compile(policy, {}, {}, &diagnostics);
  if (program == nullptr) std::abort();
  return program;
}

// English-like text without the words that the patterns look for, but for two.
std::string Prompt(size_t bytes) {
  static constexpr const char* kWords[] = {"the",  "report",    "of",   "last",     "quarter", "shows",
                                           "that", "customers", "in",   "northern", "regions", "buy",
                                           "more", "often",     "when", "delivery", "is",      "free"};
  std::mt19937_64 random(4);
  std::string text = "Please review clause 12 and the lease. ";
  while (text.size() < bytes) absl::StrAppend(&text, kWords[random() % 18], random() % 12 == 0 ? ". " : " ");
  text.resize(bytes);
  return text;
}

policy::Policy PolicyOfPatterns() {
  policy::Policy policy = PolicyOf(64);
  const char* regexes[] = {"\\bclause [0-9]+",    "lease|tenancy",     "(prove|proof) (that|of)",
                           "theorem\\b",          "stack ?trace",      "segmentation fault",
                           "def \\w+\\(",         "SELECT .* FROM",    "integral of",
                           "\\bplaintiff\\b",     "diagnos(is|e)",     "translate (in)?to",
                           "race condition",      "BEGIN PRIVATE KEY", "refactor(ing)?",
                           "year-old (man|woman)"};
  for (const char* regex : regexes) {
    policy::Signal* signal = policy.add_signals();
    signal->set_name(absl::StrCat("p", policy.signals_size()));
    signal->mutable_patterns()->add_regex(regex);
    policy::Rule* rule = policy.mutable_rules(policy.signals_size());
    rule->mutable_when()->Clear();
    rule->mutable_when()->set_signal(signal->name());
  }
  return policy;
}

void Measured(benchmark::State& state, int64_t before) {
  state.counters["allocations"] =
      static_cast<double>(Allocations() - before) / static_cast<double>(state.iterations());
}

// Arg: rules.
void BM_RulesAndChoice(benchmark::State& state) {
  const auto program = Compiled(PolicyOf(static_cast<int>(state.range(0))));
  Request request;
  request.customer_tier = "tier3";
  request.needs = kNeedsTools;
  request.id = "request-1";
  Context context;
  context.input_tokens = 1'500;
  Features features;
  Verdict verdict;
  Choice choice;
  std::vector<Price> prices(kCandidates);
  for (int i = 0; i < kCandidates; ++i)
    prices[i] = {.known = true, .expected_nanos = 1'000 * ((i * 7) % kCandidates)};
  program->Read(request, context, &features);
  ChoiceContext choice_context;
  choice_context.request_id = request.id;
  program->Evaluate(request, context, features, &verdict);
  const int64_t before = Allocations();
  for (auto _ : state) {
    program->Evaluate(request, context, features, &verdict);
    Choose(program->choice_settings(), choice_context, prices, &verdict, &choice);
    benchmark::DoNotOptimize(choice);
  }
  Measured(state, before);
}
BENCHMARK(BM_RulesAndChoice)->Arg(64)->Arg(1000);

// Arg: bytes of the prompt. Sixteen regexes; two occur.
void BM_ReadSixteenRegexesAndDecide(benchmark::State& state) {
  const auto program = Compiled(PolicyOfPatterns());
  const std::string prompt = Prompt(static_cast<size_t>(state.range(0)));
  const Message message{Role::kUser, prompt};
  Request request;
  request.messages = {&message, 1};
  request.customer_tier = "tier3";
  Context context;
  context.input_tokens = 500;
  Features features;
  Verdict verdict;
  Choice choice;
  std::vector<Price> prices(kCandidates, Price{.known = true});
  const auto decide = [&] {
    program->Read(request, context, &features);
    program->Evaluate(request, context, features, &verdict);
    Choose(program->choice_settings(), {}, prices, &verdict, &choice);
  };
  for (int i = 0; i < 10; ++i) decide();
  const int64_t before = Allocations();
  for (auto _ : state) {
    decide();
    benchmark::DoNotOptimize(choice);
  }
  Measured(state, before);
}
BENCHMARK(BM_ReadSixteenRegexesAndDecide)->Arg(256)->Arg(2048);

void BM_MeasureText(benchmark::State& state) {
  const std::string prompt = Prompt(2048);
  for (auto _ : state) {
    TextMeasures measures;
    Measure(prompt, &measures);
    benchmark::DoNotOptimize(measures);
  }
}
BENCHMARK(BM_MeasureText);

// Weights as `purser fit` writes them.
HashedWeights WeightsOf(int bucket_bits) {
  HashedWeights weights;
  weights.set_bucket_bits(bucket_bits);
  weights.set_step(0.01);
  for (int i = 0; i < 1 << bucket_bits; ++i)
    weights.mutable_weights()->push_back(static_cast<char>(i * 7 % 255 - 127));
  return weights;
}

// Arg: kinds of traffic that the scorer tells apart.
void BM_LearnedScore2KB(benchmark::State& state) {
  LearnedScorer linear;
  linear.set_version(kPromptFeaturesVersion);
  for (const std::string_view name : kStructureNames) {
    Structure* structure = linear.add_structure();
    structure->set_name(std::string(name));
    structure->set_deviation(1);
    structure->set_weight(0.1);
  }
  *linear.mutable_words() = WeightsOf(18);
  *linear.mutable_trigrams() = WeightsOf(16);
  LearnedScorer proto = linear;
  if (state.range(0) > 1) {
    proto.Clear();
    proto.set_version(kPromptFeaturesVersion);
    for (int64_t i = 0; i < state.range(0); ++i) {
      TrafficKind* kind = proto.add_kinds();
      *kind->mutable_words() = WeightsOf(14);
      *kind->mutable_scorer() = linear;
    }
  }
  const auto scorer = *Scorer::Create(proto);
  const std::string text = Prompt(2048);
  const int64_t before = Allocations();
  for (auto _ : state) benchmark::DoNotOptimize(scorer->Score(text));
  Measured(state, before);
}
BENCHMARK(BM_LearnedScore2KB)->ArgName("kinds")->Arg(1)->Arg(2)->Arg(8);

// Arg: rules. What a reload does off the hot path.
void BM_Compile(benchmark::State& state) {
  const policy::Policy policy = PolicyOf(static_cast<int>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(Compiled(policy));
}
BENCHMARK(BM_Compile)->Arg(64)->Arg(1000)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace purser::routing

BENCHMARK_MAIN();
