#ifndef PURSER_ENGINE_BUDGET_ACCOUNT_STORE_H_
#define PURSER_ENGINE_BUDGET_ACCOUNT_STORE_H_

#include <mutex>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "engine/budget/account_table.h"
#include "engine/budget/accounts.h"
#include "engine/budget/ended_ids.h"
#include "engine/budget/hold_slab.h"

namespace purser::budget {

// Gives every budget name a number that stays the same for as long as the process runs. Thread-safe.
class BudgetNames {
 public:
  BudgetNames() : names_(1) {}  // 0 stands for the accounts that follow tasks.

  uint16_t IdOf(const std::string& name) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto [found, fresh] = ids_.emplace(name, static_cast<uint16_t>(names_.size()));
    if (fresh) names_.push_back(name);
    return found->second;
  }
  std::string NameOf(uint16_t id) const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return names_[id];
  }

 private:
  mutable std::mutex mutex_;
  absl::flat_hash_map<std::string, uint16_t> ids_;
  std::vector<std::string> names_;
};

// Everything that Accounts keeps.
struct AccountStore {
  explicit AccountStore(const Accounts::Options& options)
      : table(options.seed), holds(options.max_open_holds, options.incarnation) {}

  AccountTable table;
  HoldSlab holds;
  EndedIds ended;
  BudgetNames names;
  std::mutex linking;  // While a task that exists already is given its parent.
  std::mutex sweeping;
  uint64_t sweep_cursor = 0;

  // Takes a pin off an account that the caller holds the lock of, and unlocks it. An ended account without
  // pins is forgotten, and then its parent is one child poorer.
  void UnpinAndUnlock(Account& account, AccountRef ref);

  // Forgets the account if nothing is pinned to it and `forgettable(account)`.
  template <typename Forgettable>
  bool Forget(AccountRef ref, Forgettable&& forgettable) {
    AccountRef parent = kNoAccount;
    if (!table.Forget(ref, &parent, forgettable)) return false;
    if (parent != kNoAccount) {
      Account& account = table.At(parent);
      account.lock.lock();
      UnpinAndUnlock(account, parent);
    }
    return true;
  }
};

class Accounts::Impl : public AccountStore {
  using AccountStore::AccountStore;
};

}  // namespace purser::budget

#endif  // PURSER_ENGINE_BUDGET_ACCOUNT_STORE_H_
