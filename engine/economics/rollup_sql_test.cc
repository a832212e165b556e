// The books against independent sums: roll-ups against SQL over the export, days against Abseil's calendar.

#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "engine/economics/sqlite_export.h"
#include "engine/ledger/dimension.h"
#include "engine/ledger/log.h"
#include "engine/ledger/record_json.h"
#include "engine/ledger/rollup.h"
#include "gtest/gtest.h"
#include "tests/support/sample_records.h"

namespace purser::economics {
namespace {

std::string NewPath(const char* name) { return absl::StrCat(::testing::TempDir(), "/", name, ".", getpid()); }

void WriteLedger(const std::string& directory, int count) {
  auto log = ledger::Log::Open(directory, {}, nullptr);
  ASSERT_TRUE(log.ok()) << log.status();
  ledger::SampleRecords samples(11);
  ledger::Encoder encode;
  for (int i = 0; i < count; ++i) ASSERT_NE((*log)->Append(ledger::RECORD, encode(samples.Next())), 0u);
}

void Append(const std::string& directory, uint32_t type, std::string_view payload) {
  auto log = ledger::Log::Open(directory, {}, nullptr);
  ASSERT_TRUE(log.ok()) << log.status();
  ASSERT_NE((*log)->Append(type, payload), 0u);
}

ledger::Rollup RollupOf(const std::string& directory, const std::vector<ledger::Dimension>& by) {
  ledger::Rollup rollup(by);
  auto reader = ledger::RecordReader::Open(directory);
  EXPECT_TRUE(reader.ok()) << reader.status();
  (*reader)->LeaveOutLists();  // As reports do: SQL over the export shows that no sum needs them.
  ledger::Entry entry;
  while (*(*reader)->Next(&entry)) {
    EXPECT_TRUE(entry.record.line_items.empty());
    rollup.Add(entry);
  }
  return rollup;
}

std::vector<std::vector<std::string>> Query(const std::string& file, const std::string& sql) {
  std::vector<std::vector<std::string>> rows;
  sqlite3* database;
  EXPECT_EQ(sqlite3_open_v2(file.c_str(), &database, SQLITE_OPEN_READONLY, nullptr), SQLITE_OK);
  sqlite3_stmt* statement;
  EXPECT_EQ(sqlite3_prepare_v2(database, sql.c_str(), -1, &statement, nullptr), SQLITE_OK)
      << sqlite3_errmsg(database);
  while (sqlite3_step(statement) == SQLITE_ROW) {
    rows.emplace_back();
    for (int i = 0; i < sqlite3_column_count(statement); ++i) {
      const unsigned char* text = sqlite3_column_text(statement, i);
      rows.back().push_back(text != nullptr ? reinterpret_cast<const char*>(text) : "NULL");
    }
  }
  sqlite3_finalize(statement);
  sqlite3_close(database);
  return rows;
}

TEST(BooksTest, RollupsEqualSqlOverTheExport) {
  const std::string ledger = NewPath("books"), file = NewPath("books.sqlite");
  WriteLedger(ledger, 5000);
  const auto rows = ExportToSqlite(ledger, file, {.line_items = true});
  ASSERT_TRUE(rows.ok()) << rows.status();
  EXPECT_EQ(*rows, 5000);
  EXPECT_EQ(ExportToSqlite(ledger, file, {}).status().code(), absl::StatusCode::kAlreadyExists);
  const std::vector<std::vector<ledger::Dimension>> breakdowns = {
      {ledger::Dimension::kModel},
      {ledger::Dimension::kTenant, ledger::Dimension::kCustomer},
      {ledger::Dimension::kDay, ledger::Dimension::kRequestClass, ledger::Dimension::kCustomerTier},
      {ledger::Dimension::kTask}};
  for (const auto& by : breakdowns) {
    const ledger::Rollup rollup = RollupOf(ledger, by);
    std::string names;
    for (ledger::Dimension column : rollup.columns())
      absl::StrAppend(&names, names.empty() ? "" : ", ", std::string(NameOf(column)));
    const auto sql =
        Query(file, absl::StrCat("SELECT ", names,
                                 ", count(*), sum(cost_nanos), sum(input_tokens), "
                                 "coalesce(sum(revenue_nanos), 0), sum(saved_routing_nanos) FROM calls "
                                 "GROUP BY ",
                                 names, " ORDER BY ", names));
    auto ours = rollup.Rows();
    std::sort(ours.begin(), ours.end(), [](const auto& a, const auto& b) { return a.values < b.values; });
    ASSERT_EQ(ours.size(), sql.size()) << names;
    for (size_t i = 0; i < ours.size(); ++i) {
      std::vector<std::string> row = ours[i].values;
      const ledger::Totals& totals = ours[i].totals;
      for (int64_t sum : {totals.calls, totals.cost_nanos, totals.input_tokens, totals.revenue_nanos,
                          totals.saved_routing_nanos}) {
        row.push_back(absl::StrCat(sum));
      }
      EXPECT_EQ(row, sql[i]);
    }
  }
  // Line items add up to the calls, and every view can be read.
  EXPECT_EQ(Query(file, "SELECT sum(cost_nanos) FROM line_items"),
            Query(file, "SELECT sum(cost_nanos) FROM calls"));
  for (const char* view : {"cost_by_model", "cost_by_customer", "cost_by_task", "cost_by_feature",
                           "cost_by_day", "margin_by_class", "tiers_by_month", "savings_by_lever"}) {
    EXPECT_FALSE(Query(file, absl::StrCat("SELECT * FROM ", view)).empty()) << view;
  }
}

TEST(BooksTest, PresumedSpendThatIsSettledLateCountsOnce) {
  const std::string ledger = NewPath("late"), file = NewPath("late.sqlite");
  ledger::Encoder encode;
  ledger::RecordView record;
  record.model = "m";
  record.ticket = 7;
  record.cost_nanos = 500;
  record.flags = ledger::PRESUMED;
  Append(ledger, ledger::RECORD, encode(record));
  EXPECT_EQ(RollupOf(ledger, {ledger::Dimension::kModel}).total().cost_nanos, 500);
  record.cost_nanos = 300;
  record.flags = ledger::LATE;
  Append(ledger, ledger::RECORD, encode(record));
  ledger::AdjustedView adjusted;
  adjusted.delta_nanos = -20;
  Append(ledger, ledger::ADJUSTED, encode(adjusted));
  const ledger::Rollup rollup = RollupOf(ledger, {ledger::Dimension::kModel});
  EXPECT_EQ(rollup.total().cost_nanos, 280);
  EXPECT_EQ(rollup.total().calls, 1);
  EXPECT_EQ(rollup.total().presumed, 0);
  ASSERT_TRUE(ExportToSqlite(ledger, file, {}).ok());
  EXPECT_EQ(Query(file, "SELECT count(*), sum(cost_nanos) FROM calls"),
            (std::vector<std::vector<std::string>>{{"1", "300"}}));
}

TEST(BooksTest, TheSameIdInTwoTenantsIsTwoThings) {
  ledger::Rollup rollup({ledger::Dimension::kCustomer});
  ledger::Entry entry;
  entry.record.customer = "c";
  for (const char* tenant : {"a", "b", ""}) {
    entry.record.tenant = tenant;
    rollup.Add(entry);
  }
  // Nor does a border between two values move.
  entry.record.tenant = "ac";
  entry.record.customer = "";
  rollup.Add(entry);
  EXPECT_EQ(rollup.keys(), 4u);
}

TEST(BooksTest, TimesAgreeWithTheCalendar) {
  for (int64_t day = -30000; day < 60000; day += 1) {
    ledger::RecordView record;
    record.time_nanos = day * 86'400'000'000'000 + 43'210'000'000'007;
    const absl::CivilSecond civil =
        absl::ToCivilSecond(absl::FromUnixNanos(record.time_nanos), absl::UTCTimeZone());
    ledger::KeyBuffer buffer;
    ASSERT_EQ(ledger::KeyOf(record, ledger::Dimension::kDay, buffer),
              absl::FormatCivilTime(absl::CivilDay(civil)));
    // ISO weeks begin on Mondays, and belong to the year of their Thursday.
    const absl::CivilDay monday = absl::PrevWeekday(absl::CivilDay(civil) + 1, absl::Weekday::monday);
    const absl::CivilDay thursday = monday + 3;
    const int64_t week = (thursday - absl::CivilDay(thursday.year(), 1, 1)) / 7 + 1;
    ASSERT_EQ(ledger::KeyOf(record, ledger::Dimension::kWeek, buffer),
              absl::StrCat(thursday.year(), "-W", absl::Dec(week, absl::kZeroPad2)));
    ASSERT_EQ(ledger::FormatTime(record.time_nanos).substr(0, 19), absl::FormatCivilTime(civil));
  }
  EXPECT_EQ(ledger::FormatTime(1'772'438'410'044'000'000), "2026-03-02T08:00:10.044Z");
  EXPECT_EQ(ledger::FormatTime(1'772'438'410'000'000'000), "2026-03-02T08:00:10Z");
}

TEST(BooksTest, DimensionsAreReadByName) {
  for (ledger::Dimension dimension : ledger::AllDimensions())
    EXPECT_EQ(*ledger::ParseDimension(NameOf(dimension)), dimension);
  EXPECT_EQ(ledger::ParseDimensions("customer,day")->size(), 2u);
  EXPECT_FALSE(ledger::ParseDimensions("customer,,day").ok());
  EXPECT_FALSE(ledger::ParseDimensions("colour").ok());
}

}  // namespace
}  // namespace purser::economics
