#include "cache/flat_index.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "cache/kernels.h"

namespace purser::cache {
namespace {

// An entry whose sketch is near enough.
struct Survivor {
  uint32_t differ;
  const std::atomic<StoredEntry*>* record;
};

// Beyond so many survivors only the nearest sketches are compared: they hold the best entry unless thousands
// are equally near.
constexpr size_t kMaxSurvivors = 4096;

constexpr float kNormSteps = 64.0F;

// Where the first words let so many differing bits pass that more than a tenth of unrelated entries do, both
// words are read of all.
constexpr uint32_t kMaxByColumns = 26;

std::vector<Survivor>& SurvivorScratch() {
  thread_local std::vector<Survivor> survivors;
  survivors.clear();
  return survivors;
}

uint64_t* SketchScratch(size_t words) {
  thread_local std::vector<uint64_t> sketch;
  if (sketch.size() < words) sketch.resize(words);
  return sketch.data();
}

}  // namespace

void Nearest::Offer(const StoredEntry* record, float similarity) {
  if (similarity < least()) return;
  for (size_t i = 0; i < size_; ++i) {
    if (places_[i].record == record) return;
  }
  size_t at = full() ? size_ - 1 : size_++;
  for (; at > 0 && places_[at - 1].similarity < similarity; --at) places_[at] = places_[at - 1];
  places_[at] = {record, similarity};
}

FlatIndex::Block::Block(uint32_t capacity, size_t words)
    : capacity(capacity),
      words(words),
      sketches(new uint64_t[capacity * words]()),
      records(new std::atomic<StoredEntry*>[capacity]()) {}

void FlatIndex::Block::Set(uint32_t slot, StoredEntry* record, const uint64_t* sketch, float norm) {
  first()[slot] = sketch[0];
  second()[slot] = sketch[1];
  std::copy(sketch + 2, sketch + words, rest(slot));
  const auto least = static_cast<uint32_t>(norm * kNormSteps);
  const auto most = static_cast<uint32_t>(norm * kNormSteps) + 1;
  if (least < least_norm.load()) least_norm.store(least);
  if (most > most_norm.load()) most_norm.store(most);
  records[slot].store(record);
}

void FlatIndex::Block::Seal() {
  column_bits.reset(new uint64_t[Columns::kWords]());
  for (size_t slot = 0; slot < Columns::kSlots; ++slot) {
    uint64_t* const word = column_bits.get() + slot / 64;
    for (uint64_t bits = first()[slot]; bits != 0; bits &= bits - 1) {
      word[Columns::kStride * static_cast<size_t>(std::countr_zero(bits))] |= uint64_t{1} << (slot % 64);
    }
  }
  columns.store(column_bits.get());
}

FlatIndex::FlatIndex(size_t dimension, Epochs* epochs)
    : dimension_(dimension),
      epochs_(epochs),
      view_(new View(4, std::make_shared<const Sketcher>(dimension, std::vector<float>()))) {
  bytes_ = view_.load()->bytes();
}

FlatIndex::~FlatIndex() {
  View* view = view_.load();
  for (size_t i = 0; i < view->count.load(); ++i) delete view->blocks[i].load();
  delete view;
}

void FlatIndex::Insert(StoredEntry* record) {
  Place(record);
  ++size_;
  if (--inserts_until_mean_ == 0) FollowTheMean();
}

void FlatIndex::Place(StoredEntry* record) {
  const View& view = *view_.load();
  thread_local std::vector<float> unit;
  thread_local std::vector<uint64_t> sketch;
  unit.resize(dimension_);
  sketch.resize(view.sketcher->words());
  for (size_t i = 0; i < dimension_; ++i) unit[i] = record->scale * static_cast<float>(record->vector()[i]);
  const float norm = view.sketcher->Sketch(unit.data(), sketch.data());
  if (!free_.empty()) {
    const uint32_t slot = free_.back();
    free_.pop_back();
    ReuseSlot(slot, record, sketch.data(), norm);
    return;
  }
  Block* block = BlockWithRoom();
  const uint32_t at = block->count.load();
  block->Set(at, record, sketch.data(), norm);
  block->count.store(at + 1);
  if (at + 1 == kBlock) SealFull(block);
  record->slot = static_cast<uint32_t>(view_.load()->count.load() - 1) * kBlock + at;
}

void FlatIndex::SealFull(Block* block) {
  bytes_ -= block->bytes();
  block->Seal();
  bytes_ += block->bytes();
}

void FlatIndex::ReuseSlot(uint32_t slot, StoredEntry* record, const uint64_t* sketch, float norm) {
  const size_t index = slot / kBlock;
  const Block& old = *view_.load()->blocks[index].load();
  Block* fresh = CopyOf(old, old.capacity);
  fresh->Set(slot % kBlock, record, sketch, norm);
  if (fresh->count.load() == kBlock) fresh->Seal();
  ReplaceBlock(index, fresh);
  record->slot = slot;
}

// The last block, grown or followed by a new one as needed.
FlatIndex::Block* FlatIndex::BlockWithRoom() {
  View* view = view_.load();
  const size_t count = view->count.load();
  if (count > 0) {
    Block* last = view->blocks[count - 1].load();
    if (last->count.load() < last->capacity) return last;
    if (last->capacity < kBlock) {
      Block* larger = CopyOf(*last, last->capacity * 2);
      ReplaceBlock(count - 1, larger);
      return larger;
    }
  }
  if (count == view->capacity) {
    View* larger = new View(view->capacity * 2, view->sketcher);
    for (size_t i = 0; i < count; ++i) larger->blocks[i].store(view->blocks[i].load());
    larger->count.store(count);
    view_.store(larger);
    epochs_->Retire(view, view->bytes());
    bytes_ += larger->bytes() - view->bytes();
    view = larger;
  }
  Block* block = new Block(count == 0 ? 16 : kBlock, view->sketcher->words());
  bytes_ += block->bytes();
  view->blocks[count].store(block);
  view->count.store(count + 1);
  return block;
}

FlatIndex::Block* FlatIndex::CopyOf(const Block& block, uint32_t capacity) const {
  Block* copy = new Block(capacity, block.words);
  const uint32_t count = block.count.load();
  std::copy(block.first(), block.first() + count, copy->first());
  std::copy(block.second(), block.second() + count, copy->second());
  std::copy(block.rest(0), block.rest(count), copy->rest(0));
  for (uint32_t i = 0; i < count; ++i) copy->records[i].store(block.records[i].load());
  copy->least_norm.store(block.least_norm.load());
  copy->most_norm.store(block.most_norm.load());
  copy->count.store(count);
  return copy;
}

void FlatIndex::ReplaceBlock(size_t index, Block* fresh) {
  std::atomic<Block*>& place = view_.load()->blocks[index];
  Block* old = place.load();
  place.store(fresh);
  bytes_ += fresh->bytes() - old->bytes();
  epochs_->Retire(old, old->bytes());
}

void FlatIndex::Erase(StoredEntry* record) {
  Block* block = view_.load()->blocks[record->slot / kBlock].load();
  block->records[record->slot % kBlock].store(nullptr);
  free_.push_back(record->slot);
  --size_;
  // Gives memory back when most slots have become free.
  if (free_.size() > kBlock && free_.size() > 2 * size_) {
    const std::span<const float> mean = view_.load()->sketcher->mean();
    Rebuild({mean.begin(), mean.end()});
  }
}

// When the entries have doubled or turned over, the mean is taken again, and everything is sketched again if
// it has moved.
void FlatIndex::FollowTheMean() {
  std::vector<double> sum(dimension_);
  ForEach([&](const StoredEntry* record) {
    for (size_t i = 0; i < dimension_; ++i) sum[i] += record->scale * static_cast<float>(record->vector()[i]);
  });
  std::vector<float> mean(dimension_);
  const std::span<const float> old = view_.load()->sketcher->mean();
  float moved = 0.0F;
  for (size_t i = 0; i < dimension_; ++i) {
    mean[i] = static_cast<float>(sum[i] / static_cast<double>(std::max<size_t>(size_, 1)));
    const float change = mean[i] - old[i];
    moved += change * change;
  }
  if (moved > 0.02F) Rebuild(std::move(mean));
  inserts_until_mean_ = std::max<size_t>(256, size_);
}

void FlatIndex::Rebuild(std::vector<float> mean) {
  std::vector<StoredEntry*> all;
  all.reserve(size_);
  ForEach([&all](StoredEntry* record) { all.push_back(record); });
  const auto sketcher = std::make_shared<const Sketcher>(dimension_, std::move(mean));
  View* old = view_.load();
  View* fresh = new View(std::max<size_t>(4, all.size() / kBlock + 2), sketcher);
  std::vector<float> unit(dimension_);
  std::vector<uint64_t> sketch(sketcher->words());
  bytes_ = fresh->bytes();
  for (size_t at = 0; at < all.size(); ++at) {
    StoredEntry* record = all[at];
    for (size_t i = 0; i < dimension_; ++i) unit[i] = record->scale * static_cast<float>(record->vector()[i]);
    const float norm = sketcher->Sketch(unit.data(), sketch.data());
    const auto in_block = static_cast<uint32_t>(at % kBlock);
    if (in_block == 0) {
      Block* block = new Block(kBlock, sketcher->words());
      bytes_ += block->bytes();
      fresh->blocks[at / kBlock].store(block);
      fresh->count.store(at / kBlock + 1);
    }
    Block* block = fresh->blocks[at / kBlock].load();
    block->Set(in_block, record, sketch.data(), norm);
    block->count.store(in_block + 1);
    if (in_block + 1 == kBlock) SealFull(block);
    record->slot = static_cast<uint32_t>(at);
  }
  free_.clear();
  view_.store(fresh);
  for (size_t i = 0; i < old->count.load(); ++i) {
    Block* block = old->blocks[i].load();
    epochs_->Retire(block, block->bytes());
  }
  epochs_->Retire(old, old->bytes());
}

// One search's way through the blocks of a view: finds the survivors.
class FlatIndex::Scan {
 public:
  Scan(const View& view, const float* unit, float threshold, std::vector<Survivor>* survivors)
      : sketcher_(*view.sketcher),
        words_(sketcher_.words()),
        threshold_(threshold),
        sketch_(SketchScratch(words_)),
        norm_(sketcher_.Sketch(unit, sketch_)),
        query_(sketch_[0], sketch_[1]),
        survivors_(*survivors) {
    const size_t blocks = view.count.load();
    const Block* next = view.blocks[0].load();
    for (size_t b = 0; b < blocks; ++b) {
      const Block& block = *next;
      if (b + 1 < blocks) next = view.blocks[b + 1].load();
      Waiting& waiting = waiting_[b % kInFlight];
      Finish(&waiting);
      Read(block, *next, &waiting);
    }
    for (Waiting& waiting : waiting_) Finish(&waiting);
  }

