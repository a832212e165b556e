#include "engine/base/new_file.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

namespace purser {
namespace {

std::string UnfinishedName(const std::string& path) { return path + ".part"; }

absl::Status SystemError(const std::string& path, int error) {
  return absl::UnavailableError(absl::StrCat(path, " cannot be written: ", std::strerror(error)));
}

}  // namespace

absl::StatusOr<NewFile> NewFile::Create(const std::string& path, bool replace) {
  if (!replace && ::access(path.c_str(), F_OK) == 0) {
    return absl::AlreadyExistsError(absl::StrCat(path, " exists; remove it or choose another name"));
  }
  std::FILE* file = std::fopen(UnfinishedName(path).c_str(), "wb");
  if (file == nullptr) return SystemError(path, errno);
  return NewFile(path, file);
}

NewFile::NewFile(NewFile&& other) noexcept
    : path_(std::move(other.path_)), file_(std::exchange(other.file_, nullptr)), error_(other.error_) {}

NewFile::~NewFile() {
  if (file_ == nullptr) return;
  std::fclose(file_);
  std::remove(UnfinishedName(path_).c_str());
}

void NewFile::Write(std::string_view bytes) {
  if (error_ != 0) return;
  if (std::fwrite(bytes.data(), 1, bytes.size(), file_) != bytes.size()) error_ = errno != 0 ? errno : EIO;
}

absl::Status NewFile::Finish() {
  const std::string unfinished = UnfinishedName(path_);
  if (std::fflush(file_) != 0 && error_ == 0) error_ = errno;
  if (error_ == 0 && ::fsync(::fileno(file_)) != 0 && errno != EINVAL) error_ = errno;
  std::fclose(std::exchange(file_, nullptr));
  if (error_ == 0 && std::rename(unfinished.c_str(), path_.c_str()) != 0) error_ = errno;
  if (error_ == 0) return absl::OkStatus();
  std::remove(unfinished.c_str());
  return SystemError(path_, error_);
}

}  // namespace purser
