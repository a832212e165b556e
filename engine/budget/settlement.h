#ifndef PURSER_ENGINE_BUDGET_SETTLEMENT_H_
#define PURSER_ENGINE_BUDGET_SETTLEMENT_H_

#include "engine/budget/account_store.h"
#include "engine/budget/reservation.h"

namespace purser::budget {

// What happens to the accounts of a hold after it was taken. The caller holds the hold's lock throughout;
// accounts are locked one at a time.

// What remains of a hold of `amounts` once `booked` is settled.
Amounts RestOf(const Amounts& amounts, const Amounts& booked);

// Whether a is more than b in some dimension.
bool Exceeds(const Amounts& a, const Amounts& b);

bool IsPresumed(const OpenHold& hold);

// The account's entry in this plan. Null: none, or the account follows a task.
const Budget* BudgetOf(const Plan& plan, const Account& account);

struct Move {
  Amounts booked_after;    // What is booked then, in all.
  bool keep_rest = false;  // What is not yet booked stays set aside.
  bool close = false;      // Unpins the accounts.
  bool unasked = false;    // Nobody asked the limits beforehand.
};
// Books the difference to what is booked, releases what is no longer set aside. Returns the budgets
// (by index) whose account is past its limit because of a charge above its hold.
uint64_t MoveLegs(AccountStore& store, const Plan& plan, const OpenHold& hold, const Move& move,
                  int64_t now_nanos);

// Gives back what is set aside and unpins the accounts; what was settled in part stays.
void Release(AccountStore& store, const Plan& plan, const OpenHold& hold, int64_t now_nanos);

// From now on, the dispatched hold is presumed spent.
void Presume(AccountStore& store, const Plan& plan, OpenHold* hold, int64_t now_nanos);

// What was presumed spent is booked, and the accounts unpinned.
void BookForGood(AccountStore& store, const Plan& plan, const OpenHold& hold, int64_t now_nanos);

// After a reservation made in its place: gives back what the old hold has beyond the new one.
void ReleaseReplaced(AccountStore& store, const Plan& plan, const OpenHold& old, const Reservation& fresh,
                     int64_t now_nanos);

}  // namespace purser::budget

#endif  // PURSER_ENGINE_BUDGET_SETTLEMENT_H_