  // The most bits in which an entry that is as similar as `threshold` may differ.
  uint32_t CutFor(float threshold) const { return CutsFor(threshold, least_of_all_, most_of_all_).all; }

 private:
  // The slots of a block whose first words are near, until the others have been fetched.
  struct Waiting {
    const Block* block = nullptr;
    size_t count = 0;
    Sketcher::Cuts cuts{};
    uint16_t slots[kBlock + Kernels::kPadding];
  };
  static constexpr size_t kInFlight = 4;

  Sketcher::Cuts CutsFor(float threshold, uint32_t least, uint32_t most) const {
    return sketcher_.CutsFor(threshold, norm_, static_cast<float>(least) / kNormSteps,
                             static_cast<float>(most) / kNormSteps);
  }

  void Read(const Block& block, const Block& next, Waiting* waiting) {
    const uint32_t count = block.count.load();
    const uint32_t least = block.least_norm.load();
    const uint32_t most = block.most_norm.load();
    if (least != least_ || most != most_) {
      least_ = least;
      most_ = most;
      least_of_all_ = std::min(least_of_all_, least);
      most_of_all_ = std::max(most_of_all_, most);
      cuts_ = CutsFor(threshold_, least, most);
    }
    const uint64_t* const columns = block.columns.load();
    if (columns == nullptr || cuts_.first > kMaxByColumns) {
      const size_t found = kernels_.filter(block.first(), block.second(), count, query_, cuts_.first,
                                           cuts_.both, waiting->slots);
      Keep(block, {waiting->slots, found}, cuts_.all);
      return;
    }
    const uint64_t* const next_columns = next.columns.load();
    waiting->block = &block;
    waiting->cuts = cuts_;
    waiting->count = kernels_.near_columns(columns, next_columns != nullptr ? next_columns : columns, query_,
                                           cuts_.first, waiting->slots);
    // Without asking how many there are: a wrong guess of a branch costs more than a line fetched in vain.
    for (size_t i = 0; i < kPrefetched; ++i) {
      __builtin_prefetch(block.first() + waiting->slots[i]);
      __builtin_prefetch(block.second() + waiting->slots[i]);
    }
  }

