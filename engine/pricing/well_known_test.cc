// The bundled price book: it loads without a word, its names resolve, and some prices that everyone knows are
// right.

#include <fstream>
#include <sstream>
#include <string>

#include "absl/time/time.h"
#include "engine/pricing/cost.h"
#include "engine/pricing/price_book.h"
#include "engine/pricing/quote.h"
#include "gtest/gtest.h"

namespace purser::pricing {
namespace {

std::shared_ptr<const PriceBook> WellKnown() {
  std::vector<Diagnostics> diagnostics;
  auto book = PriceBook::Load({"policies/prices/well_known.textproto"}, &diagnostics);
  for (const Diagnostics& file : diagnostics) {
    for (const Diagnostic& one : file.Sorted()) ADD_FAILURE() << one.ToString();
  }
  return book;
}

TEST(WellKnownPrices, EveryModelIsPricedAndSaysWhereItsPriceIsFrom) {
  const auto book = WellKnown();
  ASSERT_NE(book, nullptr);
  ASSERT_FALSE(book->sources().empty());
  for (const PriceSource& source : book->sources()) EXPECT_FALSE(source.date.empty() || source.url.empty());
  EXPECT_GE(book->size(), 150u);
  for (const auto& model : book->models()) {
    QuoteInput input;
    input.input_tokens = input.most_input_tokens = 1000;
    const bool answers = model->mode == "chat" || model->mode == "realtime";
    input.output_tokens = input.most_output_tokens = answers ? 100 : 0;
    input.time_nanos = absl::ToUnixNanos(absl::FromCivil(absl::CivilDay(2026, 8, 1), absl::UTCTimeZone()));
    if (model->mode == "rerank") continue;
    for (const ServiceTier tier :
         {ServiceTier::kStandard, ServiceTier::kBatch, ServiceTier::kFlex, ServiceTier::kPriority}) {
      const Quote quote = MakeQuote({model.get(), tier}, input);
      EXPECT_TRUE(quote.priced) << model->provider << "/" << model->id;
      EXPECT_GT(quote.expected_nanos, 0) << model->provider << "/" << model->id;
    }
    // What a model is called finds the model.
    const auto found = book->Resolve(model->id, model->provider);
    ASSERT_TRUE(found.ok()) << found.status();
    EXPECT_EQ(*found, model.get()) << model->provider << "/" << model->id;
  }
}

TEST(WellKnownPrices, NamesPeopleUseResolve) {
  const auto book = WellKnown();
  ASSERT_NE(book, nullptr);
  struct Case {
    const char* model;
    const char* provider;
    const char* id;
  };
  for (const Case& c :
       {Case{"gpt-4o-2024-08-06", "", "gpt-4o"}, Case{"gpt-4o-mini-2024-07-18", "openai", "gpt-4o-mini"},
        Case{"gpt-4.1-2025-04-14", "", "gpt-4.1"},
        Case{"claude-sonnet-4-5-20250929", "", "claude-sonnet-4-5"},
        Case{"claude-3-5-haiku-20241022", "anthropic", "claude-3-5-haiku-latest"},
        Case{"gemini-2.5-flash", "vertex_ai", "gemini-2.5-flash"}, Case{"grok-4", "xai", "grok-4-0709"},
        Case{"claude-sonnet-4-5", "google-vertex", "claude-sonnet-4-5"},
        Case{"us.anthropic.claude-haiku-4-5-20251001-v1:0", "bedrock",
             "regional.anthropic.claude-haiku-4-5-20251001-v1:0"},
        Case{"deepseek-chat", "", "deepseek-chat"},
        Case{"mistral-large-latest", "mistral", "mistral-large"}}) {
    const auto found = book->Resolve(c.model, c.provider);
    ASSERT_TRUE(found.ok()) << found.status();
    EXPECT_EQ((*found)->id, c.id);
  }
}

TEST(WellKnownPrices, PricesThatEveryoneKnows) {
  const auto book = WellKnown();
  ASSERT_NE(book, nullptr);
  Usage usage;
  usage.Set(Meter::kInputTokens, 1'000'000);
  usage.Set(Meter::kOutputTokens, 100'000);
  const auto cost = [&](const char* model, ServiceTier tier) {
    return ExactDecimals(Realize(**book->Resolve(model), usage, tier, "", 1'780'000'000'000'000'000)).total;
  };
  EXPECT_EQ(cost("gpt-4o", ServiceTier::kStandard), "3.5");
  EXPECT_EQ(cost("gpt-4o", ServiceTier::kBatch), "1.75");
  EXPECT_EQ(cost("gpt-4o-mini", ServiceTier::kStandard), "0.21");
  EXPECT_EQ(cost("claude-haiku-4-5", ServiceTier::kStandard), "1.5");
  EXPECT_EQ(cost("claude-haiku-4-5", ServiceTier::kBatch), "0.75");
  EXPECT_EQ(cost("gemini-2.5-pro", ServiceTier::kStandard), "4");
}

}  // namespace
}  // namespace purser::pricing
