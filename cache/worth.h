#ifndef PURSER_CACHE_WORTH_H_
#define PURSER_CACHE_WORTH_H_

#include <atomic>
#include <cstdint>

namespace purser::cache {

// Whether semantic look-ups of one class of requests pay: what they have saved on average against what one
// costs. Thread-safe; counts are approximate where threads meet.
class Worth {
 public:
  // `cost`: of a look-up, in nano-dollars; 0 always pays. Judged once there have been 256 look-ups. One in 32
  // is made all the same, so that a change is noticed.
  bool LookUp(int64_t cost) {
    if (cost <= 0) return true;
    const uint64_t lookups = lookups_.load(std::memory_order_relaxed);
    if (lookups >= kMinLookups &&
        static_cast<double>(saved_.load(std::memory_order_relaxed)) <
            static_cast<double>(cost) * static_cast<double>(lookups) &&
        asked_.fetch_add(1, std::memory_order_relaxed) % 32 != 31) {
      skipped_.fetch_add(1, std::memory_order_relaxed);
      return false;
    }
    // What is long past counts ever less.
    if (lookups_.fetch_add(1, std::memory_order_relaxed) + 1 >= kMaxLookups) {
      lookups_.store(kMaxLookups / 2, std::memory_order_relaxed);
      saved_.store(saved_.load(std::memory_order_relaxed) / 2, std::memory_order_relaxed);
    }
    return true;
  }

  void Saved(int64_t nano_usd) { saved_.fetch_add(nano_usd, std::memory_order_relaxed); }
  uint64_t skipped() const { return skipped_.load(std::memory_order_relaxed); }

 private:
  static constexpr uint64_t kMinLookups = 256;
  static constexpr uint64_t kMaxLookups = 4096;

  std::atomic<uint64_t> lookups_{0};
  std::atomic<int64_t> saved_{0};
  std::atomic<uint64_t> asked_{0};
  std::atomic<uint64_t> skipped_{0};
};

}  // namespace purser::cache

#endif  // PURSER_CACHE_WORTH_H_
