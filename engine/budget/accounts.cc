#include "engine/budget/accounts.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "engine/budget/account_store.h"
#include "engine/budget/expiry.h"
#include "engine/budget/reservation.h"
#include "engine/budget/settlement.h"

namespace purser::budget {

#ifdef PURSER_CANARIES
Canary planted = Canary::kNone;
#endif

namespace {

const Amounts kNothing;

// Negative amounts would give money away.
Amounts AtLeastZero(Amounts amounts) {
  for (int64_t& amount : amounts.of) amount = std::max<int64_t>(0, amount);
  return amounts;
}

bool IsNegative(const Amounts& amounts) {
  return std::any_of(amounts.of.begin(), amounts.of.end(), [](int64_t amount) { return amount < 0; });
}

// `call` itself, or if it has negative amounts a copy in `storage` without them.
const Call& Sanitized(const Call& call, std::optional<Call>* storage) {
  if (!IsNegative(call.worst) && !IsNegative(call.likely)) return call;
  storage->emplace(call);
  (*storage)->worst = AtLeastZero(call.worst);
  (*storage)->likely = AtLeastZero(call.likely);
  return **storage;
}

}  // namespace

std::string_view HoldStatusName(HoldStatus status) {
  switch (status) {
    case HoldStatus::kHeld:
      return "held";
    case HoldStatus::kShort:
      return "short";
    case HoldStatus::kGuard:
      return "loop guard";
    case HoldStatus::kMissingValue:
      return "missing value";
    case HoldStatus::kEnded:
      return "ended";
    case HoldStatus::kBadParent:
      return "bad parent";
    case HoldStatus::kTooManyHolds:
      return "too many open holds";
    case HoldStatus::kUnknownTicket:
      return "unknown ticket";
    case HoldStatus::kTooManyAccounts:
      return "too many accounts";
  }
  return "";
}

Accounts::Accounts(const Options& options) : impl_(std::make_unique<Impl>(options)) {}
Accounts::~Accounts() = default;

void Accounts::Register(Plan* plan) {
  for (size_t i = 0; i < plan->budgets_.size(); ++i) {
    Budget& budget = plan->budgets_[i];
    budget.id = impl_->names.IdOf(budget.name);
    if (plan->index_by_id_.size() <= budget.id) plan->index_by_id_.resize(budget.id + 1, -1);
    plan->index_by_id_[budget.id] = static_cast<int16_t>(i);
  }
}

HoldResult Accounts::Hold(const Plan& plan, const Call& asked, int64_t now_nanos) {
  HoldResult result;
  std::optional<Call> storage;
  const Call& call = Sanitized(asked, &storage);
  Reservation reservation(*impl_, plan, call, Reservation::Mode::kAsk, nullptr, now_nanos);
  reservation.Run(&result);
  // It may have met another thread's hold that was about to be rolled back.
  if (result.status == HoldStatus::kShort) reservation.Run(&result);
  if (result.status != HoldStatus::kHeld) return result;
  OpenHold* hold = impl_->holds.Take();
  if (hold == nullptr) {
    reservation.Undo();
    result.status = HoldStatus::kTooManyHolds;
    return result;
  }
  reservation.Open(hold, HoldPhase::kHeld, AddSaturating(now_nanos, plan.lifetimes().hold_nanos));
  result.ticket = hold->ticket;
  hold->lock.unlock();
  return result;
}

bool Accounts::MarkDispatched(const Plan& plan, Ticket ticket, int64_t now_nanos) {
  OpenHold* hold = impl_->holds.Find(ticket);
  if (hold == nullptr) return false;
  const bool known = !IsPresumed(*hold);
  if (known) {
    hold->phase = static_cast<uint8_t>(HoldPhase::kDispatched);
    hold->expires_at_nanos = AddSaturating(now_nanos, plan.lifetimes().dispatch_nanos);
  }
  hold->lock.unlock();
  return known;
}

SettleResult Accounts::Settle(const Plan& plan, Ticket ticket, const Amounts& total, bool final,
                              int64_t now_nanos) {
  SettleResult result;
  OpenHold* hold = impl_->holds.Find(ticket);
  if (hold == nullptr) return result;
  result.status = SettleStatus::kSettled;
  result.was_presumed = IsPresumed(*hold);
  Move move{.booked_after = AtLeastZero(total),
            .keep_rest = !final,
            .close = final && !Planted(Canary::kSettleTwice)};
  if (!final) {
    for (int i = 0; i < kDimensions; ++i) {
      move.booked_after.of[i] = Planted(Canary::kPartialAdds)
                                    ? AddSaturating(hold->booked.of[i], move.booked_after.of[i])
                                    : std::max(hold->booked.of[i], move.booked_after.of[i]);
    }
  }
  result.exceeded_hold = Exceeds(move.booked_after, hold->HasLikelyLegs() ? hold->likely : hold->worst);
  result.overrun = MoveLegs(*impl_, plan, *hold, move, now_nanos);
  if (move.close) {
    impl_->holds.Close(hold);
    return result;
  }
  if (hold->booked == kNothing) hold->booked_at_nanos = now_nanos;
  hold->booked = move.booked_after;
  if (hold->phase == static_cast<uint8_t>(HoldPhase::kHeld))
    hold->phase = static_cast<uint8_t>(HoldPhase::kDispatched);
  if (!result.was_presumed)
    hold->expires_at_nanos = AddSaturating(now_nanos, plan.lifetimes().dispatch_nanos);
  if (Planted(Canary::kSettleTwice) && final) hold->booked = kNothing, hold->worst = hold->likely = kNothing;
  hold->lock.unlock();
  return result;
}

bool Accounts::Void(const Plan& plan, Ticket ticket, int64_t now_nanos) {
  OpenHold* hold = impl_->holds.Find(ticket);
  if (hold == nullptr) return false;
  Release(*impl_, plan, *hold, now_nanos);
  impl_->holds.Close(hold);
  return true;
}

ProgressResult Accounts::Progress(Ticket ticket, int64_t output_tokens) const {
  ProgressResult result;
  OpenHold* hold = impl_->holds.Find(ticket);
  if (hold == nullptr) return result;
  result.known = true;
  int64_t held = hold->worst[Dimension::kOutputTokens];
  for (int i = 0; i < hold->legs; ++i)
    held = std::min(held, hold->AmountOf(hold->leg[i])[Dimension::kOutputTokens]);
  result.output_tokens_left = std::max<int64_t>(0, held - output_tokens);
  hold->lock.unlock();
  return result;
}

HoldResult Accounts::Extend(const Plan& plan, Ticket ticket, const Amounts& asked, int64_t now_nanos) {
  HoldResult result;
  const Amounts more = AtLeastZero(asked);
  OpenHold* hold = impl_->holds.Find(ticket);
  if (hold == nullptr || IsPresumed(*hold)) {
    if (hold != nullptr) hold->lock.unlock();
    result.status = HoldStatus::kUnknownTicket;
    return result;
  }
  result.ticket = ticket;
  // Of what a stream has settled beyond its hold already, nothing more has to be set aside.
  Amounts grown[2], needed[2];
  for (int likely = 0; likely < 2; ++likely) {
    const Amounts& amounts = likely ? hold->likely : hold->worst;
    for (int i = 0; i < kDimensions; ++i) grown[likely].of[i] = AddSaturating(amounts.of[i], more.of[i]);
    needed[likely] = RestOf(RestOf(grown[likely], hold->booked), RestOf(amounts, hold->booked));
  }
  int done = 0;
  for (; done < hold->legs; ++done) {
    const Leg& leg = hold->leg[done];
    Account& account = impl_->table.At(leg.ref);
    const std::lock_guard<SpinLock> lock(account.lock);
    const Budget* budget = BudgetOf(plan, account);
    Touch(account, budget, now_nanos);
    if (budget != nullptr && !leg.waived) {
      const int short_of = FirstShort(account, *budget, needed[leg.likely], now_nanos);
      if (short_of != kDimensions) {
        result.status = HoldStatus::kShort;
        result.shortage = DescribeShortage(account, *budget, static_cast<Dimension>(short_of),
                                           needed[leg.likely], now_nanos);
        result.shortage.budget = plan.IndexOf(*budget);
        break;
      }
    }
    AddHeld(account, needed[leg.likely]);
  }
  if (result.status == HoldStatus::kHeld) {
    hold->worst = grown[0];
    hold->likely = grown[1];
    hold->expires_at_nanos = AddSaturating(now_nanos, hold->phase == static_cast<uint8_t>(HoldPhase::kHeld)
                                                          ? plan.lifetimes().hold_nanos
                                                          : plan.lifetimes().dispatch_nanos);
  } else {
    while (done-- > 0) {
      Account& account = impl_->table.At(hold->leg[done].ref);
      const std::lock_guard<SpinLock> lock(account.lock);
      SubtractHeld(account, needed[hold->leg[done].likely]);
    }
  }
  hold->lock.unlock();
  return result;
}

HoldResult Accounts::Rehold(const Plan& plan, Ticket ticket, const Call& asked, int64_t now_nanos) {
  HoldResult result;
  std::optional<Call> storage;
  const Call& call = Sanitized(asked, &storage);
  OpenHold* hold = impl_->holds.Find(ticket);
  if (hold == nullptr || IsPresumed(*hold)) {
    if (hold != nullptr) hold->lock.unlock();
    result.status = HoldStatus::kUnknownTicket;
    return result;
  }
  Reservation reservation(*impl_, plan, call, Reservation::Mode::kAsk, hold, now_nanos);
  reservation.Run(&result);
  if (result.status == HoldStatus::kShort) reservation.Run(&result);
  if (result.status == HoldStatus::kHeld) {
    ReleaseReplaced(*impl_, plan, *hold, reservation, now_nanos);
    reservation.Open(hold, HoldPhase::kHeld, AddSaturating(now_nanos, plan.lifetimes().hold_nanos));
    result.ticket = ticket;
  }
  hold->lock.unlock();
  return result;
}

namespace {

ExpiringHold Describe(const OpenHold& hold) {
  ExpiringHold expiring{.ticket = hold.ticket, .phase = static_cast<HoldPhase>(hold.phase), .counted = {}};
  const Amounts& held = hold.HasLikelyLegs() ? hold.likely : hold.worst;
  for (int i = 0; i < kDimensions; ++i) expiring.counted.of[i] = std::max(held.of[i], hold.booked.of[i]);
  return expiring;
}

}  // namespace

ExpireResult Accounts::Expire(const Plan& plan, int64_t now_nanos, int64_t max_accounts,
                              const BeforeExpiry& before) {
  ExpireResult result;
  const int64_t early = Planted(Canary::kExpiresEarly) ? 1 : 0;
  impl_->holds.Walk([&](OpenHold* hold) {
    if (hold->expires_at_nanos > AddSaturating(now_nanos, early)) return false;
    if (before && !before(Describe(*hold))) return false;
    switch (static_cast<HoldPhase>(hold->phase)) {
      case HoldPhase::kHeld:
        Release(*impl_, plan, *hold, now_nanos);
        ++result.released;
        break;
      case HoldPhase::kDispatched:
        Presume(*impl_, plan, hold, now_nanos);
        ++result.presumed;
        return false;
      case HoldPhase::kPresumed:
        BookForGood(*impl_, plan, *hold, now_nanos);
        ++result.presumed_final;
        break;
    }
    impl_->holds.Close(hold);
    return true;
  });
  result.forgotten = Sweep(*impl_, plan, now_nanos, max_accounts);
  return result;
}

uint64_t Accounts::Charge(const Plan& plan, const Scope& scope, const Amounts& total, int64_t now_nanos) {
  Call call;
  call.scope = scope;
  call.worst = call.likely = AtLeastZero(total);
  HoldResult result;
  Reservation reservation(*impl_, plan, call, Reservation::Mode::kForce, nullptr, now_nanos);
  reservation.Run(&result);
  if (result.status != HoldStatus::kHeld) return 0;
  OpenHold hold;
  reservation.Open(&hold, HoldPhase::kHeld, kForever);
  return MoveLegs(*impl_, plan, hold, {.booked_after = call.worst, .close = true, .unasked = true},
                  now_nanos);
}

void Accounts::EndTask(const Plan& plan, std::string_view tenant, std::string_view task, int64_t now_nanos) {
  const KeyBytes key = MakeTaskKey(tenant, task);
  impl_->ended.Remember(EndedKind::kTask, key, now_nanos, plan.lifetimes().ended_nanos);
  End(*impl_, kTaskAccount, key);
  for (const Budget& budget : plan.budgets()) {
    if (budget.per_task) End(*impl_, budget.id, key);
  }
}

void Accounts::EndSession(const Plan& plan, std::string_view tenant, std::string_view session,
                          int64_t now_nanos) {
  Scope scope;
  scope.tenant = tenant;
  scope.session = session;
  bool remembered = false;
  for (const Budget& budget : plan.budgets()) {
    if (!budget.per_session) continue;
    const KeyBytes key = MakeKey(budget, scope);
    if (!std::exchange(remembered, true))
      impl_->ended.Remember(EndedKind::kSession, key, now_nanos, plan.lifetimes().ended_nanos);
    End(*impl_, budget.id, key);
  }
}

}  // namespace purser::budget
