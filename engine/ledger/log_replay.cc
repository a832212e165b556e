#include "engine/ledger/log_replay.h"

#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/ledger/log_format.h"

namespace purser::ledger {
namespace {

// How often a listing is read again because a running log replaced the snapshot in it.
constexpr int kListings = 10;
// A replay asks whether it was cancelled once in so many frames.
constexpr uint64_t kFramesBetweenQuestions = 1024;

// Hands over the newest snapshot that is good. A damaged one is passed over: the frames that it stands for
// are still there.
absl::Status ReplaySnapshot(const std::string& directory, const ReplayOptions& options, uint64_t id,
                            const Log::Replay& replay, Replayed* replayed) {
  for (int listing = 1;; ++listing) {
    const absl::StatusOr<std::vector<std::string>> names = options.files->List(directory);
    if (!names.ok()) return names.status();
    bool replaced = false;
    replayed->damaged_snapshots = 0;
    for (auto name = names->rbegin(); name != names->rend() && !replaced; ++name) {
      const uint64_t sequence = SnapshotSequence(*name);
      if (sequence == 0 || sequence > options.through_sequence) continue;
      const std::string path = absl::StrCat(directory, "/", *name);
      const absl::StatusOr<std::string> file = ReadFile(options.files, path);
      replaced = absl::IsNotFound(file.status()) && listing < kListings;
      if (replaced) break;
      if (!file.ok()) return file.status();
      const absl::StatusOr<std::string_view> bytes = DecodeSnapshot(id, sequence, *file, path);
      if (!bytes.ok()) {
        ++replayed->damaged_snapshots;
        continue;
      }
      replayed->snapshot_sequence = sequence;
      return replay(Frame{sequence, 0, *bytes});
    }
    if (!replaced) return absl::OkStatus();
  }
}

absl::StatusOr<uint64_t> IdOf(const std::string& directory, FileSystem* files) {
  const std::string path = absl::StrCat(directory, "/", absl::string_view(kIdentityName));
  const absl::StatusOr<std::string> identity = ReadFile(files, path);
  if (absl::IsNotFound(identity.status()) && files->List(directory).ok()) {
    return absl::FailedPreconditionError(directory + ": not a Purser ledger (it has no file LEDGER)");
  }
  if (!identity.ok()) return identity.status();
  return ParseIdentity(*identity, path);
}

}  // namespace

absl::StatusOr<Replayed> ReplayLedger(const std::string& directory, const ReplayOptions& options,
                                      const Log::Replay& replay) {
  const absl::StatusOr<uint64_t> id = IdOf(directory, options.files);
  if (!id.ok()) return id.status();
  Replayed replayed;
  if (const absl::Status status = ReplaySnapshot(directory, options, *id, replay, &replayed); !status.ok())
    return status;

  const absl::StatusOr<std::unique_ptr<LogScanner>> scanner =
      LogScanner::Open(directory, {.after_sequence = replayed.snapshot_sequence, .files = options.files});
  if (!scanner.ok()) return scanner.status();
  if ((*scanner)->first_sequence() > replayed.snapshot_sequence + 1) {
    return absl::DataLossError(
        absl::StrCat(directory, ": it begins with frame ", (*scanner)->first_sequence(),
                     ", and no good snapshot stands for those before; restore one from a backup"));
  }
  Frame frame;
  for (uint64_t frames = 1;; ++frames) {
    const absl::StatusOr<bool> more = (*scanner)->Next(&frame);
    if (!more.ok()) return more.status();
    if (!*more || frame.sequence > options.through_sequence) break;
    if (const absl::Status status = replay(frame); !status.ok()) return status;
    if (options.cancelled && frames % kFramesBetweenQuestions == 0 && options.cancelled())
      return absl::CancelledError("the replay was cancelled");
  }
  replayed.end = (*scanner)->end();
  replayed.segments = (*scanner)->segments();
  return replayed;
}

}  // namespace purser::ledger
