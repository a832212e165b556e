#include "engine/economics/sqlite_export.h"

#include <purser/dimensions.h>
#include <sqlite3.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <memory>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "engine/ledger/dimension.h"
#include "engine/ledger/record_reader.h"

namespace purser::economics {
namespace {

// A column of `calls`: exactly one of the sources is set.
struct Column {
  const char* name = nullptr;
  std::string_view ledger::RecordView::*text = nullptr;
  int64_t ledger::RecordView::*number = nullptr;
  int64_t (*other)(const ledger::RecordView&) = nullptr;
};

constexpr Column kFirstColumns[] = {
    {"request_id", &ledger::RecordView::request_id},
    {"ticket", nullptr, nullptr, [](const ledger::RecordView& r) { return static_cast<int64_t>(r.ticket); }},
    {"time_nanos", nullptr, &ledger::RecordView::time_nanos},
};
constexpr Column kLastColumns[] = {
    {"request_class", &ledger::RecordView::request_class},
    {"step", nullptr, nullptr, [](const ledger::RecordView& r) -> int64_t { return r.step; }},
    {"attempt", nullptr, nullptr, [](const ledger::RecordView& r) -> int64_t { return r.attempt; }},
    {"region", &ledger::RecordView::region},
    {"provider", &ledger::RecordView::provider},
    {"model", &ledger::RecordView::model},
    {"model_asked", &ledger::RecordView::model_asked},
    {"candidate", &ledger::RecordView::candidate},
    {"service_tier", &ledger::RecordView::service_tier},
    {"policy_revision", nullptr, nullptr,
     [](const ledger::RecordView& r) { return static_cast<int64_t>(r.policy_revision); }},
    {"price_revision", nullptr, nullptr,
     [](const ledger::RecordView& r) { return static_cast<int64_t>(r.price_revision); }},
    {"flags", nullptr, nullptr, [](const ledger::RecordView& r) -> int64_t { return r.flags; }},
    {"input_tokens", nullptr, &ledger::RecordView::input_tokens},
    {"cached_input_tokens", nullptr, &ledger::RecordView::cached_input_tokens},
    {"cache_write_tokens", nullptr, &ledger::RecordView::cache_write_tokens},
    {"output_tokens", nullptr, &ledger::RecordView::output_tokens},
    {"reasoning_tokens", nullptr, &ledger::RecordView::reasoning_tokens},
    {"cache_hit", nullptr, nullptr, [](const ledger::RecordView& r) -> int64_t { return r.cache_hit; }},
    {"latency_us", nullptr, &ledger::RecordView::latency_us},
    {"first_token_us", nullptr, &ledger::RecordView::first_token_us},
    {"cost_nanos", nullptr, &ledger::RecordView::cost_nanos},
    {"estimated_nanos", nullptr, &ledger::RecordView::estimated_nanos},
    {"held_nanos", nullptr, &ledger::RecordView::held_nanos},
    {"default_cost_nanos", nullptr, &ledger::RecordView::default_cost_nanos},
    {"best_constant_nanos", nullptr, &ledger::RecordView::best_constant_nanos},
    {"saved_routing_nanos", nullptr, &ledger::RecordView::saved_routing_nanos},
    {"saved_cache_nanos", nullptr, &ledger::RecordView::saved_cache_nanos},
    {"saved_prompt_cache_nanos", nullptr, &ledger::RecordView::saved_prompt_cache_nanos},
    {"saved_clamp_nanos", nullptr, &ledger::RecordView::saved_clamp_nanos},
    {"saved_batch_nanos", nullptr, &ledger::RecordView::saved_batch_nanos},
    {"outcome", nullptr, nullptr, [](const ledger::RecordView& r) -> int64_t { return r.outcome; }},
};
constexpr int kColumnCount =
    static_cast<int>(std::size(kFirstColumns) + kRequestDimensionCount + std::size(kLastColumns));

// The request's dimensions stand between the two.
constexpr std::array<Column, kColumnCount> kColumns = [] {
  std::array<Column, kColumnCount> columns{};
  size_t count = 0;
  for (const Column& column : kFirstColumns) columns[count++] = column;
  for (const RequestDimension& dimension : kRequestDimensions)
    columns[count++] = {dimension.name.data(), dimension.member};
  for (const Column& column : kLastColumns) columns[count++] = column;
  return columns;
}();

constexpr char kViews[] = R"sql(
CREATE INDEX calls_by_time ON calls (time_nanos);
CREATE INDEX calls_by_customer ON calls (tenant, customer, time_nanos);
CREATE INDEX calls_by_task ON calls (tenant, task);
CREATE VIEW cost_by_model AS SELECT provider, model, count(*) AS calls, sum(input_tokens) AS input_tokens,
  sum(output_tokens) AS output_tokens, sum(cost_nanos) AS cost_nanos, sum(cost_nanos) / 1e9 AS cost_usd
  FROM calls GROUP BY provider, model ORDER BY cost_nanos DESC;
CREATE VIEW cost_by_customer AS SELECT tenant, customer, count(*) AS calls, sum(cost_nanos) AS cost_nanos,
  sum(cost_nanos) / 1e9 AS cost_usd, sum(revenue_nanos) / 1e9 AS revenue_usd
  FROM calls GROUP BY tenant, customer ORDER BY cost_nanos DESC;
CREATE VIEW cost_by_task AS SELECT tenant, task, count(*) AS calls, sum(cost_nanos) AS cost_nanos,
  sum(cost_nanos) / 1e9 AS cost_usd FROM calls GROUP BY tenant, task ORDER BY cost_nanos DESC;
CREATE VIEW cost_by_feature AS SELECT tenant, feature, count(*) AS calls, sum(cost_nanos) AS cost_nanos,
  sum(cost_nanos) / 1e9 AS cost_usd FROM calls GROUP BY tenant, feature ORDER BY cost_nanos DESC;
CREATE VIEW cost_by_day AS SELECT day, count(*) AS calls, sum(cost_nanos) AS cost_nanos,
  sum(cost_nanos) / 1e9 AS cost_usd FROM calls GROUP BY day ORDER BY day;
CREATE VIEW margin_by_class AS SELECT request_class, count(*) AS calls, sum(cost_nanos) / 1e9 AS cost_usd,
  sum(revenue_nanos) / 1e9 AS revenue_usd,
  (coalesce(sum(revenue_nanos), 0) - sum(cost_nanos)) / 1e9 AS margin_usd,
  (coalesce(sum(revenue_nanos), 0) - sum(cost_nanos)) / 1e9 / count(*) AS margin_per_call_usd
  FROM calls GROUP BY request_class ORDER BY margin_usd;
CREATE VIEW tiers_by_month AS SELECT substr(day, 1, 7) AS month, customer_tier,
  count(DISTINCT tenant || char(0) || customer) AS customers, sum(cost_nanos) / 1e9 AS cost_usd,
  sum(revenue_nanos) / 1e9 AS revenue_usd,
  (coalesce(sum(revenue_nanos), 0) - sum(cost_nanos)) / 1e9 / count(DISTINCT tenant || char(0) || customer)
    AS margin_per_customer_usd
  FROM calls GROUP BY month, customer_tier ORDER BY month, customer_tier;
CREATE VIEW savings_by_lever AS SELECT sum(saved_routing_nanos) / 1e9 AS routing_usd,
  sum(saved_cache_nanos) / 1e9 AS cache_usd, sum(saved_prompt_cache_nanos) / 1e9 AS prompt_cache_usd,
  sum(saved_clamp_nanos) / 1e9 AS clamp_usd, sum(saved_batch_nanos) / 1e9 AS batch_usd FROM calls;
)sql";

struct CloseDatabase {
  void operator()(sqlite3* database) const { sqlite3_close(database); }
};
struct FinalizeStatement {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Statement = std::unique_ptr<sqlite3_stmt, FinalizeStatement>;

class Exporter {
 public:
  explicit Exporter(const SqliteExportOptions& options) : options_(options) {}

