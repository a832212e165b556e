#include "engine/budget/account_store.h"

#include "engine/base/invariant.h"

namespace purser::budget {

void AccountStore::UnpinAndUnlock(Account& account, AccountRef ref) {
  PURSER_INVARIANT(account.pins > 0 || AnythingPlanted());  // Legs are balanced.
  --account.pins;
  const bool forget = account.ended && account.pins == 0;
  account.lock.unlock();
  if (forget) Forget(ref, [](const Account& a) { return a.ended; });
}

}  // namespace purser::budget
