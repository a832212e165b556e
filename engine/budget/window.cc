#include "engine/budget/window.h"

#include <algorithm>

#include "absl/time/civil_time.h"

namespace purser::budget {
namespace {

// A refilling bucket is topped up this often in the time that it takes to fill.
constexpr int64_t kRefillTicks = 1024;

int64_t FloorDivide(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

__int128 FloorDivide(__int128 a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

template <typename Civil>
Span CalendarSpan(absl::TimeZone zone, Civil begin) {
  return {absl::ToUnixNanos(absl::FromCivil(begin, zone)),
          absl::ToUnixNanos(absl::FromCivil(begin + 1, zone))};
}

int64_t SliceLength(const WindowSpec& window) {
  return (window.length_nanos + kRollingSlices - 1) / kRollingSlices;
}

}  // namespace

uint16_t WindowSpec::Fingerprint() const {
  const uint64_t mixed = (static_cast<uint64_t>(length_nanos) + 1) * 0x9e3779b97f4a7c15u;
  return static_cast<uint16_t>((static_cast<unsigned>(kind) + 1) << 12 | (mixed >> 52));
}

Span SpanAround(const WindowSpec& window, int64_t now_nanos) {
  const auto day = [&] { return absl::ToCivilDay(absl::FromUnixNanos(now_nanos), window.zone); };
  switch (window.kind) {
    case WindowKind::kLifetime:
      break;
    case WindowKind::kDay:
      return CalendarSpan(window.zone, day());
    case WindowKind::kWeek: {
      const absl::CivilDay monday = absl::PrevWeekday(day() + 1, absl::Weekday::monday);
      return {CalendarSpan(window.zone, monday).begin, CalendarSpan(window.zone, monday + 7).begin};
    }
    case WindowKind::kMonth:
      return CalendarSpan(window.zone, absl::CivilMonth(day()));
    case WindowKind::kRolling: {
      const int64_t slice = SliceOf(window, now_nanos);
      return {slice * SliceLength(window), (slice + 1) * SliceLength(window)};
    }
    case WindowKind::kRefill:
      return {now_nanos, now_nanos + std::max<int64_t>(1, window.length_nanos / kRefillTicks)};
  }
  return {};
}

int64_t SliceOf(const WindowSpec& window, int64_t time_nanos) {
  return FloorDivide(time_nanos, SliceLength(window));
}

int64_t SliceLeavesAt(const WindowSpec& window, int64_t slice) {
  return (slice + kRollingSlices + 1) * SliceLength(window);
}

int64_t Refilled(const WindowSpec& window, int64_t limit, int64_t from_nanos, int64_t to_nanos) {
  if (to_nanos <= from_nanos) return 0;
  // The total since the epoch, at both ends: so the remainders of adjoining spans are never lost.
  const auto total = [&](int64_t t) {
    return FloorDivide(static_cast<__int128>(limit) * t, window.length_nanos);
  };
  return static_cast<int64_t>(
      std::min<__int128>(total(to_nanos) - total(from_nanos), std::numeric_limits<int64_t>::max()));
}

}  // namespace purser::budget
