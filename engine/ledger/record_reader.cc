#include "engine/ledger/record_reader.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace purser::ledger {

absl::StatusOr<std::unique_ptr<RecordReader>> RecordReader::Open(const std::string& directory,
                                                                 const LogScanner::Options& options) {
  absl::StatusOr<std::unique_ptr<LogScanner>> scanner = LogScanner::Open(directory, options);
  if (!scanner.ok()) return scanner.status();
  return std::unique_ptr<RecordReader>(new RecordReader(*std::move(scanner)));
}

absl::Status RecordReader::Malformed(const Frame& frame) const {
  return absl::DataLossError(absl::StrCat("frame ", frame.sequence, " of type ", frame.type,
                                          " is whole, but its payload is not a valid message of that type"));
}

absl::StatusOr<bool> RecordReader::Next(Entry* entry) {
  entry->sign = 1;
  entry->adjustment = false;
  if (has_pending_) {
    has_pending_ = false;
    if (!decode_(pending_, &entry->record)) return absl::InternalError("a record that was read before");
    return true;
  }
  Frame frame;
  while (true) {
    absl::StatusOr<bool> more = scanner_->Next(&frame);
    if (!more.ok() || !*more) return more;
    if (frame.type == RECORD) break;
    if (frame.type != ADJUSTED) continue;
    AdjustedView adjusted;
    if (!Decode(frame.payload, &adjusted)) return Malformed(frame);
    entry->record = RecordView{};
    entry->record.ticket = adjusted.ticket;
    entry->record.request_id = adjusted.request_id;
    entry->record.time_nanos = adjusted.time_nanos;
    entry->record.cost_nanos = adjusted.delta_nanos;
    entry->adjustment = true;
    return true;
  }
  if (!decode_(frame.payload, &entry->record)) return Malformed(frame);
  if ((entry->record.flags & (PRESUMED | LATE)) == 0 || entry->record.ticket == 0) return true;
  const uint64_t ticket = entry->record.ticket;
  if ((entry->record.flags & LATE) == 0) {
    presumed_.emplace(ticket, std::string(frame.payload));
    return true;
  }
  const auto presumed = presumed_.find(ticket);
  if (presumed == presumed_.end()) return true;
  taken_back_ = std::move(presumed->second);
  presumed_.erase(presumed);
  pending_.assign(frame.payload);
  has_pending_ = true;
  if (!decode_(taken_back_, &entry->record)) return absl::InternalError("a record that was read before");
  entry->sign = -1;
  return true;
}

}  // namespace purser::ledger
