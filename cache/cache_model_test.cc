// The cache against a slow model that knows what may be answered, and against hostile ids.

#include <gtest/gtest.h>
#include <purser/cache/cache.h>

#include <cmath>
#include <cstdlib>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "cache/pointer_table.h"

namespace purser::cache {
namespace {

// PURSER_CACHE_OPERATIONS=1000000 for the long run.
int Operations() {
  const char* wanted = std::getenv("PURSER_CACHE_OPERATIONS");
  return wanted != nullptr ? std::atoi(wanted) : 40'000;
}

struct Kept {
  int64_t expires;
  std::string tag;
  std::string name_space;
  std::string text;
  std::vector<float> vector;
};

class Game {
 public:
  explicit Game(size_t memory) : cache_(MakeOptions(memory)) {}

  void Play(int operations) {
    for (int i = 0; i < operations; ++i) {
      const uint64_t what = random_() % 100;
      now_ += static_cast<int64_t>(random_() % 3);
      if (what < 40) {
        Store();
      } else if (what < 97) {
        LookUp();
      } else if (what < 98) {
        const std::string tag = Tag();
        cache_.Invalidate(LabelKind::kTag, tag);
        std::erase_if(kept_, [&tag](const auto& entry) { return entry.second.tag == tag; });
      } else if (!kept_.empty()) {
        const auto any = kept_.lower_bound(random_() % (next_ + 1));
        if (any != kept_.end()) {
          cache_.InvalidateId(any->first);
          EXPECT_FALSE(cache_.InvalidateId(any->first));
          kept_.erase(any);
        }
      }
      ASSERT_LE(cache_.Stats().bytes, cache_.options().memory_bytes);
      if (testing::Test::HasFailure()) return;
    }
    EXPECT_GT(hits_, operations / 50);
  }

 private:
  static Options MakeOptions(size_t memory) {
    Options options;
    options.classes[0].threshold = 0.9F;
    options.classes[0].ttl_nanos = 2000;
    options.memory_bytes = memory;
    options.background = false;
    return options;
  }
  std::string Tag() { return "tag" + std::to_string(random_() % 20); }
  std::string NameSpace() { return "tenant/" + std::to_string(random_() % 4); }
  std::string Text() {
    return (random_() % 2 == 0 ? "pay " : "do not pay ") + std::to_string(random_() % 40);
  }
  std::vector<float> Vector() {
    const auto angle = static_cast<float>(random_() % 360) * 0.0175F;
    return {std::cos(angle), std::sin(angle), 0.3F};
  }

  void Store() {
    const std::string name_space = NameSpace();
    const std::string text = Text();
    const std::string tag = Tag();
    const std::string unique = text + "#" + std::to_string(random_() % 30);
    const std::string answer = std::to_string(next_);
    const std::vector<float> vector = Vector();
    const std::string_view key[] = {"s", unique};
    const std::string_view tags[] = {tag};
    Entry entry;
    entry.query.name_space = name_space;
    entry.query.key = key;
    entry.query.text = text;
    entry.query.embedding = vector;
    entry.answer = answer;
    entry.tags = tags;
    entry.ttl_nanos = 1 + static_cast<int64_t>(random_() % 3000);
    entry.saved_nano_usd = static_cast<int64_t>(random_() % 1000);
    uint64_t id = 0;
    const StoreResult result = cache_.Store(entry, now_, &id);
    if (result != StoreResult::kStored && result != StoreResult::kReplaced) return;
    // The same request's earlier entry is gone.
    std::erase_if(kept_, [&](const auto& old) {
      return old.second.name_space == name_space && key_of_[old.first] == unique;
    });
    kept_[id] = {now_ + std::min<int64_t>(entry.ttl_nanos, 2000), tag, name_space, text, vector};
    key_of_[id] = unique;
    answers_[answer] = id;
    ++next_;
  }

