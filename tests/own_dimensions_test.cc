// A caller's own dimensions: booked, kept and reported like ours.

#include <purser/live_books.h>
#include <purser/purser.h>
#include <sqlite3.h>

#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "engine/cli/request_file.h"
#include "engine/economics/record_export.h"
#include "engine/economics/sqlite_export.h"
#include "engine/ledger/log_scanner.h"
#include "engine/ledger/record_json.h"
#include "engine/ledger/record_reader.h"
#include "engine/ledger/rollup.h"
#include "gtest/gtest.h"
#include "tests/support/engine_fixture.h"

namespace purser {
namespace {

using Own = std::vector<std::pair<std::string, std::string>>;

std::string ReadFile(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

Own OwnOf(const auto& own_dimensions) {
  Own own;
  for (const auto& dimension : own_dimensions) own.emplace_back(dimension.name, dimension.value);
  return own;
}

class OwnDimensionsTest : public EngineTest {
 protected:
  // What the request refers to is gone when this returns.
  Action Decide(Engine* engine, const Own& own) {
    Request request;
    request.id = "r";
    request.tenant = "acme";
    request.messages = {&question_, 1};
    std::vector<OwnDimension> dimensions;
    for (const auto& [name, value] : own) dimensions.push_back({name, value});
    request.own_dimensions = dimensions;
    engine->Decide(request, &decision_);
    return decision_.action;
  }
  void Book(Engine* engine, const Own& own) {
    ASSERT_EQ(Decide(engine, own), Action::kDispatch) << decision_.reason;
    ASSERT_TRUE(engine->MarkDispatched(decision_.ticket));
    ASSERT_EQ(SettleWith(engine, decision_.ticket, 1000, 10).result, SettleResult::kSettled);
  }

  const Message question_{Role::kUser, "What is a quorum?"};
  Decision decision_;
};

TEST_F(OwnDimensionsTest, WhatIsBeyondTheirBoundsIsRefusedAndNothingIsHeld) {
  const auto engine = Open(std::string(kTestCandidates) +
                           R"(budgets { name: "all" scope: GLOBAL requests: 1 when_short: DENY })");
  Own nine;
  for (char c = 'a'; c <= 'i'; ++c) nine.emplace_back(std::string(1, c), "v");
  const struct {
    Own own;
    const char* reason;
  } cases[] = {
      {nine, "9 own dimensions; at most 8"},
      {{{"", "v"}}, "\"\" has no valid name"},
      {{{"Experiment", "v"}}, "\"Experiment\" has no valid name; expected 1 to 64 of a-z"},
      {{{"two words", "v"}}, "no valid name"},
      {{{"a\n", "v"}}, "\"a\\n\" has no valid name"},
      {{{std::string(65, 'a'), "v"}}, "no valid name"},
      {{{"a", std::string(257, 'v')}}, "\"a\" has a value of 257 bytes; expected at most 256"},
      {{{"a", "v"}, {"b", "v"}, {"a", "w"}}, "\"a\" is there twice"},
  };
  for (const auto& wrong : cases) {
    EXPECT_EQ(Decide(engine.get(), wrong.own), Action::kRefuse);
    EXPECT_EQ(decision_.refusal, Refusal::kBadRequest);
    EXPECT_NE(decision_.reason.find(wrong.reason), std::string::npos) << decision_.reason;
    EXPECT_EQ(decision_.ticket, 0u);
  }
  nine.pop_back();
  nine[0] = {std::string(64, 'z'), std::string(256, '\xff')};
  nine[1].first = "0-9_a.z";
  EXPECT_EQ(Decide(engine.get(), nine), Action::kDispatch) << decision_.reason;
}

TEST_F(OwnDimensionsTest, AFailedOverCallIsRefusedAndItsHoldGoes) {
  const auto engine = Open(kTestCandidates);
  ASSERT_EQ(Decide(engine.get(), {{"a", "v"}}), Action::kDispatch);
  const Ticket ticket = decision_.ticket;
  Request request;
  request.messages = {&question_, 1};
  const OwnDimension wrong{"A", "v"};
  request.own_dimensions = {&wrong, 1};
  engine->FailOver(request, &decision_);
  EXPECT_EQ(decision_.refusal, Refusal::kBadRequest);
  EXPECT_FALSE(engine->MarkDispatched(ticket));
}

TEST_F(OwnDimensionsTest, AreReadFromRequestsAndTraces) {
  const std::string path = (folder_ / "request.json").string();
  std::ofstream(path) << R"({"request_id": "r", "dimensions": {"experiment": "b", "arm": "2"}})";
  const auto file = cli::RequestFile::Read(path);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_TRUE((*file)->notes().empty());
  EXPECT_EQ(OwnOf((*file)->request().own_dimensions), (Own{{"arm", "2"}, {"experiment", "b"}}));
}

TEST_F(OwnDimensionsTest, ADispatchAndARecordHaveThem) {
  const Own own = {{"experiment", "b"}, {"empty", ""}, {"bytes", std::string("\0\xff\n", 3)}};
  {
    const auto engine = Open(kTestCandidates, /*with_ledger=*/true);
    Book(engine.get(), own);
    Book(engine.get(), {});
  }
  auto scanner = ledger::LogScanner::Open(ledger());
  ASSERT_TRUE(scanner.ok()) << scanner.status();
  ledger::Frame frame;
  std::vector<Own> dispatched, booked;
  while (*(*scanner)->Next(&frame)) {
    if (frame.type == ledger::DISPATCHED) {
      ledger::DispatchedView view;
      ASSERT_TRUE(ledger::Decode(frame.payload, &view));
      dispatched.push_back(OwnOf(view.own_dimensions));
    } else if (frame.type == ledger::RECORD) {
      ledger::RecordView view;
      ASSERT_TRUE(ledger::Decode(frame.payload, &view));
      booked.push_back(OwnOf(view.own_dimensions));
    }
  }
  EXPECT_EQ(dispatched, (std::vector<Own>{own, {}}));
  EXPECT_EQ(booked, (std::vector<Own>{own, {}}));
}

TEST_F(OwnDimensionsTest, ACachedAnswerIsBookedWithThem) {
  const std::string policy =
      std::string(kTestCandidates) + R"(caching { namespace_template: "{tenant}" defaults { mode: EXACT } })";
  {
    const auto engine = Open(policy, /*with_ledger=*/true);
    ASSERT_EQ(Decide(engine.get(), {{"experiment", "a"}}), Action::kDispatch);
    Request request;
    request.tenant = "acme";
    request.messages = {&question_, 1};
    engine->StoreInCache(request, decision_, {.text = "An answer."});
    ASSERT_EQ(Decide(engine.get(), {{"experiment", "b"}}), Action::kAnswer);
  }
  auto reader = ledger::RecordReader::Open(ledger());
  ASSERT_TRUE(reader.ok()) << reader.status();
  ledger::Entry entry;
  ASSERT_TRUE(*(*reader)->Next(&entry));
  EXPECT_EQ(OwnOf(entry.record.own_dimensions), (Own{{"experiment", "b"}}));
}

TEST_F(OwnDimensionsTest, AreReportedAndExported) {
  {
    const auto engine = Open(kTestCandidates, /*with_ledger=*/true);
    Book(engine.get(), {{"arm", "x"}, {"experiment", "a"}});
    Book(engine.get(), {{"experiment", "b"}});
    Book(engine.get(), {{"experiment", "b"}});
    Book(engine.get(), {});
  }
  const auto by = ledger::ParseDimensions("own.experiment,day");
  ASSERT_TRUE(by.ok()) << by.status();
  EXPECT_EQ(ledger::NameOf((*by)[0]), "own.experiment");
  EXPECT_EQ(*ledger::ParseDimension("own.experiment"), (*by)[0]);
  EXPECT_NE(*ledger::ParseDimension("own.arm"), (*by)[0]);
  EXPECT_FALSE(ledger::ParseDimension("own.").ok());
  EXPECT_FALSE(ledger::ParseDimension("own.Experiment").ok());

  ledger::Rollup rollup({(*by)[0]});
  auto reader = ledger::RecordReader::Open(ledger());
  ASSERT_TRUE(reader.ok()) << reader.status();
  (*reader)->LeaveOutLists();
  ledger::Entry entry;
  std::string dumped;
  while (*(*reader)->Next(&entry)) {
    rollup.Add(entry);
    dumped += ledger::JsonLine(ledger::RecordToJson(entry.record)) + "\n";
  }
  EXPECT_NE(dumped.find(R"("dimensions":{"arm":"x","experiment":"a"})"), std::string::npos) << dumped;
  std::vector<std::pair<std::string, int64_t>> calls;
  for (const ledger::Rollup::Row& row : rollup.Rows()) {
    EXPECT_EQ(row.values.front(), "acme");
    calls.emplace_back(row.values.back(), row.totals.calls);
  }
  EXPECT_EQ(calls, (std::vector<std::pair<std::string, int64_t>>{{"b", 2}, {"", 1}, {"a", 1}}));

  const std::string database = (folder_ / "calls.db").string();
  ASSERT_TRUE(economics::ExportToSqlite(ledger(), database, {}).ok());
  sqlite3* opened = nullptr;
  ASSERT_EQ(sqlite3_open(database.c_str(), &opened), SQLITE_OK);
  sqlite3_stmt* query = nullptr;
  ASSERT_EQ(sqlite3_prepare_v2(opened,
                               "SELECT count(*) FROM calls JOIN own_dimensions ON call_id = id "
                               "WHERE name = 'experiment' AND value = 'b'",
                               -1, &query, nullptr),
            SQLITE_OK)
      << sqlite3_errmsg(opened);
  ASSERT_EQ(sqlite3_step(query), SQLITE_ROW);
  EXPECT_EQ(sqlite3_column_int(query, 0), 2);
  sqlite3_finalize(query);
  sqlite3_close(opened);

  const std::filesystem::path otel = folder_ / "spans.jsonl", focus = folder_ / "focus.csv";
  ASSERT_TRUE(economics::ExportOpenTelemetry(ledger(), otel.string()).ok());
  ASSERT_TRUE(economics::ExportFocus(ledger(), focus.string()).ok());
  EXPECT_NE(ReadFile(otel).find(R"("purser.own.experiment":"a")"), std::string::npos);
  EXPECT_NE(ReadFile(focus).find(R"(""own.experiment"":""a"")"), std::string::npos);
}

TEST_F(OwnDimensionsTest, AreInTheBooksOfARunningProcess) {
  auto books = LiveBooks::Create({.by = {{"own.experiment-2"}}});
  ASSERT_TRUE(books.ok()) << books.status();
  Options options = OptionsFor(kTestCandidates);
  options.live_books = books->get();
  auto engine = Engine::Open(options);
  ASSERT_TRUE(engine.ok()) << engine.status();
  Book(engine->get(), {{"experiment-2", "b"}});
  EXPECT_NE((*books)->Prometheus().find(R"(purser_calls_by_own_experiment_2_total{own_experiment_2="b"} 1)"),
            std::string::npos)
      << (*books)->Prometheus();
}

}  // namespace
}  // namespace purser
