#ifndef PURSER_ENGINE_CLI_REPORT_TEXT_H_
#define PURSER_ENGINE_CLI_REPORT_TEXT_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace purser::cli {

// Cuts the first `left` cells of each row where rows as columns, two spaces apart, would be wider than
// `width`: the widest column gives way first, and what was cut ends in "…". Cells are Printable.
void CutToWidth(size_t left, size_t width, std::vector<std::vector<std::string>>* rows);

// An id as a terminal may show it: control characters and what is not UTF-8 appear as "\x1b". An empty one
// as "-".
std::string Printable(std::string_view id);

// "1,234", "56.7 k", "8.9 M", "1.2 B": at most six columns.
std::string ShortNumber(int64_t number);
// Decimals that suit amounts up to `largest_nanos` in one column.
int DecimalsFor(int64_t largest_nanos);

}  // namespace purser::cli

#endif  // PURSER_ENGINE_CLI_REPORT_TEXT_H_
