#include "cache/change_log.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cache/entry_bytes.h"
#include "cache/file.h"
#include "cache/hash.h"

namespace purser::cache {
namespace {

constexpr std::string_view kMagic = "PURSERCL";
constexpr uint32_t kVersion = 1;
constexpr size_t kFileHeader = 12;
constexpr size_t kFrameHeader = 16;

std::string FileHeader() {
  std::string header(kMagic);
  PutNumber(kVersion, &header);
  return header;
}

uint64_t CheckOf(uint64_t place, uint32_t kind, std::string_view content) {
  const uint64_t numbers[] = {place, content.size(), kind};
  const std::string_view parts[] = {{reinterpret_cast<const char*>(numbers), sizeof(numbers)}, content};
  return HashParts({}, parts).low;
}

// Takes the frame at a place. False: there is no sound one.
bool TakeFrame(std::string_view bytes, uint64_t at, ChangeLog::Change* change) {
  ByteReader in(bytes.substr(at));
  const auto size = in.TakeNumber<uint32_t>();
  const auto kind = in.TakeNumber<uint32_t>();
  const auto check = in.TakeNumber<uint64_t>();
  const std::string_view content = in.Take(size);
  if (!in.ok() || kind < ChangeLog::kStored || kind > ChangeLog::kCleared) return false;
  *change = {static_cast<ChangeLog::Kind>(kind), content};
  return check == CheckOf(at, kind, content);
}

// Adds the changes of a file; returns how many bytes hold whole frames. What follows them is one that its
// writer did not finish, unless there are sound ones behind it: then it is damage.
absl::StatusOr<uint64_t> ReadChanges(std::string_view bytes, const std::string& path,
                                     std::vector<ChangeLog::Change>* changes) {
  const std::string header = FileHeader();
  if (bytes.size() < kFileHeader && header.starts_with(bytes)) return 0;
  if (!bytes.starts_with(header)) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, " is not a cache's log of this version; delete it, or name another directory"));
  }
  uint64_t at = kFileHeader;
  ChangeLog::Change change;
  while (TakeFrame(bytes, at, &change)) {
    changes->push_back(change);
    at += kFrameHeader + change.content.size();
  }
  for (uint64_t later = at + 1; later < bytes.size(); ++later) {
    if (TakeFrame(bytes, later, &change)) {
      return absl::DataLossError(absl::StrCat(path, " is damaged at byte ", at));
    }
  }
  return at;
}

// A lock belongs to the open file, which a forked child shares: it would outlive its owner with every helper
// that the owner forked. So the child closes those of its parent before fork() returns there. As descriptor +
// 1; 0: free.
std::array<std::atomic<int>, 256> locks_held{};

void CloseInChild() {
  for (std::atomic<int>& held : locks_held) {
    if (const int lock = held.exchange(0); lock != 0) close(lock - 1);
  }
}

// Where there is no room, the child keeps it.
void RememberLock(int lock) {
  static const int registered = pthread_atfork(nullptr, nullptr, CloseInChild);
  (void)registered;
  for (std::atomic<int>& held : locks_held) {
    int free = 0;
    if (held.compare_exchange_strong(free, lock + 1)) return;
  }
}

void ForgetLock(int lock) {
  for (std::atomic<int>& held : locks_held) {
    int mine = lock + 1;
    if (held.compare_exchange_strong(mine, 0)) return;
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<ChangeLog>> ChangeLog::Open(const std::string& directory) {
  if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) return Errno("make", directory);
  const std::string lock_path = directory + "/cache.lock";
  const int lock = open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock < 0) return Errno("open", lock_path);
  if (flock(lock, LOCK_EX | LOCK_NB) != 0) {
    close(lock);
    return absl::UnavailableError(absl::StrCat(directory, " is in use by another cache"));
  }
  RememberLock(lock);
  return std::unique_ptr<ChangeLog>(new ChangeLog(directory, lock));
}

ChangeLog::~ChangeLog() {
  Close();
  ForgetLock(lock_);
  close(lock_);
}

void ChangeLog::Close() {
  if (file_ >= 0) close(file_);
  file_ = -1;
}

absl::StatusOr<ChangeLog::Changes> ChangeLog::Read() {
  Changes changes;
  changes.files.reserve(2);
  bytes_ = 0;
  for (const std::string& path : {older_path(), log_path()}) {
    std::string& bytes = changes.files.emplace_back();
    const absl::Status read = ReadFile(path, &bytes);
    if (absl::IsNotFound(read)) continue;
    if (!read.ok()) return read;
    const absl::StatusOr<uint64_t> whole = ReadChanges(bytes, path, &changes.list);
    if (!whole.ok()) return whole.status();
    if (path == log_path()) bytes_ = *whole;
  }
  return changes;
}

absl::Status ChangeLog::Begin() {
  Close();
  file_ = open(log_path().c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (file_ < 0) return Errno("open", log_path());
  absl::Status status =
      ftruncate(file_, static_cast<off_t>(bytes_)) == 0 ? absl::OkStatus() : Errno("cut", log_path());
  if (status.ok() && lseek(file_, 0, SEEK_END) < 0) status = Errno("seek in", log_path());
  if (status.ok() && bytes_ == 0) {
    status = WriteAll(file_, FileHeader(), log_path());
    bytes_ = kFileHeader;
    if (status.ok()) status = SyncDirectory(directory_);
  }
  if (!status.ok()) Close();
  return status;
}

void ChangeLog::SetAside() {
  Close();
  bytes_ = 0;
  for (const std::string& path : {snapshot_path(), older_path(), log_path()}) {
    (void)std::rename(path.c_str(), (path + ".damaged").c_str());
  }
  (void)SyncDirectory(directory_);
}

void ChangeLog::Forget() {
  Close();
  bytes_ = 0;
  for (const std::string& path : {snapshot_path(), older_path(), log_path()}) unlink(path.c_str());
  (void)SyncDirectory(directory_);
}

bool ChangeLog::Append(Kind kind, std::string_view content) {
  if (file_ < 0) return false;
  frame_.clear();
  PutNumber(static_cast<uint32_t>(content.size()), &frame_);
  PutNumber(static_cast<uint32_t>(kind), &frame_);
  PutNumber(CheckOf(bytes_, kind, content), &frame_);
  frame_ += content;
  if (!WriteAll(file_, frame_, log_path()).ok()) {
    Forget();
    return false;
  }
  bytes_ += frame_.size();
  return true;
}

bool ChangeLog::Sync() {
  if (file_ < 0) return false;
  if (fdatasync(file_) == 0) return true;
  Forget();
  return false;
}

absl::Status ChangeLog::Rotate() {
  struct stat about {};
  if (stat(older_path().c_str(), &about) == 0 && file_ >= 0) return absl::OkStatus();
  // What is durable in the log stays so under its new name.
  if (file_ >= 0 && fdatasync(file_) != 0) return Errno("sync", log_path());
  if (std::rename(log_path().c_str(), older_path().c_str()) != 0 && errno != ENOENT) {
    return Errno("rename", log_path());
  }
  bytes_ = 0;
  if (absl::Status begun = Begin(); !begun.ok()) {
    // Nothing can be appended, so nothing that is there may be read again.
    Forget();
    return begun;
  }
  return absl::OkStatus();
}

void ChangeLog::DropOlder() {
  unlink(older_path().c_str());
  (void)SyncDirectory(directory_);
}

}  // namespace purser::cache
