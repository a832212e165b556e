#ifndef PURSER_ENGINE_SNAPSHOT_H_
#define PURSER_ENGINE_SNAPSHOT_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "engine/budget/accounts.h"
#include "engine/pricing/output_estimate.h"

namespace purser {

// What is in a snapshot beside accounts and estimates.
struct SnapshotCounts {
  int64_t records = 0;
  uint32_t loads = 0;
};

// The engine's state as the bytes of a purser.ledger.Snapshot. Nothing else may use the accounts meanwhile.
std::string WriteSnapshot(const budget::Accounts& accounts, const pricing::OutputEstimator& outputs,
                          const SnapshotCounts& counts);

// Restores it into fresh accounts. Accounts of budgets that `plan` does not have are kept for a policy that
// does. DATA_LOSS: not such bytes.
absl::Status ReadSnapshot(std::string_view bytes, const budget::Plan& plan, budget::Accounts* accounts,
                          pricing::OutputEstimator* outputs, SnapshotCounts* counts);

}  // namespace purser

#endif  // PURSER_ENGINE_SNAPSHOT_H_
