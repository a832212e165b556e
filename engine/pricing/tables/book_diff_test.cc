#include "engine/pricing/tables/book_diff.h"

#include "gtest/gtest.h"

namespace purser::pricing {
namespace {

TEST(DiffBooks, SaysWhatChanged) {
  const auto before = PriceBook::Parse(R"(
    models { id: "gone" provider: "p" sheets { rates { meter: "input_tokens" usd: "1" } } }
    models { id: "same" provider: "p" sheets { rates { meter: "input_tokens" usd: "1.0" } } }
    models { id: "m" provider: "p" context_window: 1000
      sheets { service_tiers: "batch" rates { meter: "output_tokens" usd: "5" } }
      sheets { rates { meter: "input_tokens" usd: "3" } rates { meter: "output_tokens" usd: "10" } } })");
  const auto after = PriceBook::Parse(R"(
    models { id: "m" provider: "p" context_window: 2000
      sheets { service_tiers: "batch" rates { meter: "output_tokens" usd: "4" } }
      sheets { rates { meter: "input_tokens" usd: "3" tiers { above: 200000 usd: "6" } }
               rates { meter: "output_tokens" usd: "10" } rates { meter: "web_searches" usd: "10" per: 1000 } } }
    models { id: "same" provider: "p" sheets { rates { meter: "input_tokens" usd: "1" } } }
    models { id: "new" provider: "p" sheets { rates { meter: "input_tokens" usd: "1" } } })");
  ASSERT_TRUE(before.ok() && after.ok());
  const auto changes = DiffBooks(**before, **after);
  ASSERT_EQ(changes.size(), 3u);
  EXPECT_EQ(changes[0].model, "p/gone");
  EXPECT_EQ(changes[0].what, BookChange::What::kRemoved);
  EXPECT_EQ(changes[1].model, "p/m");
  EXPECT_EQ(changes[1].lines,
            (std::vector<std::string>{"batch: output_tokens 5 per million -> 4 per million",
                                      "context window 1000 -> 2000",
                                      "standard: input_tokens 3 per million -> 3 per million, 6 above 200000",
                                      "standard: web_searches none -> 0.01"}));
  EXPECT_EQ(changes[2].what, BookChange::What::kAdded);
  EXPECT_TRUE(DiffBooks(**before, **before).empty());
}

}  // namespace
}  // namespace purser::pricing
