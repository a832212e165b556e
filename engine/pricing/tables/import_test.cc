#include "engine/pricing/tables/import.h"

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "engine/pricing/cost.h"
#include "engine/pricing/price_book.h"
#include "engine/pricing/usage_block.h"
#include "gtest/gtest.h"

namespace purser::pricing {
namespace {

constexpr char kGenai[] = R"json([
  {"id": "acme", "name": "Acme", "api_pattern": "https://api\\.acme\\.com", "provider_match": {"contains": "acme"},
   "model_match": {"or": [{"starts_with": "rocket"}, {"regex": "^r\\d"}]}, "fallback_model_providers": ["globex"],
   "extractors": [{"api_flavor": "default", "root": ["meta", "usage"], "model_path": "model", "mappings": [
     {"path": "in", "dest": "input_tokens", "required": true},
     {"path": "cached", "dest": "input_tokens", "required": false},
     {"path": "cached", "dest": "cache_read_tokens", "required": false},
     {"path": ["parts", {"type": "array-match", "field": "kind", "match": {"equals": "AUDIO"}}, "n"],
      "dest": "input_audio_tokens", "required": false},
     {"path": "out", "dest": "output_tokens", "required": false}]}],
   "models": [
     {"id": "rocket", "match": {"or": [{"equals": "rocket"}, {"starts_with": "rocket-"}]}, "context_window": 1000,
      "prices": [
        {"prices": {"input_mtok": {"base": 3, "tiers": [{"start": 200000, "price": 6}]}, "output_mtok": 0.0375,
                    "cache_read_mtok": 0.3, "input_audio_mtok": 7}},
        {"constraint": {"start_date": "2026-03-13"}, "prices": {"input_mtok": 2, "output_mtok": 1}},
        {"constraint": {"start_time": "00:30:00Z", "end_time": "16:30:00Z"}, "prices": {"input_mtok": 9, "output_mtok": 9}}]},
     {"id": "gift", "match": {"equals": "gift"}, "prices": {}},
     {"id": "odd", "match": {"equals": "odd"}, "prices": {"input_mtok": 1, "moon_phase_mtok": 3}},
     {"id": "slip", "match": {"equals": "slip"}, "prices": {"input_mtok": 3000, "output_mtok": 15}},
     {"id": "debt", "match": {"equals": "debt"}, "prices": {"input_mtok": -1}},
     {"id": "upside-down", "match": {"equals": "upside-down"}, "prices": {"input_mtok": 1, "cache_read_mtok": 2, "output_mtok": 3}}]},
  {"id": "globex", "name": "Globex", "api_pattern": "https://globex", "models": [
     {"id": "anvil", "match": {"and": [{"contains": "anv"}, {"ends_with": "il"}]}, "prices": {"input_mtok": 1}}]}])json";

std::string Reason(const ImportReport& report, const std::string& name) {
  for (const ImportReport::Row& row : report.rows) {
    if (row.name == name)
      return (row.fate == ImportReport::Fate::kLeftOut ? "left out: " : "kept: ") + row.reason;
  }
  return "";
}

std::shared_ptr<const PriceBook> Loaded(const prices::PriceBook& book) {
  auto loaded = PriceBook::Parse(WriteBook(book));
  EXPECT_TRUE(loaded.ok()) << loaded.status() << WriteBook(book);
  return loaded.ok() ? *loaded : nullptr;
}

TEST(ImportGenaiPrices, EveryRowIsImportedOrNamedWithItsReason) {
  ImportReport report;
  const auto book = ImportGenaiPrices(kGenai, {}, &report);
  ASSERT_TRUE(book.ok()) << book.status();
  EXPECT_EQ(report.read, 7);
  EXPECT_EQ(report.imported, 3);
  EXPECT_EQ(Reason(report, "acme/gift"), "kept: free: listed without any price");
  EXPECT_EQ(Reason(report, "acme/odd"), "left out: unknown key \"moon_phase_mtok\"");
  EXPECT_TRUE(
      absl::StartsWith(Reason(report, "acme/slip"), "left out: suspicious: input_tokens costs a dollar"));
  EXPECT_EQ(Reason(report, "acme/debt"), "left out: input_mtok: -1 is negative");
  EXPECT_TRUE(
      absl::StartsWith(Reason(report, "acme/upside-down"), "left out: suspicious: reading from the cache"));
  EXPECT_EQ(book->sources(0).content_hash(), ContentHash(kGenai));

  ImportReport all;
  ImportOptions allow;
  allow.allow_suspicious = true;
  ASSERT_TRUE(ImportGenaiPrices(kGenai, allow, &all).ok());
  EXPECT_EQ(all.imported, 5);
}