  void LookUp() {
    const std::string name_space = NameSpace();
    const std::string text = Text();
    const std::string unique = text + "#" + std::to_string(random_() % 30);
    const std::vector<float> vector = Vector();
    const std::string_view key[] = {"s", unique};
    Query query;
    query.name_space = name_space;
    query.key = key;
    query.text = text;
    query.embedding = vector;
    std::string answer;
    const Hit hit = cache_.Lookup(query, now_, &answer);
    if (hit.kind == Hit::kNone) return;
    ++hits_;
    const auto found = kept_.find(hit.entry_id);
    ASSERT_NE(found, kept_.end()) << "an entry that has left";
    const Kept& kept = found->second;
    EXPECT_EQ(answers_[answer], hit.entry_id);
    EXPECT_EQ(kept.name_space, name_space);
    EXPECT_LT(now_, kept.expires);
    if (hit.kind == Hit::kExact) {
      EXPECT_EQ(key_of_[hit.entry_id], unique);
      return;
    }
    // The texts differ in nothing but number and negation: guards let only equal ones through.
    EXPECT_EQ(kept.text, text);
    double dot = 0.0;
    double a = 0.0;
    double b = 0.0;
    for (size_t i = 0; i < vector.size(); ++i) {
      dot += double{vector[i]} * kept.vector[i];
      a += double{vector[i]} * vector[i];
      b += double{kept.vector[i]} * kept.vector[i];
    }
    EXPECT_NEAR(hit.similarity, dot / std::sqrt(a * b), 1e-4);
    EXPECT_GE(hit.similarity, 0.9F);
  }

  std::mt19937_64 random_{17};
  Cache cache_;
  int64_t now_ = 0;
  uint64_t next_ = 0;
  int hits_ = 0;
  std::map<uint64_t, Kept> kept_;
  std::map<uint64_t, std::string> key_of_;
  std::map<std::string, uint64_t> answers_;
};

TEST(CacheModelTest, EveryAnswerIsOneThatMayBeGiven) { Game(size_t{4} << 20).Play(Operations()); }

TEST(CacheModelTest, EveryAnswerIsOneThatMayBeGivenWhileEntriesAreEvicted) {
  Game(size_t{120} << 10).Play(Operations());
}

std::string HostileId(std::mt19937_64* random) {
  static const std::vector<std::string> kPieces = {"a",        "b",
                                                   "/",        "//",
                                                   ":",        "|",
                                                   "\n",       std::string(1, '\0'),
                                                   "{tenant}", "%2F",
                                                   "\xFF",     "\xC3\xA9",
                                                   " ",        std::string(300, 'a'),
                                                   "..",       "\x01"};
  std::string id;
  for (uint64_t i = (*random)() % 4; i > 0; --i) id += kPieces[(*random)() % kPieces.size()];
  return id;
}

TEST(CacheModelTest, NothingCrossesANamespaceWhateverTheIdsAre) {
  std::mt19937_64 random(23);
  Options options;
  options.classes[0].threshold = 0.9F;
  options.background = false;
  Cache cache(options);
  std::map<std::string, std::set<std::string>> answers;  // By namespace.
  const float vector[] = {1.0F, 0.0F};
  int hits = 0;
  for (int i = 0; i < 20'000; ++i) {
    const std::string name_space = HostileId(&random);
    const std::string part = HostileId(&random);
    const std::string compatibility = random() % 4 == 0 ? HostileId(&random) : "";
    const std::string_view key[] = {part, compatibility};
    Query query;
    query.name_space = name_space;
    query.key = key;
    query.compatibility = compatibility;
    if (random() % 2 == 0) query.embedding = vector;
    std::string answer;
    if (cache.Lookup(query, 0, &answer).kind != Hit::kNone) {
      ++hits;
      ASSERT_TRUE(answers[name_space].contains(answer));
      continue;
    }
    if (random() % 4 != 0) continue;
    answer = std::to_string(i);
    Entry entry;
    entry.query = query;
    entry.answer = answer;
    cache.Store(entry, 0);
    answers[name_space].insert(answer);
  }
  EXPECT_GT(hits, 1000);
}

TEST(CacheModelTest, HashTwinsStayApart) {
  struct Element {
    Hash128 hash;
    int value;
  };
  Epochs epochs;
  PointerTable<Element> table(&epochs);
  std::vector<Element> elements;
  for (int i = 0; i < 500; ++i) elements.push_back({{7, 7}, i});
  for (Element& element : elements) table.Put(&element, nullptr);
  for (int i = 0; i < 500; i += 3) table.Remove(&elements[static_cast<size_t>(i)]);
  for (int i = 0; i < 500; ++i) {
    const Element* found = table.Find({7, 7}, [i](const Element& element) { return element.value == i; });
    EXPECT_EQ(found, i % 3 == 0 ? nullptr : &elements[static_cast<size_t>(i)]);
  }
}

}  // namespace
}  // namespace purser::cache
