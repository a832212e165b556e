#ifndef PURSER_ENGINE_BUDGET_LOOP_GUARD_H_
#define PURSER_ENGINE_BUDGET_LOOP_GUARD_H_

#include <cstdint>

#include "engine/budget/account.h"
#include "engine/budget/accounts.h"

namespace purser::budget {

// What the guards say of a call of this task. The caller holds the account's lock; nothing is changed.
struct GuardVerdict {
  bool refused = false;
  GuardTrip trip;       // If refused.
  uint8_t flagged = 0;  // Bit = Guard.
};
GuardVerdict AskGuards(const LoopGuards& guards, const Account& account, int depth, const Call& call,
                       int64_t now_nanos);

// Counts a call of this task that is going to be made, or takes it back.
void CountCall(TaskState& task, const Amounts& amounts, uint64_t fingerprint, int32_t attempt,
               int64_t now_nanos);
void UncountCall(TaskState& task, const Amounts& amounts, uint64_t fingerprint);

}  // namespace purser::budget

#endif  // PURSER_ENGINE_BUDGET_LOOP_GUARD_H_
