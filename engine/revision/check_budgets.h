#ifndef PURSER_ENGINE_REVISION_CHECK_BUDGETS_H_
#define PURSER_ENGINE_REVISION_CHECK_BUDGETS_H_

#include <cstdint>

#include "engine/revision/revision.h"
#include "policies/diagnostics.h"

namespace purser {

// Warns of each budget whose limit is below one ordinary call: an input of one token, and the fewest output
// tokens that the policy expects of a candidate that the budget is for, at the cheapest of their prices.
// `revision` has its candidates and its plan; `now_nanos` says which prices apply.
void WarnOfBudgetsBelowACall(const Revision& revision, int64_t now_nanos, Diagnostics* diagnostics);

}  // namespace purser

#endif  // PURSER_ENGINE_REVISION_CHECK_BUDGETS_H_
