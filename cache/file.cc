#include "cache/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace purser::cache {

absl::Status Errno(std::string_view what, const std::string& path) {
  const int error = errno;
  const std::string text = absl::StrCat("cannot ", absl::string_view(what.data(), what.size()), " ", path,
                                        ": ", std::strerror(error));
  return error == ENOENT ? absl::NotFoundError(text) : absl::UnavailableError(text);
}

absl::Status WriteAll(int file, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return Errno("write", path);
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

absl::Status SyncDirectory(const std::string& directory) {
  const int file = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0) return Errno("open", directory);
  const int synced = fsync(file);
  const absl::Status status = synced == 0 ? absl::OkStatus() : Errno("sync", directory);
  close(file);
  return status;
}

absl::Status ReplaceFile(const std::string& path, std::string_view bytes) {
  const std::string fresh = path + ".new";
  const int file = open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return Errno("create", fresh);
  absl::Status status = WriteAll(file, bytes, fresh);
  if (status.ok() && fsync(file) != 0) status = Errno("sync", fresh);
  if (close(file) != 0 && status.ok()) status = Errno("close", fresh);
  if (status.ok() && rename(fresh.c_str(), path.c_str()) != 0) status = Errno("rename to", path);
  if (!status.ok()) {
    unlink(fresh.c_str());
    return status;
  }
  const size_t slash = path.rfind('/');
  return SyncDirectory(slash == std::string::npos ? "." : path.substr(0, slash + 1));
}

absl::Status ReadFile(const std::string& path, std::string* bytes) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return Errno("open", path);
  struct stat about {};
  absl::Status status = fstat(file, &about) == 0 ? absl::OkStatus() : Errno("look at", path);
  bytes->resize(status.ok() ? static_cast<size_t>(about.st_size) : 0);
  size_t got = 0;
  while (status.ok() && got < bytes->size()) {
    const ssize_t count = read(file, bytes->data() + got, bytes->size() - got);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) status = Errno("read", path);
    if (count <= 0) break;
    got += static_cast<size_t>(count);
  }
  bytes->resize(got);
  close(file);
  return status;
}

}  // namespace purser::cache
