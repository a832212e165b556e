#include "engine/ledger/log_writer.h"

#include <emmintrin.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/invariant.h"
#include "engine/ledger/planted_bug.h"
#include "purser/record.pb.h"

namespace purser::ledger {
namespace {

// A page fault every 4 KB would cost appends a third of their time, so the preparer makes memory ready in
// front of them: it is woken once a step, and keeps two steps ready. A sync writes what is ready and unused
// in vain; where syncs are so frequent that this would count, nothing is prepared.
constexpr uint64_t kStep = 128u << 10;
constexpr uint64_t kMinBytesASync = 16 * kStep;
// To let go of less is not worth a call.
constexpr uint64_t kMinRelease = 64u << 10;

// How long files that are gone stay unnoticed.
constexpr std::chrono::milliseconds kBetweenChecks(200);

// The word that finishes a frame is read by a sync while its writer may be storing it.
std::atomic_ref<uint64_t> ChecksumWord(char* frame) {
  return std::atomic_ref<uint64_t>(reinterpret_cast<FrameHeader*>(frame)->checksum);
}

}  // namespace

LogWriter::LogWriter(std::string directory, const LogOptions& options, uint64_t id,
                     std::unique_ptr<FileLock> lock, Recovery recovery)
    : directory_(std::move(directory)),
      options_(options),
      id_(id),
      lock_(std::move(lock)),
      recovery_(std::move(recovery)) {}

LogWriter::~LogWriter() {
  if (background_.joinable()) {
    {
      std::lock_guard lock(background_mutex_);
      closing_ = true;
    }
    background_wake_.notify_all();
    background_.join();
    preparer_closing_ = true;
    WakePreparer();
    preparer_.join();
  }
  // A log that could not be synced keeps its file as it is for the next Open() to judge.
  if (segment_ == nullptr || !Sync(~uint64_t{0}).ok() || poisoned_.load(std::memory_order_acquire)) return;
  (void)segment_->file->Truncate(offset_);
}

int64_t LogWriter::Now() const {
  static const SystemClock system;
  return (options_.clock != nullptr ? options_.clock : &system)->NowNanos();
}

absl::Status LogWriter::Start(uint64_t number, uint64_t offset, uint64_t next_sequence) {
  next_sequence_ = next_sequence;
  last_user_sequence_ = synced_ = next_sequence - 1;
  std::lock_guard lock(grow_mutex_);
  if (offset == 0) {
    if (absl::Status status = BeginSegment(number, 0); !status.ok()) return status;
  } else {
    soft_end_ = std::max(options_.segment_bytes, offset);
    const uint64_t capacity = soft_end_ + options_.reserve_bytes;
    absl::StatusOr<std::unique_ptr<MappedFile>> file =
        options_.files->OpenMapped(PathOf(SegmentName(number)), capacity);
    if (!file.ok()) return file.status();
    if (recovery_.torn_bytes > 0 && !PURSER_PLANTED_BUG(kTornTailLeftInPlace)) {
      // On the disk before anything is written in its place, or the two could be found mixed.
      if (absl::Status status = (*file)->Truncate(offset); !status.ok()) return status;
      if (absl::Status status = (*file)->Sync(); !status.ok()) return status;
    }
    if (absl::Status status =
            Allocate(file->get(), std::min(offset + options_.reserve_bytes, capacity), capacity);
        !status.ok()) {
      return status;
    }
    segment_ = std::make_shared<Segment>();
    segment_->number = number;
    segment_->complete = offset;
    segment_->created_nanos = Now();
    data_ = (*file)->data();
    lost_ = &(*file)->lost();
    offset_ = offset;
    segment_->file = *std::move(file);
    SetLimits();
  }
  if (options_.background_nanos > 0) {
    background_ = std::thread([this] { RunInBackground(); });
    preparer_ = std::thread([this] { RunPreparer(); });
  }
  return absl::OkStatus();
}

// ---- Appending.

uint64_t LogWriter::AppendParts(uint32_t type, const std::string_view* parts, size_t count, Reserve reserve) {
  if (!own_.here()) [[unlikely]]
    return 0;
  uint64_t size = 0;
  for (size_t i = 0; i < count; ++i) size += parts[i].size();
  // Asked before there is a place: a reader takes a larger frame for damage, whether or not it had room.
  if (size > kMaxPayload) return 0;
  Place place;
  while (!TakePlace(type, size, reserve, &place)) {
    if (!MakeRoom(size, reserve)) return 0;
  }
  if (place.begins_step) WakePreparer();
  char* to = place.frame + sizeof(FrameHeader);
  for (size_t i = 0; i < count; ++i) {
    if (parts[i].empty()) continue;
    std::memcpy(to, parts[i].data(), parts[i].size());
    to += parts[i].size();
  }
  Finish(place);
  if (place.lost->load(std::memory_order_acquire)) [[unlikely]] {
    (void)Check();
    return 0;
  }
  return place.header.sequence;
}

bool LogWriter::TakePlace(uint32_t type, uint64_t size, Reserve reserve, Place* place) {
  const uint64_t bytes = FrameBytes(size);
  std::lock_guard lock(place_lock_);
  const uint64_t begin = FrameBegin(offset_);
  if (begin + bytes > (reserve == Reserve::kLeave ? ordinary_limit_ : reserve_limit_)) return false;
  place->frame = data_ + begin;
  place->lost = lost_;
  FrameHeader& header = place->header;
  header.size = static_cast<uint32_t>(size);
  header.type = static_cast<uint16_t>(type);
  header.sequence = next_sequence_++;
  PURSER_INVARIANT(header.sequence > last_user_sequence_);
  header.check = HeaderCheck(id_, header.size, header.type, header.sequence);
  // One instruction stores the 16 bytes before the checksum: a process dies before it or after it.
  static_assert(offsetof(FrameHeader, checksum) == sizeof(__m128i));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(place->frame),
                   _mm_loadu_si128(reinterpret_cast<const __m128i*>(&header)));
  place->begins_step = (begin + bytes) / kStep != offset_ / kStep;
  offset_ = begin + bytes;
  if (type != SYNC_MARK) last_user_sequence_ = header.sequence;
  return true;
}

