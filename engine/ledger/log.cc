#include "engine/ledger/log.h"

#include <algorithm>
#include <random>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "engine/ledger/log_format.h"
#include "engine/ledger/log_replay.h"
#include "engine/ledger/log_scanner.h"
#include "engine/ledger/log_writer.h"
#include "engine/ledger/planted_bug.h"

namespace purser::ledger {
namespace {

bool EndsWith(const std::string& name, absl::string_view suffix) { return absl::EndsWith(name, suffix); }

uint64_t NewId() {
  std::random_device random;
  uint64_t id = 0;
  while (id == 0) id = uint64_t{random()} << 32 | random();
  return id;
}

// A new ledger is not begun among other people's files.
absl::Status CheckIsOurs(const std::string& directory, const std::vector<std::string>& names) {
  std::vector<std::string> others;
  for (const std::string& name : names) {
    if (name == kIdentityName) return absl::OkStatus();
    if (name != kLockName && name != absl::StrCat(kIdentityName, ".tmp")) others.push_back(name);
  }
  if (others.empty()) return absl::OkStatus();
  const size_t count = others.size();
  others.resize(std::min<size_t>(count, 3));
  return absl::FailedPreconditionError(absl::StrCat(directory, ": not a Purser ledger, and not empty (",
                                                    absl::StrJoin(others, ", "), count > 3 ? ", ..." : "",
                                                    "); name a new or an empty directory"));
}

class Opening {
 public:
  Opening(const std::string& directory, const LogOptions& options, const Log::Replay& replay)
      : directory_(directory), options_(options), files_(options.files), replay_(replay) {}

  absl::StatusOr<std::unique_ptr<Log>> Run() {
    if (absl::Status status = Prepare(); !status.ok()) return status;
    absl::StatusOr<LogScanner::End> end = Replay();
    if (!end.ok()) return end.status();
    if (absl::Status status = SetAside(*end); !status.ok()) return status;

    if (absl::Status status = SyncWhatWasFound(*end); !status.ok()) return status;

    auto log = std::make_unique<LogWriter>(directory_, options_, id_, std::move(lock_), std::move(recovery_));
    const bool closed =
        end->segment != 0 && !Has(SegmentName(end->segment));  // Compressed: never written again.
    const uint64_t number = end->segment + (end->segment == 0 || closed ? 1 : 0);
    const uint64_t offset = end->segment == 0 || closed || end->header_missing ? 0 : end->offset;
    if (absl::Status status = log->Start(number, offset, end->next_sequence); !status.ok()) return status;
    return log;
  }

 private:
  std::string PathOf(std::string_view name) const { return absl::StrCat(directory_, "/", std::string(name)); }
  bool Has(const std::string& name) const {
    return std::find(names_.begin(), names_.end(), name) != names_.end();
  }

  // Takes the lock, and reads or creates the identity.
  absl::Status Prepare() {
    if (absl::Status status = files_->CreateDirectory(directory_); !status.ok()) return status;
    absl::StatusOr<std::vector<std::string>> names = files_->List(directory_);
    if (!names.ok()) return names.status();
    if (absl::Status status = CheckIsOurs(directory_, *names); !status.ok()) return status;
    absl::StatusOr<std::unique_ptr<FileLock>> lock = files_->Lock(PathOf(kLockName));
    if (!lock.ok()) return lock.status();
    lock_ = *std::move(lock);

    // Again, now that nobody else is creating it.
    names = files_->List(directory_);
    if (!names.ok()) return names.status();
    for (const std::string& name : *names) {
      const bool half_made =
          EndsWith(name, ".log.tmp") || EndsWith(name, ".snap.tmp") || EndsWith(name, ".zst.tmp");
      if (!half_made) {
        names_.push_back(name);
      } else if (absl::Status status = files_->Remove(PathOf(name)); !status.ok()) {
        return status;
      }
    }
    if (!Has(kIdentityName)) return Create();
    absl::StatusOr<std::string> text = ReadFile(files_, PathOf(kIdentityName));
    if (!text.ok()) return text.status();
    absl::StatusOr<uint64_t> id = ParseIdentity(*text, PathOf(kIdentityName));
    if (!id.ok()) return id.status();
    id_ = *id;
    return absl::OkStatus();
  }

