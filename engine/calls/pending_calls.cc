#include "engine/calls/pending_calls.h"

#include <thread>

namespace purser {

void StoredRequest::Assign(const Request& request) {
  text_.clear();
  for (const RequestDimension& dimension : kRequestDimensions) text_.append(request.*dimension.member);
  text_.append(request.id).append(request.model).append(request.region);
  for (const OwnDimension& own : request.own_dimensions) text_.append(own.name).append(own.value);

  // The text has its place now.
  const char* at = text_.data();
  const auto stored = [&at](std::string_view original) {
    const std::string_view copy(at, original.size());
    at += original.size();
    return copy;
  };
  for (const RequestDimension& dimension : kRequestDimensions)
    dimensions_.*dimension.member = stored(request.*dimension.member);
  id_ = stored(request.id);
  model_ = stored(request.model);
  region_ = stored(request.region);
  own_.clear();
  for (const OwnDimension& own : request.own_dimensions) {
    const std::string_view name = stored(own.name);
    own_.push_back({name, stored(own.value)});
  }
  step_ = request.step;
  attempt_ = request.attempt;
  time_nanos_ = request.time_nanos;
}

Request StoredRequest::View() const {
  Request request;
  static_cast<Dimensions&>(request) = dimensions_;
  request.id = id_;
  request.model = model_;
  request.region = region_;
  request.own_dimensions = own_;
  request.step = step_;
  request.attempt = attempt_;
  request.time_nanos = time_nanos_;
  return request;
}

PendingCalls::~PendingCalls() {
  for (const std::atomic<Chunk*>& chunk : chunks_) delete chunk.load(std::memory_order_relaxed);
}

PendingCall* PendingCalls::Slot(budget::Ticket ticket) const {
  const uint32_t slot = budget::SlotOf(ticket);
  Chunk* chunk = chunks_[slot >> kChunkBits].load(std::memory_order_acquire);
  return chunk == nullptr ? nullptr : &(*chunk)[slot & ((1u << kChunkBits) - 1)];
}

PendingCall* PendingCalls::MakeSlot(budget::Ticket ticket) {
  if (PendingCall* slot = Slot(ticket)) return slot;
  std::atomic<Chunk*>& place = chunks_[budget::SlotOf(ticket) >> kChunkBits];
  auto fresh = std::make_unique<Chunk>();
  Chunk* expected = nullptr;
  if (place.compare_exchange_strong(expected, fresh.get(), std::memory_order_acq_rel)) fresh.release();
  return Slot(ticket);
}

PendingCall* PendingCalls::Claim(budget::Ticket granted) {
  PendingCall* call = MakeSlot(granted);
  uint64_t owner = call->owner.load(std::memory_order_relaxed);
  // The slot's last ticket is closed, or the accounts would not have given it out again; at most its
  // settlement is just ending in another thread.
  while (owner == kClaimed ||
         !call->owner.compare_exchange_weak(owner, kClaimed, std::memory_order_acquire)) {
    if (owner == kClaimed) {
      std::this_thread::yield();
      owner = call->owner.load(std::memory_order_relaxed);
    }
  }
  return call;
}

PendingCall* PendingCalls::ClaimOpen(budget::Ticket ticket) {
  PendingCall* call = ticket == 0 || ticket == kClaimed ? nullptr : Slot(ticket);
  if (call == nullptr) return nullptr;
  uint64_t owner = ticket;
  return call->owner.compare_exchange_strong(owner, kClaimed, std::memory_order_acquire) ? call : nullptr;
}

void PendingCalls::Publish(PendingCall* call, budget::Ticket ticket) {
  call->owner.store(ticket, std::memory_order_release);
}

void PendingCalls::Release(PendingCall* call, budget::Ticket ticket, bool settled) {
  if (settled) call->settled.store(ticket, std::memory_order_relaxed);
  call->owner.store(0, std::memory_order_release);
}

bool PendingCalls::WasSettled(budget::Ticket ticket) const {
  const PendingCall* call = ticket == 0 ? nullptr : Slot(ticket);
  return call != nullptr && call->settled.load(std::memory_order_relaxed) == ticket;
}

}  // namespace purser
