#include "engine/ledger/log_scanner.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "engine/ledger/log_format.h"
#include "purser/record.pb.h"

namespace purser::ledger {

absl::StatusOr<std::unique_ptr<LogScanner>> LogScanner::Open(const std::string& directory,
                                                             const Options& options) {
  std::unique_ptr<LogScanner> scanner(new LogScanner(directory, options));
  if (absl::Status status = scanner->Start(); !status.ok()) return status;
  return scanner;
}

absl::Status LogScanner::Start() {
  absl::StatusOr<std::vector<std::string>> names = options_.files->List(directory_);
  if (!names.ok()) return names.status();
  absl::StatusOr<std::string> identity = ReadFile(options_.files, PathOf(kIdentityName));
  if (absl::IsNotFound(identity.status())) {
    return absl::FailedPreconditionError(directory_ + ": not a Purser ledger (it has no file LEDGER)");
  }
  if (!identity.ok()) return identity.status();
  absl::StatusOr<uint64_t> id = ParseIdentity(*identity, PathOf(kIdentityName));
  if (!id.ok()) return id.status();
  id_ = *id;

  for (const std::string& name : *names) {
    const uint64_t number = SegmentNumber(name);
    if (number == 0) continue;
    // A crash may leave a compressed segment beside its original, which comes first: both are whole.
    if (!segments_.empty() && segments_.back().number == number) continue;
    segments_.push_back({number, name});
    absl::StatusOr<std::unique_ptr<ReadableFile>> file = options_.files->OpenForReading(PathOf(name));
    if (!file.ok()) return file.status();
    absl::StatusOr<uint64_t> size = (*file)->Size();
    if (!size.ok()) return size.status();
    total_bytes_ += *size;
  }
  if (segments_.empty()) {
    done_ = true;
    return absl::OkStatus();
  }
  for (size_t i = 1; i < segments_.size(); ++i) {
    if (segments_[i].number != segments_[i - 1].number + 1) {
      return absl::DataLossError(absl::StrCat(PathOf(SegmentName(segments_[i - 1].number + 1)),
                                              ": missing; later segments are there"));
    }
  }
  // The last segment that begins at or before the first frame wanted.
  size_t first = 0;
  if (options_.after_sequence > 0) {
    for (size_t i = segments_.size() - 1; i > 0; --i) {
      absl::StatusOr<std::unique_ptr<SegmentReader>> reader =
          SegmentReader::Open(options_.files, PathOf(segments_[i].name), id_, segments_[i].number);
      if (!reader.ok()) return reader.status();
      if (!(*reader)->missing_header() &&
          (*reader)->segment().first_sequence <= options_.after_sequence + 1) {
        first = i;
        break;
      }
    }
  }
  if (absl::Status status = OpenSegment(first); !status.ok()) return status;
  if (!reader_->missing_header()) expected_ = reader_->segment().first_sequence;
  first_sequence_ = expected_;
  return absl::OkStatus();
}

absl::Status LogScanner::OpenSegment(size_t index) {
  if (reader_ != nullptr) bytes_before_ += reader_->offset();
  absl::StatusOr<std::unique_ptr<SegmentReader>> reader =
      SegmentReader::Open(options_.files, PathOf(segments_[index].name), id_, segments_[index].number);
  if (!reader.ok()) return reader.status();
  reader_ = *std::move(reader);
  current_ = index;
  return absl::OkStatus();
}

absl::StatusOr<bool> LogScanner::Next(Frame* frame) {
  while (!done_) {
    absl::StatusOr<SegmentReader::Found> found = reader_->Next(expected_);
    if (!found.ok()) return found.status();
    switch (*found) {
      case SegmentReader::Found::kFrame:
        ++expected_;
        if (reader_->header().type == SYNC_MARK && reader_->payload().size() == sizeof(uint64_t)) {
          uint64_t through;
          std::memcpy(&through, reader_->payload().data(), sizeof(through));
          end_.durable_through = std::max(end_.durable_through, through);
        }
        if (reader_->header().type == SYNC_MARK || reader_->header().sequence <= options_.after_sequence)
          break;
        ++end_.frames;
        *frame = {reader_->header().sequence, reader_->header().type, reader_->payload()};
        return true;
      case SegmentReader::Found::kAbandoned:
        ++expected_;
        ++end_.abandoned_frames;
        break;
      default: {
        absl::StatusOr<bool> more = Continue(*found);
        if (!more.ok()) return more.status();
        done_ = !*more;
      }
    }
  }
  return false;
}

void LogScanner::NoteSegment() {
  // Of a segment without frames, no mark says anything that does not vouch for a frame after it.
  const uint64_t vouched_by = std::max(expected_ - 1, reader_->segment().first_sequence);
  end_.unsynced.push_back({segments_[current_].name, vouched_by});
}

absl::Status LogScanner::Corrupt(const SegmentReader& at) const {
  return absl::DataLossError(
      absl::StrCat(at.path(), ": offset ", at.offset(), ": frame ", expected_,
                   " is damaged, and not by a write that power cut short; restore this "
                   "file from a backup, or move it and later segments away"));
}

absl::StatusOr<bool> LogScanner::Continue(SegmentReader::Found found) {
  const bool last = current_ + 1 == segments_.size();
  if (!last && !reader_->missing_header()) {
    // Nothing is missing if the next segment goes on where this one ends, whatever stands behind its end.
    absl::StatusOr<std::unique_ptr<SegmentReader>> next = SegmentReader::Open(
        options_.files, PathOf(segments_[current_ + 1].name), id_, segments_[current_ + 1].number);
    if (!next.ok()) return next.status();
    if (!(*next)->missing_header() && (*next)->segment().first_sequence == expected_) {
      NoteSegment();
      if (absl::Status status = OpenSegment(current_ + 1); !status.ok()) return status;
      return true;
    }
  }
  absl::StatusOr<uint64_t> left = reader_->BytesLeft();
  if (!left.ok()) return left.status();
  const bool clean = found == SegmentReader::Found::kEnd && *left == 0 && last;
  if (!clean && looked_twice_at_ != expected_) {
    // A Log may have appended between the two looks: only what is still damaged now was damaged.
    looked_twice_at_ = expected_;
    reader_->Refresh();
    return true;
  }
  if (found == SegmentReader::Found::kCorrupt) return Corrupt(*reader_);
  // Something was lost here. If a later mark says that it had been synced, the disk has lost it.
  uint64_t durable = 0;
  uint64_t torn_bytes = *left;
  if (found != SegmentReader::Found::kEnd || *left > 0) {
    absl::StatusOr<uint64_t> through = reader_->DurableThrough();
    if (!through.ok()) return through.status();
    durable = *through;
  }
  for (size_t i = current_ + 1; i < segments_.size(); ++i) {
    absl::StatusOr<std::unique_ptr<SegmentReader>> later =
        SegmentReader::Open(options_.files, PathOf(segments_[i].name), id_, segments_[i].number);
    if (!later.ok()) return later.status();
    absl::StatusOr<uint64_t> through = (*later)->DurableThrough();
    if (!through.ok()) return through.status();
    durable = std::max(durable, *through);
    absl::StatusOr<uint64_t> bytes = (*later)->BytesLeft();
    if (!bytes.ok()) return bytes.status();
    torn_bytes += *bytes;
  }
  if (durable >= expected_) return Corrupt(*reader_);

  NoteSegment();
  std::erase_if(end_.unsynced, [this](const End::Unsynced& segment) {
    return segment.vouched_by <= end_.durable_through || !absl::EndsWith(segment.name, ".log");
  });
  end_.segment = segments_[current_].number;
  end_.offset = reader_->offset();
  end_.header_missing = reader_->missing_header();
  end_.next_sequence = expected_;
  end_.torn_bytes = torn_bytes;
  for (size_t i = current_ + 1; i < segments_.size(); ++i) end_.later_segments.push_back(segments_[i].name);
  return false;
}

}  // namespace purser::ledger
