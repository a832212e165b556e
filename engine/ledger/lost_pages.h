#ifndef PURSER_ENGINE_LEDGER_LOST_PAGES_H_
#define PURSER_ENGINE_LEDGER_LOST_PAGES_H_

#include <atomic>
#include <cstddef>

namespace purser::ledger {

// Mapped memory whose file is cut short by somebody else (logrotate's copytruncate, `> file`), or cannot be
// read from a dying disk, has no pages any more: the next store there is a SIGBUS, which ends the whole host.
// A GuardedMapping takes that signal for its own addresses: the page is replaced by one of plain memory, so
// that the store goes through to nowhere, and lost() says so from then on. A signal at any other address goes
// on to whoever had it before.
//
// The handler is installed with the first mapping of the process. A host that installs one of its own later,
// and does not pass on what is not its own, gives this up.
class GuardedMapping {
 public:
  GuardedMapping(char* data, size_t size);
  // The memory is about to be unmapped.
  ~GuardedMapping();
  GuardedMapping(const GuardedMapping&) = delete;
  GuardedMapping& operator=(const GuardedMapping&) = delete;

  // Set before the store that met it returns. Never reset.
  const std::atomic<bool>& lost() const;

  struct Range;

 private:
  Range* const range_;
};

}  // namespace purser::ledger

#endif  // PURSER_ENGINE_LEDGER_LOST_PAGES_H_
