#include "engine/estimates/output_estimate.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>

#include "absl/strings/str_cat.h"
#include "engine/base/name_hash.h"
#include "engine/estimates/quantile_sketch.h"

namespace purser::estimates {
namespace {

constexpr int kWays = 8;  // Places that a key may take.
constexpr std::string_view kMagic = "purser.output.1\n";

// From how many observations on a level's own statistic is used.
constexpr int64_t kEnoughForMean = 16;
constexpr int64_t kEnoughForP90 = 64;
constexpr int64_t kEnoughForP99 = 256;

uint64_t NotZero(uint64_t x) { return x == 0 ? 1 : x; }

// The keys of a call's three levels, the most specific first.
std::array<uint64_t, 3> LevelsOf(const OutputKey& key) {
  const uint64_t request_class = MixBits(key.request_class + 0x9e3779b97f4a7c15);
  const uint64_t model = MixBits(request_class ^ (key.model + 0xd1b54a32d192ed03));
  const uint64_t feature = MixBits(model ^ (key.feature + 0x8cb92ba72f3d8dd7));
  return {NotZero(feature), NotZero(model), NotZero(request_class)};
}

// One key's place. `users` counts the threads that add to it; -1: it is being given to another key.
struct Slot {
  std::atomic<int32_t> users{0};
  std::atomic<uint32_t> last_used{0};
  QuantileSketch sketch;
};

void AppendFixed64(uint64_t value, std::string* out) {
  for (int i = 0; i < 8; ++i) out->push_back(static_cast<char>(value >> (8 * i)));
}

bool TakeFixed64(std::string_view* bytes, uint64_t* value) {
  if (bytes->size() < 8) return false;
  *value = 0;
  for (int i = 0; i < 8; ++i) *value |= static_cast<uint64_t>(static_cast<uint8_t>((*bytes)[i])) << (8 * i);
  bytes->remove_prefix(8);
  return true;
}

}  // namespace

// Keys of a set share a cache line, so that looking for one reads one line.
struct alignas(64) OutputEstimator::Set {
  std::array<std::atomic<uint64_t>, kWays> keys = {};
};

struct OutputEstimator::Table {
  explicit Table(size_t sets) : mask(sets - 1), sets(new Set[sets]), slots(new Slot[sets * kWays]) {}

  size_t SetOf(uint64_t key) const { return key & mask; }

  // The place of `key`, or -1.
  int64_t Find(uint64_t key) const {
    const size_t set = SetOf(key);
    for (int way = 0; way < kWays; ++way)
      if (sets[set].keys[way].load(std::memory_order_acquire) == key)
        return static_cast<int64_t>(set * kWays + way);
    return -1;
  }

  std::atomic<uint64_t>& KeyAt(int64_t place) { return sets[place / kWays].keys[place % kWays]; }
  const std::atomic<uint64_t>& KeyAt(int64_t place) const { return sets[place / kWays].keys[place % kWays]; }

  // The key's place, kept from being given away until Release; -1 if it has none. False positives of Find are
  // sorted out here: who is registered as a user and still sees the key owns the place's contents.
  int64_t Acquire(uint64_t key) {
    const int64_t place = Find(key);
    if (place < 0) return -1;
    Slot& slot = slots[place];
    int32_t users = slot.users.load(std::memory_order_relaxed);
    do {
      if (users < 0) return -1;
    } while (!slot.users.compare_exchange_weak(users, users + 1, std::memory_order_acquire));
    if (KeyAt(place).load(std::memory_order_acquire) == key) return place;
    Release(place);
    return -1;
  }
  void Release(int64_t place) { slots[place].users.fetch_sub(1, std::memory_order_release); }

  // Gives the key the least recently used place of its set and acquires it; -1 if others are at work there.
  int64_t Admit(uint64_t key) {
    const size_t set = SetOf(key);
    const uint32_t now = clock.load(std::memory_order_relaxed);
    int64_t oldest = -1;
    uint32_t oldest_age = 0;
    for (int way = 0; way < kWays; ++way) {
      const auto place = static_cast<int64_t>(set * kWays + way);
      if (KeyAt(place).load(std::memory_order_relaxed) == 0) {
        oldest = place;
        break;
      }
      const uint32_t age = now - slots[place].last_used.load(std::memory_order_relaxed);
      if (oldest < 0 || age > oldest_age) {
        oldest = place;
        oldest_age = age;
      }
    }
    Slot& slot = slots[oldest];
    int32_t nobody = 0;
    if (!slot.users.compare_exchange_strong(nobody, -1, std::memory_order_acquire)) return -1;
    if (const int64_t elsewhere = Find(key); elsewhere >= 0) {
      // Another thread was faster.
      slot.users.store(0, std::memory_order_release);
      return Acquire(key);
    }
    // Readers that still see the old key either read what it had, or see that the key has changed.
    KeyAt(oldest).store(0, std::memory_order_release);
    slot.sketch.Clear();
    KeyAt(oldest).store(key, std::memory_order_release);
    slot.users.store(1, std::memory_order_release);
    return oldest;
  }

