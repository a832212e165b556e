#include "engine/cli/ledger_copy.h"

#include <stdlib.h>

#include <filesystem>
#include <system_error>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "engine/ledger/log_format.h"

namespace purser::cli {
namespace {

namespace fs = std::filesystem;

// Files whose names end in ".log", or all others but the lock.
std::error_code CopyFiles(const fs::path& from, const fs::path& to, bool logs) {
  std::error_code error;
  for (fs::directory_iterator file(from, error), end; !error && file != end; file.increment(error)) {
    const std::string name = file->path().filename().string();
    const bool of_log = absl::StrContains(name, ".log");
    std::error_code gone;
    if (name == ledger::kLockName || of_log != logs || !file->is_regular_file(gone)) continue;
    fs::copy_file(file->path(), to / name, fs::copy_options::overwrite_existing, error);
    // A snapshot that a newer one replaced meanwhile is not missed: the log says the same.
    if (error == std::errc::no_such_file_or_directory && !of_log) error.clear();
    if (error) return error;
  }
  return error;
}

}  // namespace

absl::StatusOr<std::unique_ptr<LedgerCopy>> LedgerCopy::Of(const std::string& ledger) {
  std::error_code error;
  if (!fs::exists(ledger, error)) return absl::NotFoundError(ledger + ": no such ledger");
  if (!fs::exists(fs::path(ledger) / ledger::kIdentityName, error))
    return absl::FailedPreconditionError(ledger + ": not a Purser ledger (it has no file LEDGER)");
  std::string place = (fs::temp_directory_path(error) / "purser-copy-XXXXXX").string();
  if (error || ::mkdtemp(place.data()) == nullptr)
    return absl::UnavailableError(absl::StrCat(place, ": no folder for a copy of the ledger; set TMPDIR"));
  std::unique_ptr<LedgerCopy> copy(new LedgerCopy(place));
  // The log last, so that no snapshot knows more than it.
  error = CopyFiles(ledger, place, /*logs=*/false);
  if (!error) error = CopyFiles(ledger, place, /*logs=*/true);
  if (error) return absl::UnavailableError(absl::StrCat(ledger, ": cannot be copied: ", error.message()));
  return copy;
}

LedgerCopy::~LedgerCopy() {
  std::error_code ignored;
  fs::remove_all(directory_, ignored);
}

}  // namespace purser::cli
