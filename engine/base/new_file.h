#ifndef PURSER_ENGINE_BASE_NEW_FILE_H_
#define PURSER_ENGINE_BASE_NEW_FILE_H_

#include <cstdio>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace purser {

// A file that appears whole under its name when it is finished, or not at all. Not thread-safe.
class NewFile {
 public:
  // ALREADY_EXISTS if there is a file of that name and `replace` is not set.
  static absl::StatusOr<NewFile> Create(const std::string& path, bool replace);
  NewFile(NewFile&& other) noexcept;
  NewFile& operator=(NewFile&&) = delete;
  ~NewFile();  // An unfinished one is removed.

  void Write(std::string_view bytes);
  // Errors of any Write, too, with the system's reason.
  absl::Status Finish();

 private:
  NewFile(std::string path, std::FILE* file) : path_(std::move(path)), file_(file) {}
  std::string path_;
  std::FILE* file_;
  int error_ = 0;  // The first.
};

}  // namespace purser

#endif  // PURSER_ENGINE_BASE_NEW_FILE_H_
