// Looking into accounts: what is left, and what each one holds.

#include "engine/budget/account_store.h"
#include "engine/budget/accounts.h"
#include "engine/budget/reservation.h"

namespace purser::budget {
namespace {

// The task keys that a call draws on: its own and its ancestors', as far as they are known.
struct TaskKeys {
  int size = 0;
  std::array<KeyBytes, kMaxTaskDepth> key;
};

void AppendChain(const AccountStore& store, const KeyBytes& first, TaskKeys* keys) {
  const AccountTable::Found found = store.table.Find(kTaskAccount, first);
  if (found.account == nullptr) return;
  const TaskChain chain = ChainOf(store.table, found.ref);
  for (int i = 1; i < chain.size && keys->size < kMaxTaskDepth; ++i)
    keys->key[keys->size++] = store.table.At(chain.ref[i]).Key();
  found.account->lock.unlock();
}

TaskKeys KeysOf(const AccountStore& store, const Scope& scope) {
  TaskKeys keys;
  if (scope.task.empty()) return keys;
  keys.key[keys.size++] = MakeTaskKey(scope.tenant, scope.task);
  AppendChain(store, keys.key[0], &keys);
  if (keys.size == 1 && !scope.parent_task.empty()) {
    keys.key[keys.size++] = MakeTaskKey(scope.tenant, scope.parent_task);
    AppendChain(store, keys.key[1], &keys);
  }
  return keys;
}

// Calls `visit(index, level, key, account or null)` for each account of such a call; the account is locked.
template <typename Visit>
void ForEachAccount(const AccountStore& store, const Plan& plan, const Scope& scope, Visit&& visit) {
  const TaskKeys tasks = plan.follows_tasks() ? KeysOf(store, scope) : TaskKeys();
  const auto look = [&](int index, int level, const KeyBytes& key) {
    const AccountTable::Found found = store.table.Find(plan.budgets()[index].id, key);
    visit(index, level, key, found.account);
    if (found.account != nullptr) found.account->lock.unlock();
  };
  for (int i = 0; i < static_cast<int>(plan.budgets().size()); ++i) {
    const Budget& budget = plan.budgets()[i];
    if (!Applies(budget, scope) || !HasKey(budget, scope)) continue;
    if (!budget.per_task) {
      look(i, 0, MakeKey(budget, scope));
    } else {
      for (int level = 0; level < tasks.size; ++level) look(i, level, tasks.key[level]);
    }
  }
}

}  // namespace

Headroom Accounts::HeadroomOf(const Plan& plan, const Scope& scope, uint64_t waived,
                              int64_t now_nanos) const {
  Headroom room;
  ForEachAccount(*impl_, plan, scope, [&](int index, int, const KeyBytes&, Account* account) {
    if (waived >> index & 1) return;
    const Budget& budget = plan.budgets()[index];
    if (account != nullptr && now_nanos >= account->end_nanos) AdvanceWindow(*account, budget, now_nanos);
    for (int i = 0; i < budget.limited_count; ++i) {
      const Dimension d = budget.limited[i];
      const int64_t left = account == nullptr
                               ? budget.hold_limits[d]
                               : LimitOf(*account, budget.hold_limits, d, now_nanos) - Committed(*account, d);
      room.left[d] = std::min(room.left[d], left);
    }
  });
  return room;
}

std::vector<AccountView> Accounts::Inspect(const Plan& plan, const Scope& scope, int64_t now_nanos) const {
  std::vector<AccountView> views;
  ForEachAccount(*impl_, plan, scope, [&](int index, int level, const KeyBytes& key, Account* account) {
    const Budget& budget = plan.budgets()[index];
    AccountView view;
    view.budget = index;
    view.level = level;
    view.key = key;
    view.limits = budget.limits;
    if (account != nullptr) {
      if (now_nanos >= account->end_nanos) AdvanceWindow(*account, budget, now_nanos);
      view.exists = true;
      for (int i = 0; i < budget.limited_count; ++i)
        view.limits[budget.limited[i]] = LimitOf(*account, budget.limits, budget.limited[i], now_nanos);
      view.settled = account->settled;
      view.held = account->held;
      if (account->extras != nullptr) view.presumed = account->extras->presumed;
      view.resets_at_nanos = account->end_nanos;
      view.overrun = account->overrun && PastLimit(*account, budget, now_nanos);
    }
    views.push_back(view);
  });
  return views;
}

int64_t Accounts::account_count() const { return impl_->table.count(); }
int64_t Accounts::open_holds() const { return impl_->holds.open(); }
int64_t Accounts::memory_bytes() const { return impl_->table.memory_bytes() + impl_->holds.memory_bytes(); }

}  // namespace purser::budget
