#ifndef PURSER_ENGINE_ESTIMATES_OUTPUT_ESTIMATE_H_
#define PURSER_ENGINE_ESTIMATES_OUTPUT_ESTIMATE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace purser::estimates {

// How many output tokens a call will have, learned from settled calls.
struct OutputEstimate {
  double mean = 0;
  int64_t p50 = 0;
  int64_t p90 = 0;
  int64_t p99 = 0;
  int64_t count = 0;  // Observations behind the mean; 0: the cold start's numbers.

  friend bool operator==(const OutputEstimate&, const OutputEstimate&) = default;
};

// What kind of call it is. Each part is a hash of a name (any good 64-bit hash; HashName of
// engine/base/name_hash.h), 0 for "none". What must not learn from one another (namespaces, tenants) has to
// differ in request_class.
struct OutputKey {
  uint64_t model = 0;
  uint64_t request_class = 0;
  uint64_t feature = 0;
};

// Keeps a sketch per (model, class, feature), per (model, class) and per class. A question is answered,
// statistic by statistic, from the most specific of these that has seen enough calls for it (mean and p50:
// 16, p90: 64, p99: 256), in the end from the caller's cold-start numbers. Recent calls weigh more: half-life
// 1024 calls of a kind (quantile_sketch.h, which also says how exact quantiles are).
//
// Memory is fixed at construction: 584 bytes per key. When a kind of call is new and its place is taken, the
// kind that was least recently observed among eight makes room.
//
// Thread-safe and lock-free; nothing allocates after construction. Get takes 40-80 ns, Observe about 200 ns
// (bench/tokens_benchmark).
class OutputEstimator {
 public:
  // Room for at least `keys` kinds of call, counting all three levels. At least 8.
  explicit OutputEstimator(size_t keys = 4096);
  ~OutputEstimator();
  OutputEstimator(const OutputEstimator&) = delete;
  OutputEstimator& operator=(const OutputEstimator&) = delete;

  // A settled call. Negative counts (unknown usage) are passed over.
  void Observe(const OutputKey& key, int64_t output_tokens);

  // p50 <= p90 <= p99 always. `cold_start` answers what nothing was learned about.
  OutputEstimate Get(const OutputKey& key, const OutputEstimate& cold_start) const;

  // For snapshots: everything learned, in a portable form.
  std::string Save() const;
  // Merges what Save wrote into what was learned since. INVALID_ARGUMENT if it is damaged (nothing changes).
  absl::Status Load(std::string_view bytes);

  size_t capacity() const;      // Keys.
  size_t memory_bytes() const;  // All of it.

 private:
  struct Set;
  struct Table;
  std::unique_ptr<Table> table_;
};

}  // namespace purser::estimates

#endif  // PURSER_ENGINE_ESTIMATES_OUTPUT_ESTIMATE_H_
