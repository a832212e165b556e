#ifndef PURSER_POLICIES_READ_FILE_H_
#define PURSER_POLICIES_READ_FILE_H_

#include <string>

#include "absl/status/statusor.h"

namespace purser {

// The bytes of a file, or of a pipe up to its end. Errors name the reason and not the path, for callers to
// put in front: "cannot be read: Is a directory". NOT_FOUND if there is no such file, else UNAVAILABLE.
absl::StatusOr<std::string> ReadWholeFile(const std::string& path);

}  // namespace purser

#endif  // PURSER_POLICIES_READ_FILE_H_
