#ifndef PURSER_ENGINE_BUDGET_CANARY_H_
#define PURSER_ENGINE_BUDGET_CANARY_H_

namespace purser::budget {

// Planted bugs. The tests are built a second time with PURSER_CANARIES and have to catch each of them
// (tests/sim/canary_test.cc); everywhere else this is `false`, and nothing of it is in the product.
enum class Canary {
  kNone,
  kSettleTwice,            // A final settlement leaves the ticket open.
  kVoidGivesBackTwice,     // A void releases its hold twice.
  kRoomForOneMore,         // A hold may take an account one unit past its limit.
  kNoRollback,             // A refused hold keeps what it had reserved.
  kSkipsAncestors,         // A sub-agent's hold draws on its own task only.
  kExpiresEarly,           // A hold expires one nanosecond too soon.
  kReleasesDispatched,     // An expired dispatched hold is released instead of presumed spent.
  kForgetsOverrun,         // A charge above its hold is cut down to the hold.
  kWindowRunsBackwards,    // A clock that moved back starts the earlier window again.
  kClosedWindowCharged,    // Settling what was presumed in a closed window books it in the open one.
  kSliceTooEarly,          // A rolling window lets go of a slice that is still within its length.
  kForgetsOpenAccount,     // Ending a task forgets its account although a hold is open.
  kKeysRunTogether,        // Parts of a key are joined without their lengths.
  kTopUpForever,           // A top-up does not run out.
  kReholdCountsTwice,      // Failover holds the whole new amount beside the old one.
  kPartialAdds,            // A repeated partial settlement is booked again.
  kSnapshotLosesPresumed,  // Restoring a presumed hold does not count it.
};
inline constexpr int kCanaries = 17;

#ifdef PURSER_CANARIES
extern Canary planted;
inline bool Planted(Canary canary) { return planted == canary; }
// The auditor has to find a planted bug, so invariants let it pass.
inline bool AnythingPlanted() { return planted != Canary::kNone; }
#else
constexpr bool Planted(Canary) { return false; }
constexpr bool AnythingPlanted() { return false; }
#endif

}  // namespace purser::budget

#endif  // PURSER_ENGINE_BUDGET_CANARY_H_
