#include "engine/budget/settlement.h"

#include <algorithm>

#include "engine/budget/loop_guard.h"

namespace purser::budget {
namespace {

Amounts Minus(const Amounts& a, const Amounts& b) {
  Amounts difference;
  for (int i = 0; i < kDimensions; ++i) difference.of[i] = a.of[i] - b.of[i];
  return difference;
}

class Mover {
 public:
  Mover(AccountStore& store, const Plan& plan, const OpenHold& hold, const Move& move, int64_t now)
      : store_(store), plan_(plan), hold_(hold), move_(move), now_(now) {
    booked_ = Minus(move.booked_after, hold.booked);
    gives_back_ =
        std::any_of(booked_.of.begin(), booked_.of.end(), [](int64_t amount) { return amount < 0; });
    Prepare(false, hold.worst);
    if (hold.HasLikelyLegs()) Prepare(true, hold.likely);
  }

  // Returns the budgets that the charge took past their limits.
  uint64_t Run() {
    uint64_t overrun = 0;
    for (int i = 0; i < hold_.legs; ++i) overrun |= MoveLeg(hold_.leg[i]);
    return overrun;
  }

 private:
  // What a leg that holds `amounts` releases.
  void Prepare(bool likely, const Amounts& amounts) {
    before_[likely] = RestOf(amounts, hold_.booked);
    released_[likely] =
        move_.keep_rest ? Minus(before_[likely], RestOf(amounts, move_.booked_after)) : before_[likely];
    exceeds_[likely] = move_.unasked || Exceeds(booked_, before_[likely]);
  }

  uint64_t MoveLeg(const Leg& leg) {
    Account& account = store_.table.At(leg.ref);
    uint64_t overrun = 0;
    account.lock.lock();
    const Budget* budget = BudgetOf(plan_, account);
    Touch(account, budget, now_);
    const Amounts booked = gives_back_ ? GivenBack(account, booked_, hold_.booked_at_nanos) : booked_;
    if (IsPresumed(hold_)) {
      SettlePresumed(account, budget, {released_[leg.likely], booked}, hold_.presumed_at_nanos);
    } else {
      SubtractHeld(account, released_[leg.likely]);
      AddSettled(account, Capped(booked, before_[leg.likely]));
    }
    if (budget != nullptr && exceeds_[leg.likely] && PastLimit(account, *budget, now_)) {
      account.overrun = true;
      overrun = uint64_t{1} << plan_.IndexOf(*budget);
    }
    if (move_.close) {
      store_.UnpinAndUnlock(account, leg.ref);
    } else {
      account.lock.unlock();
    }
    return overrun;
  }

  // The charge itself; the tests' planted bug cuts it down to the hold.
  static Amounts Capped(Amounts booked, [[maybe_unused]] const Amounts& rest) {
    if (Planted(Canary::kForgetsOverrun)) {
      for (int i = 0; i < kDimensions; ++i) booked.of[i] = std::min(booked.of[i], rest.of[i]);
    }
    return booked;
  }

  AccountStore& store_;
  const Plan& plan_;
  const OpenHold& hold_;
  const Move& move_;
  const int64_t now_;
  Amounts booked_;
  bool gives_back_ = false;
  // By Leg::likely.
  Amounts before_[2], released_[2];
  bool exceeds_[2] = {};
};

}  // namespace

bool Exceeds(const Amounts& a, const Amounts& b) {
  for (int i = 0; i < kDimensions; ++i) {
    if (a.of[i] > b.of[i]) return true;
  }
  return false;
}

Amounts RestOf(const Amounts& amounts, const Amounts& booked) {
  Amounts rest;
  for (int i = 0; i < kDimensions; ++i) rest.of[i] = std::max<int64_t>(0, amounts.of[i] - booked.of[i]);
  return rest;
}

bool IsPresumed(const OpenHold& hold) { return hold.phase == static_cast<uint8_t>(HoldPhase::kPresumed); }

const Budget* BudgetOf(const Plan& plan, const Account& account) {
  return account.follows_task() ? nullptr : plan.FindById(account.budget);
}

uint64_t MoveLegs(AccountStore& store, const Plan& plan, const OpenHold& hold, const Move& move,
                  int64_t now) {
  return Mover(store, plan, hold, move, now).Run();
}

void Release(AccountStore& store, const Plan& plan, const OpenHold& hold, int64_t now) {
  if (hold.legs > 0) {
    Account& own = store.table.At(hold.leg[0].ref);
    const std::lock_guard<SpinLock> lock(own.lock);
    if (own.follows_task()) UncountCall(*own.task, hold.worst, hold.fingerprint);
  }
  if (Planted(Canary::kVoidGivesBackTwice) && hold.legs > 0) {
    Account& account = store.table.At(hold.leg[0].ref);
    const std::lock_guard<SpinLock> lock(account.lock);
    SubtractHeld(account, hold.AmountOf(hold.leg[0]));
  }
  MoveLegs(store, plan, hold, {.booked_after = hold.booked, .close = true}, now);
}

// The time it is presumed spent at is one that every account's window has reached.
void Presume(AccountStore& store, const Plan& plan, OpenHold* hold, int64_t now) {
  int64_t at = now;
  for (int i = 0; i < hold->legs; ++i) {
    Account& account = store.table.At(hold->leg[i].ref);
    const std::lock_guard<SpinLock> lock(account.lock);
    const Budget* budget = BudgetOf(plan, account);
    Touch(account, budget, now);
    if (budget != nullptr) at = std::max(at, account.begin_nanos);
  }
  for (int i = 0; i < hold->legs; ++i) {
    const Leg& leg = hold->leg[i];
    Account& account = store.table.At(leg.ref);
    const std::lock_guard<SpinLock> lock(account.lock);
    const Budget* budget = BudgetOf(plan, account);
    Touch(account, budget, at);
    const Amounts rest = RestOf(hold->AmountOf(leg), hold->booked);
    SubtractHeld(account, rest);
    if (!Planted(Canary::kReleasesDispatched)) AddPresumed(account, budget, rest, at);
  }
  hold->phase = static_cast<uint8_t>(HoldPhase::kPresumed);
  hold->presumed_at_nanos = at;
  hold->expires_at_nanos = AddSaturating(now, plan.lifetimes().presumed_nanos);
}

void BookForGood(AccountStore& store, const Plan& plan, const OpenHold& hold, int64_t now) {
  for (int i = 0; i < hold.legs; ++i) {
    const Leg& leg = hold.leg[i];
    const Amounts rest = RestOf(hold.AmountOf(leg), hold.booked);
    Account& account = store.table.At(leg.ref);
    account.lock.lock();
    const Budget* budget = BudgetOf(plan, account);
    Touch(account, budget, now);
    SettlePresumed(account, budget, {rest, rest}, hold.presumed_at_nanos);
    store.UnpinAndUnlock(account, leg.ref);
  }
}

void ReleaseReplaced(AccountStore& store, const Plan& plan, const OpenHold& old, const Reservation& fresh,
                     int64_t now) {
  for (int i = 0; i < old.legs; ++i) {
    const Leg& leg = old.leg[i];
    Amounts surplus = RestOf(old.AmountOf(leg), old.booked);
    for (int j = 0; j < fresh.legs(); ++j) {
      if (fresh.leg(j).ref == leg.ref) surplus = RestOf(surplus, fresh.AmountOf(fresh.leg(j)));
    }
    Account& account = store.table.At(leg.ref);
    account.lock.lock();
    Touch(account, BudgetOf(plan, account), now);
    SubtractHeld(account, surplus);
    store.UnpinAndUnlock(account, leg.ref);
  }
}

}  // namespace purser::budget
