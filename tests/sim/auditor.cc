#include "tests/sim/auditor.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace purser::budget {
// Lengths in front: what must not be confused is not.
std::string Auditor::TaskName(std::string_view tenant, std::string_view task) {
  return absl::StrCat(tenant.size(), ":", std::string(tenant), "/", std::string(task));
}

std::string Auditor::KeyOf(const ::purser::budget::Budget& budget, const Scope& scope) const {
  std::string key;
  for (const Field field : budget.key) {
    const std::string value(ValueOf(scope, field));
    absl::StrAppend(&key, key.empty() ? "" : "/",
                    field == budget.key.back() ? "" : absl::StrCat(value.size(), ":"), value);
  }
  return key;
}

std::vector<std::string> Auditor::ChainOf(const std::string& task) const {
  std::vector<std::string> chain;
  for (std::string at = task; !at.empty();) {
    chain.push_back(at);
    const auto found = tasks_.find(at);
    at = found == tasks_.end() ? "" : found->second.parent;
  }
  return chain;
}

bool Auditor::IsPinned(const AccountKey& key) const {
  return std::any_of(holds_.begin(), holds_.end(), [&](const auto& entry) {
    const auto& legs = entry.second.legs;
    return std::find(legs.begin(), legs.end(), key) != legs.end();
  });
}

bool Auditor::TaskIsPinned(const std::string& task) const {
  for (const auto& [name, other] : tasks_) {
    if (other.parent == task) return true;
  }
  for (const auto& [ticket, hold] : holds_) {
    if (std::find(hold.tasks.begin(), hold.tasks.end(), task) != hold.tasks.end()) return true;
  }
  return false;
}

HoldStatus Auditor::LinkTask(const Call& call, bool force, int64_t now) {
  if (call.scope.task.empty()) return HoldStatus::kHeld;
  const auto has_ended = [&](const std::string& name) {
    const auto found = tasks_.find(name);
    if (found != tasks_.end()) return found->second.ended;
    const auto ended = ended_tasks_.find(name);
    return ended != ended_tasks_.end() && IsRemembered(ended->second, now);
  };
  const std::string own = TaskName(call.scope.tenant, call.scope.task);
  const bool own_ended = has_ended(own);
  if (own_ended && !force) return HoldStatus::kEnded;
  tasks_[own].ended = own_ended;
  if (call.scope.parent_task.empty() || !tasks_[own].parent.empty()) return HoldStatus::kHeld;
  const std::string parent = TaskName(call.scope.tenant, call.scope.parent_task);
  const bool parent_ended = has_ended(parent);
  if (parent_ended && !force) return HoldStatus::kEnded;
  tasks_[parent].ended = parent_ended;
  const std::vector<std::string> above = ChainOf(parent);
  if (std::find(above.begin(), above.end(), own) != above.end()) return HoldStatus::kBadParent;
  tasks_[own].parent = parent;
  return HoldStatus::kHeld;
}

std::vector<Auditor::AccountKey> Auditor::Legs(const Call& call) const {
  std::vector<AccountKey> legs;
  for (int i = 0; i < static_cast<int>(plan_->budgets().size()); ++i) {
    const auto& budget = plan_->budgets()[i];
    const bool has_key = std::all_of(budget.key.begin(), budget.key.end(), [&](Field field) {
      return field == Field::kTenant || !ValueOf(call.scope, field).empty();
    });
    if (!has_key) continue;
    if (!budget.per_task) {
      legs.push_back({i, KeyOf(budget, call.scope)});
    } else {
      for (const std::string& task : ChainOf(TaskName(call.scope.tenant, call.scope.task)))
        legs.push_back({i, task});
    }
  }
  return legs;
}

AuditedAccount& Auditor::Touch(const AccountKey& key, int64_t now) {
  AuditedAccount& account = accounts_.try_emplace(key, now).first->second;
  account.Advance(plan_->budgets()[key.first], now);
  return account;
}

Amounts Auditor::HeldIn(const AccountKey& key) const {
  Amounts sum;
  for (const auto& [ticket, hold] : holds_) {
    if (hold.phase != HoldPhase::kPresumed &&
        std::find(hold.legs.begin(), hold.legs.end(), key) != hold.legs.end())
      sum = Sum(sum, Rest(hold.amounts, hold.booked));
  }
  return sum;
}

