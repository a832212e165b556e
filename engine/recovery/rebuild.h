#ifndef PURSER_ENGINE_RECOVERY_REBUILD_H_
#define PURSER_ENGINE_RECOVERY_REBUILD_H_

#include <cstdint>

#include "absl/status/status.h"
#include "engine/budget/accounts.h"
#include "engine/estimates/output_estimate.h"
#include "engine/ledger/log.h"
#include "engine/recovery/account_snapshot.h"

namespace purser {

// Rebuilds accounts, and what was learned, from a ledger's frames: accounts are a fold of the log. Every
// settled record is a charge, every dispatched hold without a record stays open and is presumed spent when
// its time is over.
//
// A budget that is new in `plan` counts what the frames say of it from the newest snapshot on.
class Rebuilder {
 public:
  // All must outlive this; `plan` is registered with `accounts`, which are fresh.
  Rebuilder(const budget::Plan& plan, budget::Accounts* accounts, estimates::OutputEstimator* outputs)
      : plan_(plan), accounts_(*accounts), outputs_(*outputs) {}

  // In the order of the log; type 0 is a snapshot. Frames of other concerns, or of a newer version, are
  // passed over. DATA_LOSS: a frame that the log's checksum vouches for and that does not decode.
  absl::Status Apply(const ledger::Frame& frame);

  // Of all frames so far, those that a snapshot stands for included.
  const SnapshotCounts& counts() const { return counts_; }
  // Frames since the snapshot.
  int64_t frames() const { return frames_; }

 private:
  absl::Status ApplyRecord(const ledger::Frame& frame);
  absl::Status ApplyDispatched(const ledger::Frame& frame);
  absl::Status ApplyToppedUp(const ledger::Frame& frame);

  const budget::Plan& plan_;
  budget::Accounts& accounts_;
  estimates::OutputEstimator& outputs_;
  SnapshotCounts counts_;
  int64_t frames_ = 0;
};

}  // namespace purser

#endif  // PURSER_ENGINE_RECOVERY_REBUILD_H_
