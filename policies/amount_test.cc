#include "policies/amount.h"

#include <limits>

#include "gtest/gtest.h"

namespace purser {
namespace {

TEST(Amount, ReadsExactDecimals) {
  const struct {
    const char* text;
    int64_t nano_usd;
  } kCases[] = {
      {"5", 5'000'000'000},
      {"0.25", 250'000'000},
      {"-1.5", -1'500'000'000},
      {"+$1250.00", 1'250'000'000'000},
      {".5", 500'000'000},
      {"2.5e-06", 2'500},
      {"1E3", 1'000'000'000'000},
      {"0.000000001", 1},
      {"0.0000000010", 1},
      {"0e-999", 0},
      {"9223372036.854775807", std::numeric_limits<int64_t>::max()},
  };
  for (const auto& c : kCases) {
    const auto parsed = ParseUsd(c.text);
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    EXPECT_EQ(*parsed, c.nano_usd) << c.text;
  }
}

TEST(Amount, RefusesWhatIsNotAnExactAmount) {
  for (const char* text : {"", "-", "$", "five", "1.2.3", "1e", "1e+", "1e+-3", "0x10", "nan", "inf", "1 ",
                           ",5", "0.0000000001", "9223372036.854775808", "1e30", "1e99999999999",
                           "99999999999999999999", "0.00000000100000000000000000000000000000000"}) {
    const auto parsed = ParseUsd(text);
    EXPECT_FALSE(parsed.ok()) << text;
    EXPECT_NE(parsed.status().message().find(text), std::string::npos) << "names the text";
  }
}

TEST(Amount, TakesNoCommaForAPointNorForNothing) {
  for (const char* text :
       {"0,50",   "4,99",  "1,250.00", "1.250,00", "$1,250", "-0,5",  "5,",       "1,2,3",
        "1e-3,0", "1'250", "1_250",    "1 250",    "5 USD",  "5 EUR", "\u20ac5",  "US$5",
        "--5",    "+-5",   "$-5",      "0x5",      "5\n",    "\t5",   "Infinity", "1\u00a0250"}) {
    const auto parsed = ParseUsd(text);
    ASSERT_FALSE(parsed.ok()) << text << " was read as " << *parsed;
    EXPECT_NE(parsed.status().message().find("is not an amount"), std::string::npos) << parsed.status();
    EXPECT_NE(parsed.status().message().find("digits with a point, such as \"0.50\""), std::string::npos)
        << parsed.status();
  }
}

TEST(Amount, WritesTheShortestExactDecimalAndReadsItBack) {
  EXPECT_EQ(FormatUsd(5'000'000'000), "5");
  EXPECT_EQ(FormatUsd(3'027'000), "0.003027");
  EXPECT_EQ(FormatUsd(-1), "-0.000000001");
  EXPECT_EQ(FormatUsd(std::numeric_limits<int64_t>::min()), "-9223372036.854775808");
  for (int64_t nanos : {0L, 1L, -10L, 999'999'999L, 1'000'000'001L, std::numeric_limits<int64_t>::max()}) {
    EXPECT_EQ(*ParseUsd(FormatUsd(nanos)), nanos);
  }
}

TEST(Amount, RoundsForPeople) {
  EXPECT_EQ(FormatUsdRounded(1'234'499'999'999, 2), "$1,234.50");
  EXPECT_EQ(FormatUsdRounded(-74'999'999, 2), "-$0.07");
  EXPECT_EQ(FormatUsdRounded(-1, 2), "$0.00");
  EXPECT_EQ(FormatUsdRounded(1'500'000'000, 0), "$2");
  EXPECT_EQ(FormatUsdRounded(1'234'567'000'000'000, 0), "$1,234,567");
  EXPECT_EQ(FormatUsdRounded(1, 9), "$0.000000001");
}

TEST(Amount, GivesWhatStandsForItselfTheDecimalsThatItNeeds) {
  EXPECT_EQ(FormatUsdForReading(0), "$0.00");
  EXPECT_EQ(FormatUsdForReading(12'345'678'900'000), "$12,345.68");
  EXPECT_EQ(FormatUsdForReading(-1'500'000'000), "-$1.50");
  EXPECT_EQ(FormatUsdForReading(999'990'000), "$1.0000");
  EXPECT_EQ(FormatUsdForReading(-10'000'000), "-$0.0100");
  EXPECT_EQ(FormatUsdForReading(5'316'400), "$0.005316");
}

}  // namespace
}  // namespace purser