bool Auditor::IsShort(const AccountKey& key, const Amounts& asked, int64_t now) {
  const AuditedAccount& account = accounts_.at(key);
  const auto& budget = plan_->budgets()[key.first];
  const Amounts limits = account.Limits(budget.hold_limits, now);
  const Amounts used = Sum(Sum(account.Settled(budget.window), account.Presumed(budget.window)), HeldIn(key));
  for (int i = 0; i < kDimensions; ++i) {
    if (limits.of[i] != kUnlimited && used.of[i] + asked.of[i] > limits.of[i]) return true;
  }
  return false;
}

HoldStatus Auditor::Ask(const Call& call, const Hold* replaced, int64_t now, int* short_budget) {
  const auto tasks_before = tasks_;
  const std::string own = TaskName(call.scope.tenant, call.scope.task);
  // A task that is created by a call that fails is forgotten; one that was there keeps its new parent.
  const auto fail = [&](HoldStatus status) {
    if (!tasks_before.count(own)) tasks_.erase(own);
    return status;
  };
  if (plan_->follows_tasks()) {
    const HoldStatus linked = LinkTask(call, replaced != nullptr, now);
    if (linked != HoldStatus::kHeld) return fail(linked);
  }
  std::vector<AccountKey> created;
  HoldStatus status = HoldStatus::kHeld;
  for (const AccountKey& key : Legs(call)) {
    if (!accounts_.count(key)) {
      const auto ended = ended_sessions_.find(key.second);
      if (replaced == nullptr && plan_->budgets()[key.first].per_session && ended != ended_sessions_.end() &&
          IsRemembered(ended->second, now)) {
        status = HoldStatus::kEnded;
        break;
      }
      created.push_back(key);
    } else if (plan_->budgets()[key.first].per_session && accounts_.at(key).ended && replaced == nullptr) {
      status = HoldStatus::kEnded;
      break;
    }
    Touch(key, now);
    const bool also_old = replaced != nullptr && std::find(replaced->legs.begin(), replaced->legs.end(),
                                                           key) != replaced->legs.end();
    const Amounts asked = also_old ? Rest(call.worst, Rest(replaced->amounts, replaced->booked)) : call.worst;
    if (call.waived >> key.first & 1) continue;
    if (!(also_old && asked == Amounts{}) && IsShort(key, asked, now)) {
      *short_budget = key.first;
      status = HoldStatus::kShort;
      break;
    }
  }
  if (status == HoldStatus::kHeld) return status;
  for (const AccountKey& key : created) accounts_.erase(key);
  return fail(status);
}

HoldStatus Auditor::ExpectHold(const Call& call, int64_t now, int* short_budget) {
  return Ask(call, nullptr, now, short_budget);
}

void Auditor::Held(Ticket ticket, const Call& call, int64_t now) {
  Hold& hold = holds_[ticket];
  hold.expires_at = now + plan_->lifetimes().hold_nanos;
  hold.amounts = call.worst;
  hold.waived = call.waived;
  hold.legs = Legs(call);
  if (plan_->follows_tasks() && !call.scope.task.empty())
    hold.tasks = ChainOf(TaskName(call.scope.tenant, call.scope.task));
  for (const AccountKey& key : hold.legs) {
    if (call.waived >> key.first & 1) accounts_.at(key).excused = true;
  }
}

bool Auditor::MarkDispatched(Ticket ticket, int64_t now) {
  const auto found = holds_.find(ticket);
  if (found == holds_.end() || found->second.phase == HoldPhase::kPresumed) return false;
  found->second.phase = HoldPhase::kDispatched;
  found->second.expires_at = now + plan_->lifetimes().dispatch_nanos;
  return true;
}

void Auditor::Close(std::map<Ticket, Hold>::iterator hold) {
  holds_.erase(hold);
  ForgetEnded();
}

void Auditor::ForgetEnded() {
  std::erase_if(accounts_, [&](const auto& entry) { return entry.second.ended && !IsPinned(entry.first); });
  bool again = true;
  while (again) {
    again = std::erase_if(tasks_, [&](const auto& entry) {
              return entry.second.ended && !TaskIsPinned(entry.first);
            }) > 0;
  }
}

