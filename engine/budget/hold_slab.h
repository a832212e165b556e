#ifndef PURSER_ENGINE_BUDGET_HOLD_SLAB_H_
#define PURSER_ENGINE_BUDGET_HOLD_SLAB_H_

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "engine/budget/account.h"
#include "engine/budget/accounts.h"

namespace purser::budget {

// An account that a hold draws on, and how. Without initial values: there are arrays of 64, of which few are
// used, on the stack of every call.
struct Leg {
  uint32_t ref : 30;
  uint32_t likely : 1;  // Holds the likely amounts instead of the worst case.
  uint32_t waived : 1;  // The account's limits do not stop this call.

  // In one store: field by field, the processor would wait for each before it reads the whole.
  static Leg Of(uint32_t ref, bool likely, bool waived) {
    return std::bit_cast<Leg>(ref | uint32_t{likely} << 30 | uint32_t{waived} << 31);
  }
};
static_assert(sizeof(Leg) == 4);

struct OpenHold {
  SpinLock lock;
  uint32_t uses = 0;    // How many tickets this slot has stood for in this incarnation.
  bool listed = false;  // In its list of free slots (under that list's lock).
  uint8_t phase = 0;    // HoldPhase; 0: closed.
  uint8_t legs = 0;
  Ticket ticket = 0;
  uint64_t fingerprint = 0;
  int64_t expires_at_nanos = 0;
  int64_t presumed_at_nanos = 0;
  int64_t booked_at_nanos = 0;  // The first settlement in part.
  Amounts worst;
  Amounts likely;
  Amounts booked;
  std::array<Leg, kMaxLegs> leg;

  const Amounts& AmountOf(const Leg& l) const { return l.likely ? likely : worst; }
  bool HasLikelyLegs() const {
    return std::any_of(leg.begin(), leg.begin() + legs, [](const Leg& l) { return l.likely; });
  }
};

// Where open holds live. A ticket is a slot (20 bits), the incarnation of these accounts (12) and how often
// the slot has been used (32): a slot whose count has run out is never used again, so a ticket never returns.
class HoldSlab {
 public:
  HoldSlab(uint32_t max_open, uint32_t incarnation);
  // Of tickets from now on. Not thread-safe.
  void StartIncarnation(uint32_t incarnation) { incarnation_ = incarnation & 0xfff; }
  uint32_t incarnation() const { return incarnation_; }
  ~HoldSlab();

  // A closed slot, locked, with a new ticket; null: all are in use. Opening is up to the caller (phase).
  OpenHold* Take();
  // The open hold of the ticket, locked; null: none.
  OpenHold* Find(Ticket ticket) const;
  // The open hold in this ticket's slot, whosever it is, locked; null: none.
  OpenHold* FindInSlotOf(Ticket ticket) const;
  // The slot of this ticket, locked, made one for it. Null: no ticket, or another hold is open there.
  OpenHold* TakeFor(Ticket ticket);
  // Closes the hold and unlocks it.
  void Close(OpenHold* hold);

  // Every open hold, locked. `visit` may close it with Close() and then returns true.
  template <typename Visit>
  void Walk(Visit&& visit) const {
    const uint32_t chunks = chunk_count_.load(std::memory_order_acquire);
    for (uint32_t c = 0; c < chunks; ++c) {
      OpenHold* chunk = chunks_[c].load(std::memory_order_acquire);
      for (uint32_t i = 0; i < kChunk; ++i) {
        chunk[i].lock.lock();
        if (chunk[i].phase != 0 && visit(&chunk[i])) continue;
        chunk[i].lock.unlock();
      }
    }
  }

  int64_t open() const;
  int64_t memory_bytes() const;

 private:
  static constexpr uint32_t kChunk = 256;
  static constexpr uint32_t kLists = 8;

  // Threads take from lists of their own as long as there is something in them.
  struct alignas(64) FreeList {
    SpinLock lock;
    std::vector<uint32_t> slots;
  };

  OpenHold& At(uint32_t slot) const {
    return chunks_[slot / kChunk].load(std::memory_order_acquire)[slot % kChunk];
  }
  bool AddChunk();
  OpenHold* TakeFrom(FreeList& list);
  Ticket TicketFor(uint32_t slot, uint32_t uses) const {
    return static_cast<uint64_t>(uses) << 32 | static_cast<uint64_t>(incarnation_) << kTicketSlotBits | slot;
  }

  const uint32_t max_chunks_;
  uint32_t incarnation_;
  std::unique_ptr<std::atomic<OpenHold*>[]> chunks_;
  std::atomic<uint32_t> chunk_count_{0};
  std::mutex grow_;
  std::array<FreeList, kLists> lists_;
};

inline OpenHold* HoldSlab::FindInSlotOf(Ticket ticket) const {
  const uint32_t slot = SlotOf(ticket);
  if (slot / kChunk >= chunk_count_.load(std::memory_order_acquire)) return nullptr;
  OpenHold& hold = At(slot);
  hold.lock.lock();
  if (hold.phase != 0) return &hold;
  hold.lock.unlock();
  return nullptr;
}

inline OpenHold* HoldSlab::Find(Ticket ticket) const {
  const uint32_t slot = SlotOf(ticket);
  if (slot / kChunk >= chunk_count_.load(std::memory_order_acquire)) return nullptr;
  OpenHold& hold = At(slot);
  hold.lock.lock();
  if (hold.phase != 0 && hold.ticket == ticket) return &hold;
  hold.lock.unlock();
  return nullptr;
}

}  // namespace purser::budget

#endif  // PURSER_ENGINE_BUDGET_HOLD_SLAB_H_
