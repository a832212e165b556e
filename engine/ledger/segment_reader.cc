#include "engine/ledger/segment_reader.h"

#include <algorithm>
#include <cstring>

#include "engine/ledger/compaction.h"
#include "engine/ledger/log.h"
#include "engine/ledger/planted_bug.h"
#include "purser/record.pb.h"

namespace purser::ledger {
namespace {

constexpr uint64_t kBufferBytes = 1u << 20;

bool AllZero(const char* bytes, uint64_t size) {
  for (; size >= 8; bytes += 8, size -= 8) {
    uint64_t word;
    std::memcpy(&word, bytes, sizeof(word));
    if (word != 0) return false;
  }
  return std::all_of(bytes, bytes + size, [](char c) { return c == 0; });
}

absl::StatusOr<std::unique_ptr<ReadableFile>> OpenSegment(FileSystem* files, const std::string& path) {
  if (path.ends_with(".zst")) return OpenCompressed(files, path);
  absl::StatusOr<std::unique_ptr<ReadableFile>> file = files->OpenForReading(path);
  if (!absl::IsNotFound(file.status())) return file;
  // It may have been compressed since its name was read.
  absl::StatusOr<std::unique_ptr<ReadableFile>> compressed = OpenCompressed(files, path + ".zst");
  return absl::IsNotFound(compressed.status()) ? std::move(file) : std::move(compressed);
}

}  // namespace

absl::StatusOr<std::unique_ptr<SegmentReader>> SegmentReader::Open(FileSystem* files, const std::string& path,
                                                                   uint64_t id, uint64_t number) {
  absl::StatusOr<std::unique_ptr<ReadableFile>> file = OpenSegment(files, path);
  if (!file.ok()) return file.status();
  std::unique_ptr<SegmentReader> reader(new SegmentReader(*std::move(file), path, id));
  bool past_end;
  absl::StatusOr<const char*> head = reader->View(0, sizeof(SegmentHeader), &past_end);
  if (!head.ok()) return head.status();
  std::memcpy(&reader->segment_, *head, sizeof(SegmentHeader));
  if (past_end || AllZero(*head, sizeof(SegmentHeader))) {
    reader->missing_header_ = true;
    reader->offset_ = reader->next_offset_ = 0;
    return reader;
  }
  if (absl::Status status = CheckSegmentHeader(reader->segment_, id, number, path); !status.ok())
    return status;
  return reader;
}

absl::StatusOr<const char*> SegmentReader::View(uint64_t offset, uint64_t size, bool* past_end) {
  if (offset < buffer_offset_ || offset + size > buffer_offset_ + buffer_size_) {
    if (buffer_capacity_ < size) {
      // Small files need no more than their size.
      absl::StatusOr<uint64_t> file_size = file_->Size();
      if (!file_size.ok()) return file_size.status();
      buffer_capacity_ = std::max(size, std::min(kBufferBytes, *file_size + kSectorBytes));
      buffer_ = std::make_unique_for_overwrite<char[]>(buffer_capacity_);
    }
    absl::StatusOr<size_t> got = file_->ReadAt(offset, buffer_.get(), buffer_capacity_);
    if (!got.ok()) return got.status();
    buffer_offset_ = offset;
    buffer_size_ = *got;
  }
  const uint64_t have = buffer_offset_ + buffer_size_ - offset;
  *past_end = have < size;
  char* view = buffer_.get() + (offset - buffer_offset_);
  // What is beyond the end reads as zeros, so that a cut file and a lost sector look alike.
  if (*past_end) std::memset(view + have, 0, size - have);
  return view;
}

// Lost sectors read as zeros: space is allocated as zeros and written once, front to back. So a frame that a
// power loss has damaged has, in at least one of its sectors, zeros up to the sector's (or the frame's) end.
bool SegmentReader::LooksUnwritten(const char* frame, uint64_t size) const {
  if (PURSER_PLANTED_BUG(kCorruptionTakenForTornTail)) return true;
  constexpr uint64_t kZeroRun =
      16;  // Longer than what a message's last bytes are likely to be by themselves.
  for (uint64_t at = 0; at < size;) {
    const uint64_t piece = std::min(size - at, kSectorBytes - (offset_ + at) % kSectorBytes);
    const uint64_t run = std::min(piece, kZeroRun);
    if (AllZero(frame + at + piece - run, run)) return true;
    at += piece;
  }
  return false;
}

absl::StatusOr<SegmentReader::Found> SegmentReader::Next(uint64_t expected_sequence) {
  offset_ = next_offset_;
  if (missing_header_) return Found::kEnd;
  bool past_end;
  absl::StatusOr<const char*> view = View(offset_, sizeof(FrameHeader), &past_end);
  if (!view.ok()) return view.status();
  std::memcpy(&header_, *view, sizeof(header_));
  uint64_t first_word;
  std::memcpy(&first_word, *view, sizeof(first_word));
  if (const uint64_t begin = FrameBegin(offset_); first_word == 0 && begin != offset_) {
    next_offset_ = begin;
    return Next(expected_sequence);
  }
  if (first_word == 0) return Found::kEnd;
  if (header_.size > Log::kMaxPayload ||
      header_.check != HeaderCheck(id_, header_.size, header_.type, header_.sequence) ||
      header_.sequence != expected_sequence) {
    return past_end || LooksUnwritten(*view, sizeof(FrameHeader)) ? Found::kTorn : Found::kCorrupt;
  }
  const uint64_t size = sizeof(FrameHeader) + header_.size;
  if (header_.checksum == 0) {
    // Its writer had space for all of it.
    view = View(offset_, size, &past_end);
    if (!view.ok()) return view.status();
    if (past_end) return Found::kTorn;
    if (PURSER_PLANTED_BUG(kAbandonedFrameEndsLog)) return Found::kTorn;
    next_offset_ = offset_ + FrameBytes(header_.size);
    return Found::kAbandoned;
  }
  view = View(offset_, size, &past_end);
  if (!view.ok()) return view.status();
  payload_ = std::string_view(*view + sizeof(FrameHeader), header_.size);
  if (FrameChecksum(id_, header_, payload_.data()) != header_.checksum &&
      !PURSER_PLANTED_BUG(kChecksumNotVerified)) {
    return past_end || LooksUnwritten(*view, size) ? Found::kTorn : Found::kCorrupt;
  }
  next_offset_ = offset_ + FrameBytes(header_.size);
  return Found::kFrame;
}

absl::StatusOr<uint64_t> SegmentReader::DurableThrough() {
  constexpr uint64_t kMark = sizeof(FrameHeader) + sizeof(uint64_t);
  uint64_t through = 0;
  bool past_end = false;
  for (uint64_t at = Align8(offset_); !past_end; at += 8) {
    absl::StatusOr<const char*> view = View(at, kMark, &past_end);
    if (!view.ok()) return view.status();
    FrameHeader header;
    std::memcpy(&header, *view, sizeof(header));
    if (header.type != SYNC_MARK || header.size != sizeof(uint64_t)) continue;
    if (header.check != HeaderCheck(id_, header.size, header.type, header.sequence)) continue;
    if (header.checksum != FrameChecksum(id_, header, *view + sizeof(header))) continue;
    uint64_t marked;
    std::memcpy(&marked, *view + sizeof(header), sizeof(marked));
    through = std::max(through, marked);
  }
  return through;
}

absl::StatusOr<uint64_t> SegmentReader::BytesLeft() {
  uint64_t end = offset_;
  bool past_end = false;
  for (uint64_t at = offset_; !past_end; at += kSectorBytes) {
    absl::StatusOr<const char*> view = View(at, kSectorBytes, &past_end);
    if (!view.ok()) return view.status();
    for (uint64_t i = kSectorBytes; i > 0; --i) {
      if ((*view)[i - 1] != 0) {
        end = at + i;
        break;
      }
    }
  }
  return end - offset_;
}

}  // namespace purser::ledger