  absl::Status Create() {
    id_ = options_.new_ledger_id != 0 ? options_.new_ledger_id : NewId();
    return ReplaceFile(files_, PathOf(kIdentityName), IdentityText(id_));
  }

  // Restores the state, and finds where the frames end.
  absl::StatusOr<LogScanner::End> Replay() {
    ReplayOptions options;
    options.files = files_;
    const Log::Replay nobody = [](const Frame&) { return absl::OkStatus(); };
    absl::StatusOr<Replayed> replayed = ReplayLedger(directory_, options, replay_ ? replay_ : nobody);
    if (!replayed.ok()) return replayed.status();
    LogScanner::End& end = replayed->end;
    if (end.next_sequence <= replayed->snapshot_sequence) {
      return absl::DataLossError(absl::StrCat(directory_, ": the log ends at ", end.next_sequence - 1,
                                              ", before the snapshot that reaches ",
                                              replayed->snapshot_sequence, "; a segment is missing"));
    }
    recovery_.snapshot_sequence = replayed->snapshot_sequence;
    recovery_.damaged_snapshots = replayed->damaged_snapshots;
    recovery_.frames = end.frames;
    recovery_.abandoned_frames = end.abandoned_frames;
    recovery_.torn_bytes = end.torn_bytes;
    recovery_.segments = replayed->segments;
    if (end.torn_bytes > 0 || !end.later_segments.empty()) {
      recovery_.torn_at = absl::StrCat(PathOf(SegmentName(end.segment)), ":", end.offset);
    }
    return std::move(end);
  }

  // Segments beyond a torn end are kept under another name. The latest goes first, so that a crash in between
  // leaves no gap in the numbers.
  absl::Status SetAside(const LogScanner::End& end) {
    if (PURSER_PLANTED_BUG(kLostSegmentsLeftInPlace)) return absl::OkStatus();
    for (auto name = end.later_segments.rbegin(); name != end.later_segments.rend(); ++name) {
      if (absl::Status status = files_->Rename(PathOf(*name), PathOf(*name) + ".lost"); !status.ok())
        return status;
    }
    return end.later_segments.empty() ? absl::OkStatus() : files_->SyncDirectory(directory_);
  }

  // Frames that a process left in the kernel when it died, or when its Sync failed. The log is about to say
  // of later frames that everything up to them is on the disk.
  absl::Status SyncWhatWasFound(const LogScanner::End& end) {
    if (PURSER_PLANTED_BUG(kFoundFramesNotSynced)) return absl::OkStatus();
    for (const LogScanner::End::Unsynced& segment : end.unsynced) {
      absl::StatusOr<std::unique_ptr<MappedFile>> file = files_->OpenMapped(PathOf(segment.name), 1);
      if (!file.ok()) return file.status();
      if (!PURSER_PLANTED_BUG(kFailedSyncForgotten)) (*file)->Touch();
      if (absl::Status status = (*file)->Sync(); !status.ok()) return status;
    }
    return end.unsynced.empty() ? absl::OkStatus() : files_->SyncDirectory(directory_);
  }

  const std::string& directory_;
  const LogOptions& options_;
  FileSystem* const files_;
  const Log::Replay& replay_;
  std::vector<std::string> names_;
  std::unique_ptr<FileLock> lock_;
  uint64_t id_ = 0;
  Log::Recovery recovery_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Log>> Log::Open(const std::string& directory, const LogOptions& options,
                                               const Replay& replay) {
  return Opening(directory, options, replay).Run();
}

}  // namespace purser::ledger
