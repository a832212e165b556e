// Random policies and requests: the compiled program and the choice against an interpreter of the policy's
// text that is as plain as can be. PURSER_FUZZ_SECONDS says for how much processor time (default 60),
// PURSER_FUZZ_SEED where it starts (default 1): the seed of a difference repeats it.

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "engine/routing/choice.h"
#include "engine/routing/plain_interpreter.h"
#include "engine/routing/program.h"
#include "engine/routing/random_policies.h"
#include "gtest/gtest.h"
#include "policies/textproto.h"

namespace purser::routing {
namespace {

int64_t Stated(const char* variable, int64_t otherwise) {
  const char* stated = std::getenv(variable);
  return stated == nullptr ? otherwise : std::max<int64_t>(1, std::atoll(stated));
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
    request.messages = messages_;
    request.metadata = metadata_;
    request.embedding = embedding_;
    request.embedding_model = "e";
    if (random->Chance(70)) request.use_case = use_case_;
    if (random->Chance(70)) request.feature = feature_;
    request.team = random->OneOf(colors);
    request.customer_tier = random->OneOf(colors);
    request.step = random->Below(4);
    request.needs = random->Chance(30) ? kNeedsTools : random->Chance(20) ? kNeedsVision : 0u;
    request.max_output_tokens = random->Chance(50) ? random->Below(200) : 0;
    request.latency_limit_ms = random->Chance(15) ? 150 : 0;
    request.region = random->Chance(15) ? "eu" : random->Chance(5) ? "us" : "";
    request.data_policy = random->Chance(15) ? "zdr" : "";
    context.input_tokens = random->Chance(50) ? random->Below(5) : random->Below(400);
    context.budget_headroom = random->Below(5) / 4.0;
    if (random->Chance(30)) context.unhealthy.Add(random->Below(policy.candidates_size()));

    choice_context.deferrable = random->Chance(30);
    choice_context.current = random->Below(policy.candidates_size() + 1) - 1;
    choice_context.lost_prefix_nanos = random->Chance(30) ? 4'000 * random->Below(5) : 0;
    choice_context.in_tool_loop = random->Chance(50);
    for (int i = 0; i < policy.candidates_size(); ++i) {
      Price price;
      price.known = random->Chance(90);
      price.expected_nanos = 4'000 * random->Below(12);  // Shares of it are whole, too.
      price.batch_expected_nanos = random->Chance(30) ? price.expected_nanos / 2 : -1;
      price.p50_ms = 10 * random->Below(4);
      price.p95_ms = random->Chance(70) ? 100 * random->Below(5) : 0;
      prices.push_back(price);
    }
  }

  Request request;
  Context context;
  ChoiceContext choice_context;
  std::vector<Price> prices;

 private:
  std::vector<std::string> texts_;
  std::vector<Message> messages_;
  std::vector<std::pair<std::string_view, std::string_view>> metadata_;
  std::vector<float> embedding_;
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
  for (int c = 0; c < policy.candidates_size(); ++c)
    ASSERT_EQ(verdict.reasons[c].reject, expected.reasons[c]) << c << trace;
}

void CompareVerdicts(const policy::Policy& policy, const Verdict& verdict, const PlainResult& expected,
                     const std::string& trace) {
  ASSERT_EQ(SetOf(verdict.candidates), expected.candidates) << trace;
  ASSERT_EQ(verdict.refusal, expected.refusal) << trace;
  ASSERT_EQ(verdict.refusing, expected.refusing) << trace;
  ASSERT_EQ(verdict.request_class, expected.request_class) << trace;
  ASSERT_EQ(verdict.rules, expected.rules) << trace;
  ASSERT_EQ(verdict.stepped_aside, expected.stepped_aside) << trace;
  ASSERT_EQ(verdict.quality_dropped, expected.quality_dropped) << trace;
  if (verdict.refusal == Refusal::kNone) {
    ASSERT_EQ(verdict.latency_limit_ms, expected.latency_limit_ms) << trace;
  }
  CompareReasons(policy, verdict, expected, trace);
  for (int s = 0; s < policy.scores_size(); ++s) {
    const int band = verdict.scores[s].band;
    ASSERT_EQ(band < 0 ? "" : policy.scores(s).bands(band).name(), expected.bands[s]) << s << trace;
  }
}

struct Count {
  int64_t policies = 0;
  int64_t requests = 0;
  int64_t served = 0;
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

void Compare(uint64_t seed, const std::string& directory, std::span<const PlainOutcome> outcomes,
             Count* count) {
  RandomPolicies random(seed);
  const policy::Policy policy = random.Policy();
  std::vector<CandidateFacts> facts(policy.candidates_size());
  for (CandidateFacts& fact : facts) {
    fact.priced = random.Chance(85);
    fact.capabilities = random.Chance(50) ? kNeedsVision | kNeedsTools : 0;
    fact.context_window = random.Chance(30) ? 300 : 0;
  }
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
    program->Evaluate(one.request, one.context, features, &verdict);
    PlainResult expected = Interpret(policy, facts, outcomes, one.request, one.context);
    CompareVerdicts(policy, verdict, expected, trace);
    if (testing::Test::HasFatalFailure()) return;
    ++count->requests;
    if (verdict.candidates.empty()) continue;

    Choose(program->choice_settings(), one.choice_context, one.prices, &verdict, &choice);
    const std::vector<int> order = PlainChoice(policy, one.choice_context, one.prices, &expected);
    std::vector<int> ranked;
    for (int i = 0; i < choice.count; ++i) ranked.push_back(choice.ranked[i].candidate);
    ASSERT_EQ(ranked, order) << trace;
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
  const std::vector<PlainOutcome> outcomes = RecordOutcomes(directory);
  Count count;
  uint64_t seed = first;
  for (; std::clock() / CLOCKS_PER_SEC < seconds; ++seed) {
    Compare(seed, directory, outcomes, &count);
    if (HasFatalFailure()) return;
  }
  std::printf("seeds %llu to %llu: %lld policies, %lld requests of which %lld were served; no difference\n",
              static_cast<unsigned long long>(first), static_cast<unsigned long long>(seed - 1),
              static_cast<long long>(count.policies), static_cast<long long>(count.requests),
              static_cast<long long>(count.served));
  EXPECT_GT(count.served, count.requests / 10) << "the generator refuses nearly everything";
}

}  // namespace
}  // namespace purser::routing
