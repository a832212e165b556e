#include "tests/crash/log_audit.h"

#include <string>
#include <unordered_map>
#include <unordered_set>

#include "engine/ledger/log_scanner.h"
#include "engine/ledger/record.h"
#include "gtest/gtest.h"

namespace purser {
namespace {

struct OpenCall {
  int64_t held_nanos;
  std::string task;
};

class Auditor {
 public:
  Auditor(const LogAudit::Change& change, LogAudit* audit) : change_(change), audit_(*audit) {}

  void Take(const ledger::Frame& frame) {
    ++audit_.frames;
    ledger::RecordView record;
    ledger::DispatchedView dispatched;
    ledger::VoidedView voided;
    if (frame.type == ledger::RECORD && ledger::Decode(frame.payload, &record)) {
      if ((record.flags & ledger::PRESUMED) != 0) return;  // The call is still open.
      EXPECT_TRUE(settled_.insert(record.ticket).second) << "settled twice: " << record.ticket;
      Close(record.ticket);
      audit_.settled_nanos += record.cost_nanos;
      ++audit_.settlements;
      change_(record.task, record.parent_task, record.cost_nanos);
    } else if (frame.type == ledger::DISPATCHED && ledger::Decode(frame.payload, &dispatched)) {
      const OpenCall call{dispatched.held_nanos, std::string(dispatched.task)};
      EXPECT_TRUE(open_.emplace(dispatched.ticket, call).second) << dispatched.ticket;
      audit_.open_nanos += dispatched.held_nanos;
      change_(dispatched.task, dispatched.parent_task, dispatched.held_nanos);
    } else if (frame.type == ledger::VOIDED && ledger::Decode(frame.payload, &voided)) {
      Close(voided.ticket);
    }
  }

 private:
  void Close(uint64_t ticket) {
    const auto found = open_.find(ticket);
    if (found == open_.end()) return;
    audit_.open_nanos -= found->second.held_nanos;
    change_(found->second.task, "", -found->second.held_nanos);
    open_.erase(found);
  }

  const LogAudit::Change& change_;
  LogAudit& audit_;
  std::unordered_map<uint64_t, OpenCall> open_;
  std::unordered_set<uint64_t> settled_;
};

}  // namespace

LogAudit LogAudit::Of(const std::string& directory, const Change& change) {
  LogAudit audit;
  Auditor auditor(change, &audit);
  const auto scanner = ledger::LogScanner::Open(directory);
  EXPECT_TRUE(scanner.ok()) << scanner.status();
  if (!scanner.ok()) return audit;
  ledger::Frame frame;
  while (true) {
    const absl::StatusOr<bool> next = (*scanner)->Next(&frame);
    EXPECT_TRUE(next.ok()) << next.status();
    if (!next.ok() || !*next) return audit;
    auditor.Take(frame);
  }
}

}  // namespace purser
