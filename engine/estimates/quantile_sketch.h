#ifndef PURSER_ENGINE_ESTIMATES_QUANTILE_SKETCH_H_
#define PURSER_ENGINE_ESTIMATES_QUANTILE_SKETCH_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace purser::estimates {

// What a sketch knows, in the unit of its values. All 0 while count is 0.
struct QuantileSummary {
  double mean = 0;
  int64_t p50 = 0;
  int64_t p90 = 0;
  int64_t p95 = 0;
  int64_t p99 = 0;
  int64_t count =
      0;  // How many observations it speaks for (recent ones: kMemory, or up to twice that for a moment).

  friend bool operator==(const QuantileSummary&, const QuantileSummary&) = default;
};

// A histogram of the recent past of some quantity: output tokens of a kind of call, milliseconds of a model.
//
// Buckets are exact below 32 and sixteen to an octave above (as in HDR histograms), so that a quantile is
// within 1/32 (3.2 %) of the true one of the same observations. Values are 0 ... kMaxValue; smaller and
// larger ones count as these. Decay: whenever 2048 observations are in it, all counts are halved, so an
// observation's weight has a half-life of 1024 and what the sketch says follows drift. While the thread that
// halves is preempted, others add up to 4096; what arrives beyond is left out.
//
// Fixed size (552 bytes), no allocation. Thread-safe and lock-free: Add, Merge and Summary may run at any
// time from any thread. Summary reads one word: it is of one moment, at most 1/32 of the observations (or
// one) old.
class QuantileSketch {
 public:
  static constexpr int kBuckets = 256;
  static constexpr int64_t kMaxValue = (int64_t{1} << 19) - 1;
  static constexpr int kMemory = 2048;

  QuantileSketch() = default;
  QuantileSketch(const QuantileSketch&) = delete;
  QuantileSketch& operator=(const QuantileSketch&) = delete;

  void Add(int64_t value);
  QuantileSummary Summary() const;
  // The value that a share `q` in [0, 1] of the observations does not exceed. Walks the buckets; Summary does
  // not.
  int64_t Quantile(double q) const;

  // Adds what `other` saw, as if both had been one.
  void Merge(const QuantileSketch& other);
  // Forgets everything. Not at the same time as Add or Merge on this sketch.
  void Clear();

  // A compact portable form for snapshots (varints of the buckets in use), appended to `out`.
  void AppendTo(std::string* out) const;
  // Reads what AppendTo wrote from the front of `bytes`, takes it off, and merges it in. False (nothing
  // changes) if it is not well-formed.
  bool MergeFrom(std::string_view* bytes);

  static int BucketOf(int64_t value);
  static int64_t ValueOf(int bucket);  // Middle of the bucket.

 private:
  void MergeCounts(const std::array<uint16_t, kBuckets>& counts, int64_t sum);
  void Forget();  // Halves everything until less than kMemory is left, unless another thread is doing so.
  void Halve();
  void Publish();  // Makes Summary() say what the buckets say.

  std::atomic<uint64_t> summary_{0};  // mean as float, then buckets of p50, p90, p95, p99.
  std::atomic<int64_t> sum_{0};
  std::atomic<int32_t> count_{0};
  std::atomic<int32_t> publish_at_{1};
  std::atomic<bool> halving_{false};
  std::array<std::atomic<uint16_t>, kBuckets> buckets_ = {};
};

}  // namespace purser::estimates

#endif  // PURSER_ENGINE_ESTIMATES_QUANTILE_SKETCH_H_
