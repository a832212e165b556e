#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/ledger/file_system.h"
#include "engine/ledger/lost_pages.h"
#include "engine/ledger/owner_lock.h"
#include "engine/ledger/posix_file.h"

namespace purser::ledger {

absl::Status SystemError(absl::string_view action, const std::string& path, int error) {
  const std::string message = absl::StrCat(path, ": ", action, ": ", std::strerror(error));
  switch (error) {
    case ENOENT:
      return absl::NotFoundError(message);
    case EEXIST:
      return absl::AlreadyExistsError(message);
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::PermissionDeniedError(message);
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return absl::ResourceExhaustedError(message);
    case ENOTDIR:
      return absl::FailedPreconditionError(message);
    default:
      return absl::InternalError(message);
  }
}

absl::StatusOr<Descriptor> OpenFile(const std::string& path, int flags) {
  int fd;
  do {
    fd = ::open(path.c_str(), flags | O_CLOEXEC, 0644);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) return SystemError("open", path, errno);
  return Descriptor(fd);
}

namespace {

absl::StatusOr<uint64_t> SizeOf(int fd, const std::string& path) {
  struct stat info;
  if (::fstat(fd, &info) != 0) return SystemError("fstat", path, errno);
  if (!S_ISREG(info.st_mode)) return absl::FailedPreconditionError(path + ": not a regular file");
  return static_cast<uint64_t>(info.st_size);
}

class PosixReadableFile final : public ReadableFile {
 public:
  PosixReadableFile(Descriptor fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

  absl::StatusOr<size_t> ReadAt(uint64_t offset, char* to, size_t size) const override {
    size_t done = 0;
    while (done < size) {
      const ssize_t got = ::pread(fd_.get(), to + done, size - done, static_cast<off_t>(offset + done));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return SystemError("read", path_, errno);
      if (got == 0) break;
      done += static_cast<size_t>(got);
    }
    return done;
  }
  absl::StatusOr<uint64_t> Size() const override { return SizeOf(fd_.get(), path_); }

 private:
  const Descriptor fd_;
  const std::string path_;
};

class PosixMappedFile final : public MappedFile {
 public:
  PosixMappedFile(Descriptor fd, std::string path, char* data, uint64_t capacity, uint64_t allocated)
      : fd_(std::move(fd)),
        path_(std::move(path)),
        data_(data),
        capacity_(capacity),
        allocated_(allocated),
        guard_(data, capacity) {}
  ~PosixMappedFile() override { ::munmap(data_, capacity_); }

  char* data() const override { return data_; }
  uint64_t allocated() const override { return allocated_.load(std::memory_order_acquire); }

  absl::Status Allocate(uint64_t size) override {
    const uint64_t from = allocated();
    if (size <= from) return absl::OkStatus();
    if (size > capacity_) return absl::InvalidArgumentError(path_ + ": allocation beyond the mapping");
    // Longer again, a file that was cut short would hide that it was.
    if (absl::Status whole = CheckSize(); !whole.ok()) return whole;
    // Real blocks, not a hole: a store into a hole on a full disk is a SIGBUS.
    int error;
    do {
      error = ::posix_fallocate(fd_.get(), static_cast<off_t>(from), static_cast<off_t>(size - from));
    } while (error == EINTR);
    if (error != 0) {
      const absl::Status status = SystemError("allocate disk space", path_, error);
      // What was taken before the disk was full is given back; readers stop at zeros anyway.
      if (::ftruncate(fd_.get(), static_cast<off_t>(from)) != 0) return status;
      return status;
    }
    allocated_.store(size, std::memory_order_release);
    return absl::OkStatus();
  }

  void Prepare(uint64_t offset, uint64_t size) override {
    const uint64_t end = std::min(offset + size, allocated());
    if (offset >= end) return;
    const uint64_t begin = offset / kPage * kPage;
    (void)::madvise(data_ + begin, end - begin, MADV_POPULATE_WRITE);  // Linux 5.14; before it an error.
  }

  void Release(uint64_t offset, uint64_t size) override {
    const uint64_t begin = (offset + kPage - 1) / kPage * kPage;
    const uint64_t end = (offset + size) / kPage * kPage;
    if (begin >= end) return;
    // What was stored is the kernel's, mapped or not.
    (void)::madvise(data_ + begin, end - begin, MADV_DONTNEED);
  }

  absl::Status Sync() override {
    int result;
    do {
      result = ::fdatasync(fd_.get());
    } while (result != 0 && errno == EINTR);
    return result == 0 ? absl::OkStatus() : SystemError("fdatasync", path_, errno);
  }

  const std::atomic<bool>& lost() const override { return guard_.lost(); }

  void Renamed(const std::string& path) override { path_ = path; }

  absl::Status Check() const override {
    struct stat named;
    struct stat opened;
    if (::fstat(fd_.get(), &opened) != 0) return SystemError("fstat", path_, errno);
    if (::stat(path_.c_str(), &named) != 0 || named.st_dev != opened.st_dev ||
        named.st_ino != opened.st_ino) {
      return absl::FailedPreconditionError(
          path_ +
          ": was removed, moved or replaced while it was being written; put it back as it was, and open "
          "the ledger again");
    }
    return CheckSize();
  }

  void Touch() override {
    // A store of the value that is there dirties its page; nobody else may be storing.
    for (uint64_t at = 0; at < allocated(); at += kPage) {
      volatile char* byte = data_ + at;
      *byte = *byte;
    }
  }

  absl::Status Truncate(uint64_t size) override {
    if (::ftruncate(fd_.get(), static_cast<off_t>(size)) != 0) return SystemError("truncate", path_, errno);
    allocated_.store(size, std::memory_order_release);
    return absl::OkStatus();
  }

