#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cmath>
#include <cstdlib>
#include <map>
#include <random>
#include <string>

#include "cache/cache.h"
#include "cache/hash.h"
#include "cache/snapshot.h"

namespace purser::cache {
namespace {

Options Plain() {
  Options options;
  options.classes[0].threshold = 0.95F;
  options.classes[0].ttl_nanos = 1000;
  options.background = false;
  return options;
}

struct Filled {
  explicit Filled(Cache* cache, int entries = 60) {
    for (int i = 0; i < entries; ++i) {
      const std::string name_space = "tenant-" + std::to_string(i % 3);
      const std::string text = "question " + std::to_string(i);
      const std::string answer = "answer " + std::to_string(i);
      const std::string_view key[] = {"system", text};
      const std::string_view tags[] = {"tag"};
      const float vector[] = {std::cos(static_cast<float>(i)), std::sin(static_cast<float>(i)),
                              0.01F * static_cast<float>(i)};
      Entry entry;
      entry.query.name_space = name_space;
      entry.query.key = key;
      entry.query.text = text;
      entry.query.embedding = vector;
      entry.query.embedding_model = "e";
      entry.answer = answer;
      entry.model = "large";
      entry.tags = tags;
      entry.saved_nano_usd = i;
      cache->Store(entry, i);
      answers[name_space + "\n" + text] = answer;
    }
  }
  std::map<std::string, std::string> answers;
};

// Looks up all that was stored; every hit has to be the right answer. Returns how many hits.
int Check(const Cache& cache, const Filled& filled, int64_t now) {
  int hits = 0;
  for (const auto& [where, expected] : filled.answers) {
    const size_t end = where.find('\n');
    const std::string text = where.substr(end + 1);
    const std::string_view key[] = {"system", text};
    Query query;
    query.name_space = std::string_view(where).substr(0, end);
    query.key = key;
    std::string answer;
    if (cache.Lookup(query, now, &answer).kind == Hit::kNone) continue;
    ++hits;
    EXPECT_EQ(answer, expected);
  }
  return hits;
}

std::string PathOf(const std::string& name) { return std::string(std::getenv("TEST_TMPDIR")) + "/" + name; }

TEST(PersistTest, WhatWasSavedIsFoundAgainExactlyAndBySimilarity) {
  Cache saved(Plain());
  const Filled filled(&saved);
  const std::string path = PathOf("round_trip");
  ASSERT_TRUE(saved.SaveTo(path, 100).ok());
  Cache loaded(Plain());
  ASSERT_TRUE(loaded.LoadFrom(path, 100).ok());
  EXPECT_EQ(Check(loaded, filled, 100), 60);
  EXPECT_EQ(loaded.Stats().entries, 60U);
  const float near[] = {std::cos(7.01F), std::sin(7.01F), 0.07F};
  const std::string_view key[] = {"other"};
  Query query;
  query.name_space = "tenant-1";
  query.key = key;
  query.embedding = near;
  query.embedding_model = "e";
  std::string answer;
  const Hit hit = loaded.Lookup(query, 100, &answer);
  EXPECT_EQ(hit.kind, Hit::kSemantic);
  EXPECT_EQ(answer, "answer 7");
  EXPECT_EQ(hit.age_nanos, 93);
  EXPECT_EQ(hit.saved_nano_usd, 7);
  // Labels came along, and the time to live goes on from when the entry was first stored.
  EXPECT_EQ(Check(loaded, filled, 1029), 30);
  loaded.Invalidate(LabelKind::kModel, "large");
  EXPECT_EQ(Check(loaded, filled, 100), 0);
}

TEST(PersistTest, NothingExpiredOrInvalidatedIsSaved) {
  Cache saved(Plain());
  const Filled filled(&saved);
  const std::string path = PathOf("expired");
  ASSERT_TRUE(saved.SaveTo(path, 1029).ok());
  Cache loaded(Plain());
  ASSERT_TRUE(loaded.LoadFrom(path, 0).ok());
  EXPECT_EQ(loaded.Stats().entries, 30U);
  saved.Invalidate(LabelKind::kTag, "tag");
  ASSERT_TRUE(saved.SaveTo(path, 0).ok());
  Cache empty(Plain());
  ASSERT_TRUE(empty.LoadFrom(path, 0).ok());
  EXPECT_EQ(empty.Stats().entries, 0U);
}

TEST(PersistTest, ForeignAndMissingFilesAreRefusedByKind) {
  Cache cache(Plain());
  EXPECT_TRUE(absl::IsNotFound(cache.LoadFrom(PathOf("nowhere"), 0)));
  ASSERT_TRUE(ReplaceFile(PathOf("foreign"), "SQLite format 3\0and so on").ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(cache.LoadFrom(PathOf("foreign"), 0)));
  ASSERT_TRUE(ReplaceFile(PathOf("empty"), "").ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(cache.LoadFrom(PathOf("empty"), 0)));
  std::string newer = SnapshotWriter().Finish();
  newer[8] = 9;
  newer.resize(newer.size() - sizeof(Hash128));
  const Hash128 checksum = HashBytes(newer);
  newer.append(reinterpret_cast<const char*>(&checksum), sizeof(checksum));
  ASSERT_TRUE(ReplaceFile(PathOf("newer"), newer).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(cache.LoadFrom(PathOf("newer"), 0)));
  EXPECT_FALSE(cache.SaveTo(PathOf("no/such/directory"), 0).ok());
}

std::string Mutate(std::string bytes, std::mt19937_64* random) {
  const auto at = [&] { return (*random)() % bytes.size(); };
  switch ((*random)() % 5) {
    case 0:
      bytes[at()] ^= static_cast<char>(1 << ((*random)() % 8));
      break;
    case 1:
      bytes.resize(at());
      break;
    case 2:
      bytes.insert(at(), 1 + (*random)() % 9, static_cast<char>((*random)()));
      break;
    case 3:
      for (int i = 0; i < 8; ++i) bytes[at()] = static_cast<char>((*random)());
      break;
    default:
      bytes.erase(at(), 1 + (*random)() % 40);
  }
  return bytes;
}

// PURSER_MUTATIONS sets how many; also with the checksum made right again, as a hostile file would have it.
TEST(PersistTest, MutatedFilesNeverCrashAndNeverAnswerWrongly) {
  const char* wanted = std::getenv("PURSER_MUTATIONS");
  const int mutations = wanted != nullptr ? std::atoi(wanted) : 2000;
  Cache saved(Plain());
  const Filled filled(&saved, 20);
  const std::string path = PathOf("mutated");
  ASSERT_TRUE(saved.SaveTo(path, 100).ok());
  std::string sound;
  ASSERT_TRUE(ReadFile(path, &sound).ok());
  std::mt19937_64 random(3);
  int entries = 0;
  for (int i = 0; i < mutations; ++i) {
    const std::string mutated = Mutate(sound, &random);
    if (mutated == sound) continue;
    EXPECT_FALSE(ReadSnapshot(mutated, [&entries](const SnapshotEntry&) { ++entries; }).ok());
    EXPECT_EQ(entries, 0);
    if (i % 100 == 0) {
      ASSERT_TRUE(ReplaceFile(path, mutated).ok());
      Cache loaded(Plain());
      EXPECT_FALSE(loaded.LoadFrom(path, 100).ok());
      EXPECT_EQ(Check(loaded, filled, 100), 0);
    }
  }
  // With a checksum that fits, the parser is on its own: it may accept what it can read, but not crash.
  for (int i = 0; i < mutations; ++i) {
    std::string mutated = Mutate(sound.substr(0, sound.size() - sizeof(Hash128)), &random);
    const Hash128 checksum = HashBytes(mutated);
    mutated.append(reinterpret_cast<const char*>(&checksum), sizeof(checksum));
    ReadSnapshot(mutated, [](const SnapshotEntry& entry) {
      EXPECT_LE(entry.key.size(), 1000000U);
    }).IgnoreError();
  }
}

}  // namespace
}  // namespace purser::cache
