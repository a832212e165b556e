#include "engine/pricing/unit_price.h"

#include <random>

#include "gtest/gtest.h"

namespace purser::pricing {
namespace {

TEST(MakeUnitPrice, IsWholeFemtoDollarsWherePossible) {
  EXPECT_EQ(MakeUnitPrice(*ParseDecimal("3"), 1'000'000), (UnitPrice{3'000'000'000, kFemtosPerNano}));
  EXPECT_EQ(MakeUnitPrice(*ParseDecimal("0.014"), 1'000'000), (UnitPrice{14'000'000, kFemtosPerNano}));
  // $1 an hour, by the microsecond: a thirty-six-hundredth of a nano-dollar.
  EXPECT_EQ(MakeUnitPrice(*ParseDecimal("1"), 3'600'000'000), (UnitPrice{5, 18}));
  EXPECT_FALSE(MakeUnitPrice(*ParseDecimal("-1"), 1).has_value());
  EXPECT_FALSE(MakeUnitPrice(*ParseDecimal("1e30"), 1).has_value());
}

TEST(ChargeHalfEven, RoundsOnceTiesToEven) {
  const UnitPrice half{500'000, kFemtosPerNano};  // Half a nano-dollar a unit.
  EXPECT_EQ(ChargeHalfEven(1, half), 0);
  EXPECT_EQ(ChargeHalfEven(3, half), 2);
  EXPECT_EQ(ChargeHalfEven(5, half), 2);
  EXPECT_EQ(ChargeHalfEven(7, half), 4);
  EXPECT_EQ(ChargeHalfEven(kMaxNanos, {kMaxNanos, 1}), kMaxNanos);
}

TEST(ChargeUp, IsNeverBelowTheExactProduct) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 200'000; ++i) {
    const int64_t units = static_cast<int64_t>(random() >> (1 + random() % 62));
    const int64_t numerator = static_cast<int64_t>(random() >> (1 + random() % 62));
    const int64_t denominator =
        random() % 2 == 0 ? kFemtosPerNano : static_cast<int64_t>(random() >> (1 + random() % 62)) | 1;
    const UnitPrice price{numerator, denominator};
    const unsigned __int128 product =
        static_cast<unsigned __int128>(units) * static_cast<uint64_t>(numerator);
    const unsigned __int128 exact = product / static_cast<uint64_t>(denominator);
    const bool whole = product % static_cast<uint64_t>(denominator) == 0;
    const unsigned __int128 up = exact + (whole ? 0 : 1);
    const int64_t expected = up > static_cast<uint64_t>(kMaxNanos) ? kMaxNanos : static_cast<int64_t>(up);
    ASSERT_EQ(ChargeUp(units, price), expected) << units << " x " << numerator << "/" << denominator;
    const int64_t even = ChargeHalfEven(units, price);
    ASSERT_LE(even, expected);
    ASSERT_GE(even, expected - 1);
  }
}

TEST(Multiply, IsExact) {
  const auto factor = ParseFraction("1.1");
  ASSERT_TRUE(factor.has_value());
  EXPECT_EQ(Multiply({2'500'000'000, kFemtosPerNano}, *factor), (UnitPrice{2'750'000'000, kFemtosPerNano}));
  EXPECT_EQ(ParseFraction("11/10")->numerator, 11);
  for (const char* text : {"0", "-1", "1/0", "x", ""}) EXPECT_FALSE(ParseFraction(text).has_value()) << text;
}

}  // namespace
}  // namespace purser::pricing
