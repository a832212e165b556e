#include "policies/read_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace purser {
namespace {

constexpr size_t kMinRead = 64 << 10;

// Returns 0 or an errno.
int Append(int file, std::string* bytes) {
  struct stat about {};
  if (fstat(file, &about) != 0) return errno;
  // One more than a regular file should hold, so that its end is met without another round.
  size_t step = about.st_size > 0 ? static_cast<size_t>(about.st_size) + 1 : kMinRead;
  while (true) {
    const size_t size = bytes->size();
    bytes->resize(size + step);
    const ssize_t got = read(file, bytes->data() + size, step);
    const int error = got < 0 ? errno : 0;
    bytes->resize(size + (got > 0 ? static_cast<size_t>(got) : 0));
    if (got == 0) return 0;
    if (error != 0 && error != EINTR) return error;
    step = kMinRead;
  }
}

}  // namespace

absl::StatusOr<std::string> ReadWholeFile(const std::string& path) {
  std::string bytes;
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const int error = file < 0 ? errno : Append(file, &bytes);
  if (file >= 0) close(file);
  if (error == 0) return bytes;
  const std::string reason = absl::StrCat("cannot be read: ", std::strerror(error));
  return error == ENOENT ? absl::NotFoundError(reason) : absl::UnavailableError(reason);
}

}  // namespace purser
