#ifndef PURSER_ENGINE_RECOVERY_REBUILD_H_
#define PURSER_ENGINE_RECOVERY_REBUILD_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "engine/budget/accounts.h"
#include "engine/estimates/output_estimate.h"
#include "engine/ledger/log.h"
#include "engine/ledger/record.h"
#include "engine/recovery/account_snapshot.h"

namespace purser {

// The names of a plan's budgets, as PolicyLoaded keeps them.
std::string BudgetNames(const budget::Plan& plan);

// Rebuilds accounts, and what was learned, from a ledger's frames: accounts are a fold of the log. Every
// settled record is a charge, every dispatched hold without a record stays open and is presumed spent when
// its time is over.
//
// Frames that contradict each other do not stop it: it goes on with the reading in which the most is spent,
// and counts them as conflicts. (Versions up to 0.1.0 wrote no frame when a call that had failed over was
// voided.)
//
// A budget counts from zero from when a policy with it was loaded: what was dispatched or settled under a
// policy without one of its name is no part of it, before and after a restart. Frames of versions that did
// not keep the names count for all.
class Rebuilder {
 public:
  // All must outlive this; `plan` is registered with `accounts`, which are fresh.
  Rebuilder(const budget::Plan& plan, budget::Accounts* accounts, estimates::OutputEstimator* outputs)
      : plan_(plan), accounts_(*accounts), outputs_(*outputs) {}

  // Counts all frames for all budgets: what accounts would be had this plan always been in force.
  void CountAll() { count_all_ = true; }
  // Times later than this are those of a clock that was wrong; such frames are taken to be as old as the
  // newest before them. 0: no such bound.
  void BelieveTimesUpTo(int64_t latest_nanos) { latest_nanos_ = latest_nanos; }

  // In the order of the log; type 0 is a snapshot. Frames of other concerns, or of a newer version, are
  // passed over. DATA_LOSS: a frame that the log's checksum vouches for and that does not decode.
  absl::Status Apply(const ledger::Frame& frame);

  // Of all frames so far, those that a snapshot stands for included.
  const SnapshotCounts& counts() const { return counts_; }
  // Frames that contradict what came before them, and the first of them in words: "frame 17: ...". Empty:
  // none.
  int64_t conflicts() const { return conflicts_; }
  const std::string& first_conflict() const { return first_conflict_; }
  // Of the dispatched holds that are still open.
  const OpenDispatches& open_dispatches() const { return open_; }
  OpenDispatches TakeOpenDispatches() { return std::move(open_); }
  // Frames since the snapshot.
  int64_t frames() const { return frames_; }

 private:
  absl::Status ApplyRecord(const ledger::Frame& frame);
  absl::Status ApplyDispatched(const ledger::Frame& frame);
  absl::Status ApplyToppedUp(const ledger::Frame& frame);
  absl::Status ApplyPolicyLoaded(const ledger::Frame& frame);
  // The budgets that count what was granted under a policy.
  const budget::Plan& PlanUnder(uint64_t policy_revision) const;
  // `time_nanos` if it can be believed.
  int64_t Believed(int64_t time_nanos) const;
  void CountBudgets(uint64_t policy_revision, std::string budgets);
  void ApplyPresumed(const ledger::Frame& frame, const ledger::RecordView& record);
  void NoteConflict(const ledger::Frame& frame, std::string_view what);

  const budget::Plan& plan_;  // With all of its budgets.
  struct Loaded {
    uint64_t policy_revision = 0;
    std::shared_ptr<const budget::Plan> plan;  // Null: all of them.
  };
  std::vector<Loaded> loaded_;  // Since the snapshot, and the one in force there.
  bool count_all_ = false;
  int64_t latest_nanos_ = 0;
  budget::Accounts& accounts_;
  estimates::OutputEstimator& outputs_;
  SnapshotCounts counts_;
  int64_t frames_ = 0;
  OpenDispatches open_;
  int64_t conflicts_ = 0;
  std::string first_conflict_;
};

}  // namespace purser

#endif  // PURSER_ENGINE_RECOVERY_REBUILD_H_
