#include "engine/ledger/cost_change.h"

#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/support/sample_records.h"

namespace purser::ledger {
namespace {

// A call as the tests need it; texts must outlive it.
struct Call {
  const char* task = "";
  const char* request_class = "chat";
  const char* model = "big";
  int64_t input = 1000, price = 5000;  // Nano-dollars per token.
  bool hit = false;
};

CostShape ShapeOf(const std::vector<Call>& calls) {
  CostShape shape;
  for (const Call& call : calls) {
    Entry entry;
    entry.record.task = call.task;
    entry.record.request_class = call.request_class;
    entry.record.model = call.model;
    if (call.hit) {
      entry.record.cache_hit = CACHE_EXACT;
    } else {
      LineItemView item;
      item.meter = "input";
      item.quantity = call.input;
      item.cost_nanos = entry.record.cost_nanos = call.input * call.price;
      entry.record.line_items.push_back(item);
    }
    shape.Add(entry);
  }
  return shape;
}

int64_t Sum(const CostChange& change) {
  int64_t sum = 0;
  for (const auto& part : change.Parts()) sum += part.nanos;
  return sum;
}

struct OneFactor {
  const char* name;
  std::vector<Call> from, to;
  int64_t CostChange::*part;
};

TEST(CostChangeTest, OneFactorThatMovesGetsTheWholeChange) {
  const OneFactor cases[] = {
      {"volume", {{"a"}}, {{"a"}, {"b"}}, &CostChange::volume_nanos},
      {"mix",
       {{"a"}, {"b", "agent", "big", 9000}},
       {{"a", "agent", "big", 9000}, {"b", "agent", "big", 9000}},
       &CostChange::mix_nanos},
      {"loop length", {{"a"}, {"b"}}, {{"a"}, {"a"}, {"b"}, {"b"}}, &CostChange::loop_length_nanos},
      {"cache", {{"a"}, {"b"}}, {{"a"}, {.task = "b", .hit = true}}, &CostChange::cache_nanos},
      {"model", {{"a"}, {"b"}}, {{"a"}, {"b", "chat", "small", 1000, 100}}, &CostChange::model_nanos},
      {"tokens", {{"a"}}, {{"a", "chat", "big", 1700}}, &CostChange::tokens_nanos},
      {"price", {{"a"}}, {{"a", "chat", "big", 1000, 6000}}, &CostChange::price_nanos},
  };
  for (const OneFactor& test : cases) {
    SCOPED_TRACE(test.name);
    const CostShape from = ShapeOf(test.from), to = ShapeOf(test.to);
    const CostChange change = CostChange::Between(from, to);
    ASSERT_NE(to.cost_nanos(), from.cost_nanos());
    EXPECT_EQ(change.*test.part, to.cost_nanos() - from.cost_nanos());
    EXPECT_EQ(Sum(change), to.cost_nanos() - from.cost_nanos());
  }
}

TEST(CostChangeTest, PartsAddUpExactlyOnRandomLedgers) {
  for (uint64_t seed = 0; seed < 1000; ++seed) {
    SampleRecords samples(seed);
    std::mt19937_64 random(seed);
    CostShape from, to;
    int64_t from_cost = 0, to_cost = 0;
    for (uint64_t i = 0; i < 20 + seed % 100; ++i) {
      Entry entry;
      entry.record = samples.Next();
      entry.adjustment = random() % 50 == 0;
      const bool is_from = random() % 3 == 0;
      (is_from ? from : to).Add(entry);
      (is_from ? from_cost : to_cost) += entry.record.cost_nanos;
    }
    const CostChange change = CostChange::Between(from, to);
    ASSERT_EQ(Sum(change), to_cost - from_cost) << "seed " << seed;
    const CostChange none = CostChange::Between(to, to);
    for (const auto& part : none.Parts()) ASSERT_LE(std::abs(part.nanos), 1) << part.name << " seed " << seed;
  }
}

}  // namespace
}  // namespace purser::ledger
