#ifndef PURSER_CACHE_SNAPSHOT_FILE_H_
#define PURSER_CACHE_SNAPSHOT_FILE_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "cache/entry_bytes.h"

namespace purser::cache {

// The file that a cache is kept in between runs, as bytes.
//
//   "PURSERCA"                              8 bytes
//   format version                          u32, currently 2
//   blocks of entries:
//            raw size, packed size          u32 each, the first above 0
//            entries, packed with zstd      `packed size` bytes
//   end:     0                              u32
//   blocks of what was learned, likewise    (not in version 1, which is read as well)
//   end:     0                              u32
//   checksum of all before                  16 bytes, XXH3-128
//
// Entries are written as entry_bytes.h says. Sketches and graphs are not in it: they are made again while
// loading.

// What verified mode has learned of a namespace: Verifier::Save.
struct SnapshotLearned {
  std::string_view name_space;
  std::string_view state;
};

// Entries come first, then what was learned.
class SnapshotWriter {
 public:
  SnapshotWriter();
  void Add(const SavedEntry& entry);
  void Add(const SnapshotLearned& learned);
  std::string Finish();

 private:
  void FlushBlock();
  void EndEntries();
  std::string bytes_;
  std::string block_;
  bool entries_ended_ = false;
};

// Calls the visitors for everything, in the order in which it was added; the views live during the call.
// Nothing is visited unless all of `bytes` is sound. Errors: FAILED_PRECONDITION (not such a file, or of
// another version), DATA_LOSS (damaged).
absl::Status ReadSnapshot(std::string_view bytes, const std::function<void(const SavedEntry&)>& visit,
                          const std::function<void(const SnapshotLearned&)>& visit_learned);

}  // namespace purser::cache

#endif  // PURSER_CACHE_SNAPSHOT_FILE_H_
