#include "policies/duration.h"

#include "gtest/gtest.h"

namespace purser {
namespace {

TEST(ParseDurationNanos, ReadsWhatPoliciesWrite) {
  const struct {
    const char* text;
    int64_t nanos;
  } kCases[] = {
      {"90s", 90'000'000'000},
      {"30m", 1'800'000'000'000},
      {"1.5h", 5'400'000'000'000},
      {"1h30m", 5'400'000'000'000},
      {"250ms", 250'000'000},
      {"30d", 30 * 86'400'000'000'000},
      {"2w", 14 * 86'400'000'000'000},
      {"0s", 0},
      {"7us5ns", 7'005},
      {"0.000000001s", 1},
  };
  for (const auto& test : kCases) {
    const absl::StatusOr<int64_t> nanos = ParseDurationNanos(test.text);
    ASSERT_TRUE(nanos.ok()) << test.text << ": " << nanos.status();
    EXPECT_EQ(*nanos, test.nanos) << test.text;
  }
}

TEST(ParseDurationNanos, RefusesEverythingElse) {
  for (const char* text : {"", "5", "s", "-5s", "5 s", "5x", "1.s.", ".", "1h30", "300y", "999999999w", "+1s",
                           "9999999999999999999s"}) {
    EXPECT_FALSE(ParseDurationNanos(text).ok()) << text;
  }
}

}  // namespace
}  // namespace purser
