#include "engine/journal.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace purser {
namespace {

// Decodes a frame and hands it on; a frame that the log's checksum vouches for and that does not decode was
// written by something else.
template <typename View>
absl::Status Visit(const ledger::Frame& frame, const std::function<absl::Status(const View&)>& visit) {
  View view;
  if (!ledger::Decode(frame.payload, &view)) {
    return absl::DataLossError(
        absl::StrCat("frame ", frame.sequence, " of type ", frame.type, " cannot be decoded"));
  }
  return visit(view);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Journal>> Journal::Open(const std::string& directory, const Clock* clock,
                                                       const Visitor& visitor, Replayed* replayed) {
  ledger::LogOptions options;
  options.clock = clock;
  auto log = ledger::Log::Open(directory, options, [&](const ledger::Frame& frame) -> absl::Status {
    switch (frame.type) {
      case ledger::RECORD:
        ++replayed->records;
        return Visit<ledger::RecordView>(frame, visitor.record);
      case ledger::DISPATCHED:
        return Visit<ledger::DispatchedView>(frame, visitor.dispatched);
      case ledger::VOIDED:
        return Visit<ledger::VoidedView>(frame, visitor.voided);
      case ledger::TOPPED_UP:
        return Visit<ledger::ToppedUpView>(frame, visitor.topped_up);
      case ledger::TASK_ENDED:
        return Visit<ledger::TaskEndedView>(frame, visitor.task_ended);
      case ledger::POLICY_LOADED:
        ++replayed->loads;
        return absl::OkStatus();
      default:
        return absl::OkStatus();  // Of a newer version, or of no concern to accounts.
    }
  });
  if (!log.ok()) return log.status();
  replayed->torn_bytes = static_cast<int64_t>((*log)->recovery().torn_bytes);
  return std::unique_ptr<Journal>(new Journal(*std::move(log)));
}

template <typename View>
uint64_t Journal::AppendFrame(uint32_t type, const View& view, ledger::Room room) {
  thread_local ledger::Encoder encoder;
  return log_->Append(type, encoder(view), room);
}

uint64_t Journal::Append(const ledger::RecordView& record) {
  return AppendFrame(ledger::RECORD, record, ledger::Room::kReserve);
}
uint64_t Journal::Append(const ledger::DispatchedView& dispatched) {
  return AppendFrame(ledger::DISPATCHED, dispatched, ledger::Room::kOrdinary);
}
uint64_t Journal::Append(const ledger::VoidedView& voided) {
  return AppendFrame(ledger::VOIDED, voided, ledger::Room::kReserve);
}
uint64_t Journal::Append(const ledger::ToppedUpView& topped_up) {
  return AppendFrame(ledger::TOPPED_UP, topped_up, ledger::Room::kOrdinary);
}
uint64_t Journal::Append(const ledger::PolicyLoadedView& loaded) {
  return AppendFrame(ledger::POLICY_LOADED, loaded, ledger::Room::kReserve);
}
uint64_t Journal::Append(const ledger::TaskEndedView& ended) {
  return AppendFrame(ledger::TASK_ENDED, ended, ledger::Room::kReserve);
}

}  // namespace purser
