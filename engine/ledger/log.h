#ifndef PURSER_ENGINE_LEDGER_LOG_H_
#define PURSER_ENGINE_LEDGER_LOG_H_

#include <purser/clock.h>

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/ledger/file_system.h"

namespace purser::ledger {

// An append-only log of typed frames in a directory of segment files: the ledger's ground truth. The bytes
// are described in LOG_FORMAT.md.
//
//   auto log = Log::Open("/var/lib/purser", {}, [&](const Frame& frame) { return Apply(frame); });
//   uint64_t sequence = (*log)->Append(RECORD, payload);       // In the kernel's hands.
//   if (sequence == 0) return (*log)->status();                // Not written: grant nothing.
//   absl::Status status = (*log)->Sync(sequence);              // On the disk.
//
// What an append survives:
// - Append() returned a sequence number: the death of the process, at any instruction, of any thread. The
//   frame is in the kernel's page cache, where every reader sees it and the next Open() finds it.
// - Sync() of that number returned OK: power loss, as far as the disk keeps its promise about fdatasync.
// - Append() returned 0: nothing was written and nothing will be found.
// Frames are found in the order of their numbers. After a power loss the log ends before the first frame that
// did not reach the disk; every frame whose Sync() returned OK is there.
//
// What Open() makes of damage:
// - A tail that was being written when the power went (missing or zero sectors) is cut off, and counted.
// - A frame whose writer died half way was never acknowledged: it is skipped, and counted.
// - Anything else is corruption: DATA_LOSS, naming the file and the offset; nothing is changed.
// - A file of somebody else, or of another ledger, or of a newer version: FAILED_PRECONDITION.
// - Another process (or Log) writing: UNAVAILABLE, naming it. One that is dead does not count, whatever
// children
//   it left behind.
//
// What becomes of the files while the log is open is looked at five times a second and at every Sync: once
// they are removed, moved, replaced or cut short by somebody else, the log takes no more for good, and
// status() says why. What was appended until then is where the files are. Memory whose file was cut off is a
// store to nowhere, never a SIGBUS (lost_pages.h).
//
// The child of a fork has a copy of a Log that takes nothing. It must not destroy it, since its threads are
// not there to be joined.

struct Frame {
  uint64_t sequence = 0;     // From 1, increasing; numbers of the log's own frames are left out.
  uint32_t type = 0;         // purser.ledger.FrameType.
  std::string_view payload;  // Valid during the callback.
};

struct LogOptions {
  // How large a segment file grows before the next one is begun, and how old (0: of any age).
  uint64_t segment_bytes = 64u << 20;
  int64_t segment_age_nanos = 0;
  // Disk space is taken this much ahead of need.
  uint64_t allocate_bytes = 4u << 20;
  // Kept allocated beyond what ordinary appends may use, so that a full disk can still book what has been
  // spent: see Reserve.
  uint64_t reserve_bytes = 256u << 10;
  // A thread of the log's own syncs this often (so that a power loss costs at most this much of what was not
  // synced explicitly), closes full segments and begins new ones by age; a second one makes memory ready in
  // front of the appends. 0: no threads; Sync does the rest, and every 4 KB an append pays a page fault.
  int64_t background_nanos = 1'000'000'000;

  FileSystem* files = FileSystem::Posix();
  const Clock* clock = nullptr;  // nullptr: the system's.
  uint64_t new_ledger_id = 0;    // 0: drawn at random, as it should be outside of tests.
};

// What may use the reserve: grants must not, so that what they lead to can.
enum class Reserve { kLeave, kUse };

class Log {
 public:
  struct Recovery {
    uint64_t frames = 0;             // Handed to the callback.
    uint64_t snapshot_sequence = 0;  // 0: no snapshot was used.
    uint64_t damaged_snapshots = 0;  // Passed over; the frames were replayed instead.
    uint64_t torn_bytes = 0;         // Cut off the end: written but not synced before a power loss.
    uint64_t abandoned_frames = 0;   // Begun by a writer that died; never acknowledged.
    uint64_t segments = 0;
    std::string torn_at;  // "file:offset" of the cut; empty: none.
  };

  // The largest payload of a frame.
  static constexpr size_t kMaxPayload = 1u << 20;

  // Restores state: called with the newest good snapshot's bytes first, if there is one (type 0, sequence:
  // the one that it reaches), then with each frame after it, in order. An error stops Open(), which returns
  // it.
  using Replay = std::function<absl::Status(const Frame&)>;

  // Opens the ledger in `directory`, creating it if it does not exist.
  static absl::StatusOr<std::unique_ptr<Log>> Open(const std::string& directory, const LogOptions& options,
                                                   const Replay& replay);
  // Syncs and closes. Nobody may be appending.
  virtual ~Log() = default;

  // Appends a frame whose payload is `payload` (or the parts, one after another). Thread-safe; allocates
  // nothing; waits for no disk unless a segment has to be begun. Returns the frame's sequence number, or 0 if
  // it was not written: the disk is full (tried again at every call, and by the background thread), a failed
  // Sync (for good) or, with status() OK, a payload above kMaxPayload.
  virtual uint64_t Append(uint32_t type, std::string_view payload, Reserve reserve = Reserve::kLeave) = 0;
  virtual uint64_t Append(uint32_t type, std::initializer_list<std::string_view> parts,
                          Reserve reserve = Reserve::kLeave) = 0;

  // Returns when everything appended up to `sequence` (by default: so far) would survive a power loss.
  // Concurrent calls share one fdatasync. An error is for good: the log takes no more appends.
  virtual absl::Status Sync(uint64_t sequence = ~uint64_t{0}) = 0;

  // OK, or why ordinary appends are refused at the moment. Those that may use the reserve can still succeed.
  virtual absl::Status status() const = 0;
  // Whether status() is OK, for every call to ask: one load.
  virtual bool writable() const = 0;

  // Stores the state that results from all frames up to `sequence`, synced and checksummed; the next Open()
  // starts from it. Older snapshots are removed, segments are not: they are the books.
  virtual absl::Status WriteSnapshot(uint64_t sequence, std::string_view bytes) = 0;

  // Whether the files are still those that this log opened; where they are not, it takes no more from then
  // on. To be asked before anything is written beside it under the directory's name.
  virtual absl::Status Check() = 0;

  // Begins a new segment now. Closed segments never change again.
  virtual absl::Status Rotate() = 0;

  virtual uint64_t last_sequence() const = 0;
  virtual const Recovery& recovery() const = 0;
  virtual const std::string& directory() const = 0;
};

}  // namespace purser::ledger

#endif  // PURSER_ENGINE_LEDGER_LOG_H_
