#ifndef PURSER_CACHE_CHANGE_LOG_H_
#define PURSER_CACHE_CHANGE_LOG_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace purser::cache {

// What happened to a cache since its snapshot, in the files of one directory:
//
//   cache.lock       held while a process keeps a cache here; not by the children that it forks
//   cache.snapshot   snapshot.h
//   cache.older      changes from before the snapshot that is being written
//   cache.log        changes since
//
// A cache is its snapshot, then the older changes, then the later ones. Every change since the snapshot is
// there, perhaps with some from before it: the last change of a key or label decides, so that those do no
// harm. A file of changes is
//
//   "PURSERCL"       8 bytes
//   format version   u32, currently 1
//   frames:  size    u32, of the content
//            kind    u32
//            check   u64: XXH3 of the frame's place in the file, size, kind and content
//            content
//
// Appended frames are in the kernel's hands when Append returns: they survive the death of the process, and
// a loss of power from the next Sync on. Calls are serialised by the caller.
class ChangeLog {
 public:
  enum Kind : uint32_t {
    kStored = 1,       // An entry (entry_bytes.h).
    kLeft = 2,         // Namespace, count of key parts, key parts.
    kInvalidated = 3,  // Label kind, label.
    kCleared = 4,
  };
  struct Change {
    Kind kind;
    std::string_view content;
  };
  struct Changes {
    std::vector<std::string> files;  // What the views point into.
    std::vector<Change> list;
  };

  // Makes `directory` if it is not there, and locks it. UNAVAILABLE: it cannot be written, or is in use.
  static absl::StatusOr<std::unique_ptr<ChangeLog>> Open(const std::string& directory);
  ~ChangeLog();
  ChangeLog(const ChangeLog&) = delete;
  ChangeLog& operator=(const ChangeLog&) = delete;

  std::string snapshot_path() const { return directory_ + "/cache.snapshot"; }

  // Everything that was appended; a frame that its writer did not finish is left out. FAILED_PRECONDITION: a
  // file is of another kind or version. DATA_LOSS: one is damaged.
  absl::StatusOr<Changes> Read();
  // From now on changes are appended, behind those that were read.
  absl::Status Begin();
  // Renames the files to NAME.damaged.
  void SetAside();
  // Removes the files and appends nothing until the next Rotate.
  void Forget();

  // False: it could not be written, and Forget was called: changes after it could not be told from ones
  // before it.
  bool Append(Kind kind, std::string_view content);
  // The same for what was appended.
  bool Sync();

  // A snapshot is about to be taken: what was appended so far becomes the older file, unless there is one
  // from a snapshot that failed.
  absl::Status Rotate();
  // That snapshot is in its place.
  void DropOlder();

  uint64_t bytes() const { return bytes_; }
  bool appending() const { return file_ >= 0; }

 private:
  ChangeLog(std::string directory, int lock) : directory_(std::move(directory)), lock_(lock) {}
  std::string log_path() const { return directory_ + "/cache.log"; }
  std::string older_path() const { return directory_ + "/cache.older"; }
  void Close();

  const std::string directory_;
  const int lock_;
  int file_ = -1;
  uint64_t bytes_ = 0;  // Of the log, up to its last whole frame.
  std::string frame_;
};

}  // namespace purser::cache

#endif  // PURSER_CACHE_CHANGE_LOG_H_
