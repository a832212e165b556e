#include <gtest/gtest.h>
#include <purser/cache/cache.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

namespace purser::cache {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

// What a test asks: owns what Query and Entry only view.
struct Ask {
  std::string name_space = "acme/support";
  std::vector<std::string> key = {"system", "question"};
  std::vector<float> embedding;
  std::string model = "embedder-1";
  std::string compatibility;
  std::string text;
  std::string request_class;
  std::string answer = "answer";
  int64_t saved = 1000;
  std::vector<std::string_view> parts;

  Query query() {
    parts.assign(key.begin(), key.end());
    Query query;
    query.name_space = name_space;
    query.key = parts;
    query.compatibility = compatibility;
    query.text = text;
    query.embedding = embedding;
    query.embedding_model = model;
    query.request_class = request_class;
    return query;
  }
  Entry entry() {
    Entry entry;
    entry.query = query();
    entry.answer = answer;
    entry.saved_nano_usd = saved;
    return entry;
  }
};

std::vector<float> At(double degrees) {
  const double radians = degrees * M_PI / 180.0;
  return {static_cast<float>(std::cos(radians)), static_cast<float>(std::sin(radians))};
}

Options WithThreshold(float threshold) {
  Options options;
  options.classes[0].threshold = threshold;
  options.background = false;
  return options;
}

TEST(CacheTest, TheSameRequestIsAnsweredExactly) {
  Cache cache(Options{});
  Ask ask;
  std::string answer = "untouched";
  EXPECT_EQ(cache.Lookup(ask.query(), 0, &answer).kind, Hit::kNone);
  EXPECT_EQ(answer, "untouched");
  uint64_t id = 0;
  EXPECT_EQ(cache.Store(ask.entry(), 5 * kSecond, &id), StoreResult::kStored);
  const Hit hit = cache.Lookup(ask.query(), 8 * kSecond, &answer);
  EXPECT_EQ(hit.kind, Hit::kExact);
  EXPECT_EQ(hit.entry_id, id);
  EXPECT_EQ(hit.age_nanos, 3 * kSecond);
  EXPECT_EQ(hit.saved_nano_usd, 1000);
  EXPECT_EQ(answer, "answer");
}

TEST(CacheTest, PartsOfAKeyAreToldApart) {
  Cache cache(Options{});
  Ask ask;
  ask.key = {"ab", "c"};
  cache.Store(ask.entry(), 0);
  std::string answer;
  for (const std::vector<std::string>& other :
       {std::vector<std::string>{"a", "bc"}, {"abc"}, {"ab", "c", ""}, {"", "ab", "c"}, {"ab"}, {}}) {
    ask.key = other;
    EXPECT_EQ(cache.Lookup(ask.query(), 0, &answer).kind, Hit::kNone);
  }
}

TEST(CacheTest, ASimilarRequestIsAnsweredAboveTheThresholdOnly) {
  Cache cache(WithThreshold(0.9F));
  Ask ask;
  ask.embedding = At(0);
  cache.Store(ask.entry(), 0);
  ask.key = {"system", "another wording"};
  std::string answer;
  ask.embedding = At(25);  // cos 0.906
  const Hit hit = cache.Lookup(ask.query(), 0, &answer);
  EXPECT_EQ(hit.kind, Hit::kSemantic);
  EXPECT_NEAR(hit.similarity, 0.9063, 1e-4);
  ask.embedding = At(27);  // cos 0.891
  EXPECT_EQ(cache.Lookup(ask.query(), 0, &answer).kind, Hit::kNone);
}

TEST(CacheTest, ACallerRaisesTheThresholdAndCannotLowerIt) {
  Cache cache(WithThreshold(0.9F));
  Ask ask;
  ask.embedding = At(0);
  cache.Store(ask.entry(), 0);
  ask.key = {"other"};
  std::string answer;
  ask.embedding = At(25);
  Query query = ask.query();
  query.least_similarity = 0.95F;
  EXPECT_EQ(cache.Lookup(query, 0, &answer).kind, Hit::kNone);
  ask.embedding = At(40);
  query = ask.query();
  query.least_similarity = 0.1F;
  EXPECT_EQ(cache.Lookup(query, 0, &answer).kind, Hit::kNone);
}

TEST(CacheTest, VectorsOfAnotherModelDimensionOrCompatibilityAreNotCompared) {
  Cache cache(WithThreshold(0.9F));
  Ask stored;
  stored.embedding = {1.0F, 0.0F};
  stored.compatibility = "tools: a";
  cache.Store(stored.entry(), 0);
  std::string answer;
  Ask ask = stored;
  ask.key = {"other"};
  EXPECT_EQ(cache.Lookup(ask.query(), 0, &answer).kind, Hit::kSemantic);
  Ask model = ask;
  model.model = "embedder-2";
  EXPECT_EQ(cache.Lookup(model.query(), 0, &answer).kind, Hit::kNone);
  Ask dimension = ask;
  dimension.embedding = {1.0F, 0.0F, 0.0F};
  EXPECT_EQ(cache.Lookup(dimension.query(), 0, &answer).kind, Hit::kNone);
  Ask compatibility = ask;
  compatibility.compatibility = "tools: b";
  EXPECT_EQ(cache.Lookup(compatibility.query(), 0, &answer).kind, Hit::kNone);
  Ask name_space = ask;
  name_space.name_space = "acme/sales";
  EXPECT_EQ(cache.Lookup(name_space.query(), 0, &answer).kind, Hit::kNone);
}

TEST(CacheTest, AHitDoesNotProlongAnEntrysLife) {
  Options options = WithThreshold(0.9F);
  options.classes[0].ttl_nanos = 10 * kSecond;
  Cache cache(options);
  Ask ask;
  ask.embedding = At(0);
  cache.Store(ask.entry(), 0);
  std::string answer;
  EXPECT_EQ(cache.Lookup(ask.query(), 10 * kSecond - 1, &answer).kind, Hit::kExact);
  EXPECT_EQ(cache.Lookup(ask.query(), 10 * kSecond, &answer).kind, Hit::kNone);
  Entry shorter = ask.entry();
  shorter.ttl_nanos = 3 * kSecond;
  cache.Store(shorter, 0);
  EXPECT_EQ(cache.Lookup(ask.query(), 3 * kSecond, &answer).kind, Hit::kNone);
  Entry longer = ask.entry();
  longer.ttl_nanos = 30 * kSecond;
  cache.Store(longer, 0);
  EXPECT_EQ(cache.Lookup(ask.query(), 10 * kSecond, &answer).kind, Hit::kNone);
}

TEST(CacheTest, WhatMustNotBeStoredIsRefusedByName) {
  Options options = WithThreshold(0.9F);
  options.max_entry_bytes = 1000;
  options.classes.push_back({.name = "off", .mode = Mode::kOff});
  Cache cache(options);
  Ask ask;
  ask.embedding = At(0);
  Entry entry = ask.entry();
  entry.complete = false;
  EXPECT_EQ(cache.Store(entry, 0), StoreResult::kIncomplete);
  entry = ask.entry();
  entry.answer = "";
  EXPECT_EQ(cache.Store(entry, 0), StoreResult::kIncomplete);
  entry = ask.entry();
  entry.query.bypass = true;
  EXPECT_EQ(cache.Store(entry, 0), StoreResult::kOff);
  Ask off = ask;
  off.request_class = "off";
  EXPECT_EQ(cache.Store(off.entry(), 0), StoreResult::kOff);
  Ask large = ask;
  large.answer = std::string(1000, 'x');
  EXPECT_EQ(cache.Store(large.entry(), 0), StoreResult::kTooLarge);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  for (const std::vector<float>& bad :
       {std::vector<float>{nan, 1.0F}, {infinity, 1.0F}, {0.0F, 0.0F}, {0.0F, -0.0F}}) {
    Ask broken = ask;
    broken.embedding = bad;
    EXPECT_EQ(cache.Store(broken.entry(), 0), StoreResult::kBadEmbedding);
    std::string answer;
    EXPECT_EQ(cache.Lookup(broken.query(), 0, &answer).kind, Hit::kNone);
  }
  EXPECT_EQ(cache.Stats().entries, 0U);
}

TEST(CacheTest, InvalidationByLabelHoldsFromItsReturn) {
  Cache cache(WithThreshold(0.9F));
  const std::string_view tags[] = {"campaign", "spring"};
  const std::string_view sources[] = {"prices.md@7"};
  const struct {
    LabelKind kind;
    std::string_view label;
    bool gone;
  } cases[] = {
      {LabelKind::kTag, "spring", true},
      {LabelKind::kTag, "summer", false},
      {LabelKind::kModel, "large", true},
      {LabelKind::kModel, "spring", false},
      {LabelKind::kPolicy, "v1", true},
      {LabelKind::kSourceVersion, "prices.md@7", true},
      {LabelKind::kSourceVersion, "p@8", false},
      {LabelKind::kNamespace, "acme/support", true},
      {LabelKind::kNamespace, "acme/sale", false},
  };
  for (const auto& test : cases) {
    Ask ask;
    ask.embedding = At(0);
    Entry entry = ask.entry();
    entry.tags = tags;
    entry.source_versions = sources;
    entry.model = "large";
    entry.policy = "v1";
    EXPECT_EQ(cache.Store(entry, 0), StoreResult::kStored);
    cache.Invalidate(test.kind, test.label);
    std::string answer;
    EXPECT_EQ(cache.Lookup(ask.query(), 0, &answer).kind, test.gone ? Hit::kNone : Hit::kExact) << test.label;
    ask.key = {"other"};
    EXPECT_EQ(cache.Lookup(ask.query(), 0, &answer).kind, test.gone ? Hit::kNone : Hit::kSemantic);
    cache.Maintain(0);
    EXPECT_EQ(cache.Stats().entries, test.gone ? 0U : 1U);
    cache.Clear();
  }
}

TEST(CacheTest, AnAnswerAskedForBeforeAnInvalidationDoesNotComeInAfterIt) {
  Cache cache(WithThreshold(0.9F));
  Ask ask;
  std::string answer;
  Entry entry = ask.entry();
  entry.model = "large";
  entry.generation = cache.Lookup(ask.query(), 0, &answer).generation;
  cache.Invalidate(LabelKind::kModel, "large");
  EXPECT_EQ(cache.Store(entry, 0), StoreResult::kOutdated);
  entry.model = "small";
  EXPECT_EQ(cache.Store(entry, 0), StoreResult::kStored);
  // So old that what has been invalidated since is not remembered one by one.
  for (int i = 0; i < 3000; ++i) cache.Invalidate(LabelKind::kTag, std::to_string(i));
  EXPECT_EQ(cache.Store(entry, 0), StoreResult::kOutdated);
}

TEST(CacheTest, InvalidationByIdIsImmediate) {
  Cache cache(WithThreshold(0.9F));
  Ask ask;
  uint64_t id = 0;
  cache.Store(ask.entry(), 0, &id);
  EXPECT_TRUE(cache.InvalidateId(id));
  EXPECT_FALSE(cache.InvalidateId(id));
  std::string answer;
  EXPECT_EQ(cache.Lookup(ask.query(), 0, &answer).kind, Hit::kNone);
}

TEST(CacheTest, MemoryStaysWithinItsBoundAndTheMostExpensivePerByteStay) {
  Options options = WithThreshold(0.9F);
  options.memory_bytes = 300'000;
  Cache cache(options);
  std::string answer;
  for (int i = 0; i < 5000; ++i) {
    Ask ask;
    ask.key = {std::to_string(i)};
    ask.embedding = At(i);
    ask.saved = i % 10 == 0 ? 1'000'000 : 1000;
    ask.answer = std::string(static_cast<size_t>(i % 7) * 100 + 1, 'x');
    cache.Store(ask.entry(), i);
    ASSERT_LE(cache.Stats().bytes, options.memory_bytes);
  }
  int expensive = 0;
  int cheap = 0;
  for (int i = 4000; i < 5000; ++i) {
    Ask ask;
    ask.key = {std::to_string(i)};
    const bool there = cache.Lookup(ask.query(), 5000, &answer).kind == Hit::kExact;
    (i % 10 == 0 ? expensive : cheap) += there;
  }
  EXPECT_GT(expensive, 80);
  EXPECT_LT(cheap, 700);
  EXPECT_GT(cache.StatsOf("acme/support").evictions, 1000U);
}

TEST(CacheTest, LookupsThatSaveLessThanTheyCostAreSkippedButForAFew) {
  Options options = WithThreshold(0.9F);
  options.classes[0].lookup_cost_nano_usd = 100;
  Cache cache(options);
  Ask ask;
  ask.embedding = At(0);
  ask.saved = 10'000;
  cache.Store(ask.entry(), 0);
  std::string answer;
  Ask far = ask;
  far.key = {"far"};
  far.embedding = At(90);
  for (int i = 0; i < 1000; ++i) cache.Lookup(far.query(), 0, &answer);
  const uint64_t skipped = cache.Stats().lookups_skipped;
  EXPECT_GT(skipped, 650U);
  EXPECT_LT(skipped, 744U);
  // The same request is found at no cost worth speaking of.
  EXPECT_EQ(cache.Lookup(ask.query(), 0, &answer).kind, Hit::kExact);
  // Once look-ups pay again, they are made again.
  Ask near = ask;
  near.key = {"near"};
  near.embedding = At(5);
  int hits = 0;
  for (int i = 0; i < 1000; ++i) hits += cache.Lookup(near.query(), 0, &answer).kind == Hit::kSemantic;
  EXPECT_GT(hits, 600);
}

TEST(CacheTest, StatsAreKeptPerNamespace) {
  Cache cache(WithThreshold(0.9F));
  Ask ask;
  ask.embedding = At(0);
  cache.Store(ask.entry(), 7);
  std::string answer;
  cache.Lookup(ask.query(), 8, &answer);
  Ask similar = ask;
  similar.key = {"similar"};
  similar.embedding = At(5);
  cache.Lookup(similar.query(), 8, &answer);
  Ask other = ask;
  other.key = {"far"};
  other.embedding = At(90);
  cache.Lookup(other.query(), 8, &answer);
  const NamespaceStats stats = cache.StatsOf("acme/support");
  EXPECT_EQ(stats.exact_hits, 1U);
  EXPECT_EQ(stats.semantic_hits, 1U);
  EXPECT_EQ(stats.misses, 1U);
  EXPECT_EQ(stats.stores, 1U);
  EXPECT_EQ(stats.entries, 1U);
  EXPECT_EQ(stats.saved_nano_usd, 2000);
  EXPECT_EQ(stats.oldest_nanos, 7);
  EXPECT_GT(stats.bytes, 0U);
  EXPECT_EQ(cache.StatsOf("acme/sales").entries, 0U);
  EXPECT_EQ(cache.Namespaces(), std::vector<std::string>{"acme/support"});
}

}  // namespace
}  // namespace purser::cache
