#ifndef PURSER_ENGINE_ECONOMICS_SQLITE_EXPORT_H_
#define PURSER_ENGINE_ECONOMICS_SQLITE_EXPORT_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace purser::economics {

struct SqliteExportOptions {
  // A table of the line items, too, a row per item.
  bool line_items = false;
};

// Writes a ledger's books into a new SQLite database: table `calls`, a row per settled call (presumed spend
// that was settled later only once), amounts in integer nano-dollars; table `adjustments`; indexed; and views
// for the common questions: cost_by_model, cost_by_customer, cost_by_task, cost_by_feature, cost_by_day,
// margin_by_class, tiers_by_month, savings_by_lever. Returns the number of rows in `calls`.
//
// The file appears complete or not at all. Errors: ALREADY_EXISTS if it exists; those of the ledger; INTERNAL
// with SQLite's message.
absl::StatusOr<int64_t> ExportToSqlite(const std::string& ledger, const std::string& file,
                                       const SqliteExportOptions& options);

}  // namespace purser::economics

#endif  // PURSER_ENGINE_ECONOMICS_SQLITE_EXPORT_H_
