#ifndef PURSER_ENGINE_CLI_LEDGER_COPY_H_
#define PURSER_ENGINE_CLI_LEDGER_COPY_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace purser::cli {

// A ledger's files in a folder of their own, for verbs that only look but need an engine: an engine takes the
// lock, records its policy and writes snapshots, all of which then happen to the copy. The ledger is only
// read, may be in use, and is found in the copy as it was at some moment of the copying or shortly before.
// Needs the ledger's size on the disk of temporary files. Not thread-safe.
class LedgerCopy {
 public:
  // NOT_FOUND: no such folder. FAILED_PRECONDITION: the folder holds no ledger. Nothing is ever created
  // there.
  static absl::StatusOr<std::unique_ptr<LedgerCopy>> Of(const std::string& ledger);
  ~LedgerCopy();  // Removes the copy.
  LedgerCopy(const LedgerCopy&) = delete;
  LedgerCopy& operator=(const LedgerCopy&) = delete;

  const std::string& directory() const { return directory_; }

 private:
  explicit LedgerCopy(std::string directory) : directory_(std::move(directory)) {}

  const std::string directory_;
};

}  // namespace purser::cli

#endif  // PURSER_ENGINE_CLI_LEDGER_COPY_H_
