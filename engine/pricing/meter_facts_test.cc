#include "engine/pricing/meter_facts.h"

#include <set>
#include <string>

#include "gtest/gtest.h"

namespace purser::pricing {
namespace {

TEST(Meter, NamesAreUniqueAndFound) {
  std::set<std::string_view> names;
  for (int i = 0; i < kMeterCount; ++i) {
    const Meter meter = static_cast<Meter>(i);
    EXPECT_TRUE(names.insert(NameOf(meter)).second) << NameOf(meter);
    EXPECT_EQ(FindMeter(NameOf(meter)), meter);
  }
  EXPECT_FALSE(FindMeter("tokens").has_value());
  EXPECT_EQ(NameOf(Meter::kCacheReadAudioTokens), "cache_audio_read_tokens");
}

TEST(Meter, IncludesWhatSaysMore) {
  EXPECT_TRUE(Includes(Meter::kInputTokens, Meter::kCacheReadAudioTokens));
  EXPECT_TRUE(Includes(Meter::kInputAudioTokens, Meter::kCacheReadAudioTokens));
  EXPECT_TRUE(Includes(Meter::kCacheWriteTokens, Meter::kCacheWrite1hTokens));
  EXPECT_TRUE(Includes(Meter::kToolCalls, Meter::kWebSearchesHigh));
  EXPECT_FALSE(Includes(Meter::kOutputTokens, Meter::kInputTokens));
  EXPECT_FALSE(Includes(Meter::kCacheReadTokens, Meter::kInputTokens));
  EXPECT_FALSE(Includes(Meter::kInputImages, Meter::kInputImageTokens));
  EXPECT_TRUE(Overlap(Meter::kCacheReadTokens, Meter::kInputAudioTokens));
  EXPECT_FALSE(Overlap(Meter::kCacheReadTokens, Meter::kCacheWriteTokens));
}

TEST(Meter, InclusionIsAPartialOrder) {
  for (int a = 0; a < kMeterCount; ++a) {
    for (int b = 0; b < kMeterCount; ++b) {
      const Meter x = static_cast<Meter>(a), y = static_cast<Meter>(b);
      EXPECT_EQ(IncludedIn(x).Has(y), a != b && Includes(x, y));
      if (a != b && Includes(x, y)) {
        EXPECT_FALSE(Includes(y, x)) << NameOf(x) << " and " << NameOf(y);
        EXPECT_TRUE((IncludedIn(y) - IncludedIn(x)).empty());
      }
    }
  }
}

}  // namespace
}  // namespace purser::pricing
