#ifndef PURSER_ENGINE_LEDGER_FILE_SYSTEM_H_
#define PURSER_ENGINE_LEDGER_FILE_SYSTEM_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace purser::ledger {

// The one seam through which the ledger touches files, so that tests own every fault. Paths are opaque;
// errors name them. Codes: NOT_FOUND, ALREADY_EXISTS, PERMISSION_DENIED, RESOURCE_EXHAUSTED (disk or quota
// full), UNAVAILABLE (locked by another), INTERNAL (everything else that the system reports).

// A file read at any offset. Thread-safe.
class ReadableFile {
 public:
  virtual ~ReadableFile() = default;
  // Reads up to `size` bytes; fewer only at the end of the file (0: at or beyond it).
  virtual absl::StatusOr<size_t> ReadAt(uint64_t offset, char* to, size_t size) const = 0;
  virtual absl::StatusOr<uint64_t> Size() const = 0;
};

// A file of limited size whose bytes are written by storing into memory: a store is in the kernel's hands at
// once, and survives the death of the process at any instruction. Methods are thread-safe; who writes which
// bytes is the caller's concern.
class MappedFile {
 public:
  virtual ~MappedFile() = default;
  // Where byte 0 is. Only the first allocated() bytes may be touched.
  virtual char* data() const = 0;
  virtual uint64_t allocated() const = 0;
  // Makes at least the first `size` bytes (<= the capacity it was mapped with) backed by disk space, new ones
  // zero, so that storing into them cannot fail for want of space. On error nothing has changed.
  virtual absl::Status Allocate(uint64_t size) = 0;
  // Hint: these bytes will be written soon; prefaults their pages as far as they are allocated.
  // Changes nothing and cannot fail; whoever does not call it pays a page fault every 4 KB.
  virtual void Prepare(uint64_t offset, uint64_t size) = 0;
  // Hint: these bytes will not be written again; releases their pages at once. A Sync would interrupt every
  // processor for every 4 KB. Changes nothing and cannot fail; a store that comes nevertheless is only
  // slower.
  virtual void Release(uint64_t offset, uint64_t size) = 0;
  // Returns when every store made before the call would survive a power loss (fdatasync). After an error the
  // state of the stores is unknown, for good.
  virtual absl::Status Sync() = 0;
  // Counts every byte as just written, so that the next Sync writes them all. Needed where an earlier Sync,
  // of this process or one before it, may have failed: the kernel counts as clean what it could not write.
  virtual void Touch() = 0;
  // Cuts the file to `size` bytes; bytes beyond must not be touched any more.
  virtual absl::Status Truncate(uint64_t size) = 0;
  // Whether a store found no file behind it any more, since somebody else cut it short or the disk cannot be
  // read: what was stored there is nowhere. Set before the store returns, never reset. The same for as long
  // as this lives, for every store to ask: one load.
  virtual const std::atomic<bool>& lost() const {
    static const std::atomic<bool> never{false};
    return never;
  }
  // The file has another name, for Check and for what errors say. Before other threads use it.
  virtual void Renamed(const std::string& path) { (void)path; }
  // Asks the system whether this is still the whole file of its name. FAILED_PRECONDITION: it was removed,
  // moved or replaced. DATA_LOSS: it was cut short.
  virtual absl::Status Check() const { return absl::OkStatus(); }
};

// Held while it lives; given up by the process's death, too, whatever children it forked. A copy of it in a
// forked child holds nothing. For one thread at a time.
class FileLock {
 public:
  virtual ~FileLock() = default;
  // FAILED_PRECONDITION: the locked file is not there any more, so that somebody else could lock another one.
  virtual absl::Status Check() { return absl::OkStatus(); }
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;

  virtual absl::StatusOr<std::unique_ptr<ReadableFile>> OpenForReading(const std::string& path) = 0;
  // Opens a file, creating an empty one if it does not exist, with room for `capacity` bytes of memory. What
  // it holds already is allocated.
  virtual absl::StatusOr<std::unique_ptr<MappedFile>> OpenMapped(const std::string& path,
                                                                 uint64_t capacity) = 0;
  // Creates or replaces a file, written and synced. Atomic only in concert with Rename.
  virtual absl::Status WriteFile(const std::string& path, std::string_view bytes) = 0;
  virtual absl::Status Rename(const std::string& from, const std::string& to) = 0;
  virtual absl::Status Remove(const std::string& path) = 0;
  // Makes creations, renames and removals in a directory survive a power loss.
  virtual absl::Status SyncDirectory(const std::string& path) = 0;
  // Creates a directory and its parents; fine if it exists.
  virtual absl::Status CreateDirectory(const std::string& path) = 0;
  // The names in a directory, sorted. NOT_FOUND if there is no such directory, FAILED_PRECONDITION if it is
  // a file.
  virtual absl::StatusOr<std::vector<std::string>> List(const std::string& path) = 0;
  // Takes an exclusive lock on a file, created if need be. UNAVAILABLE, naming the holder's process if it is
  // known, when somebody (this process included) has it.
  virtual absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path) = 0;

  // The operating system's. Lives for ever.
  static FileSystem* Posix();
};

// The whole content of a file.
absl::StatusOr<std::string> ReadFile(FileSystem* files, const std::string& path);

// Puts `bytes` under a path, all of them or, on error, none: written beside it, synced, renamed; survives a
// power loss once it returns.
absl::Status ReplaceFile(FileSystem* files, const std::string& path, std::string_view bytes);

}  // namespace purser::ledger

#endif  // PURSER_ENGINE_LEDGER_FILE_SYSTEM_H_
