// What FinOps tools and tracing tools are given adds up to the books.

#include "engine/economics/record_export.h"

#include <unistd.h>

#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "engine/economics/csv.h"
#include "engine/economics/decimal_text.h"
#include "engine/ledger/log.h"
#include "engine/ledger/rollup.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "policies/amount.h"
#include "tests/support/sample_records.h"

namespace purser::economics {
namespace {

std::string NewPath(const char* name) { return absl::StrCat(::testing::TempDir(), "/", name, ".", getpid()); }

std::string ReadFile(const std::string& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

// 2,000 calls, one of them presumed spent and settled later, and an adjustment.
std::string SampleLedger(const char* name) {
  const std::string directory = NewPath(name);
  auto log = ledger::Log::Open(directory, {}, nullptr);
  EXPECT_TRUE(log.ok()) << log.status();
  ledger::SampleRecords samples(5);
  ledger::Encoder encode;
  for (int i = 0; i < 2000; ++i) EXPECT_NE((*log)->Append(ledger::RECORD, encode(samples.Next())), 0u);
  ledger::RecordView presumed;
  presumed.ticket = 77'777;
  presumed.time_nanos = 1'772'438'400'000'000'000;
  presumed.model = "a,\"model\"";
  presumed.cost_nanos = 123;
  presumed.flags = ledger::PRESUMED;
  EXPECT_NE((*log)->Append(ledger::RECORD, encode(presumed)), 0u);
  presumed.flags = ledger::LATE;
  presumed.cost_nanos = 45;
  EXPECT_NE((*log)->Append(ledger::RECORD, encode(presumed)), 0u);
  ledger::AdjustedView adjusted;
  adjusted.delta_nanos = -1'000;
  adjusted.time_nanos = presumed.time_nanos;
  EXPECT_NE((*log)->Append(ledger::ADJUSTED, encode(adjusted)), 0u);
  return directory;
}

int64_t CostOf(const std::string& ledger) {
  ledger::Totals totals;
  auto reader = ledger::RecordReader::Open(ledger);
  ledger::Entry entry;
  while (*(*reader)->Next(&entry)) totals.Add(entry);
  return totals.cost_nanos;
}

// A decimal without its point: "0.0025" -> {25, 4}.
std::pair<__int128, int> Exact(const std::string& text) {
  __int128 value = 0;
  int digits = 0;
  bool fraction = false;
  for (const char c : text) {
    if (c == '.') fraction = true;
    if (c < '0' || c > '9') continue;
    value = value * 10 + (c - '0');
    digits += fraction;
  }
  return {text[0] == '-' ? -value : value, digits};
}

TEST(FocusExport, QuantityTimesUnitPriceIsCostAndTheRowsAddUp) {
  const std::string ledger = SampleLedger("focus"), file = NewPath("focus.csv");
  const auto rows = ExportFocus(ledger, file);
  ASSERT_TRUE(rows.ok()) << rows.status();
  EXPECT_EQ(ExportFocus(ledger, file).status().code(), absl::StatusCode::kAlreadyExists);
  auto csv = Csv::Parse(ReadFile(file));
  ASSERT_TRUE(csv.ok()) << csv.status();
  EXPECT_EQ(static_cast<int64_t>(csv->rows().size()), *rows);
  int64_t billed = 0;
  for (const auto& row : csv->rows()) {
    const auto get = [&](const char* column) { return row[*csv->ColumnOf(column)]; };
    billed += *ParseUsd(get("BilledCost"));
    for (const char* kind : {"List", "Contracted"}) {
      const auto [price, price_digits] = Exact(get((std::string(kind) + "UnitPrice").c_str()));
      const auto [quantity, quantity_digits] = Exact(get("PricingQuantity"));
      const std::string cost = get((std::string(kind) + "Cost").c_str());
      EXPECT_EQ(DecimalText(price * quantity, price_digits + quantity_digits), cost);
    }
    EXPECT_EQ(get("BillingCurrency"), "USD");
    EXPECT_LT(get("ChargePeriodStart"), get("ChargePeriodEnd"));
    EXPECT_LE(get("BillingPeriodStart"), get("ChargePeriodStart"));
    EXPECT_LE(get("ChargePeriodEnd"), get("BillingPeriodEnd"));
    EXPECT_FALSE(nlohmann::json::parse(get("Tags"), nullptr, false).is_discarded());
  }
  EXPECT_EQ(billed, CostOf(ledger));
}

TEST(OpenTelemetryExport, AddsUpToTheBooks) {
  const std::string ledger = SampleLedger("otel"), file = NewPath("otel.jsonl");
  const auto rows = ExportOpenTelemetry(ledger, file);
  ASSERT_TRUE(rows.ok()) << rows.status();
  EXPECT_EQ(*rows, 2000 + 1 + 2 + 1);  // Presumed; taken back and settled; adjusted.
  int64_t cost = 0, lines = 0;
  for (const absl::string_view line : absl::StrSplit(ReadFile(file), '\n', absl::SkipEmpty())) {
    const auto json = nlohmann::json::parse(line.begin(), line.end());
    cost += *ParseUsd(json["attributes"]["purser.cost.usd"].get<std::string>());
    EXPECT_LE(json["startTimeUnixNano"].get<std::string>(), json["endTimeUnixNano"].get<std::string>());
    ++lines;
  }
  EXPECT_EQ(lines, *rows);
  EXPECT_EQ(cost, CostOf(ledger));
}

TEST(RecordExport, WhatCannotBeWrittenIsSaid) {
  const std::string ledger = SampleLedger("unwritable");
  const auto rows = ExportFocus(ledger, "/nowhere/at/all.csv");
  EXPECT_NE(rows.status().message().find("/nowhere/at/all.csv cannot be written: No such file"),
            std::string::npos)
      << rows.status();
  EXPECT_FALSE(ExportOpenTelemetry("/nowhere/ledger", NewPath("x")).ok());
}

TEST(DecimalText, IsTheShortestExactDecimal) {
  EXPECT_EQ(DecimalText(1050, 9), "0.00000105");
  EXPECT_EQ(DecimalText(-2'500'000'000, 9), "-2.5");
  EXPECT_EQ(DecimalText(0, 9), "0");
  EXPECT_EQ(DecimalText(7, 0), "7");
  EXPECT_EQ(DecimalText(700, 2), "7");
  EXPECT_EQ(PowerOfTen(1'000'000), 6);
  EXPECT_EQ(PowerOfTen(1), 0);
  EXPECT_FALSE(PowerOfTen(60).has_value());
  EXPECT_FALSE(PowerOfTen(0).has_value());
}

}  // namespace
}  // namespace purser::economics
