#ifndef PURSER_ENGINE_RECOVERY_ACCOUNT_SNAPSHOT_H_
#define PURSER_ENGINE_RECOVERY_ACCOUNT_SNAPSHOT_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "engine/budget/accounts.h"
#include "engine/estimates/output_estimate.h"

namespace purser {

// What is in a snapshot beside accounts and estimates.
struct SnapshotCounts {
  // Settled calls, policies loaded, and when the newest settlement or dispatch happened (0: there was none).
  int64_t records = 0;
  uint32_t loads = 0;
  int64_t newest_nanos = 0;
  // Of the last policy loaded, as in its frame (see PlanOf). Empty: not known.
  std::string budgets{};
};

// Larger ones (some 15 million accounts) are not read, and so should not be kept: reading the log is slower,
// but knows no such bound.
inline constexpr size_t kMaxSnapshotBytes = (size_t{1} << 31) - 1;

// Of each dispatched hold, by ticket: the Dispatched of its frame, encoded. It says whose hold it is.
using OpenDispatches = absl::flat_hash_map<budget::Ticket, std::string>;

// The engine's state as the bytes of a purser.ledger.Snapshot. Nothing else may use the accounts meanwhile.
std::string WriteSnapshot(const budget::Accounts& accounts, const estimates::OutputEstimator& outputs,
                          const SnapshotCounts& counts, const OpenDispatches& dispatches = {});

// Restores it into fresh accounts. Accounts of budgets that `plan` does not have are kept for a policy that
// does. DATA_LOSS: not such bytes; what was restored is then of no use. `dispatches` may be null.
absl::Status ReadSnapshot(std::string_view bytes, const budget::Plan& plan, budget::Accounts* accounts,
                          estimates::OutputEstimator* outputs, SnapshotCounts* counts,
                          OpenDispatches* dispatches = nullptr);

}  // namespace purser

#endif  // PURSER_ENGINE_RECOVERY_ACCOUNT_SNAPSHOT_H_
