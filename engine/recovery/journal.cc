#include "engine/recovery/journal.h"

#include <utility>

#include "engine/recovery/account_snapshot.h"
#include "google/protobuf/text_format.h"

namespace purser {

std::string PolicyPathOf(const std::string& ledger_directory) {
  return ledger_directory + "/policy.textproto";
}

absl::StatusOr<std::unique_ptr<Journal>> Journal::Open(const std::string& directory,
                                                       ledger::FileSystem* files, const Clock* clock,
                                                       const ledger::Log::Replay& replay) {
  ledger::LogOptions options;
  options.clock = clock;
  if (files != nullptr) options.files = files;
  absl::StatusOr<std::unique_ptr<ledger::Log>> log = ledger::Log::Open(directory, options, replay);
  if (!log.ok()) return log.status();
  return std::unique_ptr<Journal>(new Journal(*std::move(log), options.files));
}

absl::Status Journal::WriteSnapshot(uint64_t sequence, std::string_view bytes) {
  if (bytes.size() > kMaxSnapshotBytes)
    return absl::ResourceExhaustedError("the snapshot is too large; the log stands for it");
  return log_->WriteSnapshot(sequence, bytes);
}

absl::Status Journal::PreparePolicy(const policy::Policy& policy) {
  if (absl::Status ours = log_->Check(); !ours.ok()) return ours;
  std::string text;
  google::protobuf::TextFormat::PrintToString(policy, &text);
  return files_->WriteFile(
      PolicyPathOf(directory()) + ".tmp",
      "# The policy in force, written by the engine that has this ledger open.\n" + text);
}

void Journal::KeepPolicy() {
  const std::string path = PolicyPathOf(directory());
  if (files_->Rename(path + ".tmp", path).ok()) (void)files_->SyncDirectory(directory());
}

void Journal::GiveUpPolicy() { (void)files_->Remove(PolicyPathOf(directory()) + ".tmp"); }

template <typename View>
uint64_t Journal::AppendFrame(uint32_t type, const View& view, ledger::Reserve reserve) {
  thread_local ledger::Encoder encoder;
  return log_->Append(type, encoder(view), reserve);
}

uint64_t Journal::Append(const ledger::RecordView& record) {
  return AppendFrame(ledger::RECORD, record, ledger::Reserve::kUse);
}
uint64_t Journal::Append(const ledger::DispatchedView& dispatched) {
  return AppendFrame(ledger::DISPATCHED, dispatched, ledger::Reserve::kLeave);
}
uint64_t Journal::Append(const ledger::VoidedView& voided) {
  return AppendFrame(ledger::VOIDED, voided, ledger::Reserve::kUse);
}
uint64_t Journal::Append(const ledger::PresumedFinalView& final) {
  return AppendFrame(ledger::PRESUMED_FINAL, final, ledger::Reserve::kUse);
}
uint64_t Journal::Append(const ledger::ToppedUpView& topped_up) {
  return AppendFrame(ledger::TOPPED_UP, topped_up, ledger::Reserve::kLeave);
}
uint64_t Journal::Append(const ledger::PolicyLoadedView& loaded) {
  return AppendFrame(ledger::POLICY_LOADED, loaded, ledger::Reserve::kUse);
}
uint64_t Journal::Append(const ledger::TaskEndedView& ended) {
  return AppendFrame(ledger::TASK_ENDED, ended, ledger::Reserve::kUse);
}
uint64_t Journal::Append(const ledger::SessionEndedView& ended) {
  return AppendFrame(ledger::SESSION_ENDED, ended, ledger::Reserve::kUse);
}

}  // namespace purser
