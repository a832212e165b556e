#ifndef PURSER_ENGINE_BUDGET_ACCOUNT_H_
#define PURSER_ENGINE_BUDGET_ACCOUNT_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>

#include "engine/base/invariant.h"
#include "engine/base/saturating.h"
#include "engine/base/spin_lock.h"
#include "engine/budget/amounts.h"
#include "engine/budget/canary.h"
#include "engine/budget/key.h"
#include "engine/budget/plan.h"

namespace purser::budget {

// Where an account is: shard and slot (account_table.h). Stable while the account is pinned.
using AccountRef = uint32_t;
inline constexpr AccountRef kNoAccount = 0x3fffffff;

// The budget id of the accounts that follow tasks themselves.
inline constexpr uint16_t kTaskAccount = 0;

struct TopUp {
  Amounts amounts;
  int64_t expires_at_nanos = 0;
};

struct Slice {
  int64_t index = 0;
  Amounts settled;
  Amounts presumed;
};
using SliceRing = std::array<Slice, kRollingSlices + 1>;

// What few accounts have.
struct Extras {
  static constexpr int kMaxTopUps = 4;

  Amounts presumed;  // In the current window.
  // What was presumed spent before this time has been made part of `settled`, when the budget's window
  // changed.
  int64_t presumed_since_nanos = std::numeric_limits<int64_t>::min();
  int top_ups = 0;
  std::array<TopUp, kMaxTopUps> top_up;
  std::unique_ptr<SliceRing> slices;  // Of a rolling window.
};

// What loop guards know of a task.
struct TaskState {
  static constexpr int kRepeats = 8;
  struct Repeat {
    uint64_t fingerprint = 0;
    int32_t count = 0;
  };

  // Written once, from kNoAccount, under the account's lock. A parent is pinned by its children.
  std::atomic<AccountRef> parent{kNoAccount};
  int32_t next_repeat = 0;
  int64_t started_nanos = 0;
  int64_t own_steps = 0;  // Of this task alone.
  std::array<Repeat, kRepeats> repeats;
};

// A comparison of 48 bytes in line costs less than the call of memcmp.
inline bool HaveSameBytes(const std::array<char, KeyBytes::kMaxSize>& a,
                          const std::array<char, KeyBytes::kMaxSize>& b) {
  uint64_t difference = 0;
  for (size_t i = 0; i < a.size(); i += sizeof(uint64_t)) {
    uint64_t of_a, of_b;
    std::memcpy(&of_a, a.data() + i, sizeof(of_a));
    std::memcpy(&of_b, b.data() + i, sizeof(of_b));
    difference |= of_a ^ of_b;
  }
  return difference == 0;
}

// One key's instance of a budget. Slots are used again, and a thread that looked an account up may come to
// its lock after the slot has changed hands: whoever takes the lock checks that this is still the account it
// meant.
struct Account {
  SpinLock lock;
  uint32_t pins = 0;  // Open holds and living children.
  uint16_t budget = 0;
  uint16_t window = 0;  // Fingerprint of the window that the figures are of.
  // Changed under the shard's mutex and the lock: whoever holds either may read them, and the key.
  bool live = false;
  bool digested = false;
  uint8_t key_size = 0;
  // Under the lock.
  uint8_t warned : 6 = 0;  // How many of the budget's levels have been reported.
  uint8_t ended : 1 = 0;
  uint8_t overrun : 1 = 0;
  uint32_t last_use_seconds = 0;
  int64_t begin_nanos = 0;  // The span within which nothing has to be done about time. Refill: filled up to.
  int64_t end_nanos = kForever;
  union {
    Extras* extras = nullptr;
    TaskState* task;  // If budget == kTaskAccount.
  };
  Amounts settled;
  Amounts held;
  std::array<char, KeyBytes::kMaxSize> key_bytes;  // As KeyBytes::bytes.

