#ifndef PURSER_ENGINE_LEDGER_OWNER_LOCK_H_
#define PURSER_ENGINE_LEDGER_OWNER_LOCK_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "engine/ledger/file_system.h"

namespace purser::ledger {

// The operating system's lock on a file, and on the folder that it is in; see FileSystem::Lock.
//
// flock() belongs to the open file, which a forked child shares: a helper that the owner forked keeps it when
// the owner is dead. So the file says who took it (process, its start, boot, process namespace), and a lock
// whose owner is certainly dead is replaced by a new file of the same name. The folder is locked too, so that
// who finds no file (`rm LOCK`) does not take itself for the only one.
absl::StatusOr<std::unique_ptr<FileLock>> TakeOwnerLock(const std::string& path);

}  // namespace purser::ledger

#endif  // PURSER_ENGINE_LEDGER_OWNER_LOCK_H_
