#include "cache/flat_index.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <set>

namespace purser::cache {
namespace {

constexpr size_t kDimension = 128;

class FlatIndexTest : public testing::Test {
 protected:
  ~FlatIndexTest() override {
    for (StoredEntry* record : records_) StoredEntry::Free(record);
  }

  // A random direction, `bias` of it shared by all.
  std::vector<float> Direction(float bias = 0.0F) {
    std::vector<float> v(kDimension);
    for (size_t i = 0; i < v.size(); ++i) v[i] = normal_(random_) + bias * (i % 3 == 0 ? 3.0F : 0.0F);
    return Unit(v);
  }
  static std::vector<float> Unit(std::vector<float> v) {
    float square = 0.0F;
    for (const float x : v) square += x * x;
    for (float& x : v) x /= std::sqrt(square);
    return v;
  }
  // At about the cosine given.
  std::vector<float> Near(const std::vector<float>& v, float cosine) {
    std::vector<float> noise = Direction();
    const float weight = std::sqrt(1.0F - cosine * cosine);
    for (size_t i = 0; i < v.size(); ++i) noise[i] = cosine * v[i] + weight * noise[i];
    return Unit(noise);
  }
  StoredEntry* Make(const std::vector<float>& unit) {
    StoredEntry* record = StoredEntry::Make({.unit = unit});
    record->id = records_.size();
    record->expires_nanos = 100;
    records_.push_back(record);
    return record;
  }
  static double Cosine(const std::vector<float>& unit, const StoredEntry& record) {
    double sum = 0.0;
    for (size_t i = 0; i < unit.size(); ++i) sum += double{unit[i]} * record.scale * record.vector()[i];
    return sum;
  }

  std::mt19937 random_{11};
  std::normal_distribution<float> normal_;
  Epochs epochs_;
  std::vector<StoredEntry*> records_;
};

TEST_F(FlatIndexTest, StoredVectorsKeepTheirCosines) {
  double worst = 0.0;
  for (int i = 0; i < 200; ++i) {
    const std::vector<float> a = Direction();
    const std::vector<float> b = Near(a, 0.9F);
    double exact = 0.0;
    for (size_t j = 0; j < a.size(); ++j) exact += double{a[j]} * b[j];
    worst = std::max(worst, std::fabs(Cosine(a, *Make(b)) - exact));
  }
  EXPECT_LT(worst, 1e-5);
}

// Against the slow, obvious way: compare with everything.
TEST_F(FlatIndexTest, FindsWhatComparingWithEverythingFinds) {
  for (const float bias : {0.0F, 0.6F}) {
    FlatIndex index(kDimension, &epochs_);
    std::vector<StoredEntry*> live;
    int missed = 0;
    int there = 0;
    for (int i = 0; i < 3000; ++i) {
      std::vector<float> unit = Direction(bias);
      if (i % 4 == 0 && !live.empty()) {
        const StoredEntry& other = *live[random_() % live.size()];
        std::vector<float> base(kDimension);
        for (size_t j = 0; j < kDimension; ++j) base[j] = other.scale * other.vector()[j];
        unit = Near(base, 0.92F);
      }
      if (i > 40) {
        double best = -1.0;
        for (const StoredEntry* record : live) best = std::max(best, Cosine(unit, *record));
        Candidate place[2];
        Nearest nearest(place, 0.85F);
        index.Search(unit.data(), 0, &nearest);
        if (best >= 0.851) {
          ++there;
          missed += nearest.size() == 0 || place[0].similarity < best - 1e-4;
        }
        if (best < 0.849) {
          EXPECT_EQ(nearest.size(), 0U);
        }
      }
      StoredEntry* record = Make(unit);
      index.Insert(record);
      live.push_back(record);
      if (i % 3 == 0) {
        const size_t at = random_() % live.size();
        index.Erase(live[at]);
        live[at] = live.back();
        live.pop_back();
      }
      if (i % 64 == 0) epochs_.Reclaim();
    }
    EXPECT_EQ(index.size(), live.size());
    EXPECT_GT(there, 250);
    EXPECT_LE(missed, there / 500) << "of " << there << ", bias " << bias;
  }
}

TEST_F(FlatIndexTest, ExpiredRecordsDoNotCrowdOutLiveOnes) {
  FlatIndex index(kDimension, &epochs_);
  const std::vector<float> wanted = Direction();
  for (int i = 0; i < 500; ++i) {
    StoredEntry* record = Make(wanted);
    record->expires_nanos = i == 250 ? 100 : 10;
    index.Insert(record);
  }
  Candidate place[1];
  Nearest nearest(place, 0.9F);
  index.Search(wanted.data(), 50, &nearest);
  ASSERT_EQ(nearest.size(), 1U);
  EXPECT_EQ(place[0].record->id, 250U);
}

TEST_F(FlatIndexTest, ManyEqualVectorsAreNoTrap) {
  FlatIndex index(kDimension, &epochs_);
  const std::vector<float> wanted = Direction();
  for (int i = 0; i < 3000; ++i) index.Insert(Make(wanted));
  Candidate place[3];
  Nearest nearest(place, 0.9F);
  index.Search(wanted.data(), 0, &nearest);
  EXPECT_EQ(nearest.size(), 3U);
  EXPECT_NEAR(place[0].similarity, 1.0, 1e-5);
}

}  // namespace
}  // namespace purser::cache
