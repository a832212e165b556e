#include "engine/calls/pending_calls.h"

#include <thread>

namespace purser {
namespace {

using Field = std::string_view Request::*;

constexpr auto kStored = [] {
  std::array<Field, StoredRequest::kFields> fields{};
  for (size_t row = 0; row < kRequestDimensionCount; ++row) fields[row] = kRequestDimensions[row].member;
  fields[kRequestDimensionCount] = &Request::id;
  fields[kRequestDimensionCount + 1] = &Request::model;
  fields[kRequestDimensionCount + 2] = &Request::region;
  return fields;
}();

}  // namespace

void StoredRequest::Assign(const Request& request) {
  text_.clear();
  for (size_t i = 0; i < kFields; ++i) {
    text_.append(request.*kStored[i]);
    ends_[i] = static_cast<uint32_t>(text_.size());
  }
  own_.clear();
  if (!request.own_dimensions.empty()) AssignOwn(request.own_dimensions);
  step_ = request.step;
  attempt_ = request.attempt;
  time_nanos_ = request.time_nanos;
}

void StoredRequest::AssignOwn(std::span<const OwnDimension> own) {
  for (const OwnDimension& dimension : own) text_.append(dimension.name).append(dimension.value);
  std::string_view rest = std::string_view(text_).substr(ends_.back());
  for (const OwnDimension& dimension : own) {
    const size_t name = dimension.name.size(), value = dimension.value.size();
    own_.push_back({rest.substr(0, name), rest.substr(name, value)});
    rest.remove_prefix(name + value);
  }
}

Request StoredRequest::View() const {
  Request request;
  uint32_t begin = 0;
  for (size_t i = 0; i < kFields; ++i) {
    request.*kStored[i] = std::string_view(text_).substr(begin, ends_[i] - begin);
    begin = ends_[i];
  }
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
