#include "engine/cli/booked_calls.h"

#include <filesystem>
#include <memory>
#include <system_error>

#include "engine/ledger/record_reader.h"

namespace purser::cli {

absl::StatusOr<std::set<std::string>> BookedCalls(const std::string& ledger,
                                                  const std::set<std::string>& request_ids) {
  std::set<std::string> booked;
  std::error_code error;
  if (!std::filesystem::exists(std::filesystem::path(ledger) / "LEDGER", error)) return booked;
  auto reader = ledger::RecordReader::Open(ledger);
  if (!reader.ok()) return reader.status();
  ledger::Entry entry;
  while (true) {
    const absl::StatusOr<bool> more = (*reader)->Next(&entry);
    if (!more.ok()) return more.status();
    if (!*more) return booked;
    if (entry.adjustment) continue;
    const auto asked = request_ids.find(std::string(entry.record.request_id));
    if (asked != request_ids.end()) booked.insert(*asked);
  }
}

}  // namespace purser::cli
