#ifndef PURSER_ENGINE_LEDGER_LOG_WRITER_H_
#define PURSER_ENGINE_LEDGER_LOG_WRITER_H_

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "engine/base/own_process.h"
#include "engine/base/spin_lock.h"
#include "engine/ledger/log.h"
#include "engine/ledger/log_format.h"

namespace purser::ledger {

// The Log that Open() returns.
//
// An append takes its place under a spin lock: the frame's header (size, type, sequence, no checksum yet) is
// stored there, so that at any moment the headers lead from frame to frame without a gap, whoever dies where.
// The payload is copied outside the lock; the checksum, stored last, finishes the frame. Everything slow
// (disk space, a new segment) happens under grow_mutex_, with the limits telling appenders to come and wait.
// A thread, the preparer, prefaults pages ahead of the appenders; syncs release them afterwards.
class LogWriter final : public Log {
 public:
  LogWriter(std::string directory, const LogOptions& options, uint64_t id, std::unique_ptr<FileLock> lock,
            Recovery recovery);
  ~LogWriter() override;

  // Begins to write at the end that recovery found: in segment `number` at `offset`, or in a new one (offset
  // 0). Called once, before anything else.
  absl::Status Start(uint64_t number, uint64_t offset, uint64_t next_sequence);

  uint64_t Append(uint32_t type, std::string_view payload, Reserve reserve) override {
    return AppendParts(type, &payload, 1, reserve);
  }
  uint64_t Append(uint32_t type, std::initializer_list<std::string_view> parts, Reserve reserve) override {
    return AppendParts(type, parts.begin(), parts.size(), reserve);
  }
  absl::Status Sync(uint64_t sequence) override;
  absl::Status status() const override;
  bool writable() const override { return writable_.load(std::memory_order_relaxed); }
  absl::Status WriteSnapshot(uint64_t sequence, std::string_view bytes) override;
  absl::Status Rotate() override;
  absl::Status Check() override;
  uint64_t last_sequence() const override;
  const Recovery& recovery() const override { return recovery_; }
  const std::string& directory() const override { return directory_; }

 private:
  struct Segment {
    uint64_t number = 0;
    std::unique_ptr<MappedFile> file;
    uint64_t end = 0;  // Where its frames end, once it is closed to appends. Guarded by place_lock_.
    // Only the running sync touches these. Before `complete` frames are finished, before `released` their
    // memory has been let go.
    uint64_t complete = 0;
    uint64_t released = 0;
    int64_t created_nanos = 0;
    bool name_synced = false;  // Likewise.
  };
  // A place taken for a frame.
  struct Place {
    char* frame = nullptr;
    FrameHeader header{};
    const std::atomic<bool>* lost = nullptr;  // Of the file that it is in.
    bool begins_step = false;                 // The preparer should be woken.
  };

  uint64_t AppendParts(uint32_t type, const std::string_view* parts, size_t count, Reserve reserve);
  bool TakePlace(uint32_t type, uint64_t size, Reserve reserve, Place* place);
  void Finish(const Place& place);
  // Makes a frame of `payload_size` fit, or returns false and, if it is not its size, sets status_.
  bool MakeRoom(uint64_t payload_size, Reserve reserve);
  absl::Status MakeRoomLocked(uint64_t bytes, Reserve reserve);
  // status_ is `status` from now on; with grow_mutex_.
  void SetStatus(absl::Status status);
  absl::Status BeginSegment(uint64_t number, uint64_t least_bytes);
  absl::Status Allocate(MappedFile* file, uint64_t least, uint64_t capacity) const;
  void SetLimits();
  std::string PathOf(std::string_view name) const { return directory_ + "/" + std::string(name); }
  int64_t Now() const;

  // What one group commit covers.
  struct Batch {
    std::vector<std::shared_ptr<Segment>> segments;  // All but the last are retired.
    uint64_t end = 0;                                // In the last one.
    uint64_t through = 0;                            // The last sequence number.
  };
  Batch TakeBatch();
  absl::Status SyncBatch(const Batch& batch);
  void CloseRetired(const Batch& batch);
  void MarkSynced(uint64_t through);
  void Poison(const absl::Status& status);
  absl::Status CheckLocked();
  void RunInBackground();
  void WakePreparer();
  void RunPreparer();
  void RotateIfOld();
  void TryToGrow();

  const std::string directory_;
  const LogOptions options_;
  const uint64_t id_;
  const OwnProcess own_;
  const std::unique_ptr<FileLock> lock_;  // Guarded by grow_mutex_.
  const Recovery recovery_;

  // Where the next frame goes.
  mutable SpinLock place_lock_;
  char* data_ = nullptr;
  const std::atomic<bool>* lost_ = nullptr;  // With data_.
  uint64_t offset_ = 0;
  uint64_t next_sequence_ = 1;
  uint64_t last_user_sequence_ = 0;  // Of the last frame that is not the log's own.
  uint64_t ordinary_limit_ = 0;      // Frames end at or before these; 0: go to MakeRoom.
  uint64_t reserve_limit_ = 0;

  // Growing. Taken before place_lock_, never while holding it.
  mutable std::mutex grow_mutex_;
  std::shared_ptr<Segment> segment_;
  std::vector<std::shared_ptr<Segment>> retired_;  // Full, not yet synced; oldest first.
  uint64_t soft_end_ = 0;                          // Ordinary frames of segment_ end here at the latest.
  absl::Status status_;
  std::atomic<bool> writable_{true};  // status_ is OK.
  std::atomic<bool> poisoned_{false};

  // Group commit.
  std::mutex sync_mutex_;
  std::condition_variable sync_done_;
  uint64_t synced_ = 0;
  bool sync_running_ = false;

  std::mutex background_mutex_;
  std::condition_variable background_wake_;
  bool closing_ = false;
  std::thread background_;

  // Counts what should wake the preparer: frames that reach into a new step, new segments, the end.
  std::atomic<uint32_t> prepare_wakes_{0};
  std::atomic<uint64_t> bytes_a_sync_{~uint64_t{0}};  // What the last sync covered.
  std::atomic<bool> preparer_closing_{false};
  std::thread preparer_;
};

}  // namespace purser::ledger

#endif  // PURSER_ENGINE_LEDGER_LOG_WRITER_H_