bool Auditor::Settle(Ticket ticket, const Amounts& total, bool final, int64_t now) {
  const auto found = holds_.find(ticket);
  if (found == holds_.end()) return false;
  Hold& hold = found->second;
  const Amounts booked = final ? total : Max(total, hold.booked);
  const Amounts difference = Sum(booked, hold.booked, -1);
  const Amounts rest_before = Rest(hold.amounts, hold.booked);
  const Amounts rest_after = final ? Amounts{} : Rest(hold.amounts, booked);
  for (const AccountKey& key : hold.legs) {
    AuditedAccount& account = Touch(key, now);
    for (int i = 0; i < kDimensions; ++i) account.excused |= difference.of[i] > rest_before.of[i];
    const WindowSpec& window = plan_->budgets()[key.first].window;
    const WindowKind kind = window.kind;
    const bool calendar = kind == WindowKind::kDay || kind == WindowKind::kWeek || kind == WindowKind::kMonth;
    const bool gives_back =
        kind == WindowKind::kLifetime || (calendar && hold.booked_at >= account.span.begin);
    const Amounts given = gives_back ? difference : AtLeastZero(difference);
    if (hold.phase != HoldPhase::kPresumed) {
      account.Book(window, given);
      continue;
    }
    if (kind == WindowKind::kRefill) {
      account.level = Sum(account.level, AtLeastZero(Sum(given, Sum(rest_before, rest_after, -1), -1)));
      continue;
    }
    if (!account.Counts(window, hold.presumed_at)) continue;
    for (AuditedAccount::Entry& entry : account.entries) {
      if (entry.presumed_of == ticket) entry.amounts = rest_after;
    }
    // Settled at the time at which it was presumed.
    account.BookAt(window, hold.presumed_at, given);
  }
  booked_ = Sum(booked_, difference);
  if (hold.booked == Amounts{}) hold.booked_at = now;
  hold.booked = booked;
  if (final) {
    Close(found);
    return true;
  }
  if (hold.phase == HoldPhase::kHeld) hold.phase = HoldPhase::kDispatched;
  if (hold.phase != HoldPhase::kPresumed) hold.expires_at = now + plan_->lifetimes().dispatch_nanos;
  return true;
}

bool Auditor::Void(Ticket ticket, int64_t now) {
  const auto found = holds_.find(ticket);
  if (found == holds_.end()) return false;
  for (const AccountKey& key : found->second.legs) {
    std::erase_if(Touch(key, now).entries,
                  [&](const AuditedAccount::Entry& entry) { return entry.presumed_of == ticket; });
  }
  Close(found);
  return true;
}

HoldStatus Auditor::Extend(Ticket ticket, const Amounts& more, int64_t now) {
  const auto found = holds_.find(ticket);
  if (found == holds_.end() || found->second.phase == HoldPhase::kPresumed) return HoldStatus::kUnknownTicket;
  Hold& hold = found->second;
  const Amounts needed = Sum(Rest(Sum(hold.amounts, more), hold.booked), Rest(hold.amounts, hold.booked), -1);
  for (const AccountKey& key : hold.legs) {
    Touch(key, now);
    if (!(hold.waived >> key.first & 1) && IsShort(key, needed, now)) return HoldStatus::kShort;
  }
  hold.amounts = Sum(hold.amounts, more);
  hold.expires_at = now + (hold.phase == HoldPhase::kHeld ? plan_->lifetimes().hold_nanos
                                                          : plan_->lifetimes().dispatch_nanos);
  return HoldStatus::kHeld;
}

HoldStatus Auditor::Rehold(Ticket ticket, const Call& call, int64_t now) {
  const auto found = holds_.find(ticket);
  if (found == holds_.end() || found->second.phase == HoldPhase::kPresumed) return HoldStatus::kUnknownTicket;
  int short_budget = -1;
  const HoldStatus status = Ask(call, &found->second, now, &short_budget);
  if (status != HoldStatus::kHeld) return status;
  for (const AccountKey& key : found->second.legs) Touch(key, now);
  holds_.erase(found);
  Held(ticket, call, now);
  ForgetEnded();
  return status;
}

