#ifndef PURSER_POLICIES_DIAGNOSTICS_H_
#define PURSER_POLICIES_DIAGNOSTICS_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"

namespace purser {

// A place in a text: 1-based. Line 0: the file as a whole.
struct Position {
  int line = 0;
  int column = 0;
};

// Where each field of a loaded textproto stands. Fields are named by path: "rules[2].when.any[0].signal",
// "budgets[1]" (the whole message), "name".
class SourceMap {
 public:
  // The field's position; if the text does not have the field (it was left out), the nearest enclosing
  // message's.
  Position Find(std::string_view path) const;

  void Add(std::string path, Position position) { positions_[std::move(path)] = position; }

 private:
  absl::flat_hash_map<std::string, Position> positions_;
};

enum class Severity { kError, kWarning };

struct Diagnostic {
  Severity severity;
  std::string file;
  Position position;
  std::string message;  // What is wrong, and what was expected.

  // "policy.textproto:12:7: error: no signal is named \"hard\"; defined are: \"easy\""
  std::string ToString() const;
};

// Collects everything that is wrong with one file, so that a person mends it in one round. Not thread-safe.
class Diagnostics {
 public:
  Diagnostics() = default;
  Diagnostics(std::string file, SourceMap source) : file_(std::move(file)), source_(std::move(source)) {}

  // `path` as in SourceMap; "" for the file as a whole.
  void Error(std::string_view path, std::string message) { Add(Severity::kError, path, std::move(message)); }
  void Warning(std::string_view path, std::string message) {
    Add(Severity::kWarning, path, std::move(message));
  }
  void ErrorAt(Position position, std::string message);

  bool ok() const { return errors_ == 0; }
  int errors() const { return errors_; }
  int warnings() const { return static_cast<int>(all_.size()) - errors_; }

  // In the order of the text.
  std::vector<Diagnostic> Sorted() const;
  // OK, or INVALID_ARGUMENT with a line per error.
  absl::Status ToStatus() const;

  const std::string& file() const { return file_; }
  const SourceMap& source() const { return source_; }
  void set_source(SourceMap source) { source_ = std::move(source); }

 private:
  void Add(Severity severity, std::string_view path, std::string message);

  std::string file_;
  SourceMap source_;
  std::vector<Diagnostic> all_;
  int errors_ = 0;
};

}  // namespace purser

#endif  // PURSER_POLICIES_DIAGNOSTICS_H_
