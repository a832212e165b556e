#include "engine/pricing/price_gaps.h"

#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "tests/support/prices_for_test.h"

namespace purser::pricing {
namespace {

using ::testing::ElementsAre;

constexpr char kRates[] =
    R"(rates { meter: "input_tokens" usd: "1" } rates { meter: "output_tokens" usd: "2" })";

// Seen on 2026-07-01.
std::vector<std::string> Gaps(const std::string& model, std::vector<std::string> regions = {}) {
  const auto prices = PricesForTest(model);
  const int64_t now = absl::ToUnixNanos(absl::FromCivil(absl::CivilDay(2026, 7, 1), absl::UTCTimeZone()));
  return DescribePriceGaps({prices.get(), ServiceTier::kUnstated, std::move(regions)}, now);
}
std::string Sheet(const std::string& conditions) { return "sheets { " + conditions + " " + kRates + " } "; }

TEST(PriceGaps, AreNamedWithTheirDates) {
  EXPECT_THAT(Gaps(Sheet("")), ElementsAre());
  EXPECT_THAT(Gaps(Sheet("until: \"2026-06-01\"")), ElementsAre("its prices ran out on 2026-06-01"));
  EXPECT_THAT(Gaps(Sheet("until: \"2026-06-01\"") + Sheet("from: \"2026-08-15\"")),
              ElementsAre("its prices ran out on 2026-06-01; the next begin on 2026-08-15"));
  EXPECT_THAT(Gaps(Sheet("until: \"2026-09-01\"") + Sheet("from: \"2026-10-01\"")),
              ElementsAre("its prices run out on 2026-09-01; the next begin on 2026-10-01"));
  EXPECT_THAT(Gaps(Sheet("until: \"2026-09-01\"")), ElementsAre("its prices run out on 2026-09-01"));
  EXPECT_THAT(Gaps(Sheet("from: \"2026-10-01\"")), ElementsAre("its prices begin on 2026-10-01"));
  EXPECT_THAT(Gaps(Sheet("until: \"2026-09-01\"") + Sheet("from: \"2026-09-01\"")), ElementsAre());
  EXPECT_THAT(Gaps(""), ElementsAre("it has no price list"));
}

TEST(PriceGaps, AreOfMetersRegionsAndHoursToo) {
  EXPECT_THAT(Gaps(R"(sheets { rates { meter: "input_tokens" usd: "1" } })"),
              ElementsAre("its price list has no rate for output_tokens"));
  EXPECT_THAT(Gaps(R"(mode: "embedding" sheets { rates { meter: "input_tokens" usd: "1" } })"),
              ElementsAre());
  EXPECT_THAT(
      Gaps(Sheet("regions: \"eu\"")),
      ElementsAre("its price lists are for some regions only, and the candidate states none of them"));
  EXPECT_THAT(Gaps(Sheet("regions: \"eu\""), {"EU-west-1"}), ElementsAre());
  EXPECT_THAT(Gaps(Sheet("windows { from: \"08:00\" until: \"20:00\" }")),
              ElementsAre("no price list applies at some hours"));
  EXPECT_THAT(Gaps(Sheet("windows { from: \"08:00\" until: \"20:00\" }") + Sheet("")), ElementsAre());
}

}  // namespace
}  // namespace purser::pricing
