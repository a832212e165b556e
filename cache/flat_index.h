#ifndef PURSER_CACHE_FLAT_INDEX_H_
#define PURSER_CACHE_FLAT_INDEX_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "cache/epoch.h"
#include "cache/kernels.h"
#include "cache/sketch.h"
#include "cache/stored_entry.h"

namespace purser::cache {

struct Candidate {
  const StoredEntry* record = nullptr;
  float similarity = 0.0F;
};

// The most similar candidates seen so far, best first.
class Nearest {
 public:
  // Keeps up to places.size() candidates of at least `threshold`.
  Nearest(std::span<Candidate> places, float threshold) : places_(places), threshold_(threshold) {}

  // What a further candidate has to reach.
  float least() const { return size_ < places_.size() ? threshold_ : places_[size_ - 1].similarity; }
  size_t size() const { return size_; }
  bool full() const { return size_ == places_.size(); }
  void Offer(const StoredEntry* record, float similarity);

 private:
  std::span<Candidate> places_;
  float threshold_;
  size_t size_ = 0;
};

// Finds the entries of one partition that are at least a threshold similar, by reading a sketch of every
// entry (sketch.h) and comparing vectors only where the sketches are near. Time is linear in the entries,
// with a small constant: about 0.1 ns an entry for the sketches.
//
// Search takes no lock and needs an epoch Guard; Insert and Erase are serialised by the caller. Nothing that
// a reader may look at is written twice: entries are appended behind a count, and a freed slot is used again
// by replacing its block with a changed copy.
class FlatIndex {
 public:
  // `dimension`: of the vectors, padded.
  FlatIndex(size_t dimension, Epochs* epochs);
  ~FlatIndex();
  FlatIndex(const FlatIndex&) = delete;
  FlatIndex& operator=(const FlatIndex&) = delete;

  // Sets record->slot.
  void Insert(StoredEntry* record);
  void Erase(StoredEntry* record);

  // Offers to `nearest` the records that serve at `now_nanos`. `unit` is padded, of unit length. Those at
  // least as similar as nearest->least() are overlooked with the probability that Sketcher::CutsFor says.
  void Search(const float* unit, int64_t now_nanos, Nearest* nearest) const;

  // From any thread.
  size_t size() const { return size_.load(std::memory_order_relaxed); }
  // Besides the records themselves.
  size_t bytes() const { return bytes_; }

  // Calls `visit(StoredEntry*)` for every record. For the writer.
  template <typename Visit>
  void ForEach(const Visit& visit) const {
    const View& view = *view_.load();
    for (size_t b = 0; b < view.count.load(); ++b) {
      const Block& block = *view.blocks[b].load();
      for (uint32_t i = 0; i < block.count.load(); ++i) {
        if (StoredEntry* record = block.records[i].load()) visit(record);
      }
    }
  }

 private:
  static constexpr uint32_t kBlock = Columns::kSlots;  // Slots of a full-grown block.
  static constexpr size_t kAllVectors = 48;            // Up to so many entries, sketches do not pay.

  struct Block {
    Block(uint32_t capacity, size_t words);
    const uint32_t capacity;
    const size_t words;
    std::atomic<uint32_t> count{0};
    // Distances from the mean, in steps of 1/64: at least `least_norm`, at most `most_norm`.
    std::atomic<uint32_t> least_norm{1024};
    std::atomic<uint32_t> most_norm{0};
    std::unique_ptr<uint64_t[]> sketches;  // First words, second words, then the other words slot by slot.
    std::unique_ptr<std::atomic<StoredEntry*>[]> records;
    // Once all slots are taken: the first words by columns, as kernels.h describes them.
    std::unique_ptr<uint64_t[]> column_bits;
    std::atomic<const uint64_t*> columns{nullptr};

    uint64_t* first() const { return sketches.get(); }
    uint64_t* second() const { return sketches.get() + capacity; }
    uint64_t* rest(size_t slot) const { return sketches.get() + 2 * capacity + slot * (words - 2); }
    size_t bytes() const {
      return sizeof(Block) + capacity * (words * 8 + 8) + (column_bits ? Columns::kWords * 8 : 0);
    }
    void Set(uint32_t slot, StoredEntry* record, const uint64_t* sketch, float norm);
    // All slots are set: from now on the block is read by columns.
    void Seal();
  };
  // What a search starts from.
  struct View {
    View(size_t capacity, std::shared_ptr<const Sketcher> sketcher)
        : sketcher(std::move(sketcher)), capacity(capacity), blocks(new std::atomic<Block*>[capacity]()) {}
    const std::shared_ptr<const Sketcher> sketcher;
    const size_t capacity;
    std::atomic<size_t> count{0};
    std::unique_ptr<std::atomic<Block*>[]> blocks;
    size_t bytes() const { return sizeof(View) + capacity * 8; }
  };

  class Scan;

  void Place(StoredEntry* record);
  void ReuseSlot(uint32_t slot, StoredEntry* record, const uint64_t* sketch, float norm);
  void SealFull(Block* block);
  Block* BlockWithRoom();
  Block* CopyOf(const Block& block, uint32_t capacity) const;
  void ReplaceBlock(size_t index, Block* fresh);
  void FollowTheMean();
  void Rebuild(std::vector<float> mean);

  const size_t dimension_;
  Epochs* const epochs_;
  std::atomic<View*> view_;
  std::atomic<size_t> size_{0};
  size_t bytes_ = 0;
  size_t inserts_until_mean_ = 256;
  std::vector<uint32_t> free_;
};

}  // namespace purser::cache

#endif  // PURSER_CACHE_FLAT_INDEX_H_
