#ifndef PURSER_ENGINE_CLI_TABLE_H_
#define PURSER_ENGINE_CLI_TABLE_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace purser::cli {

// A table for a terminal: columns as wide as their widest cell, two spaces between them.
class Table {
 public:
  enum class Align { kLeft, kRight };
  struct Column {
    std::string title;
    Align align = Align::kLeft;
  };

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // One cell per column; missing ones are empty.
  void AddRow(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }

  // With a line of titles, each line preceded by `indent`.
  std::string ToString(std::string_view indent = "  ") const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

// How many columns of a terminal a text takes: code points, not bytes.
size_t DisplayWidth(std::string_view text);

}  // namespace purser::cli

#endif  // PURSER_ENGINE_CLI_TABLE_H_
