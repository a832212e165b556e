#ifndef PURSER_CACHE_FILE_H_
#define PURSER_CACHE_FILE_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace purser::cache {

// All that the cache asks of the file system. Errors: NOT_FOUND where there is no such file, UNAVAILABLE
// else; the message names the path.

// Replaces the file at `path`: writes a new one beside it, syncs it, renames it over the old one and syncs
// the directory. A crash at any instant leaves the old or the new content.
absl::Status ReplaceFile(const std::string& path, std::string_view bytes);
absl::Status ReadFile(const std::string& path, std::string* bytes);
// Makes what was created, renamed or removed in it last.
absl::Status SyncDirectory(const std::string& directory);
// All of `bytes`, or an error.
absl::Status WriteAll(int file, std::string_view bytes, const std::string& path);
// What errno says: "cannot WHAT PATH: ...".
absl::Status Errno(std::string_view what, const std::string& path);

}  // namespace purser::cache

#endif  // PURSER_CACHE_FILE_H_
