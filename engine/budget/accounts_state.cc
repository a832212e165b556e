// Snapshots of accounts, top-ups, and what is replayed from a log.

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "engine/budget/account_store.h"
#include "engine/budget/accounts.h"
#include "engine/budget/reservation.h"
#include "engine/budget/settlement.h"

namespace purser::budget {
namespace {

KeyBytes KeyFrom(const std::string& bytes, bool digested) {
  KeyBytes key;
  key.size = static_cast<uint8_t>(bytes.size());
  key.digested = digested;
  std::memcpy(key.bytes.data(), bytes.data(), bytes.size());
  return key;
}

bool IsKey(const std::string& bytes, bool digested) {
  return bytes.size() <= KeyBytes::kMaxSize && (!digested || bytes.size() == KeyBytes::kMaxSize);
}

bool AreAmounts(const Amounts& amounts) {
  return std::all_of(amounts.of.begin(), amounts.of.end(), [](int64_t amount) { return amount >= 0; });
}

AccountState StateOf(const AccountStore& store, const Account& account) {
  AccountState state;
  if (!account.follows_task()) state.budget = store.names.NameOf(account.budget);
  state.key = std::string(account.Key().view());
  state.digested = account.digested;
  state.ended = account.ended;
  state.overrun = account.overrun;
  state.warned = account.warned;
  state.window = account.window;
  state.begin_nanos = account.begin_nanos;
  state.end_nanos = account.end_nanos;
  state.last_use_nanos = int64_t{account.last_use_seconds} * 1'000'000'000;
  state.settled = account.settled;
  if (account.follows_task()) {
    const AccountRef parent = account.task->parent.load(std::memory_order_relaxed);
    if (parent != kNoAccount) {
      const KeyBytes key = store.table.At(parent).Key();
      state.has_parent = true;
      state.parent_key = std::string(key.view());
      state.parent_digested = key.digested;
    }
    state.started_nanos = account.task->started_nanos;
    state.own_steps = account.task->own_steps;
    // Oldest first.
    for (int i = 0; i < TaskState::kRepeats; ++i) {
      const auto& repeat = account.task->repeats[(account.task->next_repeat + i) % TaskState::kRepeats];
      if (repeat.fingerprint != 0) state.repeats.push_back({repeat.fingerprint, repeat.count});
    }
    return state;
  }
  const Extras* extras = account.extras;
  if (extras == nullptr) return state;
  state.presumed_since_nanos = extras->presumed_since_nanos;
  for (int i = 0; i < extras->top_ups; ++i)
    state.top_ups.push_back({extras->top_up[i].amounts, extras->top_up[i].expires_at_nanos});
  if (extras->slices != nullptr && KindOf(account.window) == WindowKind::kRolling) {
    for (const Slice& slice : *extras->slices) state.slices.push_back({slice.index, slice.settled});
    std::sort(state.slices.begin(), state.slices.end(),
              [](const auto& a, const auto& b) { return a.index < b.index; });
  }
  return state;
}

HoldState StateOf(const AccountStore& store, const OpenHold& hold) {
  HoldState state;
  state.ticket = hold.ticket;
  state.phase = static_cast<HoldPhase>(hold.phase);
  state.expires_at_nanos = hold.expires_at_nanos;
  state.presumed_at_nanos = hold.presumed_at_nanos;
  state.booked_at_nanos = hold.booked_at_nanos;
  state.fingerprint = hold.fingerprint;
  state.worst = hold.worst;
  state.likely = hold.likely;
  state.booked = hold.booked;
  for (int i = 0; i < hold.legs; ++i) {
    const Account& account = store.table.At(hold.leg[i].ref);
    HoldState::Leg leg;
    if (!account.follows_task()) leg.budget = store.names.NameOf(account.budget);
    leg.key = std::string(account.Key().view());
    leg.digested = account.digested;
    leg.likely = hold.leg[i].likely;
    leg.waived = hold.leg[i].waived;
    state.legs.push_back(std::move(leg));
  }
  return state;
}

absl::Status CheckState(const AccountState& state) {
  const auto wrong = [&](std::string_view what) {
    return absl::InvalidArgumentError(
        absl::StrCat("account of budget \"", state.budget, "\": ", std::string(what)));
  };
  if (!IsKey(state.key, state.digested)) return wrong("the key is too long");
  if (state.has_parent && !IsKey(state.parent_key, state.parent_digested))
    return wrong("the parent's key is too long");
  if (!AreAmounts(state.settled)) return wrong("an amount is negative");
  if (state.top_ups.size() > Extras::kMaxTopUps) return wrong("too many top-ups");
  const bool rolling = KindOf(state.window) == WindowKind::kRolling;
  if (state.slices.size() != (rolling ? kRollingSlices + 1 : 0))
    return wrong("the slices do not fit the window");
  for (size_t i = 1; i < state.slices.size(); ++i) {
    if (state.slices[i].index != state.slices[0].index + static_cast<int64_t>(i))
      return wrong("a slice is missing");
  }
  if (state.repeats.size() > TaskState::kRepeats) return wrong("too many repeated calls");
  return absl::OkStatus();
}

void LoadExtras(const AccountState& state, Account& account) {
  const bool needed = !state.top_ups.empty() || !state.slices.empty() ||
                      state.presumed_since_nanos != std::numeric_limits<int64_t>::min();
  if (!needed) return;
  Extras& extras = account.NeedExtras();
  extras.presumed_since_nanos = state.presumed_since_nanos;
  extras.top_ups = 0;
  for (const AccountState::TopUp& top_up : state.top_ups)
    extras.top_up[extras.top_ups++] = {top_up.amounts, top_up.expires_at_nanos};
  if (state.slices.empty()) return;
  extras.slices = std::make_unique<SliceRing>();
  const int64_t size = static_cast<int64_t>(extras.slices->size());
  for (const AccountState::Slice& slice : state.slices)
    (*extras.slices)[static_cast<size_t>(((slice.index % size) + size) % size)] = {
        slice.index, slice.settled, {}};
}

void LoadTask(const AccountState& state, TaskState& task) {
  task.started_nanos = state.started_nanos;
  task.own_steps = state.own_steps;
  task.repeats = {};
  for (size_t i = 0; i < state.repeats.size(); ++i)
    task.repeats[i] = {state.repeats[i].fingerprint, state.repeats[i].count};
  task.next_repeat = static_cast<int32_t>(state.repeats.size() % TaskState::kRepeats);
}

}  // namespace

void Accounts::ExportAccounts(const std::function<void(const AccountState&)>& visit) const {
  uint64_t cursor = 0;
  impl_->table.Walk(&cursor, std::numeric_limits<int64_t>::max(),
                    [&](AccountRef, const Account& account) { visit(StateOf(*impl_, account)); });
}

void Accounts::ExportHolds(const std::function<void(const HoldState&)>& visit) const {
  impl_->holds.Walk([&](OpenHold* hold) {
    visit(StateOf(*impl_, *hold));
    return false;
  });
}

void Accounts::ExportEnded(const std::function<void(const EndedState&)>& visit) const {
  impl_->ended.Export(visit);
}

void Accounts::ImportEnded(const EndedState& state) { impl_->ended.Import(state); }

absl::Status Accounts::ImportAccount(const AccountState& state) {
  if (const absl::Status status = CheckState(state); !status.ok()) return status;
  const uint16_t id = state.budget.empty() ? kTaskAccount : impl_->names.IdOf(state.budget);
  const AccountTable::Found found =
      impl_->table.FindOrCreate(id, KeyFrom(state.key, state.digested), [] { return true; });
  if (found.account == nullptr) return absl::ResourceExhaustedError("too many accounts");
  Account& account = *found.account;
  account.ended = state.ended;
  account.overrun = state.overrun;
  account.warned = state.warned & 63;
  account.window = state.window;
  account.begin_nanos = state.begin_nanos;
  account.end_nanos = state.end_nanos;
  account.last_use_seconds = static_cast<uint32_t>(state.last_use_nanos / 1'000'000'000);
  account.settled = state.settled;
  if (account.follows_task()) {
    LoadTask(state, *account.task);
  } else {
    LoadExtras(state, account);
  }
  account.lock.unlock();
  if (!state.has_parent) return absl::OkStatus();
  const AccountTable::Found parent = impl_->table.FindOrCreate(
      kTaskAccount, KeyFrom(state.parent_key, state.parent_digested), [] { return true; });
  if (parent.account == nullptr) return absl::ResourceExhaustedError("too many accounts");
  ++parent.account->pins;
  parent.account->lock.unlock();
  account.task->parent.store(parent.ref, std::memory_order_release);
  return absl::OkStatus();
}

absl::Status Accounts::ImportHold(const Plan& plan, const HoldState& state) {
  if (state.legs.size() > kMaxLegs || !AreAmounts(state.worst) || !AreAmounts(state.likely) ||
      !AreAmounts(state.booked) || state.phase < HoldPhase::kHeld || state.phase > HoldPhase::kPresumed ||
      std::any_of(state.legs.begin(), state.legs.end(),
                  [](const HoldState::Leg& leg) { return !IsKey(leg.key, leg.digested); })) {
    return absl::InvalidArgumentError(absl::StrCat("hold ", state.ticket, " is not what an export writes"));
  }
  OpenHold* hold = impl_->holds.TakeFor(state.ticket);
  if (hold == nullptr)
    return absl::InvalidArgumentError(
        absl::StrCat("ticket ", state.ticket, " is not valid, or its slot is in use"));
  hold->phase = static_cast<uint8_t>(state.phase);
  hold->expires_at_nanos = state.expires_at_nanos;
  hold->presumed_at_nanos = state.presumed_at_nanos;
  hold->booked_at_nanos = state.booked_at_nanos;
  hold->fingerprint = state.fingerprint;
  hold->worst = state.worst;
  hold->likely = state.likely;
  hold->booked = state.booked;
  hold->legs = 0;
  for (const HoldState::Leg& leg : state.legs) {
    const uint16_t id = leg.budget.empty() ? kTaskAccount : impl_->names.IdOf(leg.budget);
    const AccountTable::Found found =
        impl_->table.FindOrCreate(id, KeyFrom(leg.key, leg.digested), [] { return true; });
    if (found.account == nullptr) continue;
    Account& account = *found.account;
    const Budget* budget = BudgetOf(plan, account);
    if (found.created && budget != nullptr) AdvanceWindow(account, *budget, state.presumed_at_nanos);
    const Amounts rest = RestOf(leg.likely ? hold->likely : hold->worst, hold->booked);
    const bool in_settled = account.follows_task() || KindOf(account.window) == WindowKind::kRefill;
    if (state.phase != HoldPhase::kPresumed) {
      AddHeld(account, rest);
    } else if (!in_settled && !Planted(Canary::kSnapshotLosesPresumed)) {
      AddPresumed(account, budget, rest, state.presumed_at_nanos);
    }
    ++account.pins;
    account.lock.unlock();
    hold->leg[hold->legs++] = Leg{found.ref, leg.likely, leg.waived};
  }
  hold->lock.unlock();
  return absl::OkStatus();
}

void Accounts::StartIncarnation(uint32_t incarnation) { impl_->holds.StartIncarnation(incarnation); }

uint32_t Accounts::incarnation() const { return impl_->holds.incarnation(); }

absl::Status Accounts::ReplayDispatch(const Plan& plan, Ticket ticket, const Call& call, int64_t now_nanos) {
  OpenHold* old = impl_->holds.Find(ticket);
  if (old != nullptr && IsPresumed(*old)) {
    old->lock.unlock();
    return absl::FailedPreconditionError(absl::StrCat("ticket ", ticket, " is presumed spent already"));
  }
  OpenHold* hold = old != nullptr ? old : impl_->holds.TakeFor(ticket);
  if (hold == nullptr)
    return absl::InvalidArgumentError(
        absl::StrCat("ticket ", ticket, " is not valid, or its slot is in use"));
  HoldResult result;
  Reservation reservation(*impl_, plan, call, Reservation::Mode::kForce, old, now_nanos);
  reservation.Run(&result);
  if (result.status != HoldStatus::kHeld) {
    if (old == nullptr) {
      impl_->holds.Close(hold);
    } else {
      hold->lock.unlock();
    }
    return absl::InvalidArgumentError(
        absl::StrCat("the call of ticket ", ticket, " draws on too many accounts"));
  }
  if (old != nullptr) ReleaseReplaced(*impl_, plan, *hold, reservation, now_nanos);
  reservation.Open(hold, HoldPhase::kDispatched, AddSaturating(now_nanos, plan.lifetimes().dispatch_nanos));
  hold->lock.unlock();
  return absl::OkStatus();
}

bool Accounts::ReplayPresumed(const Plan& plan, Ticket ticket, int64_t now_nanos) {
  OpenHold* hold = impl_->holds.Find(ticket);
  if (hold == nullptr) return false;
  const bool presumed_before = IsPresumed(*hold);
  if (!presumed_before) Presume(*impl_, plan, hold, now_nanos);
  hold->lock.unlock();
  return !presumed_before;
}

bool Accounts::ReplayPresumedFinal(const Plan& plan, Ticket ticket, int64_t now_nanos) {
  OpenHold* hold = impl_->holds.Find(ticket);
  if (hold == nullptr) return false;
  if (!IsPresumed(*hold)) Presume(*impl_, plan, hold, now_nanos);
  BookForGood(*impl_, plan, *hold, now_nanos);
  impl_->holds.Close(hold);
  return true;
}

Ticket Accounts::OpenInSlotOf(Ticket ticket) const {
  OpenHold* hold = impl_->holds.FindInSlotOf(ticket);
  if (hold == nullptr) return 0;
  const Ticket open = hold->ticket == ticket ? 0 : hold->ticket;
  hold->lock.unlock();
  return open;
}

absl::Status Accounts::TopUp(const Plan& plan, std::string_view budget_name, const Scope& scope,
                             const Amounts& amounts, int64_t expires_at_nanos, int64_t now_nanos) {
  const auto found_budget = std::find_if(plan.budgets().begin(), plan.budgets().end(),
                                         [&](const Budget& budget) { return budget.name == budget_name; });
  if (found_budget == plan.budgets().end())
    return absl::NotFoundError(
        absl::StrCat("the policy has no budget named \"", std::string(budget_name), "\""));
  const Budget& budget = *found_budget;
  if (!HasKey(budget, scope))
    return absl::FailedPreconditionError(
        absl::StrCat("budget \"", budget.name, "\" is kept by values that were not given"));
  const AccountTable::Found found =
      impl_->table.FindOrCreate(budget.id, MakeKey(budget, scope), [] { return true; });
  if (found.account == nullptr) return absl::ResourceExhaustedError("too many accounts");
  Account& account = *found.account;
  const std::lock_guard<SpinLock> lock(account.lock, std::adopt_lock);
  Touch(account, &budget, now_nanos);
  Extras& extras = account.NeedExtras();
  DropExpiredTopUps(extras, now_nanos);
  if (extras.top_ups == Extras::kMaxTopUps) {
    return absl::FailedPreconditionError(
        absl::StrCat("the account has ", Extras::kMaxTopUps, " top-ups already; wait until one runs out"));
  }
  Amounts raised = amounts;
  for (int64_t& amount : raised.of) amount = std::max<int64_t>(0, amount);
  extras.top_up[extras.top_ups++] = {raised, expires_at_nanos};
  return absl::OkStatus();
}

}  // namespace purser::budget
