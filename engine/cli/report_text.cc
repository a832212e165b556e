#include "engine/cli/report_text.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "engine/base/utf8.h"
#include "engine/cli/table.h"
#include "policies/amount.h"
#include "policies/decimal.h"

namespace purser::cli {
namespace {

constexpr size_t kGap = 2;
constexpr size_t kMinLeft = 8;

// The length of the UTF-8 sequence that begins at text[0]; 0: none that is valid and printable.
size_t PrintableLength(std::string_view text) {
  const auto [bytes, point] = CharacterAt(text, 0);
  const bool control = point < 0x20 || (point >= 0x7f && point < 0xa0) ||
                       (point >= 0x200b && point <= 0x200f) || (point >= 0x2028 && point <= 0x202e) ||
                       (point >= 0x2066 && point <= 0x2069) || point == 0xfeff;
  return control ? 0 : bytes;
}

std::string Cut(const std::string& text, size_t width) {
  if (DisplayWidth(text) <= width) return text;
  std::string cut;
  size_t at = 0;
  for (size_t columns = 0; columns + 1 < width; ++columns) {
    const size_t length = std::max<size_t>(1, PrintableLength(std::string_view(text).substr(at)));
    cut.append(text, at, length);
    at += length;
  }
  return cut + "…";
}

}  // namespace

void CutToWidth(size_t left, size_t width, std::vector<std::vector<std::string>>* rows) {
  if (rows->empty()) return;
  const size_t columns = rows->front().size();
  std::vector<size_t> widths(columns, 0);
  for (const auto& row : *rows) {
    for (size_t i = 0; i < columns; ++i) widths[i] = std::max(widths[i], DisplayWidth(row[i]));
  }
  size_t total = kGap * (columns - 1);
  for (size_t w : widths) total += w;
  const auto lefts_end = widths.begin() + static_cast<std::ptrdiff_t>(left);
  for (; total > width; --total) {
    const auto widest = std::max_element(widths.begin(), lefts_end);
    if (widest == lefts_end || *widest <= kMinLeft) break;
    --*widest;
  }
  for (auto& row : *rows) {
    for (size_t i = 0; i < left; ++i) row[i] = Cut(row[i], widths[i]);
  }
}

std::string Printable(std::string_view id) {
  if (id.empty()) return "-";
  std::string text;
  while (!id.empty()) {
    const size_t length = PrintableLength(id);
    if (length == 0) {
      absl::StrAppendFormat(&text, "\\x%02x", static_cast<unsigned char>(id[0]));
      id.remove_prefix(1);
    } else {
      text.append(id.substr(0, length));
      id.remove_prefix(length);
    }
  }
  return text;
}

std::string ShortNumber(int64_t number) {
  const double value = static_cast<double>(number);
  const double magnitude = value < 0 ? -value : value;
  if (magnitude < 10'000) return WithCommas(number);
  for (const auto& [unit, name] : {std::pair<double, const char*>{1e3, "k"}, {1e6, "M"}, {1e9, "B"}}) {
    if (magnitude < 999.5 * unit)
      return absl::StrFormat("%.*f %s", magnitude < 99.95 * unit ? 1 : 0, value / unit, name);
  }
  return absl::StrFormat("%.0f B", value / 1e9);
}

int DecimalsFor(int64_t largest_nanos) {
  const int64_t magnitude = largest_nanos < 0 ? -largest_nanos : largest_nanos;
  if (magnitude >= 1000 * kNanosPerDollar) return 2;
  if (magnitude >= kNanosPerDollar) return 4;
  return magnitude >= kNanosPerDollar / 1000 ? 6 : 9;
}

}  // namespace purser::cli
