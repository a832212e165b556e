#ifndef PURSER_ENGINE_REVISION_CLASS_STATS_H_
#define PURSER_ENGINE_REVISION_CLASS_STATS_H_

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace purser {

// What one plain completion of a request class costs, learned from settled calls that belong to no task: an
// exponentially weighted mean with a memory of about 64 calls. Lock-free.
struct ClassStats {
  std::atomic<int64_t> single_shot_nanos{0};  // 0: none seen.

  void Observe(int64_t cost_nanos) {
    const int64_t before = single_shot_nanos.load(std::memory_order_relaxed);
    // Two calls at once may lose one of the two: a mean does not mind.
    single_shot_nanos.store(before == 0 ? cost_nanos : before + (cost_nanos - before) / 64,
                            std::memory_order_relaxed);
  }
};

// Stats by class name ("" for requests of no class). Entries are made when a policy loads. Thread-safe.
class ClassStatsTable {
 public:
  ClassStats* Get(std::string_view name) {
    const std::lock_guard<std::mutex> lock(mutex_);
    std::unique_ptr<ClassStats>& stats = stats_[std::string(name)];
    if (stats == nullptr) stats = std::make_unique<ClassStats>();
    return stats.get();
  }

 private:
  std::mutex mutex_;
  std::map<std::string, std::unique_ptr<ClassStats>> stats_;
};

}  // namespace purser

#endif  // PURSER_ENGINE_REVISION_CLASS_STATS_H_