bool Auditor::IsRemembered(int64_t ended, int64_t now) const {
  return std::max(now, newest_end_) - ended <= plan_->lifetimes().ended_nanos;
}

void Auditor::Charge(const Call& call, int64_t now) {
  if (plan_->follows_tasks()) LinkTask(call, true, now);
  for (const AccountKey& key : Legs(call)) {
    const auto ended = ended_sessions_.find(key.second);
    const bool revived = !accounts_.count(key) && plan_->budgets()[key.first].per_session &&
                         ended != ended_sessions_.end() && IsRemembered(ended->second, now);
    AuditedAccount& account = Touch(key, now);
    account.ended |= revived;
    account.excused = true;
    account.Book(plan_->budgets()[key.first].window, call.worst);
  }
  booked_ = Sum(booked_, call.worst);
  ForgetEnded();
}

ExpireResult Auditor::Expire(int64_t now) {
  ExpireResult result;
  std::vector<Ticket> due;
  for (const auto& [ticket, hold] : holds_) {
    if (hold.expires_at <= now) due.push_back(ticket);
  }
  std::sort(due.begin(), due.end(), [](Ticket a, Ticket b) { return SlotOf(a) < SlotOf(b); });
  for (const Ticket ticket : due) {
    Hold& hold = holds_.at(ticket);
    if (hold.phase == HoldPhase::kHeld) {
      Void(ticket, now);
      ++result.released;
    } else if (hold.phase == HoldPhase::kDispatched) {
      int64_t at = now;
      for (const AccountKey& key : hold.legs) {
        const AuditedAccount& account = Touch(key, now);
        const WindowSpec& window = plan_->budgets()[key.first].window;
        at = std::max(at, window.kind == WindowKind::kRefill ? account.filled_to
                                                             : SpanAround(window, account.time).begin);
      }
      const Amounts rest = Rest(hold.amounts, hold.booked);
      for (const AccountKey& key : hold.legs) {
        AuditedAccount& account = Touch(key, at);
        if (plan_->budgets()[key.first].window.kind == WindowKind::kRefill) {
          account.level = Sum(account.level, rest);
        } else {
          account.entries.push_back({at, rest, ticket});
        }
      }
      hold.phase = HoldPhase::kPresumed;
      hold.presumed_at = at;
      hold.expires_at = now + plan_->lifetimes().presumed_nanos;
      ++result.presumed;
    } else {
      for (const AccountKey& key : hold.legs) {
        for (AuditedAccount::Entry& entry : Touch(key, now).entries) {
          if (entry.presumed_of == ticket) entry.presumed_of = 0;
        }
      }
      booked_ = Sum(booked_, Rest(hold.amounts, hold.booked));
      Close(holds_.find(ticket));
      ++result.presumed_final;
    }
  }
  for (auto entry = accounts_.begin(); entry != accounts_.end();) {
    const bool pinned = IsPinned(entry->first);
    if (!pinned) Touch(entry->first, now).DropExpiredTopUps(now);
    const WindowSpec& window = plan_->budgets()[entry->first.first].window;
    const AuditedAccount& account = entry->second;
    const bool empty = account.Settled(window) == Amounts{} && account.Presumed(window) == Amounts{} &&
                       account.top_ups.empty();
    entry = !pinned && empty ? accounts_.erase(entry) : std::next(entry);
  }
  return result;
}

bool Auditor::TopUp(int budget, const Scope& scope, const Amounts& amounts, int64_t expires_at, int64_t now) {
  const auto& entry = plan_->budgets()[budget];
  AuditedAccount& account =
      Touch({budget, entry.per_task ? TaskName(scope.tenant, scope.task) : KeyOf(entry, scope)}, now);
  account.DropExpiredTopUps(now);
  if (account.top_ups.size() == 4) return false;
  account.top_ups.push_back({expires_at, amounts});
  return true;
}

void Auditor::EndTask(std::string_view tenant, std::string_view task, int64_t now) {
  const std::string name = TaskName(tenant, task);
  newest_end_ = std::max(newest_end_, now);
  ended_tasks_[name] = newest_end_;
  if (const auto found = tasks_.find(name); found != tasks_.end()) found->second.ended = true;
  for (auto& [key, account] : accounts_) {
    if (plan_->budgets()[key.first].per_task && key.second == name) account.ended = true;
  }
  ForgetEnded();
}

