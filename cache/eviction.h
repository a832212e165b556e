#ifndef PURSER_CACHE_EVICTION_H_
#define PURSER_CACHE_EVICTION_H_

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "cache/stored_entry.h"

namespace purser::cache {

// A binary heap with the least `Key` on top, whose elements know their place and so can be taken out
// anywhere.
template <auto Key, auto Position>
class RecordHeap {
 public:
  bool empty() const { return heap_.empty(); }
  size_t size() const { return heap_.size(); }
  StoredEntry* top() const { return heap_.front(); }
  StoredEntry* at(size_t i) const { return heap_[i]; }
  size_t bytes() const { return heap_.size() * sizeof(StoredEntry*); }

  void Push(StoredEntry* record) {
    heap_.push_back(record);
    Up(heap_.size() - 1);
  }
  void Remove(StoredEntry* record) {
    const size_t hole = record->*Position;
    StoredEntry* last = heap_.back();
    heap_.pop_back();
    if (last == record) return;
    heap_[hole] = last;
    last->*Position = static_cast<uint32_t>(hole);
    Update(last);
  }
  // After the key has changed.
  void Update(StoredEntry* record) {
    Up(record->*Position);
    Down(record->*Position);
  }

 private:
  void Up(size_t i) {
    StoredEntry* record = heap_[i];
    for (; i > 0 && record->*Key < heap_[(i - 1) / 2]->*Key; i = (i - 1) / 2) Put(heap_[(i - 1) / 2], i);
    Put(record, i);
  }
  void Down(size_t i) {
    StoredEntry* record = heap_[i];
    while (2 * i + 1 < heap_.size()) {
      size_t child = 2 * i + 1;
      if (child + 1 < heap_.size() && heap_[child + 1]->*Key < heap_[child]->*Key) ++child;
      if (!(heap_[child]->*Key < record->*Key)) break;
      Put(heap_[child], i);
      i = child;
    }
    Put(record, i);
  }
  void Put(StoredEntry* record, size_t i) {
    heap_[i] = record;
    record->*Position = static_cast<uint32_t>(i);
  }

  std::vector<StoredEntry*> heap_;
};

// Which entry goes first when room is needed: one that has expired; else the one whose worth is least, where
// worth is inflation + saved cost * (1 + hits) / bytes, and the inflation is that of the entry's last use
// (GreedyDual-Size-Frequency, Cherkasova 1998). The inflation rises to the worth of what was evicted, so that
// entries nobody asks for any more go in time, however expensive they were.
//
// Calls are serialised by the caller, but for Used and inflation.
class Eviction {
 public:
  void Add(StoredEntry* record) {
    Used(*record);
    record->worth = Worth(*record);
    by_worth_.Push(record);
    by_expiry_.Push(record);
  }
  void Remove(StoredEntry* record) {
    by_worth_.Remove(record);
    by_expiry_.Remove(record);
  }

  // From any thread: notes a hit.
  void Used(StoredEntry& record) const {
    record.touched.store(inflation_.load(std::memory_order_relaxed), std::memory_order_relaxed);
  }

  // Not null unless there are no entries.
  StoredEntry* NextVictim(int64_t now_nanos) {
    if (by_worth_.empty()) return nullptr;
    if (by_expiry_.top()->expires_nanos <= now_nanos) return by_expiry_.top();
    // Hits only raise a worth, and are noticed here: whoever is on top with a stale worth sinks.
    for (;;) {
      StoredEntry* record = by_worth_.top();
      const double worth = Worth(*record);
      if (worth <= record->worth) {
        inflation_.store(record->worth, std::memory_order_relaxed);
        return record;
      }
      record->worth = worth;
      by_worth_.Update(record);
    }
  }

  // The one that expires first, if it has expired; else null.
  StoredEntry* NextExpired(int64_t now_nanos) const {
    if (by_expiry_.empty() || by_expiry_.top()->expires_nanos > now_nanos) return nullptr;
    return by_expiry_.top();
  }

  // Round-robin over all entries, for sweeping. Null if there are none.
  StoredEntry* NextToSweep() {
    if (by_worth_.empty()) return nullptr;
    return by_worth_.at(hand_++ % by_worth_.size());
  }

  size_t size() const { return by_worth_.size(); }
  size_t bytes() const { return by_worth_.bytes() + by_expiry_.bytes(); }
  template <typename Visit>
  void ForEach(const Visit& visit) const {
    for (size_t i = 0; i < by_worth_.size(); ++i) visit(by_worth_.at(i));
  }

 private:
  static double Worth(const StoredEntry& record) {
    const double saved = static_cast<double>(std::max<int64_t>(record.saved_nano_usd, 1));
    const double uses = 1.0 + record.hits.load(std::memory_order_relaxed);
    return record.touched.load(std::memory_order_relaxed) +
           saved * uses / static_cast<double>(record.bytes());
  }

  RecordHeap<&StoredEntry::worth, &StoredEntry::worth_position> by_worth_;
  RecordHeap<&StoredEntry::expires_nanos, &StoredEntry::expiry_position> by_expiry_;
  std::atomic<double> inflation_{0.0};
  size_t hand_ = 0;
};

}  // namespace purser::cache

#endif  // PURSER_CACHE_EVICTION_H_
