#ifndef PURSER_ENGINE_ECONOMICS_CSV_H_
#define PURSER_ENGINE_ECONOMICS_CSV_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace purser::economics {

// A CSV file with a header, as RFC 4180 has it and spreadsheets write it: quoted fields, either line end, a
// byte order mark or none.
class Csv {
 public:
  // INVALID_ARGUMENT names the line: an open quote, or a row of another length than the header.
  static absl::StatusOr<Csv> Parse(std::string_view text);

  const std::vector<std::string>& header() const { return header_; }
  const std::vector<std::vector<std::string>>& rows() const { return rows_; }
  int LineOf(size_t row) const { return lines_[row]; }  // 1-based.
  // Names are compared without regard to case, spaces and underscores.
  std::optional<size_t> ColumnOf(std::string_view name) const;

 private:
  std::vector<std::string> header_;
  std::vector<std::vector<std::string>> rows_;
  std::vector<int> lines_;
};

}  // namespace purser::economics

#endif  // PURSER_ENGINE_ECONOMICS_CSV_H_
