// Mutated responses, usage, tables and books: each is read or refused with a message, and nothing that is
// refused costs anything. The length of a run is set by PURSER_FUZZ_ROUNDS; a failure names its seed and
// input.

#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "engine/pricing/cost.h"
#include "engine/pricing/price_book.h"
#include "engine/pricing/tables/import.h"
#include "engine/pricing/tables/stated_rates.h"
#include "engine/pricing/usage_block.h"
#include "gtest/gtest.h"

namespace purser::pricing {
namespace {

int Rounds() {
  const char* rounds = std::getenv("PURSER_FUZZ_ROUNDS");
  return rounds == nullptr ? 20'000 : std::atoi(rounds);
}

const std::vector<std::string>& Tokens() {
  static const auto* const kTokens = new std::vector<std::string>{"-1",
                                                                  "1e999",
                                                                  "NaN",
                                                                  "Infinity",
                                                                  "null",
                                                                  "true",
                                                                  "18446744073709551616",
                                                                  "9223372036854775807",
                                                                  "1.5",
                                                                  "-0",
                                                                  "{}",
                                                                  "[]",
                                                                  "\"\"",
                                                                  "\"x\"",
                                                                  "{",
                                                                  "}",
                                                                  "[",
                                                                  "]",
                                                                  ",",
                                                                  ":",
                                                                  "\\",
                                                                  "\"",
                                                                  "\\u0000",
                                                                  "\xff\xfe",
                                                                  "1e-400",
                                                                  "0.1e1",
                                                                  "[[[[[[[[[[[[[[[[",
                                                                  std::string(300, '['),
                                                                  std::string(5000, '9'),
                                                                  std::string(20000, 'A'),
                                                                  "usage",
                                                                  "input_tokens"};
  return *kTokens;
}

// Cuts, flips, repeats, and puts in what tends to break readers.
std::string Mutate(std::string text, std::mt19937& random) {
  for (int times = 1 + static_cast<int>(random() % 4); times > 0; --times) {
    const size_t at = text.empty() ? 0 : random() % text.size();
    const size_t length = text.empty() ? 0 : random() % std::min<size_t>(text.size() - at, 24);
    switch (random() % 6) {
      case 0:
        text.resize(at);
        break;
      case 1:
        text.erase(at, length);
        break;
      case 2:
        if (!text.empty()) text[at] = static_cast<char>(random());
        break;
      case 3:
        text.insert(at, text.substr(at, length));
        break;
      case 4:
        text.insert(at, Tokens()[random() % Tokens().size()]);
        break;
      case 5: {  // A number becomes another.
        const size_t digit = text.find_first_of("0123456789", at);
        if (digit == std::string::npos) break;
        const size_t end = text.find_first_not_of("0123456789", digit);
        text.replace(digit, (end == std::string::npos ? text.size() : end) - digit,
                     Tokens()[random() % Tokens().size()]);
        break;
      }
    }
  }
  return text;
}

constexpr const char* kResponses[] = {
    R"({"model":"m","service_tier":"flex","usage":{"prompt_tokens":100,"completion_tokens":20,"prompt_tokens_details":{"cached_tokens":64},"completion_tokens_details":{"reasoning_tokens":8}}})",
    R"({"model":"m","usage":{"input_tokens":10,"cache_creation_input_tokens":100,"cache_read_input_tokens":1000,"cache_creation":{"ephemeral_5m_input_tokens":60,"ephemeral_1h_input_tokens":40},"output_tokens":7,"server_tool_use":{"web_search_requests":2}}})",
    R"({"modelVersion":"m","usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":5,"thoughtsTokenCount":7,"promptTokensDetails":[{"modality":"TEXT","tokenCount":6},{"modality":"IMAGE","tokenCount":4}]}})",
    R"({"usage":{"inputTokens":5,"cacheReadInputTokens":20,"cacheWriteInputTokens":3,"outputTokens":4}})",
    R"({"model":"m","usage":{"billed_units":{"input_tokens":3,"output_tokens":2}}})",
};
constexpr const char* kProviders[] = {"openai", "anthropic", "google", "aws", "cohere", "xai", "anyone"};

std::shared_ptr<const PriceBook> Book() {
  auto book = PriceBook::Parse(R"(models { id: "m" provider: "p"
    sheets { service_tiers: "flex" multiplier: "0.5" rates { meter: "input_tokens" usd: "3" } rates { meter: "output_tokens" usd: "15" } }
    sheets { rates { meter: "input_tokens" usd: "3" tiers { above: 200000 usd: "6" } } rates { meter: "cache_read_tokens" usd: "0.3" }
             rates { meter: "output_tokens" usd: "15" } rates { meter: "output_reasoning_tokens" usd: "20" }
             rates { meter: "web_searches" usd: "10" per: 1000 } rates { meter: "input_image_tokens" usd: "7" } } })");
  EXPECT_TRUE(book.ok()) << book.status();
  return *book;
}

// A cost adds up, is never negative, and is an amount only if it says that it is priced.
void CheckCost(const Cost& cost) {
  int64_t sum = 0;
  for (const CostItem& item : cost.items()) {
    ASSERT_GE(item.units, 0);
    ASSERT_GE(item.nanos, 0);
    if (cost.state == CostState::kPriced || cost.state == CostState::kPartlyPriced) sum += item.nanos;
  }
  if (cost.state == CostState::kPriced || cost.state == CostState::kPartlyPriced) {
    ASSERT_EQ(sum, cost.total_nanos);
    ASSERT_LE(cost.input_nanos + cost.output_nanos, cost.total_nanos);
  } else {
    ASSERT_FALSE(cost.Explain().empty());
  }
}

TEST(PricingFuzz, ResponsesAreReadOrRefused) {
  const auto book = Book();
  const ModelPrices& prices = **book->Resolve("m", "p");
  UsageReader reader;
  UsageBlock block;
  int read = 0, refused = 0;
  for (int round = 0; round < Rounds(); ++round) {
    std::mt19937 random(round);
    const std::string json = Mutate(kResponses[random() % std::size(kResponses)], random);
    SCOPED_TRACE(testing::Message() << "seed " << round << ": " << json.substr(0, 400));
    const absl::Status status = reader.Read(book.get(), kProviders[random() % std::size(kProviders)],
                                            random() % 3 == 0 ? "chat" : "", json, &block);
    if (!status.ok()) {
      ++refused;
      ASSERT_FALSE(status.message().empty());
      continue;
    }
    ++read;
    ASSERT_FALSE(block.usage.empty());
    block.usage.known().ForEach([&](Meter meter) { EXPECT_GE(block.usage.Units(meter), 0); });
    CheckCost(Realize(prices, block.usage, ServiceTier::kUnstated, "", 0));
    if (HasFatalFailure()) return;
  }
  // Both happen, or the mutations test nothing.
  EXPECT_GT(read, 0);
  EXPECT_GT(refused, 0);
}

TEST(PricingFuzz, AHugeResponseIsReadOrRefusedQuickly) {
  UsageReader reader;
  UsageBlock block;
  const std::string filler(64 << 20, 'x');
  EXPECT_TRUE(
      reader
          .Read(nullptr, "openai", "chat",
                R"({"content":")" + filler + R"(","usage":{"prompt_tokens":1,"completion_tokens":2}})",
                &block)
          .ok());
  EXPECT_EQ(block.usage.input_tokens(), 1);
  EXPECT_FALSE(reader.Read(nullptr, "openai", "chat", R"({"content":")" + filler, &block).ok());
}

TEST(PricingFuzz, TablesAreImportedOrRefused) {
  const std::string genai =
      R"([{"id":"p","name":"P","api_pattern":"https://p","provider_match":{"contains":"p"},"extractors":[{"api_flavor":"chat","root":"usage","model_path":"model","mappings":[{"path":["a",{"type":"array-match","field":"f","match":{"equals":"X"}},"n"],"dest":"input_tokens","required":false}]}],"models":[{"id":"m","match":{"or":[{"equals":"m"},{"regex":"^m-\\d+$"}]},"prices":[{"prices":{"input_mtok":{"base":3,"tiers":[{"start":200000,"price":6}]},"output_mtok":15}},{"constraint":{"start_date":"2026-03-13"},"prices":{"input_mtok":3}},{"constraint":{"start_time":"00:30:00Z","end_time":"16:30:00Z"},"prices":{"input_mtok":1}}]}]}])";
  const std::string litellm =
      R"({"m":{"litellm_provider":"p","mode":"chat","max_tokens":8192,"input_cost_per_token":3e-06,"input_cost_per_token_above_200k_tokens":6e-06,"output_cost_per_token_batches":7.5e-06,"output_cost_per_token":1.5e-05,"search_context_cost_per_query":{"search_context_size_low":0.03},"tiered_pricing":[{"range":[0,32000],"input_cost_per_token":1e-7}],"off_peak_pricing":{"hours_utc":"16:30-00:30","input_cost_per_token":5e-7},"regional_processing_uplift_multiplier_eu":1.1,"provider_specific_entry":{"fast":6.0}}})";
  for (int round = 0; round < Rounds() / 10; ++round) {
    std::mt19937 random(round);
    const bool first = random() % 2 == 0;
    const std::string json = Mutate(first ? genai : litellm, random);
    SCOPED_TRACE(testing::Message() << "seed " << round << ": " << json.substr(0, 1500));
    ImportReport report;
    const auto imported = first ? ImportGenaiPrices(json, {}, &report) : ImportLiteLlm(json, {}, &report);
    if (!imported.ok()) continue;
    // What the importer writes, the loader reads.
    const auto book = PriceBook::Parse(WriteBook(*imported));
    ASSERT_TRUE(book.ok()) << book.status() << "\n" << WriteBook(*imported);
  }
}

TEST(PricingFuzz, BooksAreLoadedOrRefused) {
  const std::string text =
      R"(providers { id: "p" match { contains: "p" } usage { api_flavor: "chat" root: "usage" fields { path: "a" path: "[f=X]" meter: "input_tokens" } } }
models { id: "m" provider: "p" match { starts_with: "m" regex: "^m-\\d+$" } sheets { service_tiers: "batch" from: "2026-01-01" windows { from: "16:30" until: "00:30" weekdays: MONDAY zone: "+08:00" } multiplier: "1/2" rates { meter: "input_tokens" usd: "3" per: 1000 tiers { above: 5 usd: "6" } } } uplifts { regions: "eu" multiplier: "1.1" } }
models { id: "h" provider: "p" self_hosted { gpu_hour_usd: "2.5" gpus: 4 utilisation: "0.5" input_tokens_per_second: 10000 output_tokens_per_second: 1000 } })";
  for (int round = 0; round < Rounds() / 20; ++round) {
    std::mt19937 random(round);
    const std::string mutated = Mutate(text, random);
    SCOPED_TRACE(testing::Message() << "seed " << round << ": " << mutated.substr(0, 1500));
    const auto book = PriceBook::Parse(mutated);
    if (!book.ok()) {
      ASSERT_FALSE(book.status().message().empty());
      continue;
    }
    Usage usage;
    usage.Set(Meter::kInputTokens, static_cast<int64_t>(random()) << 20);
    for (const auto& model : (*book)->models())
      CheckCost(Realize(*model, usage, ServiceTier::kBatch, "eu", 0));
  }
}

TEST(PricingFuzz, StatedRatesAreReadOrRefused) {
  const std::string rates =
      R"({"input_cost_per_token":"0.00001","cache_read_input_token_cost":"0.000001","above_272k_input_multiplier":"2","tier_multiplier":"2","graduated_tiers":[{"range":[0,100000],"input_cost_per_token":"0.0001"}]})";
  for (int round = 0; round < Rounds() / 10; ++round) {
    std::mt19937 random(round);
    const std::string mutated = Mutate(rates, random);
    SCOPED_TRACE(testing::Message() << "seed " << round << ": " << mutated.substr(0, 600));
    const auto tree = ParseJsonTree(mutated);
    if (!tree.ok()) continue;
    const auto model = ModelFromStatedRates(*tree, "", 1);
    EXPECT_TRUE(model.ok() || !model.status().message().empty());
  }
}

}  // namespace
}  // namespace purser::pricing
