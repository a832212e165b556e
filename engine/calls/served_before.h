#ifndef PURSER_ENGINE_CALLS_SERVED_BEFORE_H_
#define PURSER_ENGINE_CALLS_SERVED_BEFORE_H_

#include <purser/request.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>

namespace purser {

// Which model served a task or a session last: what its prompt cache is at, and what the choice should not
// leave for little. Of a fixed size: where more than some 60,000 tasks and sessions are under way, some are
// forgotten, and their next call is chosen as if it were their first. Nothing survives the process.
//
// Thread-safe, lock-free; does not allocate.
class ServedBefore {
 public:
  ServedBefore() : buckets_(std::make_unique<Bucket[]>(kBuckets)) {}

  // `model`: a ModelHash. A request that names neither task nor session is not remembered.
  void Note(const Request& request, uint64_t model);

  // Of the request's task, else (its first call) of its session. 0: not known.
  uint64_t Find(const Request& request) const;

 private:
  // The model, and the key combined with it by exclusive or: a slot whose two halves come from two writers
  // does not give back the key that was asked for (Hyatt and Mann, "A lockless transposition-table
  // implementation", 2002).
  struct Slot {
    std::atomic<uint64_t> check{0};
    std::atomic<uint64_t> model{0};
  };
  using Bucket = std::array<Slot, 4>;
  static constexpr size_t kBuckets = size_t{1} << 14;

  void Store(uint64_t key, uint64_t model);
  uint64_t Load(uint64_t key) const;

  const std::unique_ptr<Bucket[]> buckets_;
};

}  // namespace purser

#endif  // PURSER_ENGINE_CALLS_SERVED_BEFORE_H_
