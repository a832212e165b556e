#ifndef PURSER_ENGINE_LEDGER_RECORD_READER_H_
#define PURSER_ENGINE_LEDGER_RECORD_READER_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/ledger/log_scanner.h"
#include "engine/ledger/record.h"

namespace purser::ledger {

// What a reader of the books adds up.
struct Entry {
  RecordView record;  // Valid until the next call of Next().
  // 1: add it. -1: take it back; what was presumed spent has been settled after all, and the settled record
  // follows.
  int sign = 1;
  // An Adjusted event: only request_id, ticket, time_nanos and cost_nanos of `record` are set.
  bool adjustment = false;
};

// Reads a ledger's records in order, so that adding up what it returns gives the books: each call counts
// once, and presumed spend that was settled later is replaced. Other events are passed over. Not thread-safe.
//
// Memory: a buffer, and a copy of each record whose spend is presumed and not yet settled.
class RecordReader {
 public:
  static absl::StatusOr<std::unique_ptr<RecordReader>> Open(const std::string& directory,
                                                            const LogScanner::Options& options);
  static absl::StatusOr<std::unique_ptr<RecordReader>> Open(const std::string& directory) {
    return Open(directory, LogScanner::Options());
  }

  // True: *entry is the next one. False: the end. Errors are LogScanner's, and DATA_LOSS for a frame that is
  // whole but holds no valid record.
  absl::StatusOr<bool> Next(Entry* entry);

  // Records without their line items and meters, in two thirds of the time.
  void LeaveOutLists() { decode_ = &DecodeWithoutLists; }

  const LogScanner& scanner() const { return *scanner_; }

 private:
  explicit RecordReader(std::unique_ptr<LogScanner> scanner) : scanner_(std::move(scanner)) {}
  absl::Status Malformed(const Frame& frame) const;

  const std::unique_ptr<LogScanner> scanner_;
  bool (*decode_)(std::string_view, RecordView*) = &Decode;
  // Presumed records by ticket, as they were stored.
  absl::flat_hash_map<uint64_t, std::string> presumed_;
  std::string taken_back_;  // The record that the last Next() took back.
  std::string pending_;     // The settled one that follows it.
  bool has_pending_ = false;
};

}  // namespace purser::ledger

#endif  // PURSER_ENGINE_LEDGER_RECORD_READER_H_
