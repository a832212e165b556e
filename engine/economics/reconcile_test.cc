// A provider's bill against the books, in each of its formats.

#include "engine/economics/reconcile.h"

#include <string>
#include <vector>

#include "engine/economics/csv.h"
#include "gtest/gtest.h"

namespace purser::economics {
namespace {

using State = ReconcileRow::State;

constexpr int64_t kMarch2 = 1'772'438'400'000'000'000;  // 2026-03-02T08:00:00Z
constexpr int64_t kDay = 86'400'000'000'000;

ledger::Entry Call(const char* provider, const char* model, int64_t day, int64_t in, int64_t out,
                   int64_t nanos) {
  ledger::Entry entry;
  entry.record.provider = provider;
  entry.record.model = model;
  entry.record.time_nanos = kMarch2 + day * kDay;
  entry.record.input_tokens = in;
  entry.record.output_tokens = out;
  entry.record.cost_nanos = nanos;
  return entry;
}

TEST(ReconcileTest, OpenAisUsageExport) {
  const auto invoice = ReadInvoice(
      "start_time,end_time,start_time_iso,model,num_model_requests,input_tokens,output_tokens,input_cached_"
      "tokens\n"
      "1772409600,1772496000,2026-03-02T00:00:00+00:00,gpt-4o,1,600,60,100\r\n"
      "1772409600,1772496000,2026-03-02T00:00:00+00:00,gpt-4o,1,400,40,0\n"
      "1772409600,1772496000,2026-03-02T00:00:00+00:00,gpt-4o-mini,3,30,30,0\n"
      "1772496000,1772582400,2026-03-03T00:00:00+00:00,gpt-4o,1,500,50,0\n",
      InvoiceFormat::kOpenAi);
  ASSERT_TRUE(invoice.ok()) << invoice.status();
  Reconciliation reconciliation(*invoice, {.provider = "openai"});
  reconciliation.Add(Call("openai", "gpt-4o", 0, 600, 60, 1000));
  reconciliation.Add(Call("openai", "gpt-4o", 0, 400, 40, 1000));
  reconciliation.Add(Call("openai", "gpt-4o", 1, 500, 70, 1000));
  reconciliation.Add(Call("openai", "o3", 1, 5, 5, 700));
  reconciliation.Add(Call("openai", "gpt-4o", 2, 5, 5, 700));     // After what the export covers.
  reconciliation.Add(Call("anthropic", "claude", 0, 5, 5, 700));  // Another's.
  const std::vector<ReconcileRow> rows = reconciliation.Rows();
  ASSERT_EQ(rows.size(), 4u);
  EXPECT_EQ(rows[0].key, (InvoiceKey{"2026-03-02", "gpt-4o"}));
  EXPECT_EQ(rows[0].state, State::kMatched);
  EXPECT_EQ(rows[0].invoice.tokens, 1100);
  EXPECT_EQ(rows[1].key.model, "gpt-4o-mini");
  EXPECT_EQ(rows[1].state, State::kNotInLedger);
  EXPECT_EQ(rows[2].state, State::kDiffers);
  EXPECT_EQ(rows[2].correction_nanos, 0);  // The export states no cost.
  EXPECT_EQ(rows[3].state, State::kNotInInvoice);
  EXPECT_EQ(rows[3].correction_nanos, -700);
}

TEST(ReconcileTest, AnthropicsUsageReport) {
  const auto invoice = ReadInvoice(
      "usage_date_utc,model_version,api_key,workspace,usage_input_tokens_no_cache,usage_input_tokens_cache_"
      "write_5m,"
      "usage_input_tokens_cache_write_1h,usage_input_tokens_cache_read,usage_output_tokens\n"
      "2026-03-02,claude-sonnet,\"k,1\",\"w \"\"x\"\"\",100,20,3,1000,50\n",
      InvoiceFormat::kAnthropic);
  ASSERT_TRUE(invoice.ok()) << invoice.status();
  Reconciliation reconciliation(*invoice, {.provider = "anthropic"});
  reconciliation.Add(Call("anthropic", "claude-sonnet", 0, 1123, 50, 9));
  const std::vector<ReconcileRow> rows = reconciliation.Rows();
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].invoice.tokens, 1173);
  EXPECT_EQ(rows[0].state, State::kMatched);
}

