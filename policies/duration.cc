#include "policies/duration.h"

#include <string>

#include "absl/strings/str_cat.h"

namespace purser {
namespace {

struct Unit {
  std::string_view name;
  int64_t nanos;
};
// Longer names first where one begins with another.
constexpr Unit kUnits[] = {
    {"ns", 1},
    {"us", 1'000},
    {"ms", 1'000'000},
    {"s", 1'000'000'000},
    {"m", 60'000'000'000},
    {"h", 3'600'000'000'000},
    {"d", 86'400'000'000'000},
    {"w", 604'800'000'000'000},
};

absl::Status NotADuration(std::string_view text) {
  return absl::InvalidArgumentError(
      absl::StrCat("\"", std::string(text),
                   "\" is not a duration; expected for instance \"90s\", \"30m\", \"24h\" or \"30d\""));
}

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

absl::StatusOr<int64_t> ParseDurationNanos(std::string_view text) {
  constexpr __int128 kMax = INT64_MAX;
  if (text.empty()) return NotADuration(text);
  __int128 sum = 0;
  std::string_view rest = text;
  while (!rest.empty()) {
    __int128 digits = 0;
    __int128 scale = 1;
    int seen = 0;
    bool point = false;
    for (; !rest.empty() && (IsDigit(rest.front()) || (rest.front() == '.' && !point));
         rest.remove_prefix(1)) {
      if (rest.front() == '.') {
        point = true;
        continue;
      }
      if (++seen > 18) return NotADuration(text);
      digits = digits * 10 + (rest.front() - '0');
      if (point) scale *= 10;
    }
    if (seen == 0) return NotADuration(text);
    const Unit* unit = nullptr;
    for (const Unit& candidate : kUnits) {
      if (rest.starts_with(candidate.name)) {
        unit = &candidate;
        break;
      }
    }
    if (unit == nullptr) return NotADuration(text);
    rest.remove_prefix(unit->name.size());
    sum += digits * unit->nanos / scale;
    if (sum > kMax) {
      return absl::InvalidArgumentError(absl::StrCat("\"", std::string(text), "\" is longer than 292 years"));
    }
  }
  return static_cast<int64_t>(sum);
}

}  // namespace purser
