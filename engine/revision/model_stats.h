#ifndef PURSER_ENGINE_REVISION_MODEL_STATS_H_
#define PURSER_ENGINE_REVISION_MODEL_STATS_H_

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "engine/estimates/quantile_sketch.h"
#include "engine/estimates/token_correction.h"

namespace purser {

// What was learned about one model at one provider from its settled calls. Outlives policies: a reload
// forgets nothing. Lock-free.
struct ModelStats {
  estimates::TokenCorrection input;  // Of the estimates of its input.
  estimates::QuantileSketch latency_ms;
  std::atomic<int32_t> failures_in_a_row{0};
  std::atomic<int64_t> cooling_until_nanos{0};  // Not eligible until then.

  // Three failures in a row rest a model for 5 s, each further one for twice as long, up to 5 minutes.
  void CountFailure(int64_t now_nanos) {
    constexpr int kTolerated = 2;
    constexpr int64_t kFirstRest = 5'000'000'000;
    constexpr int64_t kLongestRest = 300'000'000'000;
    const int32_t failures = failures_in_a_row.fetch_add(1, std::memory_order_relaxed) + 1;
    if (failures <= kTolerated) return;
    const int doublings = std::min(failures - kTolerated - 1, 6);
    cooling_until_nanos.store(now_nanos + std::min(kFirstRest << doublings, kLongestRest),
                              std::memory_order_relaxed);
  }
  void CountSuccess() {
    if (failures_in_a_row.load(std::memory_order_relaxed) == 0) return;
    failures_in_a_row.store(0, std::memory_order_relaxed);
    cooling_until_nanos.store(0, std::memory_order_relaxed);
  }
};

// Model's stats by provider and model. Entries are made when a policy loads and live as long as this.
// Thread-safe.
class ModelStatsTable {
 public:
  ModelStats* Get(std::string_view provider, std::string_view model) {
    const std::lock_guard<std::mutex> lock(mutex_);
    std::unique_ptr<ModelStats>& stats = stats_[{std::string(provider), std::string(model)}];
    if (stats == nullptr) stats = std::make_unique<ModelStats>();
    return stats.get();
  }

 private:
  std::mutex mutex_;
  std::map<std::pair<std::string, std::string>, std::unique_ptr<ModelStats>> stats_;
};

}  // namespace purser

#endif  // PURSER_ENGINE_REVISION_MODEL_STATS_H_
