#include "engine/pricing/price_book.h"

#include <chrono>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "engine/pricing/usage_block.h"
#include "gtest/gtest.h"

namespace purser::pricing {
namespace {

constexpr char kBook[] = R"book(
providers { id: "acme" match { contains: "acme" } implied_by { starts_with: "rocket" } fallbacks: "globex" }
providers { id: "globex" match { all { contains: "glob" } all { contains: "ex" } } url_pattern: "https://api\\.globex\\.com" }
models {
  id: "rocket-1" provider: "acme" mode: "chat" context_window: 128000 capabilities: [TOOLS, VISION]
  match { equals: "rocket-1" starts_with: "rocket-1-" }
  sheets { rates { meter: "input_tokens" usd: "3" } rates { meter: "output_tokens" usd: "15" } }
}
models {
  id: "rocket-1-mini" provider: "acme" match { ends_with: "mini" regex: "^tiny-\\d+$" regex: "^micro(?!-x)"
}
sheets {
  rates{meter : "input_tokens" usd : "1"} rates {
  meter:
    "output_tokens" usd : "2"
  }
}
}
models {
id:
  "anvil-2026-01-15" provider : "globex" sheets {
    rates{meter : "input_tokens" usd : "1"} rates {
    meter:
      "output_tokens" usd : "2"
    }
  }
}
models {
id:
  "shared" provider : "globex" sheets {
    rates{meter : "input_tokens" usd : "1"} rates {
    meter:
      "output_tokens" usd : "2"
    }
  }
}
models {
  id: "shared" provider: "initech"
  sheets { rates { meter: "input_tokens" usd: "4" } rates { meter: "output_tokens" usd: "8" } }
}
)book";

std::shared_ptr<const PriceBook> Book(std::string_view text = kBook) {
  auto book = PriceBook::Parse(text);
  EXPECT_TRUE(book.ok()) << book.status();
  return book.ok() ? *book : nullptr;
}

TEST(PriceBook, ResolvesNames) {
  struct Case {
    const char* model;
    const char* provider;
    const char* id;
  };
  const auto book = Book();
  for (const Case& c : {
           Case{"rocket-1", "acme", "rocket-1"},
           Case{" Rocket-1 ", "ACME Inc", "rocket-1"},
           Case{"rocket-1-2026", "acme", "rocket-1"},
           Case{"rocket-1-mini", "acme", "rocket-1"},  // The first in the book's order that matches.
           Case{"rocket-2-mini", "acme", "rocket-1-mini"},
           Case{"tiny-7", "acme", "rocket-1-mini"},
           Case{"micro-7", "acme", "rocket-1-mini"},
           Case{"rocket-1", "", "rocket-1"},  // The name implies the provider.
           Case{"anvil-20260115", "globex", "anvil-2026-01-15"},
           Case{"anvil-20260115", "acme", "anvil-2026-01-15"},  // Acme sells what Globex sells.
           Case{"anvil-20260115", "the-global-exchange", "anvil-2026-01-15"},
           Case{"anvil-2026-01-15", "https://api.globex.com/v1", "anvil-2026-01-15"},
           Case{"rocket-1", "litellm", "rocket-1"},
           Case{"acme/rocket-1", "litellm", "rocket-1"},
       }) {
    const auto prices = book->Resolve(c.model, c.provider);
    ASSERT_TRUE(prices.ok()) << c.model << " at " << c.provider << ": " << prices.status();
    EXPECT_EQ((*prices)->id, c.id) << c.model << " at " << c.provider;
  }
  EXPECT_EQ((*book->Resolve("rocket-1"))->capabilities, (1u << 1) | (1u << 2));
}

TEST(PriceBook, SaysWhatIsMissing) {
  const auto book = Book();
  const auto message = [&](const char* model, const char* provider) {
    return std::string(book->Resolve(model, provider).status().message());
  };
  EXPECT_EQ(message("nope", "acme"), "provider \"acme\" has no price for model \"nope\"");
  EXPECT_EQ(message("rocket-1", "umbrella"), "no prices for provider \"umbrella\"");
  EXPECT_EQ(message("nope", ""), "no provider has a price for model \"nope\"");
  EXPECT_EQ(message("shared", ""), "several providers sell \"shared\": say which of them: globex, initech");
  EXPECT_EQ(message("micro-x", "acme"), "provider \"acme\" has no price for model \"micro-x\"");
  EXPECT_EQ(message("", "acme"), "no model is named");
  EXPECT_EQ(message("anvil-20261399", "globex"),
            "provider \"globex\" has no price for model \"anvil-20261399\"");
}

TEST(PriceBook, ReportsEveryMistakeWithItsPlace) {
  std::vector<Diagnostics> diagnostics;
  const PriceBook::Text texts[] = {{"book.textproto", R"(models {
  id: "m" provider: "p"
  sheets {
    rates { meter: "input_tokns" usd: "1" }
    rates { meter: "output_tokens" usd: "-2" }
    rates { meter: "cache_read_tokens" usd: "0" }
  }
  sheets { service_tiers: "gold" windows { from: "25:00" until: "01:00" } }
  uplifts { regions: "eu" multiplier: "0" }
}
models { id: "m" provider: "p" match { regex: "(" } }
)"}};
  EXPECT_EQ(PriceBook::Parse(texts, &diagnostics), nullptr);
  ASSERT_EQ(diagnostics.size(), 1u);
  std::vector<std::string> lines;
  for (const Diagnostic& d : diagnostics[0].Sorted()) lines.push_back(d.ToString());
  ASSERT_EQ(lines.size(), 8u);
  EXPECT_TRUE(absl::StartsWith(lines[0], "book.textproto:4:13: error: no meter is named \"input_tokns\""))
      << lines[0];
  EXPECT_EQ(lines[1], "book.textproto:5:36: error: \"-2\" is negative");
  EXPECT_EQ(lines[2], "book.textproto:6:40: error: a price of 0 must be stated as free: true");
  EXPECT_TRUE(absl::StartsWith(lines[3], "book.textproto:8:12: error: no service tier is named \"gold\""))
      << lines[3];
  EXPECT_TRUE(absl::StartsWith(lines[4], "book.textproto:8:34: error: expected times of day")) << lines[4];
  EXPECT_TRUE(absl::StartsWith(lines[5], "book.textproto:9:3: error: expected regions")) << lines[5];
  EXPECT_TRUE(absl::StartsWith(lines[6], "book.textproto:11:10: error: model \"m\"")) << lines[6];
  EXPECT_TRUE(absl::StartsWith(lines[7], "book.textproto:11:40: error: not a regular expression"))
      << lines[7];
}

TEST(PriceBook, ALaterFileReplacesWholeModels) {
  const PriceBook::Text texts[] = {
      {"a", R"(models { id: "m" provider: "p" sheets { rates { meter: "input_tokens" usd: "1" }
                                                      rates { meter: "output_tokens" usd: "2" } } })"},
      {"b", R"(models { id: "m" provider: "p" sheets { rates { meter: "input_tokens" usd: "5" } } })"}};
  std::vector<Diagnostics> diagnostics;
  const auto book = PriceBook::Parse(texts, &diagnostics);
  ASSERT_NE(book, nullptr);
  EXPECT_EQ(book->size(), 1u);
  const ModelPrices& prices = **book->Resolve("m", "p");
  ASSERT_EQ(prices.sheets[0].rates.size(), 1u);
  EXPECT_EQ(prices.sheets[0].rates[0].base.numerator, 5'000'000'000);
  EXPECT_NE(book->revision(), (*PriceBook::Parse(texts[0].text))->revision());
}

TEST(PriceBook, AFileThatIsNotThereIsAnError) {
  const auto book = PriceBook::Load({"/no/such/book.textproto"});
  EXPECT_FALSE(book.ok());
  EXPECT_TRUE(absl::StartsWith(book.status().message(), "/no/such/book.textproto: error: cannot be read"))
      << book.status();
}

}  // namespace
}  // namespace purser::pricing
