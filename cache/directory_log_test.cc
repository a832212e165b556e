#include <gtest/gtest.h>
#include <purser/cache/cache.h>
#include <sys/resource.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <string>

#include "cache/file.h"

namespace purser::cache {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kNow = 100;

Options PlainOptions() {
  Options options;
  options.classes[0].ttl_nanos = 1'000'000;
  options.background = false;
  return options;
}

std::string Fresh(const std::string& name) {
  const std::string directory = std::string(std::getenv("TEST_TMPDIR")) + "/" + name;
  fs::remove_all(directory);
  return directory;
}

// What a process that died at this instant leaves behind.
std::string Copy(const std::string& directory, const std::string& to) {
  const std::string copy = Fresh(to);
  fs::copy(directory, copy, fs::copy_options::recursive);
  return copy;
}

struct Asked {
  explicit Asked(int number)
      : text("question " + std::to_string(number)),
        part(text),
        name_space("tenant " + std::to_string(number % 3)) {
    query.name_space = name_space;
    query.key = {&part, 1};
    query.text = text;
    query.embedding = vector;
    query.embedding_model = "e";
    vector[number % 8] = 1.0F;
    vector[8] = 0.1F * static_cast<float>(number);
  }
  Asked(const Asked&) = delete;
  std::string text;
  std::string_view part;
  std::string name_space;
  float vector[9] = {};
  Query query;
};

void Store(Cache* cache, int number, const std::string& answer, int64_t now = kNow) {
  const Asked asked(number);
  const std::string tag = "tag " + std::to_string(number % 5);
  const std::string_view tags[] = {tag};
  Entry entry;
  entry.query = asked.query;
  entry.answer = answer;
  entry.tags = tags;
  ASSERT_NE(cache->Store(entry, now), StoreResult::kTooLarge);
}

// By number; what is not there is left out.
std::map<int, std::string> AnswersOf(const Cache& cache, int numbers, int64_t now = kNow) {
  std::map<int, std::string> answers;
  for (int number = 0; number < numbers; ++number) {
    std::string answer;
    if (cache.Lookup(Asked(number).query, now, &answer).kind == Hit::kExact) answers[number] = answer;
  }
  return answers;
}

TEST(KeepTest, ADeadProcessLosesNothingAndNothingComesBack) {
  constexpr int kNumbers = 40;
  std::mt19937 random(7);
  const std::string directory = Fresh("killed");
  auto cache = std::make_unique<Cache>(PlainOptions());
  ASSERT_TRUE(cache->KeepIn(directory, kNow).ok());
  for (int step = 0; step < 600; ++step) {
    const int number = static_cast<int>(random() % kNumbers);
    const auto what = random() % 100;
    if (what < 70) {
      Store(cache.get(), number, "answer of step " + std::to_string(step));
    } else if (what < 80) {
      std::string answer;
      const Hit hit = cache->Lookup(Asked(number).query, kNow, &answer);
      if (hit.kind == Hit::kExact) cache->InvalidateId(hit.entry_id);
    } else if (what < 86) {
      cache->Invalidate(LabelKind::kTag, "tag " + std::to_string(random() % 5));
    } else if (what < 88) {
      cache->Invalidate(LabelKind::kNamespace, "tenant " + std::to_string(random() % 3));
    } else if (what < 89) {
      cache->Clear();
    } else if (what < 92) {
      ASSERT_TRUE(cache->Keep(kNow).ok());
    }
    if (step % 10 != 9) continue;
    Cache again(PlainOptions());
    ASSERT_TRUE(again.KeepIn(Copy(directory, "copy"), kNow).ok());
    ASSERT_EQ(AnswersOf(again, kNumbers), AnswersOf(*cache, kNumbers)) << "after step " << step;
    if (step % 100 != 99) continue;
    cache = std::make_unique<Cache>(PlainOptions());  // The process starts again.
    ASSERT_TRUE(cache->KeepIn(directory, kNow).ok());
    ASSERT_EQ(AnswersOf(*cache, kNumbers), AnswersOf(again, kNumbers));
  }
}

TEST(KeepTest, EntriesStillExpireAndAreFoundBySimilarityAfterwards) {
  const std::string directory = Fresh("expire");
  {
    Cache cache(PlainOptions());
    ASSERT_TRUE(cache.KeepIn(directory, kNow).ok());
    Store(&cache, 1, "one");
  }
  Cache cache(PlainOptions());
  ASSERT_TRUE(cache.KeepIn(directory, kNow).ok());
  Asked near(1);
  const std::string_view other[] = {"other words"};
  near.query.key = other;
  std::string answer;
  EXPECT_EQ(cache.Lookup(near.query, kNow, &answer).kind, Hit::kSemantic);
  EXPECT_EQ(answer, "one");
  EXPECT_EQ(cache.Lookup(near.query, kNow + 1'000'000, &answer).kind, Hit::kNone);
}

TEST(KeepTest, ASnapshotMayBeInterruptedAnywhere) {
  const std::string directory = Fresh("interrupted");
  Cache cache(PlainOptions());
  ASSERT_TRUE(cache.KeepIn(directory, kNow).ok());
  for (int i = 0; i < 10; ++i) Store(&cache, i, "old");
  ASSERT_TRUE(cache.Keep(kNow).ok());
  for (int i = 0; i < 5; ++i) Store(&cache, i, "new");
  cache.Invalidate(LabelKind::kTag, "tag 2");
  Store(&cache, 7, "newest");
  const std::map<int, std::string> expected = AnswersOf(cache, 10);
  const std::string before = Copy(directory, "before");
  ASSERT_TRUE(cache.Keep(kNow).ok());

  // The log was renamed and a new one begun, but the snapshot was not written.
  const std::string rotated = Copy(before, "rotated");
  fs::rename(rotated + "/cache.log", rotated + "/cache.older");
  // It was renamed only.
  const std::string renamed = Copy(rotated, "renamed");
  fs::copy_file(directory + "/cache.log", rotated + "/cache.log");
  // The snapshot was written, but the older changes are still there.
  const std::string written = Copy(rotated, "written");
  fs::copy_file(directory + "/cache.snapshot", written + "/cache.snapshot",
                fs::copy_options::overwrite_existing);
  for (const std::string& left : {before, rotated, renamed, written}) {
    Cache again(PlainOptions());
    ASSERT_TRUE(again.KeepIn(left, kNow).ok());
    EXPECT_EQ(AnswersOf(again, 10), expected) << left;
    Store(&again, 3, "later");
    ASSERT_TRUE(again.Keep(kNow).ok());
    const std::map<int, std::string> later = AnswersOf(again, 10);
    again.StopKeeping();
    Cache last(PlainOptions());
    ASSERT_TRUE(last.KeepIn(left, kNow).ok());
    EXPECT_EQ(AnswersOf(last, 10), later) << left;
  }
}

TEST(KeepTest, AnUnfinishedChangeIsLeftOut) {
  const std::string directory = Fresh("torn");
  {
    Cache cache(PlainOptions());
    ASSERT_TRUE(cache.KeepIn(directory, kNow).ok());
    for (int i = 0; i < 4; ++i) Store(&cache, i, "answer");
  }
  std::string log;
  ASSERT_TRUE(ReadFile(directory + "/cache.log", &log).ok());
  size_t last = 0;
  for (size_t size = 0; size <= log.size(); size += size < 200 || size + 30 > log.size() ? 1 : 5) {
    const std::string copy = Copy(directory, "torn copy");
    fs::resize_file(copy + "/cache.log", size);
    Cache cache(PlainOptions());
    ASSERT_TRUE(cache.KeepIn(copy, kNow).ok());
    const size_t found = AnswersOf(cache, 4).size();
    EXPECT_TRUE(found == last || found == last + 1) << "cut at " << size;
    last = found;
    Store(&cache, 5, "after");
    cache.StopKeeping();
    Cache again(PlainOptions());
    ASSERT_TRUE(again.KeepIn(copy, kNow).ok());
    EXPECT_EQ(AnswersOf(again, 6).size(), found + 1) << "appended behind what was whole";
  }
  EXPECT_EQ(last, 4U);
}

// The last change is an invalidation: whatever happens to the bytes, what it took out does not come back,
// unless it is the one that was never finished.
TEST(KeepTest, DamageInTheLogIsNoticed) {
  const std::string directory = Fresh("damage");
  {
    Cache cache(PlainOptions());
    ASSERT_TRUE(cache.KeepIn(directory, kNow).ok());
    for (int i = 0; i < 5; ++i) Store(&cache, i, "answer");
    ASSERT_TRUE(cache.Keep(kNow).ok());
    for (int i = 0; i < 5; ++i) Store(&cache, i, "better");
    cache.Invalidate(LabelKind::kTag, "tag 2");
    Store(&cache, 4, "best");
  }
  const std::map<int, std::string> whole = {{0, "better"}, {1, "better"}, {3, "better"}, {4, "best"}};
  const std::map<int, std::string> without_last = {
      {0, "better"}, {1, "better"}, {3, "better"}, {4, "better"}};
  std::string log;
  ASSERT_TRUE(ReadFile(directory + "/cache.log", &log).ok());
  int refused = 0;
  for (size_t at = 0; at < log.size(); at += at < 200 ? 1 : 5) {
    const std::string copy = Copy(directory, "damage copy");
    std::string damaged = log;
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << (at % 8)));
    std::ofstream(copy + "/cache.log", std::ios::binary) << damaged;
    Cache cache(PlainOptions());
    const absl::Status kept = cache.KeepIn(copy, kNow);
    const std::map<int, std::string> answers = AnswersOf(cache, 5);
    if (kept.ok()) {
      EXPECT_EQ(answers, without_last) << "byte " << at;
      continue;
    }
    ++refused;
    EXPECT_TRUE(answers.empty());
    EXPECT_EQ(fs::exists(copy + "/cache.log.damaged"), absl::IsDataLoss(kept));
    if (!absl::IsDataLoss(kept)) continue;
    // From now on it is kept again.
    Store(&cache, 1, "again");
    cache.StopKeeping();
    Cache again(PlainOptions());
    EXPECT_TRUE(again.KeepIn(copy, kNow).ok());
    EXPECT_EQ(AnswersOf(again, 5).size(), 1U);
  }
  EXPECT_GT(refused, 0);
  Cache cache(PlainOptions());
  ASSERT_TRUE(cache.KeepIn(directory, kNow).ok());
  EXPECT_EQ(AnswersOf(cache, 5), whole);
}