TEST(ReconcileTest, PresumedSpendIsResolvedByWhatWasBilled) {
  const auto invoice = ReadInvoice(
      "ChargePeriodStart,ResourceId,BilledCost,BillingCurrency,ConsumedQuantity,ConsumedUnit\n"
      "2026-03-02T00:00:00Z,gpt-4o,0.000001,USD,100,Tokens\n"
      "2026-03-02T00:00:00Z,gpt-4o,0.0000005,USD,,Requests\n",
      InvoiceFormat::kFocus);
  ASSERT_TRUE(invoice.ok()) << invoice.status();
  Reconciliation reconciliation(*invoice, {});
  reconciliation.Add(Call("openai", "gpt-4o", 0, 90, 10, 1500));
  ledger::Entry presumed = Call("openai", "gpt-4o", 0, 0, 0, 400);
  presumed.record.flags = ledger::PRESUMED;
  reconciliation.Add(presumed);
  std::vector<ReconcileRow> rows = reconciliation.Rows();
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].state, State::kDiffers);
  EXPECT_EQ(rows[0].presumed_nanos, 400);
  EXPECT_EQ(rows[0].correction_nanos, -400);
  EXPECT_EQ(rows[0].presumed_not_billed_nanos(), 400);

  // Once the correction is booked nothing is left to correct.
  ledger::Entry correction;
  const std::string id = Reconciliation::CorrectionId(rows[0].key);
  correction.adjustment = true;
  correction.record.request_id = id;
  correction.record.time_nanos = kMarch2 + 20 * kDay;
  correction.record.cost_nanos = -400;
  reconciliation.Add(correction);
  rows = reconciliation.Rows();
  EXPECT_EQ(rows[0].correction_nanos, 0);
  EXPECT_EQ(rows[0].state, State::kMatched);
}

TEST(ReconcileTest, WhatCannotBeReadIsNamed) {
  const struct {
    const char* text;
    const char* says;
  } kCases[] = {
      {"", "the file is empty"},
      {"a,b\n1,2\n", "expected a column start_time_iso or start_time or date; there are a, b"},
      {"start_time,model\n1,2\n", "expected columns of tokens"},
      {"start_time,model,input_tokens\n1772409600,gpt\n", "line 2 has 2 fields, the header 3"},
      {"start_time,model,input_tokens\n1772409600,gpt,-5\n",
       "line 2, input_tokens: expected a count, digits only, not \"-5\""},
      {"start_time,model,input_tokens\nyesterday,gpt,5\n", "line 2, start_time: expected a date"},
      {"start_time,model,cost_usd\n1772409600,gpt,cheap\n", "line 2, cost_usd: expected an amount"},
      {"start_time,model,amount_value\n1772409600,gpt,5\n",
       "line 2, amount_value: the currency is not stated; expected a column of currencies"},
      {"start_time,model,amount_value,amount_currency\n1772409600,gpt,5,\n",
       "line 2, amount_value: the currency is not stated; expected USD in amount_currency"},
      {"start_time,model,amount_value,amount_currency\n1772409600,gpt,5,eur\n",
       "line 2, amount_currency: expected USD; convert the amounts first, not \"eur\""},
      {"start_time,model,cost_usd,currency\n1772409600,gpt,5,EUR\n", "line 2, currency: expected USD"},
      {"start_time,model,input_tokens\n20260302,gpt,5\n", "line 2, start_time: expected a date"},
      {"start_time,model,input_tokens\n1772409600000,gpt,5\n", "line 2, start_time: expected a date"},
      {"start_time,model,input_tokens\n2026-3-2,gpt,5\n", "line 2, start_time: expected a date"},
      {"start_time,model,input_tokens\n2026-03-020,gpt,5\n", "line 2, start_time: expected a date"},
      {"start_time,model,cost_usd\n1772409600,gpt,9000000000\n1772409600,gpt,9000000000\n",
       "line 3, cost_usd: the sum of its day and model is beyond"},
      {"start_time,model,input_tokens\n1772409600,\"gpt,5\n", "line 2: a quote is never closed"},
      {"start_time,model,input_tokens\n1772409600,,5\n", "no row of a model"},
  };
  for (const auto& c : kCases) {
    const auto invoice = ReadInvoice(c.text, InvoiceFormat::kOpenAi);
    ASSERT_FALSE(invoice.ok()) << c.text;
    EXPECT_NE(std::string(invoice.status().message()).find(c.says), std::string::npos) << invoice.status();
  }
}

TEST(ReconcileTest, EveryDirtyNumberIsRefusedByLineAndColumn) {
  for (const char* dirty : {"0,50", "4,99", "1,250.00", "1.250,00", "5 USD", "\u20ac5", "nan", "inf", "0x10",
                            " 5", "5 ", "1'000", "1_000", "--5", "5-", "(5)", "five", "1e999"}) {
    for (const char* column : {"cost_usd", "num_model_requests", "input_tokens"}) {
      const std::string text =
          std::string("date,model,") + column + (std::string(column) == "cost_usd" ? "" : ",cost_usd") +
          "\n2026-03-02,gpt,\"" + dirty + "\"" + (std::string(column) == "cost_usd" ? "" : ",1") + "\n";
      const auto invoice = ReadInvoice(text, InvoiceFormat::kOpenAi);
      ASSERT_FALSE(invoice.ok()) << column << ' ' << dirty;
      const std::string says(invoice.status().message());
      EXPECT_EQ(says.find(std::string("line 2, ") + column + ": expected"), 0u) << says;
    }
  }
}

