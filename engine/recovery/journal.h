#ifndef PURSER_ENGINE_RECOVERY_JOURNAL_H_
#define PURSER_ENGINE_RECOVERY_JOURNAL_H_

#include <purser/clock.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"
#include "engine/ledger/file_system.h"
#include "engine/ledger/log.h"
#include "engine/ledger/record.h"
#include "purser/policy.pb.h"

namespace purser {

// Where a ledger's directory keeps the policy in force.
std::string PolicyPathOf(const std::string& ledger_directory);

// What the engine writes to the ledger's log, of which its accounts are a fold (rebuild.h): every settled
// record is a charge, every dispatched hold without a record is presumed spent.
//
// Thread-safe after Open. Each append returns its sequence number, 0 if it was not written.
class Journal {
 public:
  // Opens the ledger in `directory` and hands its newest snapshot and the frames after it to `replay`, in
  // their order.
  // `files` may be null: the operating system's.
  static absl::StatusOr<std::unique_ptr<Journal>> Open(const std::string& directory,
                                                       ledger::FileSystem* files, const Clock* clock,
                                                       const ledger::Log::Replay& replay);

  // A grant may not use the room that is kept for booking what was granted.
  uint64_t Append(const ledger::RecordView& record);
  uint64_t Append(const ledger::DispatchedView& dispatched);
  uint64_t Append(const ledger::VoidedView& voided);
  uint64_t Append(const ledger::PresumedFinalView& final);
  uint64_t Append(const ledger::ToppedUpView& topped_up);
  uint64_t Append(const ledger::PolicyLoadedView& loaded);
  uint64_t Append(const ledger::TaskEndedView& ended);
  uint64_t Append(const ledger::SessionEndedView& ended);

  // OK, or why appends that grant something are refused.
  absl::Status status() const { return log_->status(); }
  bool writable() const { return log_->writable(); }  // One load.
  absl::Status Sync(uint64_t sequence) { return log_->Sync(sequence); }
  const ledger::Log::Recovery& recovery() const { return log_->recovery(); }

  const std::string& directory() const { return log_->directory(); }
  ledger::FileSystem* files() const { return files_; }
  // Of the newest frame; those before it may not be finished yet while others append.
  uint64_t last_sequence() const { return log_->last_sequence(); }

  // Keeps `bytes` as the state that follows from everything up to `sequence`. RESOURCE_EXHAUSTED: more than
  // can be read again.
  absl::Status WriteSnapshot(uint64_t sequence, std::string_view bytes);

  // Keeps the policy that is in force beside the log, for people and for tools that show the accounts: writes
  // it to another file first, which may fail; then either puts that in place of the last one, or removes it.
  // Should the renaming fail, the file goes on naming the policy before.
  absl::Status PreparePolicy(const policy::Policy& policy);
  void KeepPolicy();
  void GiveUpPolicy();

 private:
  Journal(std::unique_ptr<ledger::Log> log, ledger::FileSystem* files)
      : log_(std::move(log)), files_(files) {}

  template <typename View>
  uint64_t AppendFrame(uint32_t type, const View& view, ledger::Reserve reserve);

  const std::unique_ptr<ledger::Log> log_;
  ledger::FileSystem* const files_;
};

}  // namespace purser

#endif  // PURSER_ENGINE_RECOVERY_JOURNAL_H_
