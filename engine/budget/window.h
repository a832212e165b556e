#ifndef PURSER_ENGINE_BUDGET_WINDOW_H_
#define PURSER_ENGINE_BUDGET_WINDOW_H_

#include <cstdint>
#include <limits>

#include "absl/time/time.h"

namespace purser::budget {

inline constexpr int64_t kForever = std::numeric_limits<int64_t>::max();

enum class WindowKind : uint8_t { kLifetime, kDay, kWeek, kMonth, kRolling, kRefill };

// A rolling window is kept in this many slices; it counts one slice more, so that whatever was booked counts
// for at least the window's length (and at most 1/24 longer).
inline constexpr int kRollingSlices = 24;

// The span of time that a limit is for. See the section "Windows" in accounts.h for what happens at its
// borders.
struct WindowSpec {
  WindowKind kind = WindowKind::kLifetime;
  int64_t length_nanos = 0;  // Rolling: the window's length. Refill: how long an empty bucket takes.
  absl::TimeZone zone;       // Calendar.

  // Tells windows of different kinds or lengths apart. Never 0.
  uint16_t Fingerprint() const;
};

// The kind of the window that a fingerprint is of; of 0: lifetime.
inline WindowKind KindOf(uint16_t fingerprint) {
  return fingerprint == 0 ? WindowKind::kLifetime : static_cast<WindowKind>((fingerprint >> 12) - 1);
}

// A half-open span of time [begin, end) in nanoseconds since the Unix epoch.
struct Span {
  int64_t begin = std::numeric_limits<int64_t>::min();
  int64_t end = kForever;
};

// The span around `now` within which an account of this window need not be touched: the calendar's period,
// the slice of a rolling window, the tick of a refilling bucket, all time.
Span SpanAround(const WindowSpec& window, int64_t now_nanos);

// Which slice of a rolling window a time is in.
int64_t SliceOf(const WindowSpec& window, int64_t time_nanos);

// When what was booked in a slice no longer counts.
int64_t SliceLeavesAt(const WindowSpec& window, int64_t slice);

// How much of `limit` a refilling bucket gains from one time to a later one. Gains of adjoining spans add up
// exactly. Nothing if `to` is before `from`.
int64_t Refilled(const WindowSpec& window, int64_t limit, int64_t from_nanos, int64_t to_nanos);

}  // namespace purser::budget

#endif  // PURSER_ENGINE_BUDGET_WINDOW_H_
