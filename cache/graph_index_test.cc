#include "cache/graph_index.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <unordered_map>

namespace purser::cache {
namespace {

constexpr size_t kDimension = 64;

class GraphIndexTest : public testing::Test {
 protected:
  ~GraphIndexTest() override {
    for (StoredEntry* record : records_) StoredEntry::Free(record);
  }

  std::vector<float> Unit(std::vector<float> v) {
    float square = 0.0F;
    for (const float x : v) square += x * x;
    for (float& x : v) x /= std::sqrt(square);
    return v;
  }
  std::vector<float> Direction() {
    std::vector<float> v(kDimension);
    for (float& x : v) x = normal_(random_);
    return Unit(v);
  }
  std::vector<float> Near(const StoredEntry& record, float cosine) {
    std::vector<float> v = Direction();
    for (size_t i = 0; i < kDimension; ++i) {
      v[i] = cosine * record.scale * record.vector()[i] + std::sqrt(1.0F - cosine * cosine) * v[i];
    }
    return Unit(v);
  }
  StoredEntry* Make() {
    const std::vector<float> unit = Direction();
    StoredEntry* record = StoredEntry::Make({.unit = unit});
    record->id = records_.size();
    record->expires_nanos = 100;
    records_.push_back(record);
    return record;
  }
  void Take(GraphIndex* index, const std::vector<StoredEntry*>& fresh) {
    auto merge = index->Begin(fresh);
    ASSERT_TRUE(index->Run(merge.get(), stop_));
    index->Publish(
        merge.get(),
        [this](uint64_t id) { return gone_.contains(id) ? nullptr : records_[static_cast<size_t>(id)]; },
        [](StoredEntry*) {});
  }
  // How many of the records, asked for by a paraphrase, are found.
  int Found(const GraphIndex& index, const std::vector<StoredEntry*>& wanted, bool one_is_enough) {
    int found = 0;
    for (const StoredEntry* record : wanted) {
      Candidate place[4];
      Nearest nearest(place, 0.85F);
      index.Search(Near(*record, 0.93F).data(), 0, one_is_enough, &nearest);
      found += nearest.size() > 0 && place[0].record == record;
    }
    return found;
  }

  std::mt19937 random_{5};
  std::normal_distribution<float> normal_;
  std::atomic<bool> stop_{false};
  Epochs epochs_;
  std::vector<StoredEntry*> records_;
  std::unordered_map<uint64_t, bool> gone_;
};

TEST_F(GraphIndexTest, FindsParaphrasesAfterCopyingAndAfterRebuilding) {
  GraphIndex index(kDimension, {}, &epochs_);
  Candidate place[1];
  Nearest none(place, 0.5F);
  index.Search(Direction().data(), 0, true, &none);
  EXPECT_EQ(none.size(), 0U);

  std::vector<StoredEntry*> all;
  for (int batch = 0; batch < 3; ++batch) {
    std::vector<StoredEntry*> fresh;
    for (int i = 0; i < 700; ++i) fresh.push_back(Make());
    Take(&index, fresh);
    all.insert(all.end(), fresh.begin(), fresh.end());
    EXPECT_EQ(index.size(), all.size());
    EXPECT_GE(Found(index, all, true), static_cast<int>(all.size() * 995 / 1000));
    EXPECT_GE(Found(index, all, false), static_cast<int>(all.size() * 995 / 1000));
    epochs_.Reclaim();
  }
  std::vector<StoredEntry*> left;
  for (size_t i = 0; i < all.size(); ++i) {
    if (i % 2 == 0) {
      index.Erase(all[i]);
      gone_[all[i]->id] = true;
    } else {
      left.push_back(all[i]);
    }
  }
  EXPECT_EQ(index.dead(), all.size() / 2);
  EXPECT_GE(Found(index, left, true), static_cast<int>(left.size() * 99 / 100));
  const size_t before = index.bytes();
  Take(&index, {Make()});
  EXPECT_EQ(index.dead(), 0U);
  EXPECT_LT(index.bytes(), before);
  EXPECT_GE(Found(index, left, true), static_cast<int>(left.size() * 995 / 1000));
}

TEST_F(GraphIndexTest, WhatLeavesDuringAMergeIsNotTakenUp) {
  GraphIndex index(kDimension, {}, &epochs_);
  std::vector<StoredEntry*> fresh;
  for (int i = 0; i < 50; ++i) fresh.push_back(Make());
  auto merge = index.Begin(fresh);
  ASSERT_TRUE(index.Run(merge.get(), stop_));
  gone_[7] = true;
  int moved = 0;
  index.Publish(
      merge.get(),
      [this](uint64_t id) { return gone_.contains(id) ? nullptr : records_[static_cast<size_t>(id)]; },
      [&moved](StoredEntry*) { ++moved; });
  EXPECT_EQ(moved, 49);
  EXPECT_EQ(index.size(), 49U);
  EXPECT_EQ(Found(index, {fresh[7]}, false), 0);
  EXPECT_EQ(Found(index, {fresh[8]}, false), 1);
  EXPECT_TRUE(fresh[8]->in_graph);
  EXPECT_EQ(fresh[8]->slot, 8U);
}

TEST_F(GraphIndexTest, AStoppedMergeChangesNothing) {
  GraphIndex index(kDimension, {}, &epochs_);
  Take(&index, {Make(), Make()});
  auto merge = index.Begin({Make()});
  stop_ = true;
  EXPECT_FALSE(index.Run(merge.get(), stop_));
  EXPECT_EQ(index.size(), 2U);
}

}  // namespace
}  // namespace purser::cache
