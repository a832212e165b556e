#ifndef PURSER_ENGINE_LEDGER_LOG_SCANNER_H_
#define PURSER_ENGINE_LEDGER_LOG_SCANNER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/ledger/file_system.h"
#include "engine/ledger/log.h"
#include "engine/ledger/segment_reader.h"

namespace purser::ledger {

// Reads the frames of a whole ledger in order, over all its segments, without changing anything; also while a
// Log is writing it, whose appends it sees up to the moment of each read. Not thread-safe.
class LogScanner {
 public:
  struct Options {
    // Only frames after this one; segments that end before it are not opened.
    uint64_t after_sequence = 0;
    FileSystem* files = FileSystem::Posix();
  };

  // How the ledger ends, and what was met on the way; complete when Next() has said false.
  struct End {
    uint64_t segment = 0;  // The number of the last segment with good frames (0: there is no segment) ...
    uint64_t offset = 0;   // ... and where in it the next frame would begin.
    bool header_missing = false;  // That segment's own header was never written.
    uint64_t next_sequence = 1;
    uint64_t frames = 0;            // That Next() returned.
    uint64_t abandoned_frames = 0;  // Begun by a writer that died, or is about to finish them.
    uint64_t torn_bytes = 0;        // Beyond `offset`: lost to a power failure, with all later segments.
    std::vector<std::string> later_segments;  // Names of those segments.
    // The highest sequence number that was marked as synced, and the segments with frames beyond it: they may
    // be in the kernel only, if the process died before it synced them.
    struct Unsynced {
      std::string name;
      uint64_t vouched_by;  // A mark of this frame or a later one says that the segment was synced.
    };
    uint64_t durable_through = 0;
    std::vector<Unsynced> unsynced;
  };

  // NOT_FOUND: no such directory. FAILED_PRECONDITION: it is not a ledger.
  static absl::StatusOr<std::unique_ptr<LogScanner>> Open(const std::string& directory,
                                                          const Options& options);
  static absl::StatusOr<std::unique_ptr<LogScanner>> Open(const std::string& directory) {
    return Open(directory, Options());
  }

  // True: *frame is the next one (its payload valid until the next call). False: the end. DATA_LOSS: damage
  // that no power loss explains, by file and offset. The log's own frames are passed over.
  absl::StatusOr<bool> Next(Frame* frame);

  const End& end() const { return end_; }
  uint64_t id() const { return id_; }
  uint64_t segments() const { return segments_.size(); }
  // Of the first frame that there is: 1, unless old segments were dropped (compaction.h).
  uint64_t first_sequence() const { return first_sequence_; }
  // For a progress bar: bytes of all segments, and of those read so far.
  uint64_t total_bytes() const { return total_bytes_; }
  uint64_t bytes_read() const { return bytes_before_ + (reader_ != nullptr ? reader_->offset() : 0); }

 private:
  struct Segment {
    uint64_t number;
    std::string name;
  };

  LogScanner(std::string directory, const Options& options)
      : directory_(std::move(directory)), options_(options) {}

  absl::Status Start();
  absl::Status OpenSegment(size_t index);
  // At an end or at damage of the segment being read: goes on to the next segment (true), or ends (false).
  absl::StatusOr<bool> Continue(SegmentReader::Found found);
  void NoteSegment();
  absl::Status Corrupt(const SegmentReader& at) const;
  std::string PathOf(const std::string& name) const { return directory_ + "/" + name; }

  const std::string directory_;
  const Options options_;
  uint64_t id_ = 0;
  std::vector<Segment> segments_;
  size_t current_ = 0;
  std::unique_ptr<SegmentReader> reader_;
  uint64_t expected_ = 1;
  uint64_t first_sequence_ = 1;
  uint64_t looked_twice_at_ = 0;  // The expected_ at which damage was looked at again.
  bool done_ = false;
  End end_;
  uint64_t total_bytes_ = 0;
  uint64_t bytes_before_ = 0;
};

}  // namespace purser::ledger

#endif  // PURSER_ENGINE_LEDGER_LOG_SCANNER_H_
