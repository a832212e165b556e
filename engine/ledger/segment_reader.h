#ifndef PURSER_ENGINE_LEDGER_SEGMENT_READER_H_
#define PURSER_ENGINE_LEDGER_SEGMENT_READER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/ledger/file_system.h"
#include "engine/ledger/log_format.h"

namespace purser::ledger {

// Reads the frames of one segment file in order, through a buffer, and says exactly what stands where they
// end. Private to the log and its readers. Not thread-safe.
class SegmentReader {
 public:
  enum class Found {
    kFrame,      // header() and payload() are good; offset() is where it begins.
    kAbandoned,  // A frame that was reserved and not finished, at offset(); header() tells its size.
    kEnd,        // No frame begins at offset(): the file ends there, or there are zeros.
    kTorn,       // Damage at offset() that lost (never written) sectors explain.
    kCorrupt,    // Damage at offset() that they do not explain.
  };

  // An error if the file cannot be read, or its header is not one of segment `number` of ledger `id`. A
  // header that was never written (short, or zeros) is no error: missing_header() is true.
  static absl::StatusOr<std::unique_ptr<SegmentReader>> Open(FileSystem* files, const std::string& path,
                                                             uint64_t id, uint64_t number);

  // Looks at what follows the previous frame, given the sequence number that it should have. An error: the
  // file cannot be read.
  absl::StatusOr<Found> Next(uint64_t expected_sequence);

  // The highest sequence number that a sync mark at or after offset() vouches for; 0: none does.
  absl::StatusOr<uint64_t> DurableThrough();
  // How many bytes there are from offset() to the last one that is not zero.
  absl::StatusOr<uint64_t> BytesLeft();

  // Forgets what was read ahead, so that the next call sees the file as it is then.
  void Refresh() { buffer_size_ = 0; }

  bool missing_header() const { return missing_header_; }
  const SegmentHeader& segment() const { return segment_; }
  const std::string& path() const { return path_; }
  uint64_t offset() const { return offset_; }
  const FrameHeader& header() const { return header_; }
  std::string_view payload() const { return payload_; }

 private:
  SegmentReader(std::unique_ptr<ReadableFile> file, std::string path, uint64_t id)
      : file_(std::move(file)), path_(std::move(path)), id_(id) {}

  // At least `size` bytes from `offset` on, zeros where the file has ended, which *past_end tells. Valid
  // until the next call.
  absl::StatusOr<const char*> View(uint64_t offset, uint64_t size, bool* past_end);
  bool LooksUnwritten(const char* frame, uint64_t size) const;

  const std::unique_ptr<ReadableFile> file_;
  const std::string path_;
  const uint64_t id_;
  bool missing_header_ = false;
  SegmentHeader segment_{};

  uint64_t offset_ = sizeof(SegmentHeader);
  uint64_t next_offset_ = sizeof(SegmentHeader);
  FrameHeader header_{};
  std::string_view payload_;

  std::unique_ptr<char[]> buffer_;
  uint64_t buffer_capacity_ = 0;
  uint64_t buffer_offset_ = 0;
  uint64_t buffer_size_ = 0;  // Of what was read; the rest is of no meaning.
};

}  // namespace purser::ledger

#endif  // PURSER_ENGINE_LEDGER_SEGMENT_READER_H_
