#include "engine/estimates/quantile_sketch.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <thread>

namespace purser::estimates {
namespace {

constexpr int kExactBuckets = 32;  // Values below count one by one.
constexpr int kOctaveBits = 4;     // Sixteen buckets to an octave above.
constexpr uint64_t kMeanMask = 0xffffffff;

uint64_t Pack(float mean, const std::array<int, 4>& quantile_buckets) {
  uint64_t word = std::bit_cast<uint32_t>(mean);
  for (int i = 0; i < 4; ++i) word |= static_cast<uint64_t>(quantile_buckets[i]) << (32 + 8 * i);
  return word;
}

// How many observations are not above the q-quantile, of `count`: at least one.
int64_t RankOf(double q, int64_t count) {
  return std::clamp<int64_t>(static_cast<int64_t>(std::ceil(q * static_cast<double>(count))), 1, count);
}

void AppendVarint(uint64_t value, std::string* out) {
  for (; value >= 0x80; value >>= 7) out->push_back(static_cast<char>(value | 0x80));
  out->push_back(static_cast<char>(value));
}

bool TakeVarint(std::string_view* bytes, uint64_t* value) {
  *value = 0;
  for (int shift = 0; shift < 63 && !bytes->empty(); shift += 7) {
    const uint8_t byte = static_cast<uint8_t>(bytes->front());
    bytes->remove_prefix(1);
    *value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

}  // namespace

int QuantileSketch::BucketOf(int64_t value) {
  value = std::clamp<int64_t>(value, 0, kMaxValue);
  if (value < kExactBuckets) return static_cast<int>(value);
  const int octave = std::bit_width(static_cast<uint64_t>(value)) - 1;  // 5 ... 18
  const int within = static_cast<int>(value >> (octave - kOctaveBits)) - (1 << kOctaveBits);
  return kExactBuckets + ((octave - 5) << kOctaveBits) + within;
}

int64_t QuantileSketch::ValueOf(int bucket) {
  if (bucket < kExactBuckets) return bucket;
  const int octave = 5 + ((bucket - kExactBuckets) >> kOctaveBits);
  const int64_t width = int64_t{1} << (octave - kOctaveBits);
  const int64_t within = (bucket - kExactBuckets) & ((1 << kOctaveBits) - 1);
  return (int64_t{1} << octave) + within * width + (width - 1) / 2;
}

void QuantileSketch::Add(int64_t value) {
  if (count_.load(std::memory_order_relaxed) >= 2 * kMemory)
    return;  // The halving thread is being kept waiting.
  value = std::clamp<int64_t>(value, 0, kMaxValue);
  buckets_[BucketOf(value)].fetch_add(1, std::memory_order_relaxed);
  sum_.fetch_add(value, std::memory_order_relaxed);
  const int32_t count = count_.fetch_add(1, std::memory_order_relaxed) + 1;
  if (count >= kMemory) Forget();
  if (count >= publish_at_.load(std::memory_order_relaxed)) Publish();
}

// Halves all counts. An odd one is carried to the next bucket, so that the total and every quantile stay
// within one observation of what they were. Only subtracts what it saw, so an Add at the same time is not
// lost. One thread halves at a time: two would subtract the same observations twice.
void QuantileSketch::Forget() {
  // Looked at again after letting go: what was added in between found the flag up and left.
  while (count_.load() >= kMemory && !halving_.exchange(true)) {
    while (count_.load(std::memory_order_relaxed) >= kMemory) Halve();
    halving_.store(false);
  }
}

void QuantileSketch::Halve() {
  // What is taken off weighs the mean of now, however long this thread is kept waiting below.
  const int64_t sum = sum_.load(std::memory_order_relaxed);
  const int64_t count = std::max(1, count_.load(std::memory_order_relaxed));
  int carry = 0;
  int32_t removed = 0;
  for (std::atomic<uint16_t>& bucket : buckets_) {
    const int seen = bucket.load(std::memory_order_relaxed);
    if (seen == 0) continue;
    const int kept = (seen + carry) / 2;
    carry = (seen + carry) % 2;
    bucket.fetch_sub(static_cast<uint16_t>(seen - kept), std::memory_order_relaxed);
    removed += seen - kept;
  }
  count_.fetch_sub(removed, std::memory_order_relaxed);
  sum_.fetch_sub(sum * removed / count, std::memory_order_relaxed);
  publish_at_.store(0, std::memory_order_relaxed);
}

void QuantileSketch::Publish() {
  std::array<uint16_t, kBuckets> seen;
  int64_t count = 0;
  const int32_t before = count_.load(std::memory_order_relaxed);
  for (int b = 0; b < kBuckets; ++b) count += seen[b] = buckets_[b].load(std::memory_order_relaxed);
  if (count == 0) return;
  const std::array<int64_t, 4> ranks = {RankOf(0.5, count), RankOf(0.9, count), RankOf(0.95, count),
                                        RankOf(0.99, count)};
  std::array<int, 4> found = {};
  int64_t below = 0;
  for (int b = 0, next = 0; b < kBuckets && next < 4; ++b) {
    below += seen[b];
    while (next < 4 && below >= ranks[next]) found[next++] = b;
  }
  const auto mean = static_cast<float>(static_cast<double>(sum_.load(std::memory_order_relaxed)) /
                                       static_cast<double>(count));
  // A thread that was kept waiting above has read buckets and sum of different moments; others publish since.
  if (std::abs(count_.load(std::memory_order_relaxed) - before) > 16 + before / 16) return;
  // Never the word that says "nothing yet", not even where all values were 0.
  summary_.store(Pack(std::max(mean, 1e-9f), found), std::memory_order_release);
  publish_at_.store(static_cast<int32_t>(count + 1 + count / 32), std::memory_order_relaxed);
}

QuantileSummary QuantileSketch::Summary() const {
  const uint64_t word = summary_.load(std::memory_order_acquire);
  if (word == 0) return {};
  const auto bucket = [word](int i) { return static_cast<int>((word >> (32 + 8 * i)) & 0xff); };
  return {
      .mean = std::bit_cast<float>(static_cast<uint32_t>(word & kMeanMask)),
      .p50 = ValueOf(bucket(0)),
      .p90 = ValueOf(bucket(1)),
      .p95 = ValueOf(bucket(2)),
      .p99 = ValueOf(bucket(3)),
      .count = std::max(1, count_.load(std::memory_order_relaxed)),
  };
}

int64_t QuantileSketch::Quantile(double q) const {
  int64_t count = 0;
  std::array<uint16_t, kBuckets> seen;
  for (int b = 0; b < kBuckets; ++b) count += seen[b] = buckets_[b].load(std::memory_order_relaxed);
  if (count == 0) return 0;
  const int64_t rank = RankOf(q, count);
  int64_t below = 0;
  for (int b = 0; b < kBuckets; ++b) {
    below += seen[b];
    if (below >= rank) return ValueOf(b);
  }
  return ValueOf(kBuckets - 1);
}

void QuantileSketch::MergeCounts(const std::array<uint16_t, kBuckets>& counts, int64_t sum) {
  int32_t total = 0;
  for (int b = 0; b < kBuckets; ++b) {
    if (counts[b] == 0) continue;
    buckets_[b].fetch_add(counts[b], std::memory_order_relaxed);
    total += counts[b];
  }
  if (total == 0) return;
  // Never far beyond what a bucket can count, however often others merge while a halving is kept waiting.
  while (count_.load(std::memory_order_relaxed) >= 2 * kMemory) std::this_thread::yield();
  sum_.fetch_add(sum, std::memory_order_relaxed);
  count_.fetch_add(total, std::memory_order_relaxed);
  if (count_.load(std::memory_order_relaxed) >= kMemory) Forget();
  Publish();
}

void QuantileSketch::Merge(const QuantileSketch& other) {
  std::array<uint16_t, kBuckets> counts;
  for (int b = 0; b < kBuckets; ++b) counts[b] = other.buckets_[b].load(std::memory_order_relaxed);
  MergeCounts(counts, other.sum_.load(std::memory_order_relaxed));
}

void QuantileSketch::Clear() {
  for (std::atomic<uint16_t>& bucket : buckets_) bucket.store(0, std::memory_order_relaxed);
  sum_.store(0, std::memory_order_relaxed);
  count_.store(0, std::memory_order_relaxed);
  publish_at_.store(1, std::memory_order_relaxed);
  summary_.store(0, std::memory_order_release);
}

void QuantileSketch::AppendTo(std::string* out) const {
  std::array<uint16_t, kBuckets> counts;
  int used = 0;
  for (int b = 0; b < kBuckets; ++b) used += (counts[b] = buckets_[b].load(std::memory_order_relaxed)) != 0;
  AppendVarint(static_cast<uint64_t>(std::max<int64_t>(0, sum_.load(std::memory_order_relaxed))), out);
  AppendVarint(static_cast<uint64_t>(used), out);
  for (int b = 0; b < kBuckets; ++b) {
    if (counts[b] == 0) continue;
    AppendVarint(static_cast<uint64_t>(b), out);
    AppendVarint(counts[b], out);
  }
}

bool QuantileSketch::MergeFrom(std::string_view* bytes) {
  std::string_view rest = *bytes;
  uint64_t sum = 0, used = 0;
  if (!TakeVarint(&rest, &sum) || !TakeVarint(&rest, &used) || used > kBuckets) return false;
  std::array<uint16_t, kBuckets> counts = {};
  uint64_t total = 0;
  for (int64_t previous = -1; used > 0; --used) {
    uint64_t bucket = 0, count = 0;
    if (!TakeVarint(&rest, &bucket) || !TakeVarint(&rest, &count)) return false;
    if (bucket >= kBuckets || static_cast<int64_t>(bucket) <= previous) return false;
    total += count;
    if (count == 0 || count > 2 * kMemory || total > 2 * kMemory) return false;
    counts[bucket] = static_cast<uint16_t>(count);
    previous = static_cast<int64_t>(bucket);
  }
  if (sum > total * static_cast<uint64_t>(kMaxValue)) return false;
  *bytes = rest;
  MergeCounts(counts, static_cast<int64_t>(sum));
  return true;
}

}  // namespace purser::estimates