TEST(ImportGenaiPrices, CarriesNamesAndFacts) {
  ImportReport report;
  const auto book = Loaded(*ImportGenaiPrices(kGenai, {}, &report));
  ASSERT_NE(book, nullptr);
  EXPECT_EQ((*book->Resolve("rocket-9", "the acme company"))->id, "rocket");
  // Its name implies the provider, which has no such model.
  EXPECT_EQ(book->Resolve("r2").status().message(), "no provider has a price for model \"r2\"");
  EXPECT_EQ((*book->Resolve("rocket-2"))->id, "rocket");
  EXPECT_EQ((*book->Resolve("anvil", "acme"))->provider, "globex");
  EXPECT_EQ((*book->Resolve("rocket", "https://api.acme.com/v1"))->context_window, 1000);
}

TEST(ImportGenaiPrices, PricesAsTheTableSays) {
  ImportReport report;
  const auto book = Loaded(*ImportGenaiPrices(kGenai, {}, &report));
  ASSERT_NE(book, nullptr);
  UsageReader reader;
  UsageBlock block;
  const absl::Status read =
      reader.Read(book.get(), "acme", "default",
                  R"({"model": "rocket", "meta": {"usage": {"in": 900, "cached": 100, "out": 13,
          "parts": [{"kind": "TEXT", "n": 1}, {"kind": "audio", "n": 200}]}}})",
                  &block);
  ASSERT_TRUE(read.ok()) << read;
  const auto total = [&](const char* time) {
    absl::Time parsed;
    std::string error;
    EXPECT_TRUE(absl::ParseTime(absl::RFC3339_full, time, &parsed, &error));
    return ExactDecimals(Realize(**book->Resolve("rocket", "acme"), block.usage, ServiceTier::kUnstated, "",
                                 absl::ToUnixNanos(parsed)))
        .total;
  };
  // The last condition that holds wins, in the table's order.
  EXPECT_EQ(total("2026-05-01T12:00:00Z"), "0.009117");
  EXPECT_EQ(total("2026-05-01T20:00:00Z"), "0.002013");
  // 700 x 3 + 100 x 0.3 + 200 x 7 + 13 x 0.0375, in millionths.
  EXPECT_EQ(total("2026-01-01T20:00:00Z"), "0.0035304875");
}

constexpr char kLiteLlm[] = R"json({
  "sample_spec": {"litellm_provider": "one of", "input_cost_per_token": 0.0},
  "openai-ish/m": {"litellm_provider": "openai-ish", "mode": "chat", "max_input_tokens": 128000, "max_output_tokens": 4096.0,
    "supports_function_calling": true, "supports_vision": false,
    "input_cost_per_token": 3e-06, "output_cost_per_token": 1.5e-05, "cache_read_input_token_cost": 3e-07,
    "input_cost_per_token_above_200k_tokens": 6e-06, "cache_creation_input_token_cost_above_200k_tokens": 7.5e-06,
    "input_cost_per_token_batches": 1.5e-06, "output_cost_per_token_batches": 7.5e-06,
    "input_cost_per_token_priority": 5e-06, "input_cost_per_token_above_200k_tokens_priority": 9e-06,
    "regional_processing_uplift_multiplier_eu": 1.1,
    "search_context_cost_per_query": {"search_context_size_low": 0.01, "search_context_size_medium": 0.02, "search_context_size_high": 0.03}},
  "xai/g": {"litellm_provider": "xai", "input_cost_per_token": 2e-06, "output_cost_per_token": 1e-05,
    "input_cost_per_token_above_128k_tokens": 4e-06},
  "ranges": {"litellm_provider": "p", "input_cost_per_token": 9e-06, "tiered_pricing": [
    {"range": [0, 256000.0], "input_cost_per_token": 5e-08, "output_cost_per_token": 4e-07},
    {"range": [256000.0, 1000000.0], "input_cost_per_token": 2.5e-07, "output_cost_per_token": 2e-06}]},
  "odd": {"litellm_provider": "p", "input_cost_per_token": 1e-06, "cost_per_full_moon": 3},
  "results": {"litellm_provider": "p", "tiered_pricing": [{"max_results_range": [0, 25], "input_cost_per_query": 0.005}]},
  "bare": {"litellm_provider": "p", "mode": "chat"},
  "gift": {"litellm_provider": "p", "input_cost_per_token": 0, "output_cost_per_token": 0.0},
  "last_updated": "2026-07-24T18:23:43"})json";

TEST(ImportLiteLlm, EveryRowIsImportedOrNamedWithItsReason) {
  ImportReport report;
  const auto book = ImportLiteLlm(kLiteLlm, {}, &report);
  ASSERT_TRUE(book.ok()) << book.status();
  EXPECT_EQ(report.read, 9);
  EXPECT_EQ(report.imported, 5);
  EXPECT_EQ(Reason(report, "sample_spec"), "left out: explains the table's keys");
  EXPECT_EQ(Reason(report, "last_updated"), "left out: not a model: it has no litellm_provider");
  EXPECT_EQ(Reason(report, "odd"),
            "left out: suspicious: unknown key \"cost_per_full_moon\" that sounds like a price");
  EXPECT_TRUE(absl::StartsWith(Reason(report, "results"), "left out: tiers by something else"));
  EXPECT_EQ(Reason(report, "bare"), "kept: no price in the table: unpriced");
  EXPECT_EQ(Reason(report, "gift"), "kept: free: every price in the table is 0");
  EXPECT_EQ(book->sources(0).date(), "2026-07-24");
}