  void Finish(Waiting* waiting) {
    if (waiting->block == nullptr) return;
    const Block& block = *waiting->block;
    waiting->block = nullptr;
    const size_t found = kernels_.refine(block.first(), block.second(), waiting->slots, waiting->count,
                                         query_, waiting->cuts.both, waiting->slots);
    Keep(block, {waiting->slots, found}, waiting->cuts.all);
  }

  void Keep(const Block& block, std::span<const uint16_t> slots, uint32_t cut) {
    for (const uint16_t slot : slots) {
      const uint64_t both[2] = {block.first()[slot], block.second()[slot]};
      const uint32_t differ =
          kernels_.hamming(both, sketch_, 2) + kernels_.hamming(block.rest(slot), sketch_ + 2, words_ - 2);
      if (differ <= cut) survivors_.push_back({differ, &block.records[slot]});
    }
  }

  static constexpr size_t kPrefetched = 6;

  const Kernels& kernels_ = BestKernels();
  const Sketcher& sketcher_;
  const size_t words_;
  const float threshold_;
  uint64_t* const sketch_;
  const float norm_;
  const SketchQuery query_;
  std::vector<Survivor>& survivors_;
  // Of the block read last, and of all.
  uint32_t least_ = ~0U;
  uint32_t most_ = 0;
  Sketcher::Cuts cuts_{};
  uint32_t least_of_all_ = 1024;
  uint32_t most_of_all_ = 0;
  std::array<Waiting, kInFlight> waiting_;
};

void FlatIndex::Search(const float* unit, int64_t now_nanos, Nearest* nearest) const {
  const Kernels& kernels = BestKernels();
  const auto compare = [&](const StoredEntry* record) {
    if (record == nullptr || !record->ServesAt(now_nanos)) return;
    nearest->Offer(record, record->scale * kernels.dot_int16(unit, record->vector(), dimension_));
  };
  const View& view = *view_.load();
  const size_t blocks = view.count.load();
  if (blocks == 0) return;
  if (blocks == 1 && view.blocks[0].load()->count.load() <= kAllVectors) {
    const Block& only = *view.blocks[0].load();
    const uint32_t count = only.count.load();
    for (uint32_t i = 0; i < count; ++i) compare(only.records[i].load());
    return;
  }

  std::vector<Survivor>& survivors = SurvivorScratch();
  const Scan scan(view, unit, nearest->least(), &survivors);
  const auto nearer = [](const Survivor& a, const Survivor& b) { return a.differ < b.differ; };
  if (survivors.size() > kMaxSurvivors) {
    std::nth_element(survivors.begin(), survivors.begin() + kMaxSurvivors, survivors.end(), nearer);
    survivors.resize(kMaxSurvivors);
  }
  // A heap instead of sorting: often a few of many are enough.
  const auto farther = [](const Survivor& a, const Survivor& b) { return a.differ > b.differ; };
  std::make_heap(survivors.begin(), survivors.end(), farther);
  uint32_t cut = ~0U;
  float cut_at = nearest->least();
  for (auto end = survivors.end(); end != survivors.begin() && survivors.front().differ <= cut;) {
    const std::atomic<StoredEntry*>* record = survivors.front().record;
    std::pop_heap(survivors.begin(), end--, farther);
    compare(record->load());
    // The better the candidates found, the nearer a sketch has to be.
    if (nearest->full() && nearest->least() > cut_at) {
      cut_at = nearest->least();
      cut = scan.CutFor(cut_at);
    }
  }
}

}  // namespace purser::cache
