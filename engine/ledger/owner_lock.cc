#include "engine/ledger/owner_lock.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "engine/base/own_process.h"
#include "engine/ledger/posix_file.h"

namespace purser::ledger {
namespace {

// A few lines at most.
std::string ReadSmall(int fd) {
  char bytes[1024];
  const ssize_t size = ::pread(fd, bytes, sizeof(bytes), 0);
  return {bytes, size > 0 ? static_cast<size_t>(size) : 0};
}

std::string ReadSmall(const std::string& path) {
  const absl::StatusOr<Descriptor> fd = OpenFile(path, O_RDONLY);
  return fd.ok() ? ReadSmall(fd->get()) : "";
}

// What tells a process from all others, as long as the machine runs.
struct Holder {
  int64_t process = 0;
  std::string start;       // In ticks since the boot.
  std::string boot;        // Which boot of which machine.
  std::string name_space;  // In which `process` counts.
  bool complete() const { return process > 0 && !start.empty() && !boot.empty() && !name_space.empty(); }
};

// The fields of /proc/ID/stat behind the name, which may hold anything: the first is the state.
std::vector<std::string> StatOf(int64_t process) {
  const std::string text = ReadSmall(absl::StrCat("/proc/", process, "/stat"));
  const size_t name_end = text.rfind(')');
  if (name_end == std::string::npos || name_end + 2 >= text.size()) return {};
  return absl::StrSplit(text.substr(name_end + 2), ' ');
}
constexpr size_t kState = 0, kThreads = 17, kStart = 19;

std::string ThisBoot() {
  std::string boot = ReadSmall("/proc/sys/kernel/random/boot_id");
  while (!boot.empty() && boot.back() == '\n') boot.pop_back();
  return boot;
}

std::string ThisNamespace() {
  struct stat info;
  return ::stat("/proc/self/ns/pid", &info) == 0 ? absl::StrCat(info.st_ino) : "";
}

Holder ThisProcess() {
  Holder holder;
  holder.process = ::getpid();
  holder.boot = ThisBoot();
  holder.name_space = ThisNamespace();
  const std::vector<std::string> stat = StatOf(holder.process);
  if (stat.size() > kStart) holder.start = stat[kStart];
  return holder;
}

std::string TextOf(const Holder& holder) {
  return holder.complete()
             ? absl::StrCat(holder.process, " ", holder.start, " ", holder.boot, " ", holder.name_space, "\n")
             : absl::StrCat(holder.process);
}

Holder ParseHolder(const std::string& text) {
  const std::vector<std::string> parts = absl::StrSplit(text, absl::ByAnyChar(" \n"), absl::SkipEmpty());
  Holder holder;
  if (parts.empty() || !absl::SimpleAtoi(parts[0], &holder.process)) return {};
  if (parts.size() >= 4) {
    holder.start = parts[1];
    holder.boot = parts[2];
    holder.name_space = parts[3];
  }
  return holder;
}

// Only where that is certain: not of a process of another machine or container, nor without /proc.
bool IsDead(const Holder& holder) {
  if (!holder.complete() || holder.boot != ThisBoot() || holder.name_space != ThisNamespace()) return false;
  if (StatOf(::getpid()).size() <= kStart) return false;
  const std::vector<std::string> stat = StatOf(holder.process);
  // A /proc may hide the processes of other users.
  if (stat.size() <= kStart) return ::kill(static_cast<pid_t>(holder.process), 0) != 0 && errno == ESRCH;
  if (stat[kStart] != holder.start) return true;  // The number was given to another one.
  // Ended, but not waited for; a main thread can end before the others.
  return (stat[kState] == "Z" || stat[kState] == "X") && (stat[kThreads] == "0" || stat[kThreads] == "1");
}

bool IsAt(int fd, const std::string& path) {
  struct stat opened, named;
  return ::fstat(fd, &opened) == 0 && ::stat(path.c_str(), &named) == 0 && opened.st_dev == named.st_dev &&
         opened.st_ino == named.st_ino;
}

// 0, or errno.
int TryLock(int fd) {
  while (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EINTR) return errno;
  }
  return 0;
}

std::string FolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

absl::Status InUse(const std::string& path, const Holder& holder) {
  return absl::UnavailableError(absl::StrCat(
      path, ": in use by ", holder.process > 0 ? absl::StrCat("process ", holder.process) : "another process",
      "; only one may write at a time"));
}

absl::Status Write(int fd, const std::string& path) {
  const std::string text = TextOf(ThisProcess());
  if (::ftruncate(fd, 0) != 0 || ::pwrite(fd, text.data(), text.size(), 0) < 0) {
    return SystemError("write", path, errno);
  }
  return absl::OkStatus();
}

class OwnerLock final : public FileLock {
 public:
  OwnerLock(Descriptor file, Descriptor folder, bool folder_locked, std::string path)
      : file_(std::move(file)),
        folder_(std::move(folder)),
        folder_locked_(folder_locked),
        path_(std::move(path)) {}
  ~OwnerLock() override {
    // A child that only has a copy of this must not open its parent's lock. In the owner, unlocking opens it
    // even where a child still has the files; the folder first, since who has the file expects to get it.
    if (!own_.here()) return;
    if (folder_locked_) ::flock(folder_.get(), LOCK_UN);
    ::flock(file_.get(), LOCK_UN);
  }

