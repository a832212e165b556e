#ifndef PURSER_TESTS_SUPPORT_MEMORY_FILE_SYSTEM_H_
#define PURSER_TESTS_SUPPORT_MEMORY_FILE_SYSTEM_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "engine/ledger/file_system.h"

namespace purser::ledger {

// A file system in memory that fails as asked, and knows what a crash would leave. For tests. Thread-safe.
//
// What is on the "disk" and what is only in the "kernel" are told apart: a file's 512-byte sectors reach the
// disk with Sync(); creations, renames and removals with SyncDirectory(), in their order.
class MemoryFileSystem final : public FileSystem {
 public:
  MemoryFileSystem();
  ~MemoryFileSystem() override;

  // Called before every operation with its name and path; an error is what the operation then returns,
  // having done nothing.
  using Fault = std::function<absl::Status(std::string_view operation, const std::string& path)>;
  void SetFault(Fault fault);
  // Operations so far, failed ones included.
  uint64_t operations() const;
  // Bytes that all files together may have allocated; Allocate and WriteFile beyond it are
  // RESOURCE_EXHAUSTED.
  void SetSpace(uint64_t bytes);

  // What is found after the process died: everything that the kernel has. No locks are held.
  std::unique_ptr<MemoryFileSystem> AfterProcessDeath() const;
  // What is found after the power failed: synced sectors and names; of the others each sector at random, and
  // a random first part of the changes of names. `keep` in [0,1]: how likely an unsynced sector is to be
  // there.
  std::unique_ptr<MemoryFileSystem> AfterPowerLoss(std::mt19937_64& random, double keep) const;

  // A file's bytes, for tests to look at and to damage.
  std::string Content(const std::string& path) const;
  void SetContent(const std::string& path, std::string bytes);

  absl::StatusOr<std::unique_ptr<ReadableFile>> OpenForReading(const std::string& path) override;
  absl::StatusOr<std::unique_ptr<MappedFile>> OpenMapped(const std::string& path, uint64_t capacity) override;
  absl::Status WriteFile(const std::string& path, std::string_view bytes) override;
  absl::Status Rename(const std::string& from, const std::string& to) override;
  absl::Status Remove(const std::string& path) override;
  absl::Status SyncDirectory(const std::string& path) override;
  absl::Status CreateDirectory(const std::string& path) override;
  absl::StatusOr<std::vector<std::string>> List(const std::string& path) override;
  absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path) override;

 private:
  struct Inode;
  struct State;
  class Readable;
  class Mapped;
  class HeldLock;

  absl::Status Begin(std::string_view operation, const std::string& path) const;

  // Shared with the files that are open, which may outlive it.
  std::shared_ptr<State> state_;
};

}  // namespace purser::ledger

#endif  // PURSER_TESTS_SUPPORT_MEMORY_FILE_SYSTEM_H_
