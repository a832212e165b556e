#ifndef PURSER_ENGINE_LEDGER_COMPACTION_H_
#define PURSER_ENGINE_LEDGER_COMPACTION_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "engine/ledger/file_system.h"

namespace purser::ledger {

struct CompactOptions {
  // Segments all of whose records are older are removed, from the first on, as far as a good snapshot stands
  // for them: what accounts hold stays, what single calls cost is gone. INT64_MIN: none.
  int64_t drop_before_nanos = INT64_MIN;
  FileSystem* files = FileSystem::Posix();
};

struct Compacted {
  uint64_t segments_compressed = 0;
  uint64_t bytes_before = 0, bytes_after = 0;  // Of those.
  uint64_t segments_dropped = 0;
  uint64_t segments_kept_for_snapshot = 0;  // Old enough, but newer than every good snapshot.
};

// Compresses the closed segments of a ledger that nobody writes, "00000001.log" to "00000001.log.zst" (zstd
// with a checksum); everything that reads ledgers reads both as one. Each is read back and compared before
// the original goes, and a crash at any point leaves one of the two whole.
//
// Errors: UNAVAILABLE if a writer has the ledger open; FAILED_PRECONDITION if its end is torn (the next
// writer mends that); DATA_LOSS if it is damaged; those of the file system. What was done before an error
// stays done.
absl::StatusOr<Compacted> Compact(const std::string& directory, const CompactOptions& options);

// Reads a compressed segment. DATA_LOSS if it is damaged.
absl::StatusOr<std::unique_ptr<ReadableFile>> OpenCompressed(FileSystem* files, const std::string& path);

}  // namespace purser::ledger

#endif  // PURSER_ENGINE_LEDGER_COMPACTION_H_
