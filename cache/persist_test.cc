#include <gtest/gtest.h>
#include <purser/cache/cache.h>
#include <sys/stat.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <map>
#include <random>
#include <string>

#include "cache/entry_bytes.h"
#include "cache/file.h"
#include "cache/hash.h"
#include "cache/snapshot_file.h"

namespace purser::cache {
namespace {

Options PlainOptions() {
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
  Cache saved(PlainOptions());
  const Filled filled(&saved);
  const std::string path = PathOf("round_trip");
  ASSERT_TRUE(saved.SaveTo(path, 100).ok());
  Cache loaded(PlainOptions());
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
  Cache saved(PlainOptions());
  const Filled filled(&saved);
  const std::string path = PathOf("expired");
  ASSERT_TRUE(saved.SaveTo(path, 1029).ok());
  Cache loaded(PlainOptions());
  ASSERT_TRUE(loaded.LoadFrom(path, 0).ok());
  EXPECT_EQ(loaded.Stats().entries, 30U);
  saved.Invalidate(LabelKind::kTag, "tag");
  ASSERT_TRUE(saved.SaveTo(path, 0).ok());
  Cache empty(PlainOptions());
  ASSERT_TRUE(empty.LoadFrom(path, 0).ok());
  EXPECT_EQ(empty.Stats().entries, 0U);
}

TEST(PersistTest, ForeignAndMissingFilesAreRefusedByKind) {
  Cache cache(PlainOptions());
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

// Loads a file of these bytes into a cache of its own.
absl::Status LoadBytes(const std::string& bytes, Cache* cache) {
  const std::string path = PathOf("mutated");
  std::ofstream(path, std::ios::binary) << bytes;
  return cache->LoadFrom(path, 100);
}

// PURSER_MUTATIONS sets how many.
int Mutations() {
  const char* wanted = std::getenv("PURSER_MUTATIONS");
  return wanted != nullptr ? std::atoi(wanted) : 500;
}

// The bytes of a file with twenty entries.
std::string SoundFile(const Cache& saved) {
  const std::string path = PathOf("sound");
  EXPECT_TRUE(saved.SaveTo(path, 100).ok());
  std::string sound;
  EXPECT_TRUE(ReadFile(path, &sound).ok());
  return sound;
}

TEST(PersistTest, MutatedFilesNeverCrashAndNeverAnswer) {
  Cache saved(PlainOptions());
  const Filled filled(&saved, 20);
  const std::string sound = SoundFile(saved);
  std::mt19937_64 random(3);
  for (int i = 0; i < Mutations(); ++i) {
    const std::string mutated = Mutate(sound, &random);
    if (mutated == sound) continue;
    Cache loaded(PlainOptions());
    EXPECT_FALSE(LoadBytes(mutated, &loaded).ok());
    EXPECT_EQ(Check(loaded, filled, 100), 0);
    EXPECT_EQ(loaded.Stats().entries, 0U);
  }
}

// As a hostile file would have it: the parser is on its own, it may accept what it can read, but not crash.
TEST(PersistTest, MutatedFilesWithAChecksumThatFitsNeverCrash) {
  Cache saved(PlainOptions());
  const Filled filled(&saved, 20);
  const std::string sound = SoundFile(saved);
  std::mt19937_64 random(4);
  for (int i = 0; i < Mutations(); ++i) {
    std::string mutated = Mutate(sound.substr(0, sound.size() - sizeof(Hash128)), &random);
    const Hash128 checksum = HashBytes(mutated);
    mutated.append(reinterpret_cast<const char*>(&checksum), sizeof(checksum));
    Cache loaded(PlainOptions());
    LoadBytes(mutated, &loaded).IgnoreError();
    EXPECT_LE(loaded.Stats().entries, 20U);
  }
}

// A hostile file that is sound in form, but says anything: it must not break the cache that loads it.
TEST(PersistTest, FilesOfHostileEntriesAreLoadedWithoutHarm) {
  std::mt19937_64 random(5);
  const std::string path = PathOf("hostile");
  for (int round = 0; round < 30; ++round) {
    SnapshotWriter writer;
    std::vector<std::string> kept;
    kept.reserve(1000);
    const auto bytes = [&](size_t most) -> std::string_view {
      std::string& text = kept.emplace_back(random() % (most + 1), '\0');
      for (char& c : text) c = static_cast<char>(random() % 3 == 0 ? 0xFF : random());
      return text;
    };
    for (int i = 0; i < 20; ++i) {
      SavedEntry entry;
      entry.name_space = bytes(3);
      for (uint64_t parts = random() % 4; parts > 0; --parts) entry.key.push_back(bytes(5));
      entry.text = bytes(40);
      entry.answer = bytes(10);
      for (uint64_t labels = random() % 4; labels > 0; --labels)
        entry.labels.emplace_back(random(), bytes(2));
      entry.embedding_model = bytes(1);
      entry.compatibility = bytes(1);
      entry.raw_dimension = random() % 40;
      std::string& vector = kept.emplace_back(2 * (entry.raw_dimension + random() % 3), '\0');
      for (char& c : vector) c = static_cast<char>(random() % 4 == 0 ? 0 : random());
      entry.vector = vector;
      entry.stored_nanos = static_cast<int64_t>(random());
      entry.expires_nanos = static_cast<int64_t>(random());
      entry.saved_nano_usd = static_cast<int64_t>(random());
      entry.answer_hash = random();
      entry.hits = random();
      entry.tried = random();
      entry.right = random();
      writer.Add(entry);
    }
    for (int i = 0; i < 3; ++i) writer.Add(SnapshotLearned{bytes(3), bytes(200)});
    ASSERT_TRUE(ReplaceFile(path, writer.Finish()).ok());
    Options options = PlainOptions();
    if (round % 2 == 0) options.classes[0].mode = Mode::kVerified;
    Cache cache(options);
    EXPECT_TRUE(cache.LoadFrom(path, 100).ok());
    const Filled filled(&cache, 30);
    EXPECT_EQ(Check(cache, filled, 30), 30);
  }
}

// The file before verified mode's state was kept in it.
TEST(PersistTest, FilesOfTheFirstVersionAreRead) {
  Cache saved(PlainOptions());
  const Filled filled(&saved);
  const std::string path = PathOf("first_version");
  ASSERT_TRUE(saved.SaveTo(path, 100).ok());
  std::string bytes;
  ASSERT_TRUE(ReadFile(path, &bytes).ok());
  bytes.resize(bytes.size() - sizeof(Hash128) - sizeof(uint32_t));
  bytes[8] = 1;
  const Hash128 checksum = HashBytes(bytes);
  bytes.append(reinterpret_cast<const char*>(&checksum), sizeof(checksum));
  ASSERT_TRUE(ReplaceFile(path, bytes).ok());
  Cache loaded(PlainOptions());
  ASSERT_TRUE(loaded.LoadFrom(path, 100).ok());
  EXPECT_EQ(Check(loaded, filled, 100), 60);
}

TEST(PersistTest, WhatVerifiedModeLearnedGoesOnAfterARestart) {
  Options options = PlainOptions();
  options.classes[0].mode = Mode::kVerified;
  options.verified = {.delta = 0.05, .audit_rate = 0.0};
  const auto ask = [](Cache* cache, int i) {
    // Sixty answers around the circle; every question lies close to the earlier ones with its answer.
    const float angle = static_cast<float>(i % 60) * 0.1F + 0.00001F * static_cast<float>(i);
    const float vector[] = {std::cos(angle), std::sin(angle)};
    const std::string text = std::to_string(i);
    const std::string answer = std::to_string(i % 60);
    const std::string_view key[] = {text};
    Entry entry;
    entry.query.name_space = "tenant";
    entry.query.key = key;
    entry.query.embedding = vector;
    std::string found;
    const Hit hit = cache->Lookup(entry.query, 100, &found);
    entry.answer = answer;
    entry.trial = hit.trial;
    if (hit.kind == Hit::kNone) cache->Store(entry, 100);
    return hit.kind != Hit::kNone;
  };
  Cache saved(options);
  for (int i = 0; i < 1500; ++i) ask(&saved, i);
  const NamespaceStats before = saved.StatsOf("tenant");
  ASSERT_LT(before.least_score, 1.0);
  const std::string path = PathOf("learned");
  ASSERT_TRUE(saved.SaveTo(path, 100).ok());

  Cache loaded(options);
  ASSERT_TRUE(loaded.LoadFrom(path, 100).ok());
  const NamespaceStats after = loaded.StatsOf("tenant");
  EXPECT_EQ(after.judged, before.judged);
  EXPECT_EQ(after.least_score, before.least_score);
  int agree = 0;
  for (int i = 1500; i < 1600; ++i) agree += ask(&saved, i) == ask(&loaded, i);
  EXPECT_EQ(agree, 100);

  // Another stated error: what is known stays, the rule is another.
  options.verified.delta = 0.0001;
  Cache stricter(options);
  ASSERT_TRUE(stricter.LoadFrom(path, 100).ok());
  EXPECT_EQ(stricter.StatsOf("tenant").judged, before.judged);
  EXPECT_FALSE(ask(&stricter, 1500));
}

}  // namespace
}  // namespace purser::cache
