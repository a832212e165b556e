#ifndef PURSER_ENGINE_CLI_BOOKED_CALLS_H_
#define PURSER_ENGINE_CLI_BOOKED_CALLS_H_

#include <set>
#include <string>

#include "absl/status/statusor.h"

namespace purser::cli {

// Those of `request_ids` that the ledger has booked, presumed spending included. None if there is no ledger
// in the folder yet, or no folder. Reads the whole ledger and writes nothing; errors are RecordReader's.
absl::StatusOr<std::set<std::string>> BookedCalls(const std::string& ledger,
                                                  const std::set<std::string>& request_ids);

}  // namespace purser::cli

#endif  // PURSER_ENGINE_CLI_BOOKED_CALLS_H_
