// What it costs to price candidates before dispatch, and to realize a call after it.

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "benchmark/benchmark.h"
#include "engine/pricing/cost.h"
#include "engine/pricing/price_book.h"
#include "engine/pricing/quote.h"
#include "engine/pricing/usage_block.h"
#include "tests/support/allocations.h"

namespace purser::pricing {
namespace {

// Models like those of the public tables: tiers, cache rates, a batch list, an uplift.
std::shared_ptr<const PriceBook> Book(int models) {
  std::string text;
  for (int i = 0; i < models; ++i) {
    absl::StrAppend(&text, "models { id: \"model-", i, "\" provider: \"p\"");
    const std::string rates = absl::StrCat("rates { meter: \"input_tokens\" usd: \"", 1 + i % 7,
                                           ".25\" tiers { above: 200000 usd: \"", 2 + i % 9,
                                           ".5\" } } rates { meter: \"cache_read_tokens\" usd: \"0.1", i % 10,
                                           "\" } rates { meter: \"cache_write_tokens\" usd: \"", 2 + i % 7,
                                           ".5\" } rates { meter: \"output_tokens\" usd: \"", 5 + i % 20,
                                           "\" tiers { above: 200000 usd: \"40\" } }");
    if (i % 4 == 0)
      absl::StrAppend(&text, " sheets { service_tiers: \"batch\" multiplier: \"0.5\" ", rates, " }");
    if (i % 6 == 0) absl::StrAppend(&text, " uplifts { regions: \"eu\" multiplier: \"1.1\" }");
    absl::StrAppend(&text, " sheets { ", rates, " } }\n");
  }
  auto book = PriceBook::Parse(text);
  if (!book.ok()) std::abort();
  return *book;
}

QuoteInput Request() {
  QuoteInput input;
  input.input_tokens = 2000;
  input.most_input_tokens = 2300;
  input.cached_tokens = 500;
  input.output_tokens = 300;
  input.most_output_tokens = 4096;
  return input;
}

void BM_Quote(benchmark::State& state) {
  const auto book = Book(24);
  std::vector<PricedCandidate> candidates;
  for (int i = 0; i < state.range(0); ++i)
    candidates.push_back({*book->Resolve(absl::StrCat("model-", i), "p")});
  const QuoteInput input = Request();
  std::vector<Quote> quotes(candidates.size());
  const int64_t before = Allocations();
  for (auto _ : state) {
    for (size_t i = 0; i < candidates.size(); ++i) MakeQuote(candidates[i], input, &quotes[i]);
    benchmark::DoNotOptimize(quotes.data());
    benchmark::ClobberMemory();
  }
  state.counters["allocations"] = static_cast<double>(Allocations() - before);
}
BENCHMARK(BM_Quote)->Arg(1)->Arg(24);

// What Decide asks of every candidate: the totals, without line items.
void BM_QuoteTotals(benchmark::State& state) {
  const auto book = Book(24);
  std::vector<PricedCandidate> candidates;
  for (int i = 0; i < state.range(0); ++i)
    candidates.push_back({*book->Resolve(absl::StrCat("model-", i), "p")});
  const QuoteInput input = Request();
  std::vector<QuoteTotals> totals(candidates.size());
  const int64_t before = Allocations();
  for (auto _ : state) {
    for (size_t i = 0; i < candidates.size(); ++i) totals[i] = MakeQuoteTotals(candidates[i], input);
    benchmark::DoNotOptimize(totals.data());
    benchmark::ClobberMemory();
  }
  state.counters["allocations"] = static_cast<double>(Allocations() - before);
}
BENCHMARK(BM_QuoteTotals)->Arg(1)->Arg(24);

void BM_Realize(benchmark::State& state) {
  const auto book = Book(1);
  const ModelPrices& prices = **book->Resolve("model-0", "p");
  Usage usage;
  usage.Set(Meter::kInputTokens, 2000);
  usage.Set(Meter::kCacheReadTokens, 512);
  usage.Set(Meter::kOutputTokens, 321);
  usage.Set(Meter::kOutputReasoningTokens, 120);
  Cost cost;
  const int64_t before = Allocations();
  for (auto _ : state) {
    Realize(prices, usage, ServiceTier::kStandard, "", 0, &cost);
    benchmark::DoNotOptimize(cost.total_nanos);
  }
  state.counters["allocations"] = static_cast<double>(Allocations() - before);
}
BENCHMARK(BM_Realize);

void BM_ReadUsage(benchmark::State& state) {
  const std::string body =
      R"({"id":"chatcmpl-1","object":"chat.completion","model":"model-0","choices":[{"index":0,"message":)"
      R"({"role":"assistant","content":")" +
      std::string(1500, 'x') +
      R"("},"finish_reason":"stop"}],"usage":{"prompt_tokens":2000,"completion_tokens":321,"total_tokens":2321,)"
      R"("prompt_tokens_details":{"cached_tokens":512},"completion_tokens_details":{"reasoning_tokens":120}},)"
      R"("service_tier":"default"})";
  UsageReader reader;
  UsageBlock block;
  if (!reader.Read(nullptr, "openai", "chat", body, &block).ok()) std::abort();
  const int64_t before = Allocations();
  for (auto _ : state) benchmark::DoNotOptimize(reader.Read(nullptr, "openai", "chat", body, &block).ok());
  state.counters["allocations"] = static_cast<double>(Allocations() - before);
}
BENCHMARK(BM_ReadUsage);

void BM_LoadBook(benchmark::State& state) {
  std::string path = "/tmp/purser_quote_benchmark_book.textproto";
  std::string text;
  for (int i = 0; i < state.range(0); ++i) {
    absl::StrAppend(
        &text, "models { id: \"vendor/family-model-", i, "\" provider: \"vendor-", i % 90,
        "\" match { equals: \"vendor/family-model-", i, "\" equals: \"family-model-", i,
        "\" } mode: \"chat\" max_input_tokens: 131072 max_output_tokens: 8192 capabilities: TOOLS "
        "capabilities: STRUCTURED_OUTPUT capabilities: JSON_MODE sheets { rates { meter: "
        "\"input_tokens\" usd: \"2.5\" } rates { meter: \"output_tokens\" usd: \"10\" } rates { meter: "
        "\"cache_read_tokens\" usd: \"1.25\" } } }\n");
  }
  if (std::FILE* file = std::fopen(path.c_str(), "w")) {
    std::fwrite(text.data(), 1, text.size(), file);
    std::fclose(file);
  }
  for (auto _ : state) {
    if (!PriceBook::Load({path}).ok()) std::abort();
  }
  std::remove(path.c_str());
}
BENCHMARK(BM_LoadBook)->Arg(3000)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace purser::pricing

BENCHMARK_MAIN();