  absl::StatusOr<int64_t> Run(const std::string& ledger, const std::string& file) {
    absl::StatusOr<std::unique_ptr<ledger::RecordReader>> reader = ledger::RecordReader::Open(ledger);
    if (!reader.ok()) return reader.status();
    if (absl::Status status = OpenDatabase(file); !status.ok()) return status;
    ledger::Entry entry;
    while (true) {
      absl::StatusOr<bool> more = (*reader)->Next(&entry);
      if (!more.ok()) return more.status();
      if (!*more) break;
      if (absl::Status status = Add(entry); !status.ok()) return status;
    }
    if (absl::Status status = Execute(kViews); !status.ok()) return status;
    if (absl::Status status = Execute("COMMIT"); !status.ok()) return status;
    return rows_;
  }

 private:
  absl::Status Error() const {
    return absl::InternalError(absl::StrCat("SQLite: ", sqlite3_errmsg(database_.get())));
  }
  absl::Status Execute(const std::string& sql) {
    return sqlite3_exec(database_.get(), sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK
               ? absl::OkStatus()
               : Error();
  }
  absl::Status Prepare(const std::string& sql, Statement* statement) {
    sqlite3_stmt* prepared = nullptr;
    if (sqlite3_prepare_v2(database_.get(), sql.c_str(), -1, &prepared, nullptr) != SQLITE_OK) return Error();
    statement->reset(prepared);
    return absl::OkStatus();
  }
  absl::Status Step(const Statement& statement) {
    if (sqlite3_step(statement.get()) != SQLITE_DONE) return Error();
    sqlite3_reset(statement.get());
    return absl::OkStatus();
  }

  absl::Status OpenDatabase(const std::string& file) {
    sqlite3* database = nullptr;
    const int result = sqlite3_open_v2(
        file.c_str(), &database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
    database_.reset(database);
    if (result != SQLITE_OK) return Error();
    std::string create = "CREATE TABLE calls (id INTEGER PRIMARY KEY";
    std::string marks = "?";
    for (const Column& column : kColumns) {
      absl::StrAppend(&create, ", ", column.name,
                      column.text != nullptr ? " TEXT NOT NULL" : " INTEGER NOT NULL");
      marks += ", ?";
    }
    // Not known is not zero.
    create += ", similarity REAL, quality REAL, revenue_nanos INTEGER, day TEXT NOT NULL)";
    marks += ", ?, ?, ?, ?";
    // It is a copy, in a file of its own until it is complete: nothing of it has to survive a crash.
    for (const std::string& sql :
         {std::string("PRAGMA journal_mode = OFF"), std::string("PRAGMA synchronous = OFF"),
          std::string("PRAGMA cache_size = -65536"), std::string("BEGIN"), create,
          std::string("CREATE TABLE adjustments (time_nanos INTEGER NOT NULL, ticket INTEGER NOT NULL, "
                      "request_id TEXT NOT NULL, delta_nanos INTEGER NOT NULL)"),
          std::string(
              "CREATE TABLE line_items (call_id INTEGER NOT NULL REFERENCES calls (id), category INTEGER NOT "
              "NULL, meter TEXT NOT NULL, quantity INTEGER NOT NULL, price_nanos INTEGER NOT NULL, "
              "price_unit INTEGER NOT NULL, cost_nanos INTEGER NOT NULL)"),
          std::string(
              "CREATE TABLE own_dimensions (call_id INTEGER NOT NULL REFERENCES calls (id), name TEXT "
              "NOT NULL, value TEXT NOT NULL, PRIMARY KEY (call_id, name)) WITHOUT ROWID")}) {
      if (absl::Status status = Execute(sql); !status.ok()) return status;
    }
    if (absl::Status status = Prepare(absl::StrCat("INSERT INTO calls VALUES (", marks, ")"), &insert_);
        !status.ok()) {
      return status;
    }
    if (absl::Status status = Prepare("INSERT INTO adjustments VALUES (?, ?, ?, ?)", &adjust_);
        !status.ok()) {
      return status;
    }
    if (absl::Status status = Prepare("INSERT INTO line_items VALUES (?, ?, ?, ?, ?, ?, ?)", &insert_item_);
        !status.ok()) {
      return status;
    }
    if (absl::Status status = Prepare("INSERT OR REPLACE INTO own_dimensions VALUES (?, ?, ?)", &insert_own_);
        !status.ok()) {
      return status;
    }
    if (absl::Status status = Prepare("DELETE FROM own_dimensions WHERE call_id = ?", &remove_own_);
        !status.ok()) {
      return status;
    }
    return Prepare("DELETE FROM calls WHERE id = ?", &remove_);
  }

  static void BindText(const Statement& statement, int index, std::string_view text) {
    sqlite3_bind_text(statement.get(), index, text.empty() ? "" : text.data(), static_cast<int>(text.size()),
                      SQLITE_STATIC);
  }

  absl::Status Add(const ledger::Entry& entry) {
    const ledger::RecordView& record = entry.record;
    if (entry.adjustment) {
      sqlite3_bind_int64(adjust_.get(), 1, record.time_nanos);
      sqlite3_bind_int64(adjust_.get(), 2, static_cast<int64_t>(record.ticket));
      BindText(adjust_, 3, record.request_id);
      sqlite3_bind_int64(adjust_.get(), 4, record.cost_nanos);
      return Step(adjust_);
    }
    if (entry.sign < 0) {
      sqlite3_bind_int64(remove_.get(), 1, presumed_[record.ticket]);
      sqlite3_bind_int64(remove_own_.get(), 1, presumed_[record.ticket]);
      --rows_;
      if (absl::Status status = Step(remove_own_); !status.ok()) return status;
      return Step(remove_);
    }
    const int64_t id = ++last_id_;
    ++rows_;
    if (record.flags & ledger::PRESUMED) presumed_[record.ticket] = id;
    sqlite3_bind_int64(insert_.get(), 1, id);
    for (int i = 0; i < kColumnCount; ++i) {
      const Column& column = kColumns[i];
      if (column.text != nullptr) {
        BindText(insert_, i + 2, record.*column.text);
      } else {
        sqlite3_bind_int64(insert_.get(), i + 2,
                           column.number != nullptr ? record.*column.number : column.other(record));
      }
    }
    const int next = kColumnCount + 2;
    if (record.cache_hit == ledger::CACHE_SEMANTIC) {
      sqlite3_bind_double(insert_.get(), next, static_cast<double>(record.similarity));
    } else {
      sqlite3_bind_null(insert_.get(), next);
    }
    if (record.quality) {
      sqlite3_bind_double(insert_.get(), next + 1, static_cast<double>(*record.quality));
    } else {
      sqlite3_bind_null(insert_.get(), next + 1);
    }
    if (record.revenue_nanos) {
      sqlite3_bind_int64(insert_.get(), next + 2, *record.revenue_nanos);
    } else {
      sqlite3_bind_null(insert_.get(), next + 2);
    }
    ledger::KeyBuffer buffer;
    BindText(insert_, next + 3, ledger::KeyOf(record, ledger::Dimension::kDay, buffer));
    if (absl::Status status = Step(insert_); !status.ok()) return status;
    for (const ledger::OwnDimensionView& own : record.own_dimensions) {
      sqlite3_bind_int64(insert_own_.get(), 1, id);
      BindText(insert_own_, 2, own.name);
      BindText(insert_own_, 3, own.value);
      if (absl::Status status = Step(insert_own_); !status.ok()) return status;
    }
    if (!options_.line_items) return absl::OkStatus();
    for (const ledger::LineItemView& item : record.line_items) {
      sqlite3_bind_int64(insert_item_.get(), 1, id);
      sqlite3_bind_int64(insert_item_.get(), 2, item.category);
      BindText(insert_item_, 3, item.meter);
      sqlite3_bind_int64(insert_item_.get(), 4, item.quantity);
      sqlite3_bind_int64(insert_item_.get(), 5, item.price_nanos);
      sqlite3_bind_int64(insert_item_.get(), 6, item.price_unit);
      sqlite3_bind_int64(insert_item_.get(), 7, item.cost_nanos);
      if (absl::Status status = Step(insert_item_); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

  const SqliteExportOptions options_;
  std::unique_ptr<sqlite3, CloseDatabase> database_;
  Statement insert_, adjust_, insert_item_, insert_own_, remove_, remove_own_;  // Gone before the database.
  absl::flat_hash_map<uint64_t, int64_t> presumed_;                             // Ids by ticket.
  int64_t last_id_ = 0;
  int64_t rows_ = 0;
};

}  // namespace

absl::StatusOr<int64_t> ExportToSqlite(const std::string& ledger, const std::string& file,
                                       const SqliteExportOptions& options) {
  if (::access(file.c_str(), F_OK) == 0) {
    return absl::AlreadyExistsError(file + ": exists; remove it, or name another file");
  }
  const std::string unfinished = file + ".tmp";
  ::unlink(unfinished.c_str());
  const absl::StatusOr<int64_t> rows = Exporter(options).Run(ledger, unfinished);
  if (!rows.ok()) {
    ::unlink(unfinished.c_str());
    return rows.status();
  }
  if (std::rename(unfinished.c_str(), file.c_str()) != 0)
    return absl::InternalError(file + ": cannot be written");
  return rows;
}

}  // namespace purser::economics
