#ifndef PURSER_ENGINE_CALLS_PENDING_CALLS_H_
#define PURSER_ENGINE_CALLS_PENDING_CALLS_H_

#include <purser/request.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/budget/accounts.h"
#include "engine/pricing/quote_input.h"
#include "engine/revision/revision.h"

namespace purser {

// The identity and dimensions of a request, copied: what is left of it when its call settles. Reused, it
// allocates only while its buffer grows.
class StoredRequest {
 public:
  StoredRequest() = default;
  StoredRequest(const StoredRequest&) = delete;
  StoredRequest& operator=(const StoredRequest&) = delete;

  void Assign(const Request& request);
  // A request with the copied fields; views into this object. The rest is at its default.
  Request View() const;

 private:
  std::string text_;  // What the views are of.
  Dimensions dimensions_;
  std::string_view id_, model_, region_;
  std::vector<OwnDimension> own_;
  int32_t step_ = 0;
  int32_t attempt_ = 0;
  int64_t time_nanos_ = 0;
};

// What a stream has settled in part.
struct PartialSpend {
  int64_t nanos = 0, tokens = 0, output_tokens = 0;  // `tokens`: input and output.

  bool any() const { return nanos > 0 || tokens > 0; }
};

// What was granted under one ticket, until it settles.
struct PendingCall {
  StoredRequest request;
  std::shared_ptr<const Revision> revision;  // Kept although it is idle, until the slot is used again.
  int candidate = 0;
  int request_class = -1;
  // The cheapest candidate that has passed all of the class's decisions; -1: none has.
  int best_constant = -1;
  routing::CandidateSet failed;  // Candidates that were dispatched before and failed.
  bool batch = false;
  bool clamped = false;
  bool failed_over = false;
  bool over_budget = false;
  bool dispatched = false;      // The log may have it as dispatched, and must be told how that ends.
  bool presumed = false;        // The log has a PRESUMED record of it.
  bool presumed_final = false;  // Booked for good: the accounts have counted `counted`, its hold is closed.
  PartialSpend part;
  budget::Amounts counted;
  // What the hold was quoted for, to quote more of it alike. Its region is the request's.
  pricing::QuoteInput quoted;
  int64_t decided_nanos = 0;
  int64_t expires_nanos = 0;
  int64_t expected_nanos = 0;
  int64_t held_nanos = 0;
  int64_t held_tokens = 0;
  int64_t held_output_tokens = 0;
  int64_t input_tokens = 0;  // Estimated, corrected.
  // Estimated, before correction and without history; 0: the caller counted.
  int64_t uncorrected_input_tokens = 0;
  int64_t history_tokens = 0;
  int64_t expected_output_tokens = 0;

 private:
  friend class PendingCalls;
  // The ticket that this describes; kClaimed while one thread reads or writes it; 0: free.
  std::atomic<uint64_t> owner{0};
  // The ticket that settled here last, so that settling it again is told from never having been granted.
  std::atomic<uint64_t> settled{0};
};

// The pending calls by their tickets' slots. A claim makes one thread the only one that touches a call.
// Thread-safe, lock-free; slots are allocated 256 at a time on first use and kept.
class PendingCalls {
 public:
  PendingCalls() = default;
  ~PendingCalls();
  PendingCalls(const PendingCalls&) = delete;
  PendingCalls& operator=(const PendingCalls&) = delete;

  // The slot of a ticket that was just granted, claimed; Publish() it once it is filled.
  PendingCall* Claim(budget::Ticket granted);
  // The call of an open ticket, claimed; null if the ticket is not (or no longer) open or another thread has
  // it.
  PendingCall* ClaimOpen(budget::Ticket ticket);
  // Ends a claim; the call stays open under `ticket`.
  void Publish(PendingCall* call, budget::Ticket ticket);
  // Ends a claim; the call is over. `settled`: by having been booked.
  void Release(PendingCall* call, budget::Ticket ticket, bool settled);

  bool WasSettled(budget::Ticket ticket) const;

 private:
  static constexpr uint64_t kClaimed = ~uint64_t{0};
  static constexpr int kChunkBits = 8;
  static constexpr size_t kChunks = size_t{1} << (budget::kTicketSlotBits - kChunkBits);
  using Chunk = std::array<PendingCall, size_t{1} << kChunkBits>;

  PendingCall* Slot(budget::Ticket ticket) const;  // Null if never used.
  PendingCall* MakeSlot(budget::Ticket ticket);

  std::array<std::atomic<Chunk*>, kChunks> chunks_ = {};
};

}  // namespace purser

#endif  // PURSER_ENGINE_CALLS_PENDING_CALLS_H_