 private:
  absl::Status CheckSize() const {
    absl::StatusOr<uint64_t> size = SizeOf(fd_.get(), path_);
    if (!size.ok()) return size.status();
    if (!lost().load() && *size >= allocated()) return absl::OkStatus();
    return absl::DataLossError(absl::StrCat(
        path_, ": was cut to ", *size,
        " bytes while it was being written (log rotation must leave a ledger alone); "
        "put back a copy, or `purser ledger verify` says what is left, and open the ledger again"));
  }

  // Pages are this large or larger; then the system refuses what is not aligned to them, which is no harm.
  static constexpr uint64_t kPage = 4096;

  const Descriptor fd_;
  std::string path_;
  char* const data_;
  const uint64_t capacity_;
  std::atomic<uint64_t> allocated_;
  const GuardedMapping guard_;
};

absl::Status WriteAll(int fd, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(fd, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return SystemError("write", path, errno);
    bytes.remove_prefix(static_cast<size_t>(put));
  }
  return absl::OkStatus();
}

class PosixFileSystem final : public FileSystem {
 public:
  absl::StatusOr<std::unique_ptr<ReadableFile>> OpenForReading(const std::string& path) override {
    absl::StatusOr<Descriptor> fd = OpenFile(path, O_RDONLY);
    if (!fd.ok()) return fd.status();
    ::posix_fadvise(fd->get(), 0, 0, POSIX_FADV_SEQUENTIAL);
    return std::make_unique<PosixReadableFile>(*std::move(fd), path);
  }

  absl::StatusOr<std::unique_ptr<MappedFile>> OpenMapped(const std::string& path,
                                                         uint64_t capacity) override {
    absl::StatusOr<Descriptor> fd = OpenFile(path, O_RDWR | O_CREAT);
    if (!fd.ok()) return fd.status();
    absl::StatusOr<uint64_t> size = SizeOf(fd->get(), path);
    if (!size.ok()) return size.status();
    capacity = std::max(capacity, *size);
    void* data = ::mmap(nullptr, capacity, PROT_READ | PROT_WRITE, MAP_SHARED, fd->get(), 0);
    if (data == MAP_FAILED) return SystemError("mmap", path, errno);
    return std::make_unique<PosixMappedFile>(*std::move(fd), path, static_cast<char*>(data), capacity, *size);
  }

  absl::Status WriteFile(const std::string& path, std::string_view bytes) override {
    absl::StatusOr<Descriptor> fd = OpenFile(path, O_WRONLY | O_CREAT | O_TRUNC);
    if (!fd.ok()) return fd.status();
    if (absl::Status status = WriteAll(fd->get(), bytes, path); !status.ok()) return status;
    return ::fdatasync(fd->get()) == 0 ? absl::OkStatus() : SystemError("fdatasync", path, errno);
  }

  absl::Status Rename(const std::string& from, const std::string& to) override {
    return ::rename(from.c_str(), to.c_str()) == 0 ? absl::OkStatus() : SystemError("rename", from, errno);
  }

  absl::Status Remove(const std::string& path) override {
    return ::unlink(path.c_str()) == 0 ? absl::OkStatus() : SystemError("remove", path, errno);
  }

  absl::Status SyncDirectory(const std::string& path) override {
    absl::StatusOr<Descriptor> fd = OpenFile(path, O_RDONLY | O_DIRECTORY);
    if (!fd.ok()) return fd.status();
    return ::fsync(fd->get()) == 0 ? absl::OkStatus() : SystemError("fsync", path, errno);
  }

  absl::Status CreateDirectory(const std::string& path) override {
    for (size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
      const std::string part = path.substr(0, slash);
      if (::mkdir(part.c_str(), 0755) != 0 && errno != EEXIST) {
        return SystemError("create directory", part, errno);
      }
      if (slash == std::string::npos) break;
    }
    struct stat info;
    if (::stat(path.c_str(), &info) != 0) return SystemError("stat", path, errno);
    if (!S_ISDIR(info.st_mode)) return absl::FailedPreconditionError(path + ": is a file, not a directory");
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<std::string>> List(const std::string& path) override {
    DIR* directory = ::opendir(path.c_str());
    if (directory == nullptr) return SystemError("open directory", path, errno);
    std::vector<std::string> names;
    while (const dirent* entry = ::readdir(directory)) {
      const std::string name = entry->d_name;
      if (name != "." && name != "..") names.push_back(name);
    }
    ::closedir(directory);
    std::sort(names.begin(), names.end());
    return names;
  }

  absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path) override {
    return TakeOwnerLock(path);
  }
};

}  // namespace

FileSystem* FileSystem::Posix() {
  static PosixFileSystem* const files = new PosixFileSystem;
  return files;
}

absl::StatusOr<std::string> ReadFile(FileSystem* files, const std::string& path) {
  absl::StatusOr<std::unique_ptr<ReadableFile>> file = files->OpenForReading(path);
  if (!file.ok()) return file.status();
  absl::StatusOr<uint64_t> size = (*file)->Size();
  if (!size.ok()) return size.status();
  std::string bytes(*size, '\0');
  absl::StatusOr<size_t> got = (*file)->ReadAt(0, bytes.data(), bytes.size());
  if (!got.ok()) return got.status();
  bytes.resize(*got);
  return bytes;
}

absl::Status ReplaceFile(FileSystem* files, const std::string& path, std::string_view bytes) {
  const std::string unfinished = path + ".tmp";
  if (absl::Status status = files->WriteFile(unfinished, bytes); !status.ok()) {
    (void)files->Remove(unfinished);
    return status;
  }
  if (absl::Status status = files->Rename(unfinished, path); !status.ok()) return status;
  return files->SyncDirectory(path.substr(0, path.rfind('/')));
}

}  // namespace purser::ledger