TEST(KeepTest, OneDirectoryKeepsOneCache) {
  const std::string directory = Fresh("shared");
  Cache first(PlainOptions());
  ASSERT_TRUE(first.KeepIn(directory, kNow).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(first.KeepIn(Fresh("other"), kNow)));
  Cache second(PlainOptions());
  EXPECT_TRUE(absl::IsUnavailable(second.KeepIn(directory, kNow)));
  EXPECT_TRUE(absl::IsFailedPrecondition(second.Keep(kNow)));
  Store(&first, 1, "one");
  first.StopKeeping();
  Store(&first, 2, "two");
  ASSERT_TRUE(second.KeepIn(directory, kNow).ok());
  EXPECT_EQ(AnswersOf(second, 5).size(), 1U);
}

TEST(KeepTest, FilesOfAnotherKindAreLeftAlone) {
  for (const char* name : {"/cache.log", "/cache.snapshot"}) {
    const std::string directory = Fresh("foreign");
    fs::create_directories(directory);
    ASSERT_TRUE(ReplaceFile(directory + name, "a diary, not a cache").ok());
    Cache cache(PlainOptions());
    EXPECT_TRUE(absl::IsFailedPrecondition(cache.KeepIn(directory, kNow)));
    Store(&cache, 1, "one");
    std::string bytes;
    ASSERT_TRUE(ReadFile(directory + name, &bytes).ok());
    EXPECT_EQ(bytes, "a diary, not a cache");
  }
}

