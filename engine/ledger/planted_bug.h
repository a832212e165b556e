#ifndef PURSER_ENGINE_LEDGER_PLANTED_BUG_H_
#define PURSER_ENGINE_LEDGER_PLANTED_BUG_H_

// Bugs planted to prove that the crash tests would find them (tests/crash). In a library that is built with
// PURSER_PLANTED_BUGS, which only those tests link, PURSER_PLANTED_BUG(name) asks whether that bug is
// switched on; everywhere else it is false at compile time.
namespace purser::ledger {

enum class PlantedBug {
  kNone,
  kSyncSkipsDisk,
  kSyncForgetsFullSegments,
  kSyncForgetsNames,
  kSyncErrorForgotten,
  kNoSyncMarks,
  kTornTailLeftInPlace,
  kLostSegmentsLeftInPlace,
  kChecksumNotVerified,
  kCorruptionTakenForTornTail,
  kAbandonedFrameEndsLog,
  kGrantsUseReserve,
  kSnapshotBeyondLog,
  kFoundFramesNotSynced,
  kFailedSyncForgotten,
};

}  // namespace purser::ledger

#ifdef PURSER_PLANTED_BUGS
namespace purser::ledger {
inline PlantedBug planted_bug = PlantedBug::kNone;
}  // namespace purser::ledger
#define PURSER_PLANTED_BUG(name) (::purser::ledger::planted_bug == ::purser::ledger::PlantedBug::name)
#else
#define PURSER_PLANTED_BUG(name) false
#endif

#endif  // PURSER_ENGINE_LEDGER_PLANTED_BUG_H_
