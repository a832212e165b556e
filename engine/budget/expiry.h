#ifndef PURSER_ENGINE_BUDGET_EXPIRY_H_
#define PURSER_ENGINE_BUDGET_EXPIRY_H_

#include "engine/budget/account_store.h"

namespace purser::budget {

// The account's task or session has ended: it is forgotten now, or when its last hold is closed.
void End(AccountStore& store, uint16_t budget, const KeyBytes& key);

// Forgets tasks and sessions that have been idle for long, accounts that their budget allows to forget, and
// accounts in whose window nothing is spent. Looks at up to `max_accounts`, going on where the last sweep
// stopped. Returns how many were forgotten.
int64_t Sweep(AccountStore& store, const Plan& plan, int64_t now_nanos, int64_t max_accounts);

}  // namespace purser::budget

#endif  // PURSER_ENGINE_BUDGET_EXPIRY_H_