  bool Is(uint16_t budget_id, const KeyBytes& key) const {
    return live && budget == budget_id && key_size == key.size && digested == key.digested &&
           HaveSameBytes(key_bytes, key.bytes);
  }
  KeyBytes Key() const {
    KeyBytes key;
    key.size = key_size;
    key.digested = digested;
    key.bytes = key_bytes;
    return key;
  }
  bool follows_task() const { return budget == kTaskAccount; }
  Extras* MaybeExtras() const { return follows_task() ? nullptr : extras; }
  Extras& NeedExtras() {
    if (extras == nullptr) extras = new Extras;
    return *extras;
  }
};
static_assert(sizeof(Account) <= 176, "the promise of 200 bytes per idle account counts on it");

// ---- The arithmetic of one account. The caller holds its lock. `budget` is the budget's entry in the plan
// at hand, null if that plan has none of the name (or for an account that follows a task): no limits, no
// window.

// An account whose time is so much later than now was touched under a clock that was wrong. A month's window
// begins no later than 31 days after a clock that was set back within it.
inline constexpr int64_t kAClockWasWrong = int64_t{400} * 86'400 * 1'000'000'000;
inline bool IsYearsAhead(int64_t begin_nanos, int64_t now_nanos) {
  return begin_nanos > now_nanos &&
         static_cast<uint64_t>(begin_nanos) - static_cast<uint64_t>(now_nanos) > uint64_t{kAClockWasWrong};
}

// Brings the account's window up to `now_nanos`, which may lie before what the account has seen: then nothing
// happens, unless it lies years before. Then the account's window is that of `now_nanos`, and what counted in
// it counts there.
void AdvanceWindow(Account& account, const Budget& budget, int64_t now_nanos);
inline void Touch(Account& account, const Budget* budget, int64_t now_nanos) {
  const uint32_t seconds = static_cast<uint32_t>(now_nanos / 1'000'000'000);
  if (seconds > account.last_use_seconds ||
      account.last_use_seconds - seconds > kAClockWasWrong / 1'000'000'000)
    account.last_use_seconds = seconds;
  if (budget == nullptr) return;
  if (now_nanos >= account.end_nanos || IsYearsAhead(account.begin_nanos, now_nanos) ||
      account.window != budget->window_fingerprint ||
      (Planted(Canary::kWindowRunsBackwards) && now_nanos < account.begin_nanos)) {
    AdvanceWindow(account, *budget, now_nanos);
  }
}

// What top-ups add to the limit now.
int64_t ToppedUp(const Extras& extras, Dimension dimension, int64_t now_nanos);
// Only where time is sure to have passed (a new top-up, a sweep): a clock that is set back finds the others
// again.
void DropExpiredTopUps(Extras& extras, int64_t now_nanos);

inline int64_t LimitOf(const Account& account, const Amounts& limits, Dimension d, int64_t now_nanos) {
  const Extras* extras = account.MaybeExtras();
  if (extras == nullptr || extras->top_ups == 0) return limits[d];
  return AddSaturating(limits[d], ToppedUp(*extras, d, now_nanos));
}

inline int64_t Committed(const Account& account, Dimension d) {
  const int64_t known = AddSaturating(account.settled[d], account.held[d]);
  const Extras* extras = account.MaybeExtras();
  return extras == nullptr ? known : AddSaturating(known, extras->presumed[d]);
}

// The first limited dimension of which there is not enough for `asked`; kDimensions: it fits.
inline int FirstShort(Account& account, const Budget& budget, const Amounts& asked, int64_t now_nanos) {
  for (int i = 0; i < budget.limited_count; ++i) {
    const Dimension d = budget.limited[i];
    const int64_t slack = Planted(Canary::kRoomForOneMore) ? 1 : 0;
    if (AddSaturating(Committed(account, d), asked[d]) >
        AddSaturating(LimitOf(account, budget.hold_limits, d, now_nanos), slack))
      return static_cast<int>(d);
  }
  return kDimensions;
}

inline void AddHeld(Account& account, const Amounts& amounts) {
  for (int i = 0; i < kDimensions; ++i) account.held.of[i] = AddSaturating(account.held.of[i], amounts.of[i]);
}
// Takes back what AddHeld added. A sum that stopped at kUnlimited stays there, because what it holds is not
// known any more: counting down from it would end below zero. Only a dimension without a limit, or a waived
// one, gets so far.
inline void SubtractHeld(Account& account, const Amounts& amounts) {
  int64_t signs = 0;
  for (int i = 0; i < kDimensions; ++i) {
    const int64_t held = account.held.of[i];
    account.held.of[i] = held == kUnlimited ? held : held - amounts.of[i];
    signs |= account.held.of[i];
  }
  PURSER_INVARIANT(signs >= 0 || AnythingPlanted());
}

// Adds to what is settled. Negative amounts only as GivenBack() allows.
void AddToSlice(Account& account, const Amounts& amounts);
inline void AddSettled(Account& account, const Amounts& amounts) {
  if (KindOf(account.window) == WindowKind::kRolling) AddToSlice(account, amounts);
  for (int i = 0; i < kDimensions; ++i)
    account.settled.of[i] = std::max<int64_t>(0, AddSaturating(account.settled.of[i], amounts.of[i]));
}

// When a stream turns out to have cost less than it had settled in part (from `booked_at_nanos` on), the
// negative part of the difference is given back only where it was surely booked in the current window.
// Otherwise it would make room for others that was never taken from this window.
Amounts GivenBack(const Account& account, const Amounts& difference, int64_t booked_at_nanos);

// Whether what was presumed spent at `time_nanos` still counts in the account.
bool PresumedCounts(const Account& account, const Budget* budget, int64_t time_nanos);

// What was set aside is presumed spent. Nothing, if that is of a window that has closed since.
void AddPresumed(Account& account, const Budget* budget, const Amounts& amounts, int64_t presumed_at_nanos);
// Of what was presumed spent, `released` no longer is, and `booked` is settled.
struct PresumedChange {
  Amounts released, booked;
};
void SettlePresumed(Account& account, const Budget* budget, const PresumedChange& change,
                    int64_t presumed_at_nanos);

// Whether the account is past a limit of its budget.
bool PastLimit(Account& account, const Budget& budget, int64_t now_nanos);

// When there could be room for `asked` in this dimension, if nothing else is held. kForever: not by waiting.
int64_t ResetsAt(Account& account, const Budget& budget, Dimension dimension, int64_t asked,
                 int64_t now_nanos);

// Whether forgetting the account loses nothing: nothing is spent, held or topped up in it.
bool IsEmpty(const Account& account);

}  // namespace purser::budget

#endif  // PURSER_ENGINE_BUDGET_ACCOUNT_H_