TEST(ReconcileTest, AmountsAreExactAndRoundHalfAwayFromZero) {
  const struct {
    const char* text;
    int64_t nanos;
  } kCases[] = {{"0.50", 500'000'000},
                {"$1250.00", 1'250'000'000'000},
                {"-0.07", -70'000'000},
                {"0.0000000005", 1},
                {"0.00000000049999", 0},
                {"-0.0000000005", -1},
                {"8999999999.0000000014", 8'999'999'999'000'000'001}};
  for (const auto& c : kCases) {
    const auto invoice = ReadInvoice(std::string("date,model,amount\n2026-03-02,gpt,") + c.text + "\n",
                                     InvoiceFormat::kOpenAi, "usd");
    ASSERT_TRUE(invoice.ok()) << invoice.status();
    EXPECT_EQ(invoice->begin()->second.cost_nanos, c.nanos) << c.text;
  }
}

std::string WhyNotBooked(const std::string& bill, const std::vector<const char*>& models) {
  const auto invoice = ReadInvoice(bill, InvoiceFormat::kOpenAi);
  EXPECT_TRUE(invoice.ok()) << invoice.status();
  Reconciliation reconciliation(*invoice, {});
  for (const char* model : models) reconciliation.Add(Call("openai", model, 0, 5, 5, 1'000'000'000));
  return std::string(MayBook(reconciliation.Rows()).message());
}

TEST(ReconcileTest, NothingIsBookedFromABillThatDoesNotKnowTheBooks) {
  const std::string head = "date,model,cost_usd\n";
  EXPECT_EQ(WhyNotBooked(head + "2026-03-02,gpt-4o,0.5\n", {"gpt-4o"}), "");
  // Dated names of what the books have under another.
  const std::string dated = WhyNotBooked(head + "2026-03-02,gpt-4o-2024-08-06,0.5\n", {"gpt-4o"});
  EXPECT_NE(dated.find("no model of the bill is in the ledger"), std::string::npos) << dated;
  EXPECT_NE(dated.find("does not have: gpt-4o-2024-08-06"), std::string::npos) << dated;
  const std::string one = WhyNotBooked(head + "2026-03-02,gpt-4o,0.5\n", {"gpt-4o", "o3"});
  EXPECT_NE(one.find("booked but in no row of the bill: o3"), std::string::npos) << one;
  // Without amounts, in the whole file or in a part of it.
  const std::string counts = WhyNotBooked("date,model,input_tokens\n2026-03-02,gpt-4o,5\n", {"gpt-4o"});
  EXPECT_NE(counts.find("states no amount for 2026-03-02 gpt-4o"), std::string::npos) << counts;
  const std::string part = WhyNotBooked(head + "2026-03-02,gpt-4o,0.5\n2026-03-02,gpt-4o,\n", {"gpt-4o"});
  EXPECT_NE(part.find("states no amount for 2026-03-02 gpt-4o"), std::string::npos) << part;
}

TEST(ReconcileTest, NamesOfTheSameModelStandTogetherOnBothSides) {
  const auto invoice = ReadInvoice(
      "date,model,cost_usd\n2026-03-02,gpt-4o-2024-08-06,0.5\n2026-03-02,gpt-4o-2024-11-20,0.25\n",
      InvoiceFormat::kOpenAi);
  ASSERT_TRUE(invoice.ok()) << invoice.status();
  Reconciliation reconciliation(*invoice, {.provider = "", .name_of = [](std::string_view model) {
                                             return std::string(model.substr(0, 6));
                                           }});
  reconciliation.Add(Call("openai", "gpt-4o", 0, 5, 5, 1'000'000'000));
  const std::vector<ReconcileRow> rows = reconciliation.Rows();
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].correction_nanos, -250'000'000);
  EXPECT_TRUE(MayBook(rows).ok());
}

TEST(CsvTest, ReadsWhatSpreadsheetsWrite) {
  const auto csv = Csv::Parse(
      "\xef\xbb\xbf"
      "A Name,b\r\n\"x\"\"y\",\"two\nlines\"\r\n\r\nlast,\n");
  ASSERT_TRUE(csv.ok()) << csv.status();
  ASSERT_EQ(csv->rows().size(), 2u);
  EXPECT_EQ(csv->rows()[0][0], "x\"y");
  EXPECT_EQ(csv->rows()[0][1], "two\nlines");
  EXPECT_EQ(csv->rows()[1][1], "");
  EXPECT_EQ(csv->LineOf(1), 5);
  EXPECT_EQ(csv->ColumnOf("a_name"), 0u);
  EXPECT_FALSE(csv->ColumnOf("c").has_value());
}

}  // namespace
}  // namespace purser::economics
