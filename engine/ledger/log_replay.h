#ifndef PURSER_ENGINE_LEDGER_LOG_REPLAY_H_
#define PURSER_ENGINE_LEDGER_LOG_REPLAY_H_

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "engine/ledger/file_system.h"
#include "engine/ledger/log.h"
#include "engine/ledger/log_scanner.h"

namespace purser::ledger {

struct ReplayOptions {
  // Frames after this one are left out, and so are snapshots that reach beyond it.
  uint64_t through_sequence = ~uint64_t{0};
  // Asked now and then; true ends the replay with CANCELLED.
  std::function<bool()> cancelled;
  FileSystem* files = FileSystem::Posix();
};

struct Replayed {
  uint64_t snapshot_sequence = 0;  // 0: no snapshot was used.
  uint64_t damaged_snapshots = 0;  // Passed over; the frames were replayed instead.
  uint64_t segments = 0;
  // Where the frames end; complete unless through_sequence came first.
  LogScanner::End end;
};

// Hands the state in `directory` to `replay`: the newest good snapshot's bytes first, if there is one (a
// frame of type 0 with the sequence that it reaches), then each frame after it, in order. Changes nothing,
// and may run beside the Log that writes the ledger; frames that are being written at that moment may then be
// missing at the end, so through_sequence should be one that the log's Sync() has seen.
//
// An error of `replay` ends it and is returned. NOT_FOUND, FAILED_PRECONDITION, DATA_LOSS: as Log::Open.
absl::StatusOr<Replayed> ReplayLedger(const std::string& directory, const ReplayOptions& options,
                                      const Log::Replay& replay);

}  // namespace purser::ledger

#endif  // PURSER_ENGINE_LEDGER_LOG_REPLAY_H_
