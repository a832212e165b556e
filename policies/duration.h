#ifndef PURSER_POLICIES_DURATION_H_
#define PURSER_POLICIES_DURATION_H_

#include <cstdint>
#include <string_view>

#include "absl/status/statusor.h"

namespace purser {

// Reads a duration as policies write it, into nanoseconds: a number and a unit, or several in a row: "90s",
// "1.5h", "1h30m", "250ms", "30d", "2w". A day is 24 hours. Errors (INVALID_ARGUMENT, naming the text): not a
// duration; negative; longer than 292 years.
absl::StatusOr<int64_t> ParseDurationNanos(std::string_view text);

}  // namespace purser

#endif  // PURSER_POLICIES_DURATION_H_