  // Works on the key's sketch, which nobody takes away meanwhile.
  template <typename Work>
  void With(uint64_t key, Work work) {
    int64_t place = Acquire(key);
    if (place < 0) place = Admit(key);
    if (place < 0) return;
    slots[place].last_used.store(clock.fetch_add(1, std::memory_order_relaxed), std::memory_order_relaxed);
    work(&slots[place].sketch);
    Release(place);
  }

  // What the key's sketch says; nothing if the key has no place.
  QuantileSummary Read(uint64_t key) const {
    const int64_t place = Find(key);
    if (place < 0) return {};
    const QuantileSummary summary = slots[place].sketch.Summary();
    // A summary of a later key is published after that key: then this sees it.
    if (KeyAt(place).load(std::memory_order_acquire) != key) return {};
    return summary;
  }

  const size_t mask;
  const std::unique_ptr<Set[]> sets;
  const std::unique_ptr<Slot[]> slots;
  std::atomic<uint32_t> clock{0};
};

OutputEstimator::OutputEstimator(size_t keys)
    : table_(std::make_unique<Table>(std::bit_ceil((std::max<size_t>(keys, kWays) + kWays - 1) / kWays))) {}

OutputEstimator::~OutputEstimator() = default;

void OutputEstimator::Observe(const OutputKey& key, int64_t output_tokens) {
  if (output_tokens < 0) return;
  for (const uint64_t level : LevelsOf(key))
    table_->With(level, [output_tokens](QuantileSketch* sketch) { sketch->Add(output_tokens); });
}

OutputEstimate OutputEstimator::Get(const OutputKey& key, const OutputEstimate& cold_start) const {
  OutputEstimate estimate = cold_start;
  estimate.count = 0;
  bool has_mean = false, has_p90 = false, has_p99 = false;
  for (const uint64_t level : LevelsOf(key)) {
    const QuantileSummary seen = table_->Read(level);
    if (!has_mean && seen.count >= kEnoughForMean) {
      has_mean = true;
      estimate.mean = seen.mean;
      estimate.p50 = seen.p50;
      estimate.count = seen.count;
    }
    if (!has_p90 && seen.count >= kEnoughForP90) {
      has_p90 = true;
      estimate.p90 = seen.p90;
    }
    if (!has_p99 && seen.count >= kEnoughForP99) {
      has_p99 = true;
      estimate.p99 = seen.p99;
      break;  // It had enough for the others, too.
    }
  }
  // Levels, and the cold start, may disagree.
  estimate.p90 = std::max(estimate.p90, estimate.p50);
  estimate.p99 = std::max(estimate.p99, estimate.p90);
  return estimate;
}

std::string OutputEstimator::Save() const {
  std::string out(kMagic);
  for (size_t place = 0; place < capacity(); ++place) {
    const uint64_t key = table_->KeyAt(static_cast<int64_t>(place)).load(std::memory_order_acquire);
    if (key == 0) continue;
    std::string sketch;
    table_->slots[place].sketch.AppendTo(&sketch);
    if (table_->KeyAt(static_cast<int64_t>(place)).load(std::memory_order_acquire) != key) continue;
    AppendFixed64(key, &out);
    out += sketch;
  }
  return out;
}

absl::Status OutputEstimator::Load(std::string_view bytes) {
  if (bytes.substr(0, kMagic.size()) != kMagic)
    return absl::InvalidArgumentError("not saved output estimates: they begin with \"purser.output.1\"");
  const std::string_view body = bytes.substr(kMagic.size());
  // First whether it can be read to its end, then for good.
  for (const bool for_good : {false, true}) {
    std::string_view rest = body;
    while (!rest.empty()) {
      const size_t at = bytes.size() - rest.size();
      uint64_t key = 0;
      auto sketch = std::make_unique<QuantileSketch>();
      if (!TakeFixed64(&rest, &key) || key == 0 || !sketch->MergeFrom(&rest))
        return absl::InvalidArgumentError(absl::StrCat("saved output estimates are damaged at byte ", at));
      if (for_good) table_->With(key, [&sketch](QuantileSketch* into) { into->Merge(*sketch); });
    }
  }
  return absl::OkStatus();
}

size_t OutputEstimator::capacity() const { return (table_->mask + 1) * kWays; }

size_t OutputEstimator::memory_bytes() const {
  return sizeof(*this) + sizeof(Table) + (table_->mask + 1) * sizeof(Set) + capacity() * sizeof(Slot);
}

}  // namespace purser::estimates
