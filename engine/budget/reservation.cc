#include "engine/budget/reservation.h"

#include <algorithm>

#include "engine/budget/loop_guard.h"

namespace purser::budget {

bool Applies(const Budget& budget, const Scope& scope) {
  for (const Budget::Filter& filter : budget.only_for) {
    const std::string_view value = ValueOf(scope, filter.field);
    if (std::find(filter.values.begin(), filter.values.end(), value) == filter.values.end()) return false;
  }
  return true;
}

bool HasKey(const Budget& budget, const Scope& scope) {
  for (const Field field : budget.key) {
    if (field != Field::kTenant && ValueOf(scope, field).empty()) return false;
  }
  return true;
}

Shortage DescribeShortage(Account& account, const Budget& budget, Dimension dimension, const Amounts& asked,
                          int64_t now_nanos) {
  Shortage shortage;
  shortage.key = account.Key();
  shortage.dimension = dimension;
  shortage.limit = LimitOf(account, budget.hold_limits, dimension, now_nanos);
  shortage.settled = account.settled[dimension];
  shortage.held = account.held[dimension];
  shortage.presumed = account.extras == nullptr ? 0 : account.extras->presumed[dimension];
  shortage.asked = asked[dimension];
  shortage.resets_at_nanos = ResetsAt(account, budget, dimension, asked[dimension], now_nanos);
  account.overrun = account.overrun && PastLimit(account, budget, now_nanos);
  shortage.overrun = account.overrun;
  return shortage;
}

void Reservation::Run(HoldResult* result) {
  result_ = result;
  result_->status = HoldStatus::kHeld;
  result_->over_waived = 0;
  bool ok = !plan_.follows_tasks() || call_.scope.task.empty() || AddTasks();
  const int budgets = static_cast<int>(plan_.budgets().size());
  for (int i = 0; ok && i < budgets; ++i) ok = AddBudget(i);
  if (!ok) Undo();
}

void Reservation::Undo() {
  for (int i = legs_; i-- > 0;) {
    Account& account = store_.table.At(leg_[i].ref);
    account.lock.lock();
    if (!Planted(Canary::kNoRollback) || i != 0) SubtractHeld(account, Amounts{trace_[i].asked});
    if (trace_[i].warned_after != trace_[i].warned_before && account.warned == trace_[i].warned_after)
      account.warned = trace_[i].warned_before;
    if (i == 0 && counted_)
      UncountCall(*account.task, call_.worst, call_.attempt <= 1 ? call_.fingerprint : 0);
    store_.UnpinAndUnlock(account, leg_[i].ref);
    // Nobody should be able to fill the memory with calls that are refused.
    if (trace_[i].created) store_.Forget(leg_[i].ref, IsEmpty);
  }
  legs_ = 0;
  counted_ = false;
  result_->levels_crossed = 0;
}

void Reservation::Open(OpenHold* hold, HoldPhase phase, int64_t expires_at_nanos) const {
  hold->phase = static_cast<uint8_t>(phase);
  hold->legs = static_cast<uint8_t>(legs_);
  std::copy_n(leg_.begin(), legs_, hold->leg.begin());
  hold->worst = call_.worst;
  hold->likely = call_.likely;
  hold->booked = {};
  hold->fingerprint = call_.attempt <= 1 ? call_.fingerprint : 0;
  hold->presumed_at_nanos = 0;
  hold->booked_at_nanos = 0;
  hold->expires_at_nanos = expires_at_nanos;
}

bool Reservation::Fail(HoldStatus status) {
  result_->status = status;
  return false;
}

bool Reservation::IsReplaced(AccountRef ref) const {
  return replaced_ != nullptr && std::any_of(replaced_->leg.begin(), replaced_->leg.begin() + replaced_->legs,
                                             [&](const Leg& leg) { return leg.ref == ref; });
}

Amounts Reservation::Asked(const Leg& leg) const {
  Amounts asked = AmountOf(leg);
  if (replaced_ == nullptr || Planted(Canary::kReholdCountsTwice)) return asked;
  for (int i = 0; i < replaced_->legs; ++i) {
    const Leg& old = replaced_->leg[i];
    if (old.ref != leg.ref) continue;
    for (int d = 0; d < kDimensions; ++d) {
      const int64_t rest = std::max<int64_t>(0, replaced_->AmountOf(old).of[d] - replaced_->booked.of[d]);
      asked.of[d] = std::max<int64_t>(0, asked.of[d] - rest);
    }
  }
  return asked;
}

void Reservation::Keep(const Leg& leg, const Amounts& asked, bool created) {
  leg_[legs_] = leg;
  trace_[legs_].asked = asked.of;
  trace_[legs_].created = created;
  trace_[legs_].warned_before = trace_[legs_].warned_after = 0;
  ++legs_;
}

bool Reservation::AddTasks() {
  AccountRef own = kNoAccount;
  if (!AddOwnTask(&own)) return false;
  for (int i = 1; i < chain_.size; ++i) {
    Account& account = store_.table.At(chain_.ref[i]);
    const Leg leg = Leg::Of(chain_.ref[i], false, false);
    const Amounts asked = Asked(leg);
    account.lock.lock();
    Touch(account, nullptr, now_);
    AddHeld(account, asked);
    ++account.pins;
    account.lock.unlock();
    Keep(leg, asked, false);
  }
  return true;
}

bool Reservation::AddOwnTask(AccountRef* own) {
  own_key_ = MakeTaskKey(call_.scope.tenant, call_.scope.task);
  const KeyBytes& key = own_key_;
  own_key_hash_ = store_.table.HashOf(key);
  const int64_t remember = plan_.lifetimes().ended_nanos;
  bool has_ended = false;
  const AccountTable::Found found = store_.table.FindOrCreate(kTaskAccount, key, own_key_hash_, [&] {
    has_ended = store_.ended.Contains(EndedKind::kTask, key, now_, remember);
    return mode_ == Mode::kForce || !has_ended;
  });
  if (found.account == nullptr) return Fail(has_ended ? HoldStatus::kEnded : HoldStatus::kTooManyAccounts);
  Account& account = *found.account;
  if (has_ended) account.ended = true;
  if (account.ended && mode_ == Mode::kAsk && replaced_ == nullptr) {
    account.lock.unlock();
    return Fail(HoldStatus::kEnded);
  }
  ++account.pins;
  *own = found.ref;
  const Leg leg = Leg::Of(found.ref, false, false);
  if (!call_.scope.parent_task.empty() &&
      account.task->parent.load(std::memory_order_relaxed) == kNoAccount) {
    account.lock.unlock();
    const HoldStatus linked = LinkToParent(store_, found.ref, call_.scope.tenant, call_.scope.parent_task,
                                           mode_ == Mode::kForce, plan_.lifetimes(), now_);
    account.lock.lock();
    if (linked != HoldStatus::kHeld && mode_ == Mode::kAsk) {
      account.lock.unlock();
      Keep(leg, {}, found.created);
      return Fail(linked);
    }
  }
  chain_ = ChainOf(store_.table, found.ref);
  if (Planted(Canary::kSkipsAncestors)) chain_.size = 1;
  if (chain_.cut_off && mode_ == Mode::kAsk) {
    account.lock.unlock();
    Keep(leg, {}, found.created);
    return Fail(HoldStatus::kBadParent);
  }
  if (mode_ == Mode::kAsk && replaced_ == nullptr) {
    const GuardVerdict verdict = AskGuards(plan_.guards(), account, chain_.size, call_, now_);
    result_->guards_flagged = verdict.flagged;
    if (verdict.refused) {
      result_->guard = verdict.trip;
      account.lock.unlock();
      Keep(leg, {}, found.created);
      return Fail(HoldStatus::kGuard);
    }
  }
  if (replaced_ == nullptr) {
    CountCall(*account.task, call_.worst, call_.fingerprint, call_.attempt, now_);
    counted_ = true;
  }
  const Amounts asked = Asked(leg);
  Touch(account, nullptr, now_);
  AddHeld(account, asked);
  account.lock.unlock();
  Keep(leg, asked, found.created);
  return true;
}

bool Reservation::AddBudget(int index) {
  const Budget& budget = plan_.budgets()[index];
  if (!budget.only_for.empty() && !Applies(budget, call_.scope)) return true;
  if (!HasKey(budget, call_.scope)) {
    if (!budget.required || mode_ == Mode::kForce) return true;
    result_->shortage.budget = index;
    return Fail(HoldStatus::kMissingValue);
  }
  if (!budget.per_task) {
    const KeyBytes key = MakeKey(budget, call_.scope);
    return AddAccount(index, key, store_.table.HashOf(key));
  }
  if (chain_.size > 0 && !AddAccount(index, own_key_, own_key_hash_)) return false;
  for (int i = 1; i < chain_.size; ++i) {
    const KeyBytes key = store_.table.At(chain_.ref[i]).Key();
    if (!AddAccount(index, key, store_.table.HashOf(key))) return false;
  }
  return true;
}

bool Reservation::AddAccount(int index, const KeyBytes& key, uint64_t key_hash) {
  const Budget& budget = plan_.budgets()[index];
  if (legs_ == kMaxLegs) return Fail(HoldStatus::kTooManyAccounts);
  bool has_ended = false;
  const AccountTable::Found found = store_.table.FindOrCreate(budget.id, key, key_hash, [&] {
    has_ended = budget.per_session &&
                store_.ended.Contains(EndedKind::kSession, key, now_, plan_.lifetimes().ended_nanos);
    return mode_ == Mode::kForce || !has_ended;
  });
  if (found.account == nullptr) return Fail(has_ended ? HoldStatus::kEnded : HoldStatus::kTooManyAccounts);
  Account& account = *found.account;
  if (has_ended) account.ended = true;
  if (budget.per_session && account.ended && mode_ == Mode::kAsk && replaced_ == nullptr) {
    account.lock.unlock();
    return Fail(HoldStatus::kEnded);
  }
  Touch(account, &budget, now_);
  const uint64_t bit = uint64_t{1} << index;
  const Leg leg = Leg::Of(found.ref, budget.quantile > 0, (call_.waived & bit) != 0);
  const Amounts asked = replaced_ == nullptr ? AmountOf(leg) : Asked(leg);
  if (mode_ == Mode::kAsk) {
    // A replacement that needs nothing more here is not stopped by an account that is past its limit.
    const bool asks = replaced_ == nullptr || asked != Amounts{} || !IsReplaced(found.ref);
    const int short_of = asks ? FirstShort(account, budget, asked, now_) : kDimensions;
    if (short_of != kDimensions) {
      if (!leg.waived) {
        result_->shortage = DescribeShortage(account, budget, static_cast<Dimension>(short_of), asked, now_);
        result_->shortage.budget = index;
        ++account.pins;
        account.lock.unlock();
        Keep(leg, {}, found.created);
        return Fail(HoldStatus::kShort);
      }
      result_->over_waived |= bit;
    }
  }
  AddHeld(account, asked);
  ++account.pins;
  Keep(leg, asked, found.created);
  if (mode_ == Mode::kAsk && MayCrossLevel(account, budget)) NoteLevels(account, index);
  account.lock.unlock();
  return true;
}

// Whether to look: false of nearly every call. Top-ups only raise the limits.
bool Reservation::MayCrossLevel(const Account& account, const Budget& budget) {
  if (account.warned >= budget.warn_from.size()) return false;
  const Amounts& from = budget.warn_from[account.warned];
  for (int i = 0; i < budget.limited_count; ++i) {
    const Dimension d = budget.limited[i];
    if (Committed(account, d) >= from[d]) return true;
  }
  return false;
}

void Reservation::NoteLevels(Account& account, int index) {
  const Budget& budget = plan_.budgets()[index];
  Trace& trace = trace_[legs_ - 1];
  trace.warned_before = trace.warned_after = account.warned;
  while (account.warned < budget.warn_at.size()) {
    const double level = budget.warn_at[account.warned];
    int past = 0;
    for (; past < budget.limited_count; ++past) {
      const Dimension d = budget.limited[past];
      const int64_t limit = LimitOf(account, budget.limits, d, now_);
      if (static_cast<double>(Committed(account, d)) >= level * static_cast<double>(limit)) break;
    }
    if (past == budget.limited_count) break;
    ++account.warned;
    if (result_->levels_crossed < static_cast<int>(result_->levels.size())) {
      result_->levels[result_->levels_crossed++] = {static_cast<float>(level), static_cast<uint8_t>(index),
                                                    budget.limited[past]};
    }
  }
  trace.warned_after = account.warned;
}

}  // namespace purser::budget