TEST(ImportLiteLlm, PricesAsTheTableSays) {
  ImportReport report;
  const auto book = Loaded(*ImportLiteLlm(kLiteLlm, {}, &report));
  ASSERT_NE(book, nullptr);
  struct Case {
    const char* model;
    const char* usage;
    ServiceTier tier;
    const char* region;
    const char* total;
  };
  UsageReader reader;
  for (const Case& c : {
           Case{"m", R"({"input_tokens": 1000, "cache_read_tokens": 400, "output_tokens": 100})",
                ServiceTier::kStandard, "", "0.00342"},
           Case{"openai-ish/m", R"({"input_tokens": 1000, "output_tokens": 100})", ServiceTier::kBatch, "",
                "0.00225"},
           // Output has no priority price: standard's.
           Case{"m", R"({"input_tokens": 1000, "output_tokens": 100})", ServiceTier::kPriority, "", "0.0065"},
           Case{"m", R"({"input_tokens": 200001})", ServiceTier::kPriority, "", "1.800009"},
           Case{"m", R"({"input_tokens": 200001})", ServiceTier::kStandard, "", "1.200006"},
           // Below its first tier a cache write bills as input.
           Case{"m", R"({"input_tokens": 1000, "cache_write_tokens": 1000})", ServiceTier::kStandard, "",
                "0.003"},
           Case{"m", R"({"input_tokens": 300000, "cache_write_tokens": 300000})", ServiceTier::kStandard, "",
                "2.25"},
           Case{"m", R"({"input_tokens": 1000})", ServiceTier::kStandard, "eu", "0.0033"},
           Case{"m", R"({"web_searches": 1})", ServiceTier::kStandard, "", "0.02"},
           Case{"m", R"({"web_searches": 2, "web_searches_high": 1})", ServiceTier::kStandard, "", "0.05"},
           // xAI's tiers begin at their size.
           Case{"g", R"({"input_tokens": 127999})", ServiceTier::kStandard, "", "0.255998"},
           Case{"g", R"({"input_tokens": 128000})", ServiceTier::kStandard, "", "0.512"},
           Case{"ranges", R"({"input_tokens": 256000, "output_tokens": 10})", ServiceTier::kStandard, "",
                "0.012804"},
           Case{"ranges", R"({"input_tokens": 256001, "output_tokens": 10})", ServiceTier::kStandard, "",
                "0.06402025"},
           Case{"gift", R"({"input_tokens": 5, "output_tokens": 10})", ServiceTier::kStandard, "", "0"},
       }) {
    Usage usage;
    ASSERT_TRUE(reader.ReadNormalised(c.usage, &usage).ok());
    const char* provider = std::string(c.model) == "g"    ? "x-ai"
                           : absl::EndsWith(c.model, "m") ? "openai-ish"
                                                          : "p";
    const auto prices = book->Resolve(c.model, provider);
    ASSERT_TRUE(prices.ok()) << prices.status();
    const Cost cost = Realize(**prices, usage, c.tier, c.region, 0);
    EXPECT_EQ(cost.state, CostState::kPriced) << cost.Explain();
    EXPECT_EQ(ExactDecimals(cost).total, c.total) << c.model << " " << c.usage;
  }
  const ModelPrices& m = **book->Resolve("m", "openai-ish");
  EXPECT_EQ(m.max_input_tokens, 128000);
  EXPECT_EQ(m.max_output_tokens, 4096);
  EXPECT_TRUE(m.capabilities & (1u << 1));
  EXPECT_FALSE(m.capabilities & (1u << 2));
  Usage none;
  none.Set(Meter::kInputTokens, 1);
  EXPECT_EQ(Realize(**book->Resolve("bare", "p"), none, ServiceTier::kStandard, "", 0).state,
            CostState::kUnpriced);
}

TEST(Import, WhatIsNoTableIsRefused) {
  ImportReport report;
  for (const char* json : {"", "3", "{", "\"x\"", "null"}) {
    EXPECT_FALSE(ImportGenaiPrices(json, {}, &report).ok()) << json;
    EXPECT_FALSE(ImportLiteLlm(json, {}, &report).ok()) << json;
  }
  EXPECT_FALSE(ImportLiteLlm("[]", {}, &report).ok());
  EXPECT_FALSE(ImportGenaiPrices("{}", {}, &report).ok());
}

}  // namespace
}  // namespace purser::pricing
