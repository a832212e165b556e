#ifndef PURSER_ENGINE_CALLS_HOLD_SEARCH_H_
#define PURSER_ENGINE_CALLS_HOLD_SEARCH_H_

#include <purser/request.h>

#include <cstdint>

#include "engine/budget/accounts.h"
#include "engine/calls/decide_scratch.h"
#include "engine/revision/revision.h"

namespace purser {

// What a hold is for.
struct HoldWish {
  int64_t now_nanos = 0;
  budget::Ticket rehold = 0;  // Move this hold instead of taking a new one. 0: take one.
  uint64_t fingerprint = 0;   // Of the request, for loop guards. 0: not known.
};

// Holds money for the first candidate of scratch->choice that its accounts can bear. Where a budget is short,
// tries what that budget's policy says, in its order: the next cheaper candidate, fewer output tokens, the
// batch price, a mere warning. True: *result is a hold, and the scratch says for which candidate and how
// much. False: *result says why not.
bool HoldFirstThatFits(const Revision& revision, const Request& request, const HoldWish& wish,
                       budget::Accounts* accounts, DecideScratch* scratch, budget::HoldResult* result);

// For a person who asks what would help: how many input tokens would have to go for the first candidate's
// worst case to fit. 0: no number of them would do.
int64_t TokensToDrop(const Revision& revision, const DecideScratch& scratch,
                     const budget::Shortage& shortage);

}  // namespace purser

#endif  // PURSER_ENGINE_CALLS_HOLD_SEARCH_H_