void LogWriter::Finish(const Place& place) {
  const uint64_t checksum = FrameChecksum(id_, place.header, place.frame + sizeof(FrameHeader));
  ChecksumWord(place.frame).store(checksum, std::memory_order_release);
}

// ---- Growing.

bool LogWriter::MakeRoom(uint64_t payload_size, Reserve reserve) {
  std::lock_guard lock(grow_mutex_);
  if (poisoned_.load(std::memory_order_acquire)) return false;
  absl::Status room = MakeRoomLocked(FrameBytes(payload_size), reserve);
  const bool ok = room.ok();
  // That the reserve has room says nothing of ordinary frames.
  if (!ok || reserve == Reserve::kLeave) SetStatus(std::move(room));
  return ok;
}

void LogWriter::SetStatus(absl::Status status) {
  status_ = std::move(status);
  writable_.store(status_.ok(), std::memory_order_relaxed);
}

absl::Status LogWriter::MakeRoomLocked(uint64_t bytes, Reserve reserve) {
  uint64_t end;
  {
    std::lock_guard lock(place_lock_);
    // Somebody else may have made it while this thread waited.
    end = FrameBegin(offset_) + bytes;
    if (end <= (reserve == Reserve::kLeave ? ordinary_limit_ : reserve_limit_)) return absl::OkStatus();
  }
  if (end > soft_end_) return BeginSegment(segment_->number + 1, bytes);
  const absl::Status status =
      Allocate(segment_->file.get(), end + options_.reserve_bytes, soft_end_ + options_.reserve_bytes);
  if (status.ok()) SetLimits();
  return status;
}

// Space for `least` bytes, and if the disk has it for more.
absl::Status LogWriter::Allocate(MappedFile* file, uint64_t least, uint64_t capacity) const {
  const absl::Status ahead = file->Allocate(std::min(least + options_.allocate_bytes, capacity));
  return ahead.ok() ? ahead : file->Allocate(least);
}

