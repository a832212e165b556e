// Reading signals of every kind, rules and the choice allocate nothing once they are warm.

#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "engine/routing/choice.h"
#include "engine/routing/program.h"
#include "gtest/gtest.h"
#include "policies/textproto.h"
#include "tests/support/allocations.h"

namespace purser::routing {
namespace {

constexpr std::string_view kPolicy = R"pb(
  candidates { name: "small" model: "s" quality: 30 }
  candidates { name: "large" model: "l" quality: 90 }
  signals {
    name: "law"
    patterns { regex: "clause [0-9]+" regex: "\\blease\\b" keyword: "tenant" }
  }
  signals { name: "words" measure: TEXT_WORDS }
  signals { name: "language" field: "language" }
  signals { name: "script" field: "script" }
  signals { name: "key" metadata: "key" }
  signals {
    name: "near"
    examples {
      embedding_model: "e"
      example { embedding: [ 1, 0, 0, 0 ] }
    }
  }
  signals {
    name: "few"
    outcomes { file: "few.jsonl" embedding_model: "e" candidate: "small" }
  }
  signals {
    name: "many"
    outcomes { file: "many.jsonl" embedding_model: "e" candidate: "small" }
  }
  scores {
    name: "s"
    terms { signal: "law" weight: 1 most: 2 }
    terms { signal: "words" weight: 0.01 most: 1 background: true }
    bands { name: "low" to: 1 }
    bands { name: "high" }
    on_no_signal { band: "low" }
  }
  rules {
    name: "hard"
    when { score: "s" band: "high" }
    min_quality: 60
  }
  rules {
    name: "language"
    when { not { signal: "language" one_of: "en" } }
    prefer { names: "large" }
  }
  rules {
    name: "script"
    when { not { signal: "script" one_of: "latin" } }
    prefer { names: "large" }
  }
  rules {
    name: "key"
    when { signal: "key" }
    latency_limit_ms: 500
  }
  rules {
    name: "near"
    when { signal: "near" above: 0.9 }
    deny { names: "small" }
    yield_if_none: true
  }
  rules {
    name: "few"
    when { signal: "few" below: 0.5 }
    min_quality: 10
  }
  rules {
    name: "many"
    when { signal: "many" below: 0.5 }
    min_quality: 20
  }
)pb";

// So many that they are found through the graph, or so few that they are not.
void WriteOutcomes(const char* name, int count) {
  std::mt19937_64 random(3);
  std::ofstream file(testing::TempDir() + "/" + name);
  for (int i = 0; i < count; ++i) {
    file << "{\"embedding\": [1, " << random() % 100 / 100.0 << ", " << random() % 100 / 100.0
         << ", 0.1], \"outcomes\": {\"small\": " << (random() % 2 == 0 ? "true" : "false") << "}}\n";
  }
}

TEST(AllocationTest, ReadingAndDecidingAllocateNothing) {
  WriteOutcomes("few.jsonl", 50);
  WriteOutcomes("many.jsonl", 1'500);
  policy::Policy policy;
  Diagnostics diagnostics = ParseTextproto(kPolicy, "p.textproto", &policy);
  const auto program = Program::Compile(policy, {}, {.directory = testing::TempDir()}, &diagnostics);
  ASSERT_NE(program, nullptr) << diagnostics.ToStatus();
  const std::vector<Message> messages = {{Role::kSystem, "You help tenants."},
                                         {Role::kUser, "What does clause 12 of the lease say about pets?"}};
  const std::vector<std::pair<std::string_view, std::string_view>> metadata = {{"key", "value"}};
  const std::vector<float> embedding = {1, 0.5, 0.5, 0.1F};
  Request request;
  request.messages = messages;
  request.metadata = metadata;
  request.embedding = embedding;
  request.embedding_model = "e";
  Features features;
  Verdict verdict;
  Choice choice;
  const std::vector<Price> prices(2, Price{.known = true, .expected_nanos = 5});
  const auto decide = [&] {
    program->Read(request, {}, &features);
    program->Evaluate(request, {}, features, &verdict);
    Choose(program->choice_settings(), {}, prices, &verdict, &choice);
  };
  for (int i = 0; i < 10; ++i) decide();
  ASSERT_GT(choice.count, 0);
  ASSERT_GE(features.number(program->SignalIndex("many")), 0) << "it abstains";
  const int64_t before = Allocations();
  for (int i = 0; i < 1000; ++i) decide();
  EXPECT_EQ(before > 0, kCountsAllocations);
  EXPECT_EQ(Allocations() - before, 0);
}

}  // namespace
}  // namespace purser::routing
