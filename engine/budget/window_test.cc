#include "engine/budget/window.h"

#include <random>

#include "gtest/gtest.h"

namespace purser::budget {
namespace {

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kHour = 3600 * kSecond;

absl::TimeZone Zone(const char* name) {
  absl::TimeZone zone;
  EXPECT_TRUE(absl::LoadTimeZone(name, &zone)) << name;
  return zone;
}

int64_t At(const char* text, absl::TimeZone zone) {
  absl::Time time;
  std::string error;
  EXPECT_TRUE(absl::ParseTime("%Y-%m-%d %H:%M:%S", text, zone, &time, &error)) << error;
  return absl::ToUnixNanos(time);
}

TEST(SpanAround, FollowsTheCalendarOfTheZone) {
  const struct {
    WindowKind kind;
    const char* zone;
    const char* now;
    const char* begin;
    const char* end;
  } kCases[] = {
      {WindowKind::kDay, "UTC", "2024-02-29 12:00:00", "2024-02-29 00:00:00", "2024-03-01 00:00:00"},
      {WindowKind::kDay, "UTC", "2024-03-01 00:00:00", "2024-03-01 00:00:00", "2024-03-02 00:00:00"},
      {WindowKind::kWeek, "UTC", "2024-03-03 23:59:59", "2024-02-26 00:00:00", "2024-03-04 00:00:00"},
      {WindowKind::kWeek, "UTC", "2024-03-04 00:00:00", "2024-03-04 00:00:00", "2024-03-11 00:00:00"},
      {WindowKind::kMonth, "UTC", "2024-12-31 23:59:59", "2024-12-01 00:00:00", "2025-01-01 00:00:00"},
      // 23 and 25 hours long.
      {WindowKind::kDay, "Europe/Berlin", "2024-03-31 12:00:00", "2024-03-31 00:00:00",
       "2024-04-01 00:00:00"},
      {WindowKind::kDay, "Europe/Berlin", "2024-10-27 02:30:00", "2024-10-27 00:00:00",
       "2024-10-28 00:00:00"},
      {WindowKind::kMonth, "America/Los_Angeles", "2024-11-30 20:00:00", "2024-11-01 00:00:00",
       "2024-12-01 00:00:00"},
  };
  for (const auto& test : kCases) {
    const absl::TimeZone zone = Zone(test.zone);
    const Span span = SpanAround({test.kind, 0, zone}, At(test.now, zone));
    EXPECT_EQ(span.begin, At(test.begin, zone)) << test.now;
    EXPECT_EQ(span.end, At(test.end, zone)) << test.now;
  }
  const absl::TimeZone berlin = Zone("Europe/Berlin");
  const Span spring = SpanAround({WindowKind::kDay, 0, berlin}, At("2024-03-31 12:00:00", berlin));
  EXPECT_EQ(spring.end - spring.begin, 23 * kHour);
}

TEST(SpanAround, AdjoiningCalendarSpansLeaveNoGap) {
  // Havana skips midnight itself in spring.
  for (const char* name : {"UTC", "Europe/Berlin", "America/Havana", "Asia/Kathmandu"}) {
    for (const WindowKind kind : {WindowKind::kDay, WindowKind::kWeek, WindowKind::kMonth}) {
      const WindowSpec window{kind, 0, Zone(name)};
      int64_t now = At("2023-12-15 12:00:00", absl::UTCTimeZone());
      for (int i = 0; i < 400; ++i) {
        const Span span = SpanAround(window, now);
        ASSERT_LE(span.begin, now);
        ASSERT_GT(span.end, now);
        ASSERT_EQ(SpanAround(window, span.end - 1).begin, span.begin) << name << absl::FromUnixNanos(now);
        ASSERT_EQ(SpanAround(window, span.end).begin, span.end) << name << absl::FromUnixNanos(now);
        now = span.end;
      }
    }
  }
}

TEST(Refilled, AdjoiningSpansAddUpExactly) {
  std::mt19937_64 random(1);
  const WindowSpec window{WindowKind::kRefill, 7 * kHour, {}};
  for (int run = 0; run < 100; ++run) {
    const int64_t limit = 1 + static_cast<int64_t>(random() % 5'000'000'000'000);
    const int64_t begin = 1'700'000'000 * kSecond + static_cast<int64_t>(random() % kHour);
    int64_t at = begin, sum = 0;
    while (at < begin + window.length_nanos) {
      const int64_t next =
          std::min<int64_t>(begin + window.length_nanos, at + 1 + static_cast<int64_t>(random() % kHour));
      sum += Refilled(window, limit, at, next);
      at = next;
    }
    EXPECT_EQ(sum, limit);
  }
  EXPECT_EQ(Refilled(window, 100, 5, 4), 0);
  EXPECT_EQ(Refilled(window, kForever, 0, kForever), kForever);
}

TEST(SliceLeavesAt, IsAtLeastAWindowAfterTheSliceEnded) {
  for (const int64_t length : {int64_t{24}, int64_t{25}, kHour, 24 * kHour + 1}) {
    const WindowSpec window{WindowKind::kRolling, length, {}};
    for (int64_t t = -3 * length; t < 3 * length; t += std::max<int64_t>(1, length / 97)) {
      const int64_t leaves = SliceLeavesAt(window, SliceOf(window, t));
      EXPECT_GT(leaves - t, length) << t;
      EXPECT_LE(leaves - t, length + 2 * (length / kRollingSlices + 1) + kRollingSlices) << t;
    }
  }
}

TEST(Fingerprint, TellsWindowsApart) {
  EXPECT_NE((WindowSpec{WindowKind::kRolling, kHour, {}}).Fingerprint(),
            (WindowSpec{WindowKind::kRefill, kHour, {}}).Fingerprint());
  EXPECT_NE((WindowSpec{WindowKind::kRolling, kHour, {}}).Fingerprint(),
            (WindowSpec{WindowKind::kRolling, 24 * kHour, {}}).Fingerprint());
  for (int kind = 0; kind < 6; ++kind)
    EXPECT_EQ(KindOf(WindowSpec{static_cast<WindowKind>(kind), kHour, {}}.Fingerprint()),
              static_cast<WindowKind>(kind));
  EXPECT_EQ(KindOf(0), WindowKind::kLifetime);
}

}  // namespace
}  // namespace purser::budget