void LogWriter::SetLimits() {
  const uint64_t allocated = segment_->file->allocated();
  std::lock_guard lock(place_lock_);
  reserve_limit_ = allocated;
  const uint64_t reserve = PURSER_PLANTED_BUG(kGrantsUseReserve) ? 0 : options_.reserve_bytes;
  ordinary_limit_ = std::min(soft_end_, allocated - std::min(allocated, reserve));
}

absl::Status LogWriter::BeginSegment(uint64_t number, uint64_t least_bytes) {
  // Under this name there may be another ledger by now.
  if (absl::Status ours = lock_->Check(); !ours.ok()) return ours;
  const uint64_t soft_end = std::max(options_.segment_bytes, sizeof(SegmentHeader) + least_bytes);
  const uint64_t capacity = soft_end + options_.reserve_bytes;
  const std::string path = PathOf(SegmentName(number));
  absl::StatusOr<std::unique_ptr<MappedFile>> file = options_.files->OpenMapped(path + ".tmp", capacity);
  if (!file.ok()) return file.status();
  // An earlier attempt may have left something.
  if (absl::Status status = (*file)->Truncate(0); !status.ok()) return status;
  if (absl::Status status =
          Allocate(file->get(), sizeof(SegmentHeader) + least_bytes + options_.reserve_bytes, capacity);
      !status.ok()) {
    (void)options_.files->Remove(path + ".tmp");
    return status;
  }
  // No frame goes anywhere until the new segment has its name.
  uint64_t first_sequence;
  {
    std::lock_guard lock(place_lock_);
    ordinary_limit_ = reserve_limit_ = 0;
    first_sequence = next_sequence_;
  }
  const SegmentHeader header = MakeSegmentHeader(id_, number, first_sequence, Now());
  std::memcpy((*file)->data(), &header, sizeof(header));
  if (absl::Status status = options_.files->Rename(path + ".tmp", path); !status.ok()) {
    (void)options_.files->Remove(path + ".tmp");
    if (segment_ != nullptr) SetLimits();
    return status;
  }
  (*file)->Renamed(path);
  auto segment = std::make_shared<Segment>();
  segment->number = number;
  segment->complete = sizeof(SegmentHeader);
  segment->created_nanos = header.created_nanos;
  segment->file = *std::move(file);
  if (segment_ != nullptr) {
    std::lock_guard lock(place_lock_);
    segment_->end = offset_;
    retired_.push_back(segment_);
  }
  segment_ = std::move(segment);
  soft_end_ = soft_end;
  {
    std::lock_guard lock(place_lock_);
    data_ = segment_->file->data();
    lost_ = &segment_->file->lost();
    offset_ = sizeof(SegmentHeader);
  }
  SetLimits();
  WakePreparer();
  return absl::OkStatus();
}

absl::Status LogWriter::Rotate() {
  std::lock_guard lock(grow_mutex_);
  if (poisoned_.load(std::memory_order_acquire)) return status_;
  return BeginSegment(segment_->number + 1, 0);
}

// ---- Syncing.

absl::Status LogWriter::Sync(uint64_t sequence) {
  {
    std::lock_guard lock(place_lock_);
    sequence = std::min(sequence, last_user_sequence_);
  }
  std::unique_lock lock(sync_mutex_);
  while (true) {
    if (synced_ >= sequence) return absl::OkStatus();
    if (poisoned_.load(std::memory_order_acquire)) return status();
    if (!sync_running_) break;
    sync_done_.wait(lock);
  }
  // This thread syncs for all who wait.
  sync_running_ = true;
  lock.unlock();
  const Batch batch = TakeBatch();
  absl::Status status = SyncBatch(batch);
  if (status.ok()) status = Check();  // On the disk, but perhaps under no name.
  if (!status.ok()) Poison(status);
  lock.lock();
  sync_running_ = false;
  if (status.ok()) synced_ = std::max(synced_, batch.through);
  lock.unlock();
  sync_done_.notify_all();
  if (!status.ok()) return status;
  MarkSynced(batch.through);
  CloseRetired(batch);
  return absl::OkStatus();
}

LogWriter::Batch LogWriter::TakeBatch() {
  Batch batch;
  std::lock_guard grow(grow_mutex_);
  batch.segments = retired_;
  batch.segments.push_back(segment_);
  std::lock_guard lock(place_lock_);
  batch.end = offset_;
  batch.through = next_sequence_ - 1;
  return batch;
}

