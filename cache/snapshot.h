#ifndef PURSER_CACHE_SNAPSHOT_H_
#define PURSER_CACHE_SNAPSHOT_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"

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
// Numbers are little-endian. An entry is its fields in the order of SnapshotEntry: numbers as 8 bytes,
// strings as an 8-byte length and the bytes, sequences as an 8-byte count and the members. Sketches and
// graphs are not in it: they are made again while loading.
struct SnapshotEntry {
  std::string_view name_space;
  std::string_view request_class;
  std::vector<std::string_view> key;
  std::string_view text;
  std::string_view answer;
  std::vector<std::pair<uint64_t, std::string_view>> labels;  // Kind and text.
  std::string_view embedding_model;
  std::string_view compatibility;
  uint64_t raw_dimension = 0;
  std::string_view vector;  // int16 components, padded. Empty: exact tier only.
  int64_t stored_nanos = 0;
  int64_t expires_nanos = 0;
  int64_t saved_nano_usd = 0;
  uint64_t answer_hash = 0;
  uint64_t hits = 0;
  uint64_t tried = 0;
  uint64_t right = 0;
};

// What verified mode has learned of a namespace: Verifier::Save.
struct SnapshotLearned {
  std::string_view name_space;
  std::string_view state;
};

// Entries come first, then what was learned.
class SnapshotWriter {
 public:
  SnapshotWriter();
  void Add(const SnapshotEntry& entry);
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
absl::Status ReadSnapshot(std::string_view bytes, const std::function<void(const SnapshotEntry&)>& visit,
                          const std::function<void(const SnapshotLearned&)>& visit_learned);

// Replaces the file at `path`: writes a new one beside it, syncs it, renames it over the old one and syncs
// the directory. A crash at any instant leaves the old or the new content.
absl::Status ReplaceFile(const std::string& path, std::string_view bytes);
// NOT_FOUND if there is none.
absl::Status ReadFile(const std::string& path, std::string* bytes);

}  // namespace purser::cache

#endif  // PURSER_CACHE_SNAPSHOT_H_
