// Keeping a cache in a directory: what changes goes to a log, and from time to time all of it to a snapshot.

#include <utility>

#include "absl/status/statusor.h"
#include "cache/cache_impl.h"
#include "cache/entry_bytes.h"
#include "cache/file.h"

namespace purser::cache {
namespace {

// A log up to this size is not worth a snapshot.
constexpr uint64_t kMinLogBytes = uint64_t{64} << 20;

// Once the disk did not take a change, a snapshot is tried again after so many Stores.
constexpr uint64_t kUnloggedBeforeRetry = 4096;

}  // namespace

absl::Status Cache::Impl::KeepIn(const std::string& directory, int64_t now_nanos) {
  const std::lock_guard one_at_a_time(keeping_);
  if (log_ != nullptr) return absl::FailedPreconditionError("this cache is kept in a directory already");
  absl::StatusOr<std::unique_ptr<ChangeLog>> log = ChangeLog::Open(directory);
  if (!log.ok()) return log.status();
  // All is read before anything is taken: a snapshot without its log would bring back what has left.
  const absl::StatusOr<ChangeLog::Changes> changes = (*log)->Read();
  std::string snapshot;
  absl::Status read = changes.status();
  if (read.ok()) read = ReadFile((*log)->snapshot_path(), &snapshot);
  if (read.ok()) read = ReadFrom(snapshot, now_nanos);
  if (absl::IsDataLoss(read)) (*log)->SetAside();
  if (!read.ok() && !absl::IsNotFound(read) && !absl::IsDataLoss(read)) return read;
  if (!absl::IsDataLoss(read)) {
    for (const ChangeLog::Change& change : changes->list) Apply(change, now_nanos);
  }
  if (absl::Status begun = (*log)->Begin(); !begun.ok()) return begun;
  const std::lock_guard lock(mutex_);
  log_ = *std::move(log);
  snapshot_bytes_ = snapshot.size();
  last_now_nanos_ = now_nanos;
  return absl::IsNotFound(read) ? absl::OkStatus() : read;
}

void Cache::Impl::Apply(const ChangeLog::Change& change, int64_t now_nanos) {
  ByteReader in(change.content);
  switch (change.kind) {
    case ChangeLog::kStored: {
      const SavedEntry entry = TakeEntry(&in);
      if (in.ok() && Sound(entry)) Load(entry, now_nanos);
      return;
    }
    case ChangeLog::kLeft: {
      const std::string_view name_space = in.TakeString();
      std::vector<std::string_view> key(in.TakeCount(8));
      for (std::string_view& part : key) part = in.TakeString();
      const std::lock_guard lock(mutex_);
      StoredEntry* record = in.ok() ? FindExact(name_space, key) : nullptr;
      if (record != nullptr) Erase(record, Leaving::kInvalidated);
      return;
    }
    case ChangeLog::kInvalidated: {
      const auto kind = in.TakeNumber<uint64_t>();
      const std::string_view label = in.TakeString();
      if (in.ok()) Invalidate(static_cast<LabelKind>(kind), label);
      return;
    }
    case ChangeLog::kCleared:
      Clear();
      return;
  }
}

absl::Status Cache::Impl::Keep(int64_t now_nanos) {
  const std::lock_guard one_at_a_time(keeping_);
  std::string snapshot;
  {
    const Epochs::Guard guard = epochs_.Enter();
    std::unique_lock lock(mutex_);
    if (log_ == nullptr) return absl::FailedPreconditionError("this cache is not kept in a directory");
    unlogged_ = 0;
    if (absl::Status rotated = log_->Rotate(); !rotated.ok()) return rotated;
    const std::vector<const StoredEntry*> records = LiveAt(now_nanos);
    lock.unlock();
    snapshot = SnapshotOf(records);
  }
  const absl::Status replaced = ReplaceFile(log_->snapshot_path(), snapshot);
  const std::lock_guard lock(mutex_);
  if (!replaced.ok()) return replaced;
  if (!log_->appending()) {
    // Changes since were lost; so must be what they changed.
    log_->Forget();
    return absl::UnavailableError("the log of the cache cannot be written");
  }
  log_->DropOlder();
  snapshot_bytes_ = snapshot.size();
  return absl::OkStatus();
}

void Cache::Impl::StopKeeping() {
  const std::lock_guard one_at_a_time(keeping_);
  const std::lock_guard lock(mutex_);
  log_.reset();
}

bool Cache::Impl::KeepDue() const {
  if (log_ == nullptr) return false;
  if (!log_->appending()) return unlogged_ >= kUnloggedBeforeRetry;
  return log_->bytes() > std::max(kMinLogBytes, snapshot_bytes_);
}

void Cache::Impl::KeepIfDue() {
  std::unique_lock lock(mutex_);
  if (!KeepDue()) return;
  const int64_t now_nanos = last_now_nanos_;
  lock.unlock();
  // What could not be kept now will be tried again.
  (void)Keep(now_nanos);
}

void Cache::Impl::NoteStored(const StoredEntry& record) {
  if (log_ == nullptr) return;
  std::string content;
  PutEntry(Describe(record, options_), &content);
  if (!log_->Append(ChangeLog::kStored, content)) ++unlogged_;
  if (KeepDue()) WakeBuilder();
}

void Cache::Impl::NoteLeft(std::string_view name_space, std::span<const std::string_view> key) {
  if (!NotesLeaving()) return;
  std::string content;
  PutString(name_space, &content);
  PutNumber<uint64_t>(key.size(), &content);
  for (const std::string_view part : key) PutString(part, &content);
  NoteLeaving(ChangeLog::kLeft, content);
}

void Cache::Impl::NoteInvalidated(LabelKind kind, std::string_view label) {
  if (!NotesLeaving()) return;
  std::string content;
  PutNumber(static_cast<uint64_t>(kind), &content);
  PutString(label, &content);
  NoteLeaving(ChangeLog::kInvalidated, content);
}

void Cache::Impl::NoteCleared() { NoteLeaving(ChangeLog::kCleared, {}); }

void Cache::Impl::NoteLeaving(ChangeLog::Kind kind, const std::string& content) {
  if (log_ != nullptr && log_->Append(kind, content)) log_->Sync();
  if (noting_) noted_.emplace_back(kind, content);
  if (successor_ != nullptr) successor_->impl_->TakeLeaving(kind, content);
}

void Cache::Impl::TakeLeaving(ChangeLog::Kind kind, std::string_view content) {
  if (kind == ChangeLog::kLeft) {
    // Its log may hold an entry that its memory had no room for.
    const std::lock_guard lock(mutex_);
    if (NotesLeaving()) NoteLeaving(kind, std::string(content));
  }
  Apply({kind, content}, /*now_nanos=*/0);
}

absl::Status Cache::Impl::PrepareSuccessor(Impl* next, int64_t now_nanos) {
  std::string snapshot;
  {
    const Epochs::Guard guard = epochs_.Enter();
    std::unique_lock lock(mutex_);
    noting_ = true;
    noted_.clear();
    const std::vector<const StoredEntry*> records = LiveAt(now_nanos);
    lock.unlock();
    snapshot = SnapshotOf(records);
  }
  absl::Status copied = next->ReadFrom(snapshot, now_nanos);
  if (!copied.ok()) GiveUpSuccessor();
  return copied;
}

void Cache::Impl::GiveUpSuccessor() {
  const std::lock_guard lock(mutex_);
  noting_ = false;
  noted_.clear();
}

void Cache::Impl::HandOver(std::shared_ptr<Cache> next) {
  const std::lock_guard one_at_a_time(keeping_);
  const std::lock_guard lock(mutex_);
  Impl& to = *next->impl_;
  for (const auto& [kind, content] : noted_) to.TakeLeaving(kind, content);
  noting_ = false;
  noted_.clear();
  successor_ = std::move(next);
  if (log_ == nullptr) return;
  // What was stored here meanwhile is in the log, too: it comes with the next start.
  const std::lock_guard theirs(to.mutex_);
  to.log_ = std::move(log_);
  to.snapshot_bytes_ = snapshot_bytes_;
  to.unlogged_ = unlogged_;
  to.last_now_nanos_ = last_now_nanos_;
}

}  // namespace purser::cache
