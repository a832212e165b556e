#ifndef PURSER_TESTS_CRASH_LOG_CHECKS_H_
#define PURSER_TESTS_CRASH_LOG_CHECKS_H_

#include <cstdint>
#include <string>

namespace purser::ledger {

// What the log promises, checked over crashes and damage of every kind in a file system in memory. Each check
// returns "" if the promises held, or what went wrong, with what is needed to do it again. They are functions
// rather than tests so that they can be run against planted bugs, too.

struct CheckCounts {
  uint64_t cuts = 0, flips = 0, power_losses = 0, faults = 0, recoveries = 0, operations = 0;
};

// Cuts every file of small logs after every byte (or every `stride`-th). What is found must be a first part
// of what was written.
std::string CheckEveryByteCut(uint64_t stride, CheckCounts* counts);

// Changes every byte of small logs, in several ways. Nothing wrong and nothing less may be found: the damage
// is refused, or was in bytes that mean nothing. At most `stride` - 1 of `stride` bytes are left out.
std::string CheckEveryByteFlip(uint64_t stride, CheckCounts* counts);

// Zeroes sectors that had been synced: DATA_LOSS, never a shorter log.
std::string CheckSyncedSectorsLost(CheckCounts* counts);

// A writer that died within an append, with others' frames behind it.
std::string CheckUnfinishedFrames(CheckCounts* counts);

// A random history of appends, syncs, rotations, snapshots and reopenings, then a power failure that keeps a
// random subset of the unsynced sectors; then a recovery that is itself cut short at a random operation, by
// another power failure or by the death of the process; then a recovery that must succeed.
std::string CheckPowerLoss(uint64_t seed, CheckCounts* counts);

// The same history with the n-th operation on files failing, for every n; then a power failure.
std::string CheckFaultAtEveryOperation(uint64_t seed, CheckCounts* counts);

// A disk that fills up, and is given space again.
std::string CheckFullDisk(uint64_t seed, CheckCounts* counts);

}  // namespace purser::ledger

#endif  // PURSER_TESTS_CRASH_LOG_CHECKS_H_