absl::Status LogWriter::SyncBatch(const Batch& batch) {
  bool new_names = false;
  uint64_t bytes = 0;
  for (const std::shared_ptr<Segment>& segment : batch.segments) {
    const uint64_t end = segment == batch.segments.back() ? batch.end : segment->end;
    bytes += end - segment->complete;
    // Frames that other threads are copying into their places this instant.
    while (segment->complete < end) {
      const uint64_t begin = FrameBegin(segment->complete);
      char* frame = segment->file->data() + begin;
      for (int spins = 0; ChecksumWord(frame).load(std::memory_order_acquire) == 0;) {
        if (segment->file->lost().load(std::memory_order_acquire)) return segment->file->Check();
        if (++spins % 64 == 0) std::this_thread::yield();
      }
      segment->complete = begin + FrameBytes(reinterpret_cast<const FrameHeader*>(frame)->size);
    }
    if (segment->complete - segment->released >= kMinRelease) {
      segment->file->Release(segment->released, segment->complete - segment->released);
      segment->released = segment->complete;
    }
    if (PURSER_PLANTED_BUG(kSyncForgetsFullSegments) && segment != batch.segments.back()) continue;
    if (!PURSER_PLANTED_BUG(kSyncSkipsDisk)) {
      if (absl::Status status = segment->file->Sync(); !status.ok()) return status;
    }
    new_names |= !segment->name_synced;
  }
  bytes_a_sync_.store(bytes, std::memory_order_relaxed);
  if (!new_names || PURSER_PLANTED_BUG(kSyncForgetsNames)) return absl::OkStatus();
  if (absl::Status status = options_.files->SyncDirectory(directory_); !status.ok()) return status;
  for (const std::shared_ptr<Segment>& segment : batch.segments) segment->name_synced = true;
  return absl::OkStatus();
}

// Tells a later recovery that what is before this was on the disk, so that damage there is corruption.
void LogWriter::MarkSynced(uint64_t through) {
  if (PURSER_PLANTED_BUG(kNoSyncMarks)) return;
  Place place;
  if (!TakePlace(SYNC_MARK, sizeof(through), Reserve::kLeave, &place)) return;
  std::memcpy(place.frame + sizeof(FrameHeader), &through, sizeof(through));
  Finish(place);
}

void LogWriter::CloseRetired(const Batch& batch) {
  if (batch.segments.size() == 1) return;
  std::lock_guard lock(grow_mutex_);
  for (const std::shared_ptr<Segment>& segment : batch.segments) {
    const auto found = std::find(retired_.begin(), retired_.end(), segment);
    if (found == retired_.end()) continue;
    (void)segment->file->Truncate(segment->end);  // Zeros at the end do no harm if this fails.
    retired_.erase(found);
  }
}

void LogWriter::Poison(const absl::Status& status) {
  if (PURSER_PLANTED_BUG(kSyncErrorForgotten)) return;
  std::lock_guard lock(grow_mutex_);
  SetStatus(absl::Status(status.code(),
                         absl::StrCat(status.message(), "; the log takes no more until it is opened again")));
  poisoned_.store(true, std::memory_order_release);
  std::lock_guard place(place_lock_);
  ordinary_limit_ = reserve_limit_ = 0;
}

absl::Status LogWriter::Check() {
  absl::Status ours;
  {
    std::lock_guard lock(grow_mutex_);
    if (poisoned_.load(std::memory_order_acquire)) return absl::Status(status_.code(), status_.message());
    ours = CheckLocked();
  }
  if (!ours.ok()) Poison(ours);
  return ours;
}

absl::Status LogWriter::CheckLocked() {
  if (absl::Status locked = lock_->Check(); !locked.ok()) return locked;
  return segment_ == nullptr ? absl::OkStatus() : segment_->file->Check();
}

absl::Status LogWriter::status() const {
  if (!own_.here()) {
    return absl::FailedPreconditionError(
        absl::StrCat(directory_, ": was opened by process ", own_.id(), ", of which this is a fork"));
  }
  std::lock_guard lock(grow_mutex_);
  // A copy of its own: the count that copies share is in a library that ThreadSanitizer does not see into.
  return absl::Status(status_.code(), status_.message());
}

