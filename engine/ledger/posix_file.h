#ifndef PURSER_ENGINE_LEDGER_POSIX_FILE_H_
#define PURSER_ENGINE_LEDGER_POSIX_FILE_H_

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace purser::ledger {

// What errno says of an action, with the codes of file_system.h.
absl::Status SystemError(absl::string_view action, const std::string& path, int error);

// An open file.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

// Closed in what the process executes, though not in what it forks.
absl::StatusOr<Descriptor> OpenFile(const std::string& path, int flags);

}  // namespace purser::ledger

#endif  // PURSER_ENGINE_LEDGER_POSIX_FILE_H_
