#include "policies/diagnostics.h"

#include <algorithm>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace purser {

Position SourceMap::Find(std::string_view path) const {
  while (true) {
    if (const auto it = positions_.find(std::string(path)); it != positions_.end()) return it->second;
    // "a.b[2]" -> "a.b" -> "a" -> "": an element that is not there falls back to what holds it.
    const size_t cut = path.find_last_of(".[");
    if (cut == std::string_view::npos) return {};
    path = path.substr(0, cut);
  }
}

std::string Diagnostic::ToString() const {
  std::string text = file;
  if (position.line > 0) absl::StrAppend(&text, ":", position.line, ":", position.column);
  return absl::StrCat(text, text.empty() ? "" : ": ",
                      severity == Severity::kError ? "error: " : "warning: ", message);
}

void Diagnostics::ErrorAt(Position position, std::string message) {
  all_.push_back({Severity::kError, file_, position, std::move(message)});
  ++errors_;
}

void Diagnostics::Add(Severity severity, std::string_view path, std::string message) {
  all_.push_back({severity, file_, source_.Find(path), std::move(message)});
  if (severity == Severity::kError) ++errors_;
}

std::vector<Diagnostic> Diagnostics::Sorted() const {
  std::vector<Diagnostic> sorted = all_;
  std::stable_sort(sorted.begin(), sorted.end(), [](const Diagnostic& a, const Diagnostic& b) {
    return std::tie(a.position.line, a.position.column) < std::tie(b.position.line, b.position.column);
  });
  return sorted;
}

absl::Status Diagnostics::ToStatus() const {
  if (ok()) return absl::OkStatus();
  std::vector<std::string> lines;
  for (const Diagnostic& diagnostic : Sorted()) {
    if (diagnostic.severity == Severity::kError) lines.push_back(diagnostic.ToString());
  }
  return absl::InvalidArgumentError(absl::StrJoin(lines, "\n"));
}

}  // namespace purser