void Auditor::EndSession(std::string_view tenant, std::string_view session, int64_t now) {
  Scope scope;
  scope.tenant = tenant;
  scope.session = session;
  for (int i = 0; i < static_cast<int>(plan_->budgets().size()); ++i) {
    if (!plan_->budgets()[i].per_session) continue;
    const std::string key = KeyOf(plan_->budgets()[i], scope);
    newest_end_ = std::max(newest_end_, now);
    ended_sessions_[key] = newest_end_;
    if (const auto found = accounts_.find({i, key}); found != accounts_.end()) found->second.ended = true;
  }
  ForgetEnded();
}

void Auditor::Crash() {
  std::erase_if(holds_, [](const auto& entry) { return entry.second.phase == HoldPhase::kHeld; });
  ended_tasks_.clear();
  ended_sessions_.clear();
  newest_end_ = 0;
  ForgetEnded();
}

std::string Auditor::Compare(const Accounts& accounts, const Scope& scope, int64_t now) {
  Call call;
  call.scope = scope;
  std::vector<AccountKey> legs = Legs(call);
  for (const AccountView& view : accounts.Inspect(*plan_, scope, now)) {
    const auto& budget = plan_->budgets()[view.budget];
    if (legs.empty()) return absl::StrCat("budget ", budget.name, ": an account too many");
    const AccountKey key = legs.front();
    legs.erase(legs.begin());
    if (key.first != view.budget)
      return absl::StrCat("budget ", budget.name, ": expected one of budget ", key.first);
    Amounts settled, held, presumed, limits = budget.limits;
    bool excused = false;
    if (const auto found = accounts_.find(key); found != accounts_.end()) {
      const AuditedAccount& account = Touch(key, now);
      settled = account.Settled(budget.window);
      presumed = account.Presumed(budget.window);
      held = HeldIn(key);
      limits = account.Limits(budget.limits, now);
      excused = account.excused;
    }
    const std::string name = absl::StrCat("budget ", budget.name, ", account ", key.second, ": ");
    if (view.settled != settled)
      return absl::StrCat(name, "settled ", Text(view.settled), ", expected ", Text(settled));
    if (view.held != held) return absl::StrCat(name, "held ", Text(view.held), ", expected ", Text(held));
    if (view.presumed != presumed)
      return absl::StrCat(name, "presumed ", Text(view.presumed), ", expected ", Text(presumed));
    if (view.limits != limits)
      return absl::StrCat(name, "limits ", Text(view.limits), ", expected ", Text(limits));
    for (int i = 0; i < kDimensions; ++i) {
      const int64_t used = view.settled.of[i] + view.held.of[i] + view.presumed.of[i];
      if (!excused && limits_fixed_ && used > view.limits.of[i])
        return absl::StrCat(name, "past its limit: ", used);
    }
  }
  if (!legs.empty())
    return absl::StrCat("no account in budget ", legs.front().first, " for ", legs.front().second);
  return "";
}

std::string Auditor::CompareTotals(const Accounts& accounts, int all, int64_t now) {
  Amounts held, presumed;
  for (const auto& [ticket, hold] : holds_) {
    Amounts& sum = hold.phase == HoldPhase::kPresumed ? presumed : held;
    sum = Sum(sum, Rest(hold.amounts, hold.booked));
  }
  for (const AccountView& view : accounts.Inspect(*plan_, Scope{}, now)) {
    if (view.budget != all) continue;
    if (view.settled != booked_)
      return absl::StrCat("in all, settled ", Text(view.settled), ", expected ", Text(booked_));
    if (view.held != held) return absl::StrCat("in all, held ", Text(view.held), ", expected ", Text(held));
    if (view.presumed != presumed)
      return absl::StrCat("in all, presumed ", Text(view.presumed), ", expected ", Text(presumed));
  }
  if (accounts.open_holds() != static_cast<int64_t>(holds_.size()))
    return absl::StrCat(accounts.open_holds(), " open holds, expected ", holds_.size());
  return "";
}

}  // namespace purser::budget
