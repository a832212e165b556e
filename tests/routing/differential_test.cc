// Random policies and requests: the compiled program and the choice against an interpreter of the policy's
// text that is as plain as can be. PURSER_FUZZ_SECONDS says for how much processor time (default 60),
// PURSER_FUZZ_SEED where it starts (default 1): the seed of a difference repeats it.

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "engine/routing/choice.h"
#include "engine/routing/compiled_policy.h"
#include "engine/routing/program.h"
#include "engine/routing/prompt_features.h"
#include "gtest/gtest.h"
#include "policies/textproto.h"
#include "tests/routing/plain_interpreter.h"
#include "tests/routing/random_policies.h"

namespace purser::routing {
namespace {

int64_t Stated(const char* variable, int64_t fallback) {
  const char* stated = std::getenv(variable);
  return stated == nullptr ? fallback : std::max<int64_t>(1, std::atoll(stated));
}

// A request and what the engine would know about it; keeps what its views show.
class RandomCase {
 public:
  RandomCase(const policy::Policy& policy, RandomPolicies* random) {
    for (int m = random->Below(5); m > 0; --m) texts_.push_back(random->Text());
    for (const std::string& text : texts_) messages_.push_back({static_cast<Role>(random->Below(4)), text});
    const std::vector<std::string_view> colors = {"", "red", "green", "blue", "violet"};
    metadata_ = {{"other", "red"}, {"key", random->OneOf(colors)}};
    embedding_ = random->Embedding();
    use_case_ = absl::StrCat("u", random->Below(4));
    feature_ = absl::StrCat("f", random->Below(4));
    id_ = random->Chance(5) ? "" : absl::StrCat("id", random->Below(1'000'000'000));
    request.id = id_;
    for (const RequestDimension& dimension : kRequestDimensions)
      request.*dimension.member = random->OneOf(colors);
    request.model = random->OneOf(colors);
    request.service_tier = random->OneOf(colors);
    request.tools = random->Below(3);
    request.images = random->Below(3);
    request.attempt = 1 + random->Below(3);
    request.cached_input_tokens = random->Chance(50) ? random->Below(6) : 0;
    request.messages = messages_;
    request.metadata = metadata_;
    request.embedding = embedding_;
    request.embedding_model = "e";
    request.use_case = random->Chance(70) ? std::string_view(use_case_) : std::string_view();
    request.feature = random->Chance(70) ? std::string_view(feature_) : std::string_view();
    request.step = random->Below(4);
    if (random->Chance(30)) request.needs |= kNeedsTools;
    if (random->Chance(15)) request.needs |= kNeedsVision;
    if (random->Chance(15)) request.needs |= kNeedsDocuments;
    if (random->Chance(15)) request.needs |= 1u << (1 + random->Below(12));
    request.max_output_tokens = random->Chance(50) ? random->Below(200) : 0;
    request.latency_limit_ms = random->Chance(15) ? 150 : 0;
    request.region = random->Chance(15)  ? "eu"
                     : random->Chance(5) ? "EU-West"
                     : random->Chance(5) ? "us"
                                         : "";
    request.data_policy = random->Chance(15) ? "zdr" : "";
    context.input_tokens = random->Chance(50) ? random->Below(5) : random->Below(400);
    context.budget_headroom = random->Below(5) / 4.0;
    context.task_depth = random->Below(4);
    // From 1930 to 2065.
    context.now_nanos = (random->Below(4'200) - 1'200) * int64_t{1'000'000'000'000'000} +
                        random->Below(1'000'000) * int64_t{1'000'000'000} - random->Below(2);
    for (int i = 0; i < policy.candidates_size(); ++i)
      own_tokens_.push_back(context.input_tokens + random->Below(50));
    if (random->Chance(30)) context.candidate_input_tokens = own_tokens_;
    if (random->Chance(30)) context.unhealthy.Add(random->Below(policy.candidates_size()));

    choice_context.request_id = id_;
    choice_context.deferrable = random->Chance(30);
    choice_context.current = random->Below(policy.candidates_size() + 1) - 1;
    choice_context.in_tool_loop = random->Chance(50);
    for (int i = 0; i < policy.candidates_size(); ++i) {
      Price price;
      price.known = random->Chance(90);
      price.expected_nanos = 4'000 * random->Below(12);  // Shares of it are whole, too.
      price.worst_nanos = price.expected_nanos + random->Below(1000);
      price.batch_expected_nanos = random->Chance(30) ? price.expected_nanos / 2 : -1;
      price.batch_worst_nanos = price.batch_expected_nanos + random->Below(1000);
      price.p50_ms = 10 * random->Below(4);
      price.p95_ms = random->Chance(70) ? 100 * random->Below(5) : 0;
      prices.push_back(price);
    }
  }

  // For the reader of a difference.
  std::string Text() const { return absl::StrCat("\nof \"", absl::StrJoin(texts_, "\"\n\""), "\"\n"); }

  Request request;
  Context context;
  ChoiceContext choice_context;
  std::vector<Price> prices;

 private:
  std::vector<std::string> texts_;
  std::vector<Message> messages_;
  std::vector<std::pair<std::string_view, std::string_view>> metadata_;
  std::vector<float> embedding_;
  std::vector<int64_t> own_tokens_;
  std::string id_;
  std::string use_case_;
  std::string feature_;
};

std::set<int> SetOf(const CandidateSet& candidates) {
  std::set<int> set;
  candidates.ForEach([&](int c) { set.insert(c); });
  return set;
}

void CompareReasons(const policy::Policy& policy, const Verdict& verdict, const PlainResult& expected,
                    const std::string& trace) {
  for (int c = 0; c < policy.candidates_size(); ++c) {
    const RejectReason& reason = verdict.reasons[c];
    ASSERT_EQ(reason.reject, expected.reasons[c].reject) << c << trace;
    ASSERT_EQ(reason.rule, expected.reasons[c].rule) << c << trace;
    ASSERT_EQ(reason.missing, expected.reasons[c].missing) << c << trace;
  }
}

void CompareVerdicts(const policy::Policy& policy, const Verdict& verdict, const PlainResult& expected,
                     const std::string& trace) {
  ASSERT_EQ(SetOf(verdict.candidates), expected.candidates) << trace;
  ASSERT_EQ(verdict.refusal, expected.refusal) << trace;
  ASSERT_EQ(verdict.refusing, expected.refusing) << trace;
  ASSERT_EQ(verdict.request_class, expected.request_class) << trace;
  ASSERT_EQ(verdict.rules, expected.rules) << trace;
  ASSERT_EQ(verdict.rules_tried, expected.rules_tried) << trace;
  ASSERT_EQ(verdict.stepped_aside, expected.stepped_aside) << trace;
  ASSERT_EQ(verdict.quality_dropped, expected.quality_dropped) << trace;
  ASSERT_EQ(verdict.min_quality, expected.min_quality) << trace;
  ASSERT_EQ(verdict.max_quality, expected.max_quality) << trace;
  ASSERT_EQ(verdict.latency_limit_ms, expected.latency_limit_ms) << trace;
  CompareReasons(policy, verdict, expected, trace);
  for (int s = 0; s < policy.scores_size(); ++s) {
    const int band = verdict.scores[s].band;
    ASSERT_EQ(band < 0 ? "" : policy.scores(s).bands(band).name(), expected.bands[s]) << s << trace;
    ASSERT_NEAR(verdict.scores[s].sum, expected.sums[s], 1e-9) << s << trace;
  }
}

// Signals themselves: rules may not tell a wrong one from a right one.
void CompareSignals(const policy::Policy& policy, const Program& program, const PlainFiles& files,
                    const RandomCase& one, const Features& features, const std::string& trace) {
  const PlainSignals plain(policy.routing(), files, one.request, one.context);
  for (int s = 0; s < policy.signals_size(); ++s) {
    const policy::Signal& signal = policy.signals(s);
    const CompiledSignal& compiled = program.compiled().signals[s];
    if (!compiled.used) continue;
    if (!IsTextSignal(signal)) {
      ASSERT_NEAR(features.number(s), plain.Number(signal), 1e-9)
          << signal.DebugString() << one.Text() << trace;
      continue;
    }
    const std::string text = plain.Text(signal);
    const auto mentioned = compiled.texts.find(text);
    ASSERT_EQ(features.number(s), text.empty()                        ? 0
                                  : mentioned == compiled.texts.end() ? 1
                                                                      : mentioned->second)
        << signal.DebugString() << " is \"" << text << '"' << one.Text() << trace;
  }
}

// What exploration did over all requests: whether the shares that policies state are met.
struct Explored {
  double expected = 0;
  double variance = 0;
  double requests = 0;
  // That the drawn one is of the cheaper half of the drawable ones.
  double low_expected = 0;
  double low_variance = 0;
  double low = 0;
};

void CompareChoices(const policy::Policy& policy, const RandomCase& one, const Choice& choice,
                    const PlainOrder& plain, Explored* explored, const std::string& trace) {
  const policy::Exploration& exploration = policy.routing().exploration();
  std::vector<int> ranked;
  for (int i = 0; i < choice.count; ++i) ranked.push_back(choice.ranked[i].candidate);
  std::vector<int> order;
  for (const PlainRanked& expected : plain.ranked) order.push_back(expected.candidate);
  const std::set<int> drawable = PlainDrawable(exploration, plain);
  const bool draws = choice.count > 1 && !drawable.empty() && !one.request.id.empty();
  ASSERT_TRUE(draws || !choice.explored) << trace;
  if (draws) {
    explored->requests += choice.explored ? 1 : 0;
    explored->expected += exploration.share();
    explored->variance += exploration.share() * (1 - exploration.share());
    ASSERT_EQ(choice.explored && exploration.share() == 0, false) << trace;
    ASSERT_EQ(!choice.explored && exploration.share() == 1, false) << trace;
  }
  if (choice.explored) {
    ASSERT_EQ(drawable.count(ranked[0]), 1u) << trace;
    int cheaper = 0;
    for (const PlainRanked& other : plain.ranked) {
      if (other.candidate == ranked[0]) break;
      cheaper += static_cast<int>(drawable.count(other.candidate));
    }
    const int half = static_cast<int>(drawable.size() / 2);
    const double share = static_cast<double>(half) / static_cast<double>(drawable.size());
    explored->low += cheaper < half ? 1 : 0;
    explored->low_expected += share;
    explored->low_variance += share * (1 - share);
    order = PlainDrawn(exploration, plain, ranked[0]);
  }
  ASSERT_EQ(ranked, order) << trace;
  ASSERT_EQ(choice.kept_current, plain.kept_current) << trace;
  for (const PlainRanked& expected : plain.ranked) {
    const auto at = std::find(ranked.begin(), ranked.end(), expected.candidate) - ranked.begin();
    ASSERT_EQ(choice.ranked[at].batch, expected.batch) << trace;
    ASSERT_EQ(choice.ranked[at].expected_nanos, expected.expected_nanos) << trace;
    ASSERT_EQ(choice.ranked[at].worst_nanos, expected.worst_nanos) << trace;
    if (expected.ranked_nanos < 1e30) {
      ASSERT_EQ(choice.ranked[at].ranked_nanos, expected.ranked_nanos) << trace;
    }
  }
}

struct Count {
  int64_t policies = 0;
  int64_t requests = 0;
  int64_t served = 0;
  Explored explored;
};

// Seven, five, four and no requests near to each axis.
std::vector<PlainOutcome> RecordOutcomes(const std::string& directory) {
  std::vector<PlainOutcome> outcomes;
  std::ofstream file(absl::StrCat(directory, "/", std::string(kOutcomesFile)));
  constexpr int kNear[] = {7, 5, 4, 0};
  for (int axis = 0; axis < 4; ++axis) {
    for (int i = 0; i < kNear[axis]; ++i) {
      PlainOutcome outcome;
      for (int d = 0; d < 4; ++d) outcome.embedding.push_back(d == axis ? 3.0F : 0.0F);
      (i % (axis + 2) == 0 ? outcome.badly : outcome.well).insert("small");
      if (i > 0) outcome.well.insert("large");
      file << absl::StrCat("{\"embedding\": [", absl::StrJoin(outcome.embedding, ", "),
                           "], \"outcomes\": {\"small\": ", outcome.well.count("small"),
                           i > 0 ? ", \"large\": true" : "", "}}\n");
      outcomes.push_back(outcome);
    }
  }
  return outcomes;
}

// All structure features, some of them with weights, and weights of three letters in a row.
LearnedScorer RandomScorer(const std::string& directory) {
  RandomPolicies random(7);
  LearnedScorer scorer;
  scorer.set_version(kPromptFeaturesVersion);
  scorer.set_bias(0.3);
  const std::set<std::string_view> weighted = {"log_bytes",     "log_words", "word_length",
                                               "log_numbers",   "log_math",  "log_code",
                                               "commas_a_word", "negates",   "question"};
  for (const std::string_view name : kStructureNames) {
    Structure* structure = scorer.add_structure();
    structure->set_name(std::string(name));
    structure->set_mean(0.1 * random.Below(20));
    structure->set_deviation(0.5 + 0.1 * random.Below(20));
    structure->set_weight(weighted.count(name) > 0 ? 0.1 * (1 + random.Below(20)) : 0);
  }
  HashedWeights* trigrams = scorer.mutable_trigrams();
  trigrams->set_bucket_bits(8);
  trigrams->set_step(0.05);
  for (int i = 0; i < 256; ++i) trigrams->mutable_weights()->push_back(static_cast<char>(random.Below(256)));
  std::ofstream(absl::StrCat(directory, "/", std::string(kScorerFile))) << scorer.DebugString();
  return scorer;
}

std::vector<CandidateFacts> RandomFacts(const policy::Policy& policy, RandomPolicies* random) {
  std::vector<CandidateFacts> facts(policy.candidates_size());
  for (CandidateFacts& fact : facts) {
    fact.priced = random->Chance(85);
    fact.capabilities = random->Chance(50) ? kNeedsVision | kNeedsTools : 0;
    fact.context_window = random->Chance(30) ? 300 : 0;
    fact.max_output_tokens = random->Chance(30) ? 120 : 0;
    fact.provider = random->Chance(50) ? "p" : "q";
  }
  return facts;
}

void Compare(uint64_t seed, const std::string& directory, const PlainFiles& files, Count* count) {
  RandomPolicies random(seed);
  const policy::Policy policy = random.Policy();
  const std::vector<CandidateFacts> facts = RandomFacts(policy, &random);
  Diagnostics diagnostics;
  const auto program = Program::Compile(policy, facts, {.directory = directory}, &diagnostics);
  if (program == nullptr) return;  // Allow and deny lists that leave nothing, for instance.
  ++count->policies;
  Features features;
  Verdict verdict;
  Choice choice;
  for (int round = 0; round < 8; ++round) {
    const RandomCase one(policy, &random);
    const std::string trace = absl::StrCat("seed ", seed, " round ", round, "\n", policy.DebugString());
    program->Read(one.request, one.context, &features);
    CompareSignals(policy, *program, files, one, features, trace);
    if (testing::Test::HasFatalFailure()) return;
    program->Evaluate(one.request, one.context, features, &verdict);
    PlainResult expected = Interpret(policy, facts, files, one.request, one.context);
    CompareVerdicts(policy, verdict, expected, trace);
    if (testing::Test::HasFatalFailure()) return;
    ++count->requests;
    if (verdict.candidates.empty()) continue;

    Choose(program->choice_settings(), one.choice_context, one.prices, &verdict, &choice);
    const PlainOrder plain = PlainChoice(policy, one.choice_context, one.prices, &expected);
    CompareChoices(policy, one, choice, plain, &count->explored, trace);
    if (testing::Test::HasFatalFailure()) return;
    ASSERT_EQ(verdict.refusal, expected.refusal) << trace;
    CompareReasons(policy, verdict, expected, trace);
    if (testing::Test::HasFatalFailure()) return;
    ++count->served;
  }
}

TEST(DifferentialTest, TheProgramDecidesAsAPlainInterpreterDoes) {
  const int64_t seconds = Stated("PURSER_FUZZ_SECONDS", 60);
  const auto first = static_cast<uint64_t>(Stated("PURSER_FUZZ_SEED", 1));
  const std::string directory = testing::TempDir();
  const PlainFiles files = {RecordOutcomes(directory), RandomScorer(directory)};
  Count count;
  uint64_t seed = first;
  for (; std::clock() / CLOCKS_PER_SEC < seconds; ++seed) {
    Compare(seed, directory, files, &count);
    if (HasFatalFailure()) return;
  }
  std::printf("seeds %llu to %llu: %lld policies, %lld requests of which %lld were served; no difference\n",
              static_cast<unsigned long long>(first), static_cast<unsigned long long>(seed - 1),
              static_cast<long long>(count.policies), static_cast<long long>(count.requests),
              static_cast<long long>(count.served));
  EXPECT_GT(count.served, count.requests / 10) << "the generator refuses nearly everything";
  EXPECT_GT(count.policies, static_cast<int64_t>(seed - first) / 2) << "most policies have mistakes";
  // Six standard deviations: one run in a hundred million is further off by chance.
  const Explored& explored = count.explored;
  EXPECT_NEAR(explored.requests, explored.expected, 6 * std::sqrt(explored.variance));
  EXPECT_NEAR(explored.low, explored.low_expected, 6 * std::sqrt(explored.low_variance));
}

}  // namespace
}  // namespace purser::routing
