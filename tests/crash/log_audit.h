#ifndef PURSER_TESTS_CRASH_LOG_AUDIT_H_
#define PURSER_TESTS_CRASH_LOG_AUDIT_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace purser {

// Adds up a ledger's log, frame by frame, knowing nothing of how the engine keeps its accounts.
struct LogAudit {
  int64_t frames = 0;
  int64_t settlements = 0;
  int64_t settled_nanos = 0;
  int64_t open_nanos = 0;  // Dispatched, neither settled nor voided: the provider may bill them.

  // Which accounts a call of this task draws on, and by how much more: called for each change.
  using Change = std::function<void(std::string_view task, std::string_view parent_task, int64_t nanos)>;

  // Fails the test if the log cannot be read or a ticket is settled or dispatched twice.
  static LogAudit Of(const std::string& directory, const Change& change);
};

}  // namespace purser

#endif  // PURSER_TESTS_CRASH_LOG_AUDIT_H_
