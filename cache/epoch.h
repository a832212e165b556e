#ifndef PURSER_CACHE_EPOCH_H_
#define PURSER_CACHE_EPOCH_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

namespace purser::cache {

// Lets readers follow pointers without locks while writers replace what they point to: what was unlinked is
// freed once every reader that could have seen it has left (epoch-based reclamation, Fraser 2004).
//
// Readers hold a Guard while they look at anything shared. Writers first unlink (a seq_cst store), then
// Retire, and now and then Reclaim; these calls are serialised by the caller. Loads and stores of the
// pointers in question are seq_cst: a reader that entered after the unlinking cannot find the old pointer.
class Epochs {
  struct alignas(64) Seat {
    std::atomic<uint64_t> epoch{0};  // 0: free.
  };
  static constexpr size_t kSeats = 256;

 public:
  class Guard {
   public:
    explicit Guard(Seat* seat) : seat_(seat) {}
    ~Guard() { seat_->epoch.store(0, std::memory_order_release); }
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;

   private:
    Seat* seat_;
  };

  Epochs() = default;
  // No reader may be inside.
  ~Epochs() {
    for (const Retired& retired : retired_) retired.free(retired.object);
  }
  Epochs(const Epochs&) = delete;
  Epochs& operator=(const Epochs&) = delete;

  // Waits only if 256 readers are inside at once.
  Guard Enter() const {
    static std::atomic<uint32_t> threads{0};
    thread_local const uint32_t mine = threads.fetch_add(1, std::memory_order_relaxed);
    for (size_t i = mine;; ++i) {
      Seat& seat = seats_[i % kSeats];
      uint64_t free = 0;
      if (seat.epoch.compare_exchange_strong(free, now_.load())) return Guard(&seat);
      if ((i - mine) % kSeats == kSeats - 1) std::this_thread::yield();
    }
  }

  // `object` is unlinked already; `bytes` for the books.
  template <typename T>
  void Retire(T* object, size_t bytes) {
    if (object == nullptr) return;
    retired_.push_back({object, [](void* o) { delete static_cast<T*>(o); }, bytes, now_.load()});
    bytes_.fetch_add(bytes, std::memory_order_relaxed);
  }
  void Retire(void* object, void (*free)(void*), size_t bytes) {
    retired_.push_back({object, free, bytes, now_.load()});
    bytes_.fetch_add(bytes, std::memory_order_relaxed);
  }

  // Frees what nobody looks at any more. Does not wait.
  void Reclaim() {
    if (retired_.empty()) return;
    uint64_t oldest = now_.fetch_add(1) + 1;
    for (const Seat& seat : seats_) {
      const uint64_t epoch = seat.epoch.load();
      if (epoch != 0 && epoch < oldest) oldest = epoch;
    }
    size_t kept = 0;
    for (Retired& retired : retired_) {
      if (retired.epoch < oldest) {
        bytes_.fetch_sub(retired.bytes, std::memory_order_relaxed);
        retired.free(retired.object);
      } else {
        retired_[kept++] = retired;
      }
    }
    retired_.resize(kept);
  }

  // Retired and not freed yet. From any thread.
  size_t retired_bytes() const { return bytes_.load(std::memory_order_relaxed); }

 private:
  struct Retired {
    void* object;
    void (*free)(void*);
    size_t bytes;
    uint64_t epoch;
  };

  mutable std::array<Seat, kSeats> seats_;
  std::atomic<uint64_t> now_{1};
  std::atomic<size_t> bytes_{0};
  std::vector<Retired> retired_;
};

}  // namespace purser::cache

#endif  // PURSER_CACHE_EPOCH_H_
