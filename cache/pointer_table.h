#ifndef PURSER_CACHE_POINTER_TABLE_H_
#define PURSER_CACHE_POINTER_TABLE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "cache/epoch.h"
#include "cache/hash.h"

namespace purser::cache {

// A hash table of pointers that readers search without locks while one writer changes it. Open addressing
// with linear probing; a removed slot keeps a tombstone until the table is rebuilt.
//
// T has a constant member `Hash128 hash`. Find asks `same(const T&)` of every element with an equal hash, so
// that equal hashes of different keys stay different. Readers hold a Guard of `epochs`; Put and Remove are
// serialised by the caller, who also retires the elements themselves.
template <typename T>
class PointerTable {
 public:
  explicit PointerTable(Epochs* epochs) : epochs_(epochs), table_(new Table(kMinSlots)) {}
  ~PointerTable() { delete table_.load(); }
  PointerTable(const PointerTable&) = delete;
  PointerTable& operator=(const PointerTable&) = delete;

  template <typename Same>
  T* Find(const Hash128& hash, const Same& same) const {
    const Table& table = *table_.load();
    for (size_t i = hash.low & table.mask;; i = (i + 1) & table.mask) {
      T* element = table.slots[i].element.load();
      if (element == nullptr) return nullptr;
      if (element == Tombstone() || table.slots[i].tag.load(std::memory_order_relaxed) != hash.high) continue;
      if (element->hash == hash && same(*element)) return element;
    }
  }

  // Adds `element`, in the place of `old` if that is not null (which must be in the table, with an equal
  // hash).
  void Put(T* element, T* old) {
    if (old != nullptr) {
      SlotOf(old)->element.store(element);
      return;
    }
    // At most three quarters of the slots are ever taken, so that every search ends.
    if ((used_ + 1) * 4 > (table_.load()->mask + 1) * 3) Lay();
    Insert(table_.load(), element);
    ++used_;
    ++live_;
  }

  void Remove(T* element) {
    SlotOf(element)->element.store(Tombstone());
    --live_;
  }

  size_t size() const { return live_; }
  size_t bytes() const { return (table_.load()->mask + 1) * sizeof(Slot); }

  // Calls `visit(T*)` for every element. For the writer.
  template <typename Visit>
  void ForEach(const Visit& visit) const {
    const Table& table = *table_.load();
    for (size_t i = 0; i <= table.mask; ++i) {
      T* element = table.slots[i].element.load();
      if (element != nullptr && element != Tombstone()) visit(element);
    }
  }

 private:
  struct Slot {
    std::atomic<uint64_t> tag{0};  // The upper half of the hash: saves looking at most strangers.
    std::atomic<T*> element{nullptr};
  };
  struct Table {
    explicit Table(size_t size) : mask(size - 1), slots(new Slot[size]) {}
    size_t mask;
    std::unique_ptr<Slot[]> slots;
  };
  static constexpr size_t kMinSlots = 64;

  static T* Tombstone() { return reinterpret_cast<T*>(uintptr_t{1}); }

  Slot* SlotOf(T* element) {
    Table& table = *table_.load();
    for (size_t i = element->hash.low & table.mask;; i = (i + 1) & table.mask) {
      if (table.slots[i].element.load() == element) return &table.slots[i];
    }
  }

  static void Insert(Table* table, T* element) {
    size_t i = element->hash.low & table->mask;
    while (table->slots[i].element.load() != nullptr) i = (i + 1) & table->mask;
    table->slots[i].tag.store(element->hash.high, std::memory_order_relaxed);
    table->slots[i].element.store(element);
  }

  // Rebuilds the table without tombstones and at most three eighths full.
  void Lay() {
    size_t size = kMinSlots;
    while (size * 3 < (live_ + 1) * 8) size *= 2;
    Table* old = table_.load();
    Table* fresh = new Table(size);
    ForEach([fresh](T* element) { Insert(fresh, element); });
    used_ = live_;
    table_.store(fresh);
    epochs_->Retire(old, (old->mask + 1) * sizeof(Slot));
  }

  Epochs* epochs_;
  std::atomic<Table*> table_;
  size_t used_ = 0;  // Elements and tombstones.
  size_t live_ = 0;
};

}  // namespace purser::cache

#endif  // PURSER_CACHE_POINTER_TABLE_H_
