// What is true of each dimension of a request, whichever they are: a new row of the table is tested by being
// there.

#include <purser/purser.h>
#include <sqlite3.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "engine/cli/request_file.h"
#include "engine/economics/record_export.h"
#include "engine/economics/sqlite_export.h"
#include "engine/ledger/record_json.h"
#include "engine/ledger/record_reader.h"
#include "engine/ledger/rollup.h"
#include "gtest/gtest.h"
#include "tests/support/engine_fixture.h"

namespace purser {
namespace {

std::string ReadFile(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

// What `purser` prints.
std::string OutputOf(const std::string& arguments) {
  FILE* pipe = ::popen(("engine/cli/purser " + arguments).c_str(), "r");
  std::string output;
  char buffer[4096];
  while (const size_t size = std::fread(buffer, 1, sizeof(buffer), pipe)) output.append(buffer, size);
  EXPECT_EQ(::pclose(pipe), 0) << arguments;
  return output;
}

class DimensionsTest : public EngineTest, public ::testing::WithParamInterface<RequestDimension> {
 protected:
  std::string name() const { return std::string(GetParam().name); }

  // "$" stands for the dimension's name.
  std::string Policy(const std::string& text) const {
    std::string policy = kTestCandidates + text;
    for (size_t at; (at = policy.find('$')) != std::string::npos;) policy.replace(at, 1, name());
    return policy;
  }
  bool IsWrong(const std::string& policy) const {
    const std::vector<PolicyFinding> findings = CheckPolicy(SourceFor(policy));
    return std::any_of(findings.begin(), findings.end(), [](const PolicyFinding& finding) {
      return finding.severity == PolicyFinding::Severity::kError;
    });
  }
  // One call for each key.
  std::string BudgetPolicy() const {
    const bool of_task = name() == "task";
    return Policy(std::string("budgets { name: \"cap\" ") + (of_task ? "scope: TASK" : "key: \"{$}\"") +
                  " requests: 1 when_short: DENY }");
  }

  Request RequestWith(std::string_view value) const {
    Request request;
    request.id = "r";
    request.messages = {&question_, 1};
    request.*GetParam().member = value;
    return request;
  }
  Action Decide(Engine* engine, std::string_view value) {
    engine->Decide(RequestWith(value), &decision_);
    return decision_.action;
  }
  // Books one call.
  void Book(Engine* engine, std::string_view value) {
    ASSERT_EQ(Decide(engine, value), Action::kDispatch) << decision_.reason;
    ASSERT_TRUE(engine->MarkDispatched(decision_.ticket));
    ASSERT_EQ(SettleWith(engine, decision_.ticket, 1000, 10).result, SettleResult::kSettled);
  }

  const Message question_{Role::kUser, "What is a quorum?"};
  Decision decision_;
};

INSTANTIATE_TEST_SUITE_P(Each, DimensionsTest, ::testing::ValuesIn(kRequestDimensions),
                         [](const auto& info) { return std::string(info.param.name); });

TEST_P(DimensionsTest, IsReadFromRequestsAndTraces) {
  const std::string path = (folder_ / "request.json").string();
  std::ofstream(path) << R"({"request_id": "r", ")" << name() << R"(": "some value"})";
  const auto file = cli::RequestFile::Read(path);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_TRUE((*file)->notes().empty()) << (*file)->notes()[0];
  EXPECT_EQ((*file)->request().*GetParam().member, "some value");
}

TEST_P(DimensionsTest, IsReadByRules) {
  const auto engine = Open(Policy(R"(
    signals { name: "s" field: "$" }
    rules { name: "no" when { signal: "s" one_of: "a" } refuse: "not that one" })"));
  EXPECT_EQ(Decide(engine.get(), "a"), Action::kRefuse);
  EXPECT_EQ(decision_.reason, "not that one");
  EXPECT_EQ(Decide(engine.get(), "b"), Action::kDispatch);
}

TEST_P(DimensionsTest, KeysBudgets) {
  if (!GetParam().in_budgets) {
    EXPECT_TRUE(IsWrong(BudgetPolicy()));
    return;
  }
  const auto engine = Open(BudgetPolicy());
  EXPECT_EQ(Decide(engine.get(), "a"), Action::kDispatch);
  EXPECT_EQ(Decide(engine.get(), "a"), Action::kRefuse);
  EXPECT_EQ(decision_.refusal, Refusal::kBudget);
  EXPECT_EQ(Decide(engine.get(), "b"), Action::kDispatch);
}

TEST_P(DimensionsTest, FiltersBudgets) {
  if (!GetParam().in_budgets) return;
  const auto engine = Open(Policy(R"(
    budgets { name: "cap" scope: GLOBAL only_for { dimensions { name: "$" one_of: "a" } }
              requests: 1 when_short: DENY })"));
  EXPECT_EQ(Decide(engine.get(), "b"), Action::kDispatch);
  EXPECT_EQ(Decide(engine.get(), "b"), Action::kDispatch);
  EXPECT_EQ(Decide(engine.get(), "a"), Action::kDispatch);
  EXPECT_EQ(Decide(engine.get(), "a"), Action::kRefuse);
}

TEST_P(DimensionsTest, IsNotLostInARestart) {
  if (!GetParam().in_budgets) return;
  {
    const auto engine = Open(BudgetPolicy(), /*with_ledger=*/true);
    Book(engine.get(), "settled");
    ASSERT_EQ(Decide(engine.get(), "dispatched"), Action::kDispatch);
    ASSERT_TRUE(engine->MarkDispatched(decision_.ticket));
  }
  const auto engine = Open(BudgetPolicy(), /*with_ledger=*/true);
  EXPECT_EQ(Decide(engine.get(), "settled"), Action::kRefuse);
  EXPECT_EQ(Decide(engine.get(), "dispatched"), Action::kRefuse);
  EXPECT_EQ(Decide(engine.get(), "neither"), Action::kDispatch);
}

TEST_P(DimensionsTest, ATopUpReachesItsAccountAfterARestart) {
  if (!GetParam().in_budgets) return;
  const std::string policy =
      Policy(std::string("budgets { name: \"cap\" ") + (name() == "task" ? "scope: TASK" : "key: \"{$}\"") +
             " usd: \"0.000001\" when_short: DENY }");
  {
    const auto engine = Open(policy, /*with_ledger=*/true);
    ASSERT_EQ(Decide(engine.get(), "a"), Action::kRefuse);
    ASSERT_TRUE(engine->TopUp("cap", RequestWith("a"), 1'000'000'000, 0, 0, "more").ok());
  }
  const auto engine = Open(policy, /*with_ledger=*/true);
  EXPECT_EQ(Decide(engine.get(), "a"), Action::kDispatch) << decision_.reason;
  EXPECT_EQ(Decide(engine.get(), "b"), Action::kRefuse);
}

TEST_P(DimensionsTest, KeepsCachedAnswersApart) {
  const std::string policy = Policy(R"(caching { namespace_template: "{$}" defaults { mode: EXACT } })");
  if (!GetParam().in_namespaces) {
    EXPECT_TRUE(IsWrong(policy));
    return;
  }
  const auto engine = Open(policy);
  ASSERT_EQ(Decide(engine.get(), "a"), Action::kDispatch);
  engine->StoreInCache(RequestWith("a"), decision_, {.text = "An answer."});
  EXPECT_EQ(Decide(engine.get(), "b"), Action::kDispatch);
  EXPECT_EQ(Decide(engine.get(), "a"), Action::kAnswer);
}

TEST_P(DimensionsTest, IsBookedReportedAndExported) {
  {
    const auto engine = Open(kTestCandidates, /*with_ledger=*/true);
    Book(engine.get(), "value-a");
    Book(engine.get(), "value-b");
    Book(engine.get(), "value-b");
  }
  const auto by = ledger::ParseDimension(name());
  ASSERT_TRUE(by.ok()) << by.status();
  ledger::Rollup rollup({*by});
  EXPECT_EQ(rollup.columns().size(), GetParam().within_tenant ? 2u : 1u);

  auto reader = ledger::RecordReader::Open(ledger());
  ASSERT_TRUE(reader.ok()) << reader.status();
  ledger::Entry entry;
  std::vector<std::string> booked;
  while (*(*reader)->Next(&entry)) {
    rollup.Add(entry);
    booked.emplace_back(entry.record.*GetParam().member);
    EXPECT_EQ(ledger::RecordToJson(entry.record)[name()], booked.back());
  }
  EXPECT_EQ(booked, (std::vector<std::string>{"value-a", "value-b", "value-b"}));
  const std::vector<ledger::Rollup::Row> rows = rollup.Rows();
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].values.back(), "value-b");
  EXPECT_EQ(rows[0].totals.calls, 2);

  const std::string database = (folder_ / "calls.db").string();
  ASSERT_TRUE(economics::ExportToSqlite(ledger(), database, {}).ok());
  sqlite3* opened = nullptr;
  ASSERT_EQ(sqlite3_open(database.c_str(), &opened), SQLITE_OK);
  sqlite3_stmt* query = nullptr;
  const std::string sql = "SELECT count(*) FROM calls WHERE " + name() + " = 'value-b'";
  ASSERT_EQ(sqlite3_prepare_v2(opened, sql.c_str(), -1, &query, nullptr), SQLITE_OK)
      << sqlite3_errmsg(opened);
  ASSERT_EQ(sqlite3_step(query), SQLITE_ROW);
  EXPECT_EQ(sqlite3_column_int(query, 0), 2);
  sqlite3_finalize(query);
  sqlite3_close(opened);

  const std::filesystem::path otel = folder_ / "spans.jsonl", focus = folder_ / "focus.csv";
  ASSERT_TRUE(economics::ExportOpenTelemetry(ledger(), otel.string()).ok());
  ASSERT_TRUE(economics::ExportFocus(ledger(), focus.string()).ok());
  const std::string attribute =
      GetParam().otel_attribute.empty() ? "purser." + name() : std::string(GetParam().otel_attribute);
  EXPECT_NE(ReadFile(otel).find("\"" + attribute + "\":\"value-a\""), std::string::npos);
  EXPECT_NE(ReadFile(focus).find("value-a"), std::string::npos);
}

TEST_P(DimensionsTest, IsReportedByTheCommand) {
  {
    const auto engine = Open(kTestCandidates, /*with_ledger=*/true);
    Book(engine.get(), "value-a");
  }
  EXPECT_NE(OutputOf("report " + ledger() + " --json --by " + name()).find("\"" + name() + "\":\"value-a\""),
            std::string::npos);
  EXPECT_NE(OutputOf("ledger dump " + ledger()).find("\"" + name() + "\":\"value-a\""), std::string::npos);
}

}  // namespace
}  // namespace purser