uint64_t LogWriter::last_sequence() const {
  std::lock_guard lock(place_lock_);
  return last_user_sequence_;
}

absl::Status LogWriter::WriteSnapshot(uint64_t sequence, std::string_view bytes) {
  // A snapshot must not reach beyond what the log is sure to hold.
  if (!PURSER_PLANTED_BUG(kSnapshotBeyondLog)) {
    if (absl::Status status = Sync(sequence); !status.ok()) return status;
  }
  if (absl::Status ours = Check(); !ours.ok()) return ours;
  FileSystem* files = options_.files;
  if (absl::Status status =
          ReplaceFile(files, PathOf(SnapshotName(sequence)), EncodeSnapshot(id_, sequence, bytes));
      !status.ok()) {
    return status;
  }
  absl::StatusOr<std::vector<std::string>> names = files->List(directory_);
  if (!names.ok()) return names.status();
  for (const std::string& other : *names) {
    const uint64_t older = SnapshotSequence(other);
    if (older != 0 && older < sequence) (void)files->Remove(PathOf(other));
  }
  return absl::OkStatus();
}

// ---- In the background.

void LogWriter::RunInBackground() {
  const std::chrono::nanoseconds between_syncs(options_.background_nanos);
  auto next_sync = std::chrono::steady_clock::now() + between_syncs;
  std::unique_lock lock(background_mutex_);
  while (!background_wake_.wait_for(lock, std::min<std::chrono::nanoseconds>(between_syncs, kBetweenChecks),
                                    [this] { return closing_; })) {
    lock.unlock();
    if (std::chrono::steady_clock::now() < next_sync) {
      (void)Check();  // An error stays in status().
    } else {
      (void)Sync(~uint64_t{0});  // Likewise.
      (void)Check();
      if (!writable()) TryToGrow();
      RotateIfOld();
      next_sync = std::chrono::steady_clock::now() + between_syncs;
    }
    lock.lock();
  }
}

void LogWriter::WakePreparer() {
  prepare_wakes_.fetch_add(1, std::memory_order_release);
  prepare_wakes_.notify_one();
}

void LogWriter::RunPreparer() {
  std::shared_ptr<Segment> segment;
  uint64_t prepared = 0;  // Of `segment`, up to here.
  while (true) {
    const uint32_t wakes = prepare_wakes_.load(std::memory_order_acquire);
    if (preparer_closing_) return;
    std::shared_ptr<Segment> current;
    uint64_t offset;
    {
      std::lock_guard grow(grow_mutex_);
      current = segment_;
      std::lock_guard place(place_lock_);
      offset = offset_;
    }
    if (current != segment) {
      segment = std::move(current);
      prepared = 0;
    }
    const uint64_t begin = std::max(prepared, offset);
    const uint64_t end = std::min((offset / kStep + 3) * kStep, segment->file->allocated());
    if (begin < end && bytes_a_sync_.load(std::memory_order_relaxed) >= kMinBytesASync) {
      segment->file->Prepare(begin, end - begin);
      prepared = end;
    }
    prepare_wakes_.wait(wakes, std::memory_order_acquire);
  }
}

// A caller that asks writable() first does not find out by itself that the disk has space again.
void LogWriter::TryToGrow() {
  constexpr uint64_t kFramesWorth = 16u << 10;
  std::lock_guard lock(grow_mutex_);
  if (!poisoned_.load(std::memory_order_acquire)) SetStatus(MakeRoomLocked(kFramesWorth, Reserve::kLeave));
}

void LogWriter::RotateIfOld() {
  if (options_.segment_age_nanos <= 0) return;
  std::lock_guard lock(grow_mutex_);
  {
    std::lock_guard place(place_lock_);
    if (offset_ == sizeof(SegmentHeader)) return;
  }
  if (poisoned_.load(std::memory_order_acquire)) return;
  if (Now() - segment_->created_nanos < options_.segment_age_nanos) return;
  if (absl::Status status = BeginSegment(segment_->number + 1, 0); !status.ok()) SetStatus(status);
}

}  // namespace purser::ledger
