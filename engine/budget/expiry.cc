#include "engine/budget/expiry.h"

#include <algorithm>
#include <vector>

namespace purser::budget {
namespace {

// How long an account of this budget has to be idle to be forgotten with what was spent in it.
int64_t IdleNanos(const Plan& plan, const Account& account, const Budget* budget) {
  if (account.follows_task() || (budget != nullptr && budget->per_task)) return plan.lifetimes().task_nanos;
  if (budget == nullptr) return kUnlimited;
  return budget->per_session ? plan.lifetimes().session_nanos : budget->forget_after_nanos;
}

class Forgettable {
 public:
  Forgettable(const Plan& plan, int64_t now_nanos) : plan_(plan), now_(now_nanos) {}

  bool operator()(Account& account) const {
    if (account.pins != 0) return false;
    if (account.ended) return true;
    const Budget* budget = account.follows_task() ? nullptr : plan_.FindById(account.budget);
    if (budget != nullptr && now_ >= account.end_nanos) AdvanceWindow(account, *budget, now_);
    if (account.MaybeExtras() != nullptr) DropExpiredTopUps(*account.extras, now_);
    // The books of a task say who its parent is, even if nothing is spent.
    if (!account.follows_task() && budget != nullptr && IsEmpty(account)) return true;
    const int64_t idle = IdleNanos(plan_, account, budget);
    return idle != kUnlimited && now_ / 1'000'000'000 - account.last_use_seconds > idle / 1'000'000'000;
  }

 private:
  const Plan& plan_;
  const int64_t now_;
};

}  // namespace

void End(AccountStore& store, uint16_t budget, const KeyBytes& key) {
  const AccountTable::Found found = store.table.Find(budget, key);
  if (found.account == nullptr) return;
  found.account->ended = true;
  if (Planted(Canary::kForgetsOpenAccount)) found.account->pins = 0;
  found.account->lock.unlock();
  store.Forget(found.ref, [](const Account& account) { return account.ended; });
}

int64_t Sweep(AccountStore& store, const Plan& plan, int64_t now_nanos, int64_t max_accounts) {
  const std::lock_guard<std::mutex> lock(store.sweeping);
  const Forgettable forgettable(plan, now_nanos);
  int64_t forgotten = 0;
  max_accounts = std::min(max_accounts, store.table.slots());
  while (max_accounts > 0) {
    // In batches, since an account is forgotten under its shard's mutex, which may not be waited for here.
    constexpr int64_t kBatch = 256;
    std::vector<AccountRef> candidates;
    store.table.Walk(&store.sweep_cursor, std::min(kBatch, max_accounts),
                     [&](AccountRef ref, Account& account) {
                       if (forgettable(account)) candidates.push_back(ref);
                     });
    for (const AccountRef ref : candidates) forgotten += store.Forget(ref, forgettable);
    max_accounts -= kBatch;
  }
  return forgotten;
}

}  // namespace purser::budget
