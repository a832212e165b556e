#include "policies/decimal.h"

#include <limits>

#include "gtest/gtest.h"

namespace purser {
namespace {

TEST(ParseDecimal, ReadsWhatTablesWrite) {
  struct Case {
    const char* text;
    const char* plain;
  };
  for (const Case& c :
       {Case{"3", "3"}, Case{"0.0375", "0.0375"}, Case{"4.063e-7", "0.0000004063"}, Case{"5E+2", "500"},
        Case{"-1.50", "-1.5"}, Case{".5", "0.5"}, Case{"0.000", "0"}, Case{"0e-999", "0"}, Case{"1e2", "100"},
        Case{"1.2999000000000001e-07", "0.00000012999000000000001"}}) {
    const auto value = ParseDecimal(c.text);
    ASSERT_TRUE(value.has_value()) << c.text;
    EXPECT_EQ(ToPlainString(*value), c.plain);
  }
  EXPECT_EQ(ToPlainString(*ParseDecimal("4.063e-7"), 6), "0.4063");
}

TEST(ParseDecimal, RefusesWhatIsNotADecimal) {
  for (const char* text : {"", ".", "-", "1e", "e5", "1.2.3", "0x10", "NaN", "inf", "1e999", "1e+", "1e+-3",
                           "1 ", " 1", "$1", "1234567890123456789012345678901"}) {
    EXPECT_FALSE(ParseDecimal(text).has_value()) << text;
  }
}

TEST(ToPlainString, IsTheShortestExactDecimal) {
  EXPECT_EQ(ToPlainString({1050, -9}), "0.00000105");
  EXPECT_EQ(ToPlainString({-2'500'000'000, -9}), "-2.5");
  EXPECT_EQ(ToPlainString({0, -9}), "0");
  EXPECT_EQ(ToPlainString({7, 0}), "7");
  EXPECT_EQ(ToPlainString({700, -2}), "7");
  EXPECT_EQ(ToPlainString({std::numeric_limits<int64_t>::min(), -9}), "-9223372036.854775808");
}

TEST(WithCommas, SeparatesThousands) {
  EXPECT_EQ(WithCommas(0), "0");
  EXPECT_EQ(WithCommas(-123), "-123");
  EXPECT_EQ(WithCommas(-1234), "-1,234");
  EXPECT_EQ(WithCommas(1234567), "1,234,567");
  EXPECT_EQ(WithCommas(std::numeric_limits<int64_t>::min()), "-9,223,372,036,854,775,808");
}

}  // namespace
}  // namespace purser
