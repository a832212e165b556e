#include "engine/economics/csv.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace purser::economics {
namespace {

std::string ComparableName(std::string_view name) {
  std::string comparable;
  for (const char c : name) {
    if (c != ' ' && c != '_' && c != '-') comparable += absl::ascii_tolower(static_cast<unsigned char>(c));
  }
  return comparable;
}

}  // namespace

absl::StatusOr<Csv> Csv::Parse(std::string_view text) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  Csv csv;
  int line = 1;
  size_t at = 0;
  while (at < text.size()) {
    std::vector<std::string> row(1);
    const int row_line = line;
    bool quoted = false;
    for (; at < text.size(); ++at) {
      const char c = text[at];
      if (c == '\n') ++line;
      if (quoted) {
        if (c != '"') {
          row.back() += c;
        } else if (at + 1 < text.size() && text[at + 1] == '"') {
          row.back() += text[++at];
        } else {
          quoted = false;
        }
      } else if (c == '"') {
        quoted = true;
      } else if (c == ',') {
        row.emplace_back();
      } else if (c == '\n') {
        break;
      } else if (c != '\r') {
        row.back() += c;
      }
    }
    ++at;
    if (quoted)
      return absl::InvalidArgumentError(absl::StrCat("line ", row_line, ": a quote is never closed"));
    if (row.size() == 1 && row[0].empty()) continue;
    if (csv.header_.empty()) {
      csv.header_ = std::move(row);
      continue;
    }
    if (row.size() != csv.header_.size()) {
      return absl::InvalidArgumentError(
          absl::StrCat("line ", row_line, " has ", row.size(), " fields, the header ", csv.header_.size()));
    }
    csv.rows_.push_back(std::move(row));
    csv.lines_.push_back(row_line);
  }
  if (csv.header_.empty()) return absl::InvalidArgumentError("the file is empty; expected a header");
  return csv;
}

std::optional<size_t> Csv::ColumnOf(std::string_view name) const {
  const std::string wanted = ComparableName(name);
  for (size_t i = 0; i < header_.size(); ++i) {
    if (ComparableName(header_[i]) == wanted) return i;
  }
  return std::nullopt;
}

}  // namespace purser::economics
