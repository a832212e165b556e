#include "engine/cli/outcome_export.h"

#include <fstream>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/cli/lines_by_request.h"
#include "engine/cli/outcome_value.h"
#include "engine/ledger/record_reader.h"

namespace purser::cli {
absl::StatusOr<OutcomeExport> ExportOutcomes(const std::string& ledger, const std::string& embeddings,
                                             const std::string& out) {
  const absl::StatusOr<LinesByRequest> known =
      ReadLinesByRequest(embeddings, "embedding", nlohmann::json::value_t::array, "embedding_model");
  if (!known.ok()) return known.status();
  absl::StatusOr<std::unique_ptr<ledger::RecordReader>> reader = ledger::RecordReader::Open(ledger);
  if (!reader.ok()) return reader.status();
  (*reader)->LeaveOutLists();
  std::ofstream file(out);
  OutcomeExport exported;
  ledger::Entry entry;
  while (true) {
    const absl::StatusOr<bool> more = (*reader)->Next(&entry);
    if (!more.ok()) return more.status();
    if (!*more) break;
    const ledger::RecordView& record = entry.record;
    if (entry.adjustment || entry.sign < 0 || record.cache_hit != ledger::CACHE_NONE) continue;
    const std::optional<double> good = ReportedOutcome(record);
    const auto embedding = known->find(std::string(record.request_id));
    if (!good) {
      ++exported.without_outcome;
    } else if (embedding == known->end()) {
      ++exported.without_embedding;
    } else {
      nlohmann::ordered_json line = embedding->second;
      line["outcomes"][std::string(record.candidate)] = *good;
      file << line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) << '\n';
      ++exported.written;
    }
  }
  file.close();
  if (!file) {
    return absl::UnavailableError(
        absl::StrCat(out, ": cannot be written; is there such a folder, and space?"));
  }
  return exported;
}

}  // namespace purser::cli
