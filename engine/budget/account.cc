#include "engine/budget/account.h"

#include <algorithm>

namespace purser::budget {
namespace {

const Amounts kNothing;

void Subtract(Amounts& from, const Amounts& amounts) {
  for (int i = 0; i < kDimensions; ++i) from.of[i] = std::max<int64_t>(0, from.of[i] - amounts.of[i]);
}
void Add(Amounts& to, const Amounts& amounts) {
  for (int i = 0; i < kDimensions; ++i) to.of[i] = AddSaturating(to.of[i], amounts.of[i]);
}

Slice& SliceAt(SliceRing& ring, int64_t index) {
  const int64_t size = static_cast<int64_t>(ring.size());
  return ring[static_cast<size_t>(((index % size) + size) % size)];
}

int64_t NewestSlice(const SliceRing& ring) {
  int64_t newest = ring[0].index;
  for (const Slice& slice : ring) newest = std::max(newest, slice.index);
  return newest;
}

void DropTopUps(Extras& extras, bool (*out)(const TopUp&, int64_t), int64_t argument) {
  int kept = 0;
  for (int i = 0; i < extras.top_ups; ++i) {
    if (!out(extras.top_up[i], argument)) extras.top_up[kept++] = extras.top_up[i];
  }
  extras.top_ups = kept;
}
bool EndsWithWindow(const TopUp& top_up, int64_t) { return top_up.expires_at_nanos == 0; }
bool HasExpired(const TopUp& top_up, int64_t now) {
  return top_up.expires_at_nanos != 0 && top_up.expires_at_nanos <= now;
}

// The window's kind or length is another than when the account was last used: what was spent goes on counting
// as if it had been spent now.
void ChangeWindow(Account& account, const Budget& budget, int64_t now) {
  const Span span = SpanAround(budget.window, now);
  const bool fresh = account.window == 0;
  if (Extras* extras = account.MaybeExtras(); extras != nullptr && !fresh) {
    Add(account.settled, extras->presumed);
    extras->presumed = kNothing;
    extras->presumed_since_nanos = now == kForever ? now : now + 1;
    extras->slices.reset();
  }
  if (budget.window.kind == WindowKind::kRolling) {
    Extras& extras = account.NeedExtras();
    extras.slices = std::make_unique<SliceRing>();
    const int64_t current = SliceOf(budget.window, now);
    for (int i = 0; i <= kRollingSlices; ++i) SliceAt(*extras.slices, current - i).index = current - i;
    SliceAt(*extras.slices, current).settled = account.settled;
  }
  account.window = budget.window_fingerprint;
  account.begin_nanos = span.begin;
  account.end_nanos = span.end;
}

void AdvanceCalendar(Account& account, const Span& span) {
  account.settled = kNothing;
  account.overrun = false;
  account.warned = 0;
  if (account.extras != nullptr) {
    account.extras->presumed = kNothing;
    DropTopUps(*account.extras, EndsWithWindow, 0);
  }
  account.begin_nanos = span.begin;
  account.end_nanos = span.end;
}

void AdvanceRolling(Account& account, const Budget& budget, const Span& span, int64_t now) {
  Extras& extras = account.NeedExtras();
  const int64_t current = SliceOf(budget.window, now);
  const int64_t newest = NewestSlice(*extras.slices);
  const int64_t first_new = std::max(newest + 1, current - kRollingSlices);
  for (int64_t index = first_new; index <= current; ++index) {
    Slice& slice = SliceAt(*extras.slices, index);
    Subtract(account.settled, slice.settled);
    Subtract(extras.presumed, slice.presumed);
    slice = Slice{index, {}, {}};
  }
  if (Planted(Canary::kSliceTooEarly)) {
    Slice& oldest = SliceAt(*extras.slices, current - kRollingSlices);
    Subtract(account.settled, oldest.settled);
    oldest.settled = kNothing;
  }
  account.begin_nanos = span.begin;
  account.end_nanos = span.end;
}

void AdvanceRefill(Account& account, const Budget& budget, const Span& span, int64_t now) {
  for (int i = 0; i < budget.limited_count; ++i) {
    const Dimension d = budget.limited[i];
    const int64_t gained = Refilled(budget.window, budget.limits[d], account.begin_nanos, now);
    account.settled[d] = std::max<int64_t>(0, account.settled[d] - gained);
  }
  account.begin_nanos = span.begin;
  account.end_nanos = span.end;
}

// In a window without borders, levels that the account has come back below may be reported again.
void ForgetLevels(Account& account, const Budget& budget) {
  const auto past = [&](double level) {
    for (int i = 0; i < budget.limited_count; ++i) {
      const Dimension d = budget.limited[i];
      if (static_cast<double>(Committed(account, d)) >= level * static_cast<double>(budget.limits[d]))
        return true;
    }
    return false;
  };
  while (account.warned > 0 &&
         (account.warned > budget.warn_at.size() || !past(budget.warn_at[account.warned - 1])))
    --account.warned;
}

}  // namespace

void AdvanceWindow(Account& account, const Budget& budget, int64_t now_nanos) {
  if (account.window != budget.window_fingerprint || IsYearsAhead(account.begin_nanos, now_nanos))
    return ChangeWindow(account, budget, now_nanos);
  const Span span = SpanAround(budget.window, now_nanos);
  switch (budget.window.kind) {
    case WindowKind::kLifetime:
      break;
    case WindowKind::kDay:
    case WindowKind::kWeek:
    case WindowKind::kMonth:
      AdvanceCalendar(account, span);
      break;
    case WindowKind::kRolling:
      if (now_nanos < account.end_nanos) break;
      AdvanceRolling(account, budget, span, now_nanos);
      ForgetLevels(account, budget);
      break;
    case WindowKind::kRefill:
      if (now_nanos < account.end_nanos) break;
      AdvanceRefill(account, budget, span, now_nanos);
      ForgetLevels(account, budget);
      break;
  }
}

int64_t ToppedUp(const Extras& extras, Dimension dimension, int64_t now_nanos) {
  int64_t sum = 0;
  for (int i = 0; i < extras.top_ups; ++i) {
    if (HasExpired(extras.top_up[i], now_nanos) && !Planted(Canary::kTopUpForever)) continue;
    sum = AddSaturating(sum, extras.top_up[i].amounts[dimension]);
  }
  return sum;
}

void DropExpiredTopUps(Extras& extras, int64_t now_nanos) { DropTopUps(extras, HasExpired, now_nanos); }

void AddToSlice(Account& account, const Amounts& amounts) {
  SliceRing& ring = *account.extras->slices;
  Add(SliceAt(ring, NewestSlice(ring)).settled, amounts);
}

Amounts GivenBack(const Account& account, const Amounts& difference, int64_t booked_at_nanos) {
  const WindowKind kind = KindOf(account.window);
  const bool same_window =
      kind == WindowKind::kLifetime ||
      (kind != WindowKind::kRolling && kind != WindowKind::kRefill && booked_at_nanos >= account.begin_nanos);
  Amounts allowed = difference;
  for (int64_t& amount : allowed.of) {
    if (!same_window) amount = std::max<int64_t>(0, amount);
  }
  return allowed;
}

bool PresumedCounts(const Account& account, const Budget* budget, int64_t time_nanos) {
  if (account.follows_task()) return true;
  // Of a budget that the policy no longer has, only the plain sum is kept.
  if (budget == nullptr) return KindOf(account.window) != WindowKind::kRolling;
  if (account.extras != nullptr && time_nanos < account.extras->presumed_since_nanos) return false;
  switch (budget->window.kind) {
    case WindowKind::kLifetime:
    case WindowKind::kRefill:
      return true;
    case WindowKind::kDay:
    case WindowKind::kWeek:
    case WindowKind::kMonth:
      return time_nanos >= account.begin_nanos;
    case WindowKind::kRolling:
      return SliceOf(budget->window, time_nanos) >= NewestSlice(*account.extras->slices) - kRollingSlices;
  }
  return true;
}

void AddPresumed(Account& account, const Budget* budget, const Amounts& amounts, int64_t presumed_at_nanos) {
  if (!PresumedCounts(account, budget, presumed_at_nanos)) return;
  // A bucket that refills, and the books of a task, treat it as spent.
  if (account.follows_task() || (budget != nullptr && budget->window.kind == WindowKind::kRefill))
    return Add(account.settled, amounts);
  Extras& extras = account.NeedExtras();
  Add(extras.presumed, amounts);
  if (budget != nullptr && budget->window.kind == WindowKind::kRolling)
    Add(SliceAt(*extras.slices, SliceOf(budget->window, presumed_at_nanos)).presumed, amounts);
}

void SettlePresumed(Account& account, const Budget* budget, const PresumedChange& change,
                    int64_t presumed_at_nanos) {
  if (!PresumedCounts(account, budget, presumed_at_nanos)) {
    if (Planted(Canary::kClosedWindowCharged)) AddSettled(account, change.booked);
    return;
  }
  const Amounts& booked = change.booked;
  const Amounts& released = change.released;
  const bool refill = budget != nullptr && budget->window.kind == WindowKind::kRefill;
  if (account.follows_task() || refill) {
    for (int i = 0; i < kDimensions; ++i) {
      const int64_t difference = booked.of[i] - released.of[i];
      // A bucket has been draining what was presumed: what turns out not to have been spent is not given
      // back.
      if (refill && difference < 0) continue;
      account.settled.of[i] = std::max<int64_t>(0, AddSaturating(account.settled.of[i], difference));
    }
    return;
  }
  Extras& extras = account.NeedExtras();
  Subtract(extras.presumed, released);
  if (budget != nullptr && budget->window.kind == WindowKind::kRolling) {
    Slice& slice = SliceAt(*extras.slices, SliceOf(budget->window, presumed_at_nanos));
    Subtract(slice.presumed, released);
    Add(slice.settled, booked);
  }
  for (int i = 0; i < kDimensions; ++i)
    account.settled.of[i] = std::max<int64_t>(0, AddSaturating(account.settled.of[i], booked.of[i]));
}

bool PastLimit(Account& account, const Budget& budget, int64_t now_nanos) {
  for (int i = 0; i < budget.limited_count; ++i) {
    const Dimension d = budget.limited[i];
    if (Committed(account, d) > LimitOf(account, budget.limits, d, now_nanos)) return true;
  }
  return false;
}

int64_t ResetsAt(Account& account, const Budget& budget, Dimension dimension, int64_t asked,
                 int64_t now_nanos) {
  const int64_t limit = LimitOf(account, budget.hold_limits, dimension, now_nanos);
  switch (budget.window.kind) {
    case WindowKind::kLifetime:
      return kForever;
    case WindowKind::kDay:
    case WindowKind::kWeek:
    case WindowKind::kMonth:
      return account.end_nanos;
    case WindowKind::kRolling: {
      SliceRing& ring = *account.extras->slices;
      const int64_t newest = NewestSlice(ring);
      int64_t needed = AddSaturating(Committed(account, dimension), asked) - limit;
      for (int64_t index = newest - kRollingSlices; index <= newest; ++index) {
        const Slice& slice = SliceAt(ring, index);
        needed -= AddSaturating(slice.settled[dimension], slice.presumed[dimension]);
        if (needed <= 0) return SliceLeavesAt(budget.window, index);
      }
      return kForever;
    }
    case WindowKind::kRefill: {
      const int64_t needed = AddSaturating(Committed(account, dimension), asked) - limit;
      const int64_t full = budget.limits[dimension];
      if (needed > account.settled[dimension] || full <= 0) return kForever;
      const __int128 wait = (static_cast<__int128>(needed) * budget.window.length_nanos + full - 1) / full;
      const __int128 tick = account.end_nanos - account.begin_nanos;
      const __int128 at = account.begin_nanos + std::max(wait + 1, tick);
      return at > kForever ? kForever : static_cast<int64_t>(at);
    }
  }
  return kForever;
}

bool IsEmpty(const Account& account) {
  if (account.pins != 0 || account.settled != kNothing || account.held != kNothing) return false;
  const Extras* extras = account.MaybeExtras();
  return extras == nullptr || (extras->presumed == kNothing && extras->top_ups == 0);
}

}  // namespace purser::budget