  absl::Status Check() override {
    if (!IsAt(file_.get(), path_)) {
      return absl::FailedPreconditionError(
          absl::StrCat(path_, ": was removed, moved or replaced while process ", own_.id(),
                       " had the ledger open; put the folder back as it was, and open the ledger again"));
    }
    // Where a dead owner's child had it.
    if (!folder_locked_) folder_locked_ = TryLock(folder_.get()) == 0;
    return absl::OkStatus();
  }

 private:
  const OwnProcess own_;
  const Descriptor file_;
  const Descriptor folder_;
  bool folder_locked_;
  const std::string path_;
};

// Replaces a lock whose owner is dead by a new file of that name, locked. NOT_FOUND: things have changed;
// look again.
absl::StatusOr<Descriptor> Replace(const std::string& path, int old) {
  // One at a time. Whoever gets the old file's lock looks for this file after writing its name into the old
  // file, and this looks at the name after making the file, so that one of the two sees the other.
  absl::StatusOr<Descriptor> turn = OpenFile(path + ".turn", O_RDWR | O_CREAT);
  if (!turn.ok()) return turn.status();
  if (TryLock(turn->get()) != 0) return absl::UnavailableError(path + ": being opened by another process");
  const auto replace = [&]() -> absl::StatusOr<Descriptor> {
    if (!IsAt(old, path) || TryLock(old) == 0) return absl::NotFoundError(path);
    const Holder holder = ParseHolder(ReadSmall(old));
    if (!IsDead(holder)) return InUse(path, holder);
    const std::string unfinished = path + ".tmp";
    (void)::unlink(unfinished.c_str());  // Of somebody who died here.
    absl::StatusOr<Descriptor> fresh = OpenFile(unfinished, O_RDWR | O_CREAT | O_EXCL);
    if (!fresh.ok()) return fresh.status();
    if (const int error = TryLock(fresh->get()); error != 0) return SystemError("lock", unfinished, error);
    if (const absl::Status written = Write(fresh->get(), unfinished); !written.ok()) return written;
    if (::rename(unfinished.c_str(), path.c_str()) != 0) return SystemError("rename", unfinished, errno);
    return fresh;
  };
  absl::StatusOr<Descriptor> replaced = replace();
  ::flock(turn->get(), LOCK_UN);
  return replaced;
}

// Waits for whoever is replacing the lock.
void WaitForTurn(const std::string& path) {
  const absl::StatusOr<Descriptor> turn = OpenFile(path + ".turn", O_RDWR);
  if (!turn.ok()) return;  // Nobody ever did.
  for (int tries = 0; tries < 200 && TryLock(turn->get()) != 0; ++tries) ::usleep(5'000);
  ::flock(turn->get(), LOCK_UN);
}

}  // namespace

absl::StatusOr<std::unique_ptr<FileLock>> TakeOwnerLock(const std::string& path) {
  for (int tries = 0; tries < 100; ++tries) {
    absl::StatusOr<Descriptor> file = OpenFile(path, O_RDWR | O_CREAT);
    if (!file.ok()) return file.status();
    bool replaced = false;
    // flock belongs to the open file, not to the process: a second Log in this process is refused, too.
    const int error = TryLock(file->get());
    if (error == EWOULDBLOCK) {
      const Holder holder = ParseHolder(ReadSmall(file->get()));
      if (!IsDead(holder)) return InUse(path, holder);
      absl::StatusOr<Descriptor> fresh = Replace(path, file->get());
      if (absl::IsNotFound(fresh.status())) continue;
      if (!fresh.ok()) return fresh.status();
      file = std::move(fresh);
      replaced = true;
    } else if (error != 0) {
      return SystemError("lock", path, error);
    } else {
      if (const absl::Status written = Write(file->get(), path); !written.ok()) return written;
      WaitForTurn(path);
    }
    if (!IsAt(file->get(), path)) continue;
    absl::StatusOr<Descriptor> folder = OpenFile(FolderOf(path), O_RDONLY | O_DIRECTORY);
    if (!folder.ok()) return folder.status();
    const int folder_error = TryLock(folder->get());
    if (folder_error == EWOULDBLOCK && !replaced) {
      return absl::UnavailableError(
          absl::StrCat(path,
                       ": was removed, and a process that opened the ledger before that, or one that it "
                       "forked, is still there; end it (`fuser -v ",
                       FolderOf(path), "` names it) and try again"));
    }
    // File systems that lock no folders (NFS) go without.
    return std::make_unique<OwnerLock>(*std::move(file), *std::move(folder), folder_error == 0, path);
  }
  return absl::UnavailableError(path + ": changes hands again and again; try again");
}

}  // namespace purser::ledger
