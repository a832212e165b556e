// Building graphs, away from readers and writers.

#include <algorithm>
#include <vector>

#include "cache/cache_impl.h"

namespace purser::cache {

bool Cache::Impl::MergeDue(const Partition& partition) const {
  const size_t waiting = partition.flat.size();
  const size_t in_graph = partition.graph.size();
  const size_t dead = partition.graph.dead();
  if (dead > options_.hnsw_front && dead > in_graph) return true;
  if (in_graph > 0) return waiting >= std::max(options_.hnsw_front, in_graph / 16);
  switch (options_.index) {
    case IndexKind::kFlat:
      return false;
    case IndexKind::kHnsw:
      return waiting >= options_.hnsw_front;
    case IndexKind::kAuto:
      break;
  }
  return waiting >= options_.hnsw_from;
}

void Cache::Impl::WakeBuilder() {
  if (!options_.background) return;
  work_ = true;
  if (!builder_.joinable()) builder_ = std::thread([this] { BuilderLoop(); });
  wake_.notify_one();
}

void Cache::Impl::StopBuilder() {
  {
    const std::lock_guard lock(mutex_);
    stop_.store(true);
  }
  wake_.notify_one();
  if (builder_.joinable()) builder_.join();
}

void Cache::Impl::BuilderLoop() {
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return work_ || stop_.load(); });
      work_ = false;
    }
    if (stop_.load()) return;
    BuildGraphs();
    KeepIfDue();
  }
}

void Cache::Impl::BuildGraphs() {
  const std::lock_guard one_at_a_time(building_);
  while (!stop_.load()) {
    Partition* partition = NextToMerge();
    if (partition == nullptr) return;
    MergeOne(partition);
  }
}

// Marks it, so that it stays although it may become empty.
Partition* Cache::Impl::NextToMerge() {
  const std::lock_guard lock(mutex_);
  Partition* due = nullptr;
  partitions_.ForEach([&](Partition* partition) {
    if (due == nullptr && MergeDue(*partition)) due = partition;
  });
  if (due != nullptr) due->merging = true;
  return due;
}

void Cache::Impl::MergeOne(Partition* partition) {
  std::unique_lock lock(mutex_);
  std::vector<StoredEntry*> fresh;
  fresh.reserve(partition->flat.size());
  partition->flat.ForEach([&fresh](StoredEntry* record) { fresh.push_back(record); });
  const auto merge = partition->graph.Begin(fresh);
  merging_bytes_.store(partition->graph.bytes() + fresh.size() * 1024, std::memory_order_relaxed);
  lock.unlock();

  const bool done = partition->graph.Run(merge.get(), stop_);

  lock.lock();
  merging_bytes_.store(0, std::memory_order_relaxed);
  if (done) {
    partition->graph.Publish(
        merge.get(),
        [this](uint64_t id) {
          const auto found = by_id_.find(id);
          return found == by_id_.end() ? nullptr : found->second;
        },
        [partition](StoredEntry* record) { partition->flat.Erase(record); });
  }
  partition->merging = false;
  CountPartition(partition);
  Namespace* name_space = partition->name_space;
  DropIfEmpty(partition);
  DropIfEmpty(name_space);
  epochs_.Reclaim();
}

}  // namespace purser::cache
