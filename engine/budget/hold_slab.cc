#include "engine/budget/hold_slab.h"

#include <algorithm>

namespace purser::budget {
namespace {

constexpr uint32_t kLastUse = ~0u;

uint32_t NextThread() {
  static std::atomic<uint32_t> next{0};
  return next.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

HoldSlab::HoldSlab(uint32_t max_open, uint32_t incarnation)
    : max_chunks_(std::max(1u, (std::min(max_open, 1u << kTicketSlotBits) + kChunk - 1) / kChunk)),
      incarnation_(incarnation & 0xfff),
      chunks_(std::make_unique<std::atomic<OpenHold*>[]>(max_chunks_)) {
  // One for each list, so that threads do not meet in one.
  for (uint32_t i = 0; i < kLists; ++i) AddChunk();
}

HoldSlab::~HoldSlab() {
  for (uint32_t i = 0; i < chunk_count_.load(); ++i) delete[] chunks_[i].load();
}

bool HoldSlab::AddChunk() {
  const uint32_t chunk = chunk_count_.load(std::memory_order_relaxed);
  if (chunk >= max_chunks_) return false;
  chunks_[chunk].store(new OpenHold[kChunk], std::memory_order_release);
  chunk_count_.store(chunk + 1, std::memory_order_release);
  FreeList& list = lists_[chunk % kLists];
  const std::lock_guard<SpinLock> lock(list.lock);
  list.slots.reserve(list.slots.capacity() + kChunk);
  for (uint32_t i = kChunk; i-- > 0;) {
    list.slots.push_back(chunk * kChunk + i);
    At(chunk * kChunk + i).listed = true;
  }
  return true;
}

OpenHold* HoldSlab::TakeFrom(FreeList& list) {
  for (;;) {
    uint32_t slot;
    {
      const std::lock_guard<SpinLock> lock(list.lock);
      if (list.slots.empty()) return nullptr;
      slot = list.slots.back();
      list.slots.pop_back();
      At(slot).listed = false;
    }
    OpenHold& hold = At(slot);
    hold.lock.lock();
    if (hold.phase == 0 && hold.uses != kLastUse) {
      hold.ticket = TicketFor(slot, ++hold.uses);
      return &hold;
    }
    hold.lock.unlock();  // TakeFor took it meanwhile, or it is used up.
  }
}

OpenHold* HoldSlab::Take() {
  thread_local const uint32_t home = NextThread();
  for (;;) {
    for (uint32_t i = 0; i < kLists; ++i) {
      if (OpenHold* hold = TakeFrom(lists_[(home + i) % kLists])) return hold;
    }
    const uint32_t chunks = chunk_count_.load(std::memory_order_acquire);
    const std::lock_guard<std::mutex> lock(grow_);
    if (chunk_count_.load(std::memory_order_relaxed) == chunks && !AddChunk()) return nullptr;
  }
}

OpenHold* HoldSlab::TakeFor(Ticket ticket) {
  const uint32_t slot = SlotOf(ticket);
  const uint32_t uses = static_cast<uint32_t>(ticket >> 32);
  if (uses == 0) return nullptr;
  {
    const std::lock_guard<std::mutex> lock(grow_);
    while (slot / kChunk >= chunk_count_.load(std::memory_order_relaxed)) {
      if (!AddChunk()) return nullptr;
    }
  }
  OpenHold& hold = At(slot);
  hold.lock.lock();
  if (hold.phase != 0) {
    hold.lock.unlock();
    return nullptr;
  }
  hold.ticket = ticket;
  if ((ticket >> kTicketSlotBits & 0xfff) == incarnation_) hold.uses = std::max(hold.uses, uses);
  return &hold;
}

void HoldSlab::Close(OpenHold* hold) {
  const uint32_t slot = SlotOf(hold->ticket);
  hold->phase = 0;
  hold->lock.unlock();
  FreeList& list = lists_[slot / kChunk % kLists];
  const std::lock_guard<SpinLock> lock(list.lock);
  if (At(slot).listed) return;
  At(slot).listed = true;
  list.slots.push_back(slot);
}

int64_t HoldSlab::open() const {
  int64_t count = 0;
  Walk([&](OpenHold*) {
    ++count;
    return false;
  });
  return count;
}

int64_t HoldSlab::memory_bytes() const {
  return static_cast<int64_t>(chunk_count_.load()) * kChunk * (sizeof(OpenHold) + sizeof(uint32_t));
}

}  // namespace purser::budget