TEST(KeepTest, AFullDiskCostsWhatWasKeptNotItsCorrectness) {
  const std::string directory = Fresh("full");
  Cache cache(PlainOptions());
  ASSERT_TRUE(cache.KeepIn(directory, kNow).ok());
  Store(&cache, 1, "one");
  ASSERT_TRUE(cache.Keep(kNow).ok());
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, SIG_IGN);
  const rlimit full{20, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &full), 0);
  cache.Invalidate(LabelKind::kTag, "tag 1");
  Store(&cache, 2, "two");
  const std::string copy = Copy(directory, "full copy");
  EXPECT_FALSE(cache.Keep(kNow).ok());
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  {
    Cache again(PlainOptions());
    ASSERT_TRUE(again.KeepIn(copy, kNow).ok());
    EXPECT_TRUE(AnswersOf(again, 5).empty()) << "what was invalidated must not come back";
  }
  ASSERT_TRUE(cache.Keep(kNow).ok()) << "once there is room, it is kept again";
  Store(&cache, 3, "three");
  cache.StopKeeping();
  Cache again(PlainOptions());
  ASSERT_TRUE(again.KeepIn(directory, kNow).ok());
  EXPECT_EQ(AnswersOf(again, 5), (std::map<int, std::string>{{2, "two"}, {3, "three"}}));
}

}  // namespace
}  // namespace purser::cache
