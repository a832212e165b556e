// Readers, writers, evictions, expiry, invalidation, snapshots and graphs at once; for the sanitizers.

#include <gtest/gtest.h>
#include <purser/cache/cache.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

// hnswlib locks its elements in the order of the graph, which is no order at all. One thread builds a graph,
// so nothing can wait for another.
extern "C" const char* __tsan_default_suppressions() { return "deadlock:hnswlib::HierarchicalNSW\n"; }

namespace purser::cache {
namespace {

constexpr int kNamespaces = 3;
constexpr size_t kDimension = 32;

// PURSER_SOAK_SECONDS for the long run.
double Seconds() {
  const char* wanted = std::getenv("PURSER_SOAK_SECONDS");
  return wanted != nullptr ? std::atof(wanted) : 2.0;
}

// A small generator of each thread's own.
struct Dice {
  uint64_t state;
  uint64_t Roll(uint64_t sides) {
    state = state * 6364136223846793005 + 1442695040888963407;
    return (state >> 33) % sides;
  }
};

struct Ask {
  Ask(Dice* dice, uint64_t topics) {
    name_space = "tenant-" + std::to_string(dice->Roll(kNamespaces));
    topic = dice->Roll(topics);
    text = "topic " + std::to_string(topic);
    wording = std::to_string(dice->Roll(4));
    Dice own{topic * 977 + 5};
    for (float& x : vector) x = static_cast<float>(own.Roll(2001)) - 1000.0F;
    vector[0] += static_cast<float>(dice->Roll(50));
    key[0] = text;
    key[1] = wording;
    query.name_space = name_space;
    query.key = key;
    query.text = text;
    query.embedding = vector;
  }
  Ask(const Ask&) = delete;

  std::string name_space;
  uint64_t topic;
  std::string text;
  std::string wording;
  std::string_view key[2];
  float vector[kDimension];
  Query query;
};

// `directory`: where the cache is kept meanwhile; empty: nowhere.
void Soak(IndexKind index, size_t memory, uint64_t topics, const std::string& directory = "") {
  Options options;
  options.classes[0].threshold = 0.95F;
  options.classes[0].ttl_nanos = 5000;
  options.memory_bytes = memory;
  options.index = index;
  options.hnsw_ef_construction = 20;
  options.hnsw_m = 4;
  options.hnsw_front = 100;
  Cache cache(options);
  if (!directory.empty()) {
    ASSERT_TRUE(cache.KeepIn(directory, 0).ok());
  }
  std::atomic<int64_t> now{0};
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> hits{0};
  std::atomic<uint64_t> wrong{0};
  std::vector<std::thread> threads;
  for (uint64_t reader = 0; reader < 8; ++reader) {
    threads.emplace_back([&, reader] {
      Dice dice{reader};
      std::string answer;
      while (!stop.load(std::memory_order_relaxed)) {
        const Ask ask(&dice, topics);
        const int64_t asked_at = now.load();
        const Hit hit = cache.Lookup(ask.query, asked_at, &answer);
        if (hit.kind == Hit::kNone) continue;
        hits.fetch_add(1, std::memory_order_relaxed);
        // An answer says for whom, about what and until when it was made.
        const std::string expected = ask.name_space + "|" + ask.text + "|";
        const bool right =
            answer.starts_with(expected) && std::stoll(answer.substr(expected.size())) > asked_at;
        if (!right) wrong.fetch_add(1, std::memory_order_relaxed);
      }
    });
  }
  for (uint64_t writer = 0; writer < 2; ++writer) {
    threads.emplace_back([&, writer] {
      Dice dice{writer + 100};
      const std::string path = std::string(std::getenv("TEST_TMPDIR")) + "/soak" + std::to_string(writer);
      for (int i = 0; !stop.load(std::memory_order_relaxed); ++i) {
        const Ask ask(&dice, topics);
        const int64_t at = now.fetch_add(1);
        const std::string answer = ask.name_space + "|" + ask.text + "|" + std::to_string(at + 5000);
        const std::string tag = std::to_string(dice.Roll(10));
        const std::string_view tags[] = {tag};
        Entry entry;
        entry.query = ask.query;
        entry.answer = answer;
        entry.tags = tags;
        uint64_t id = 0;
        cache.Store(entry, at, &id);
        if (i % 50 == 0) cache.Invalidate(LabelKind::kTag, tag);
        if (i % 31 == 0) cache.InvalidateId(id);
        if (i % 1000 == 999) {
          EXPECT_TRUE(cache.SaveTo(path, at).ok());
          if (!directory.empty()) {
            EXPECT_TRUE(cache.Keep(at).ok());
          }
        }
        if (i % 3000 == 2999) {
          EXPECT_TRUE(cache.LoadFrom(path, at).ok());
        }
        EXPECT_LE(cache.Stats().bytes, options.memory_bytes);
      }
    });
  }
  std::this_thread::sleep_for(std::chrono::duration<double>(Seconds()));
  stop.store(true);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong.load(), 0U);
  EXPECT_GT(hits.load(), 0U);
}

TEST(CacheSoakTest, FlatUnderEvictions) { Soak(IndexKind::kFlat, size_t{300} << 10, 300); }

// Enough for several full blocks of sketches in each index.
TEST(CacheSoakTest, LargeFlatIndexesUnderEvictions) { Soak(IndexKind::kFlat, size_t{4} << 20, 3'000); }

TEST(CacheSoakTest, KeptInADirectory) {
  Soak(IndexKind::kFlat, size_t{1} << 20, 500, std::string(std::getenv("TEST_TMPDIR")) + "/kept");
}

TEST(CacheSoakTest, GraphsBeingBuilt) { Soak(IndexKind::kHnsw, size_t{4} << 20, 3'000); }

}  // namespace
}  // namespace purser::cache
