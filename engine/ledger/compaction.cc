#include "engine/ledger/compaction.h"

#include <zstd.h>

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "engine/ledger/log_format.h"
#include "engine/ledger/log_scanner.h"
#include "engine/ledger/record.h"
#include "engine/ledger/segment_reader.h"
#include "purser/record.pb.h"

namespace purser::ledger {
namespace {

// Larger than any segment that LogOptions is meant for; a frame that claims more is damaged.
constexpr uint64_t kMaxSegmentBytes = uint64_t{1} << 32;

class BytesFile final : public ReadableFile {
 public:
  explicit BytesFile(std::string bytes) : bytes_(std::move(bytes)) {}
  absl::StatusOr<size_t> ReadAt(uint64_t offset, char* to, size_t size) const override {
    if (offset >= bytes_.size()) return size_t{0};
    const size_t got = std::min<uint64_t>(size, bytes_.size() - offset);
    std::memcpy(to, bytes_.data() + offset, got);
    return got;
  }
  absl::StatusOr<uint64_t> Size() const override { return bytes_.size(); }

 private:
  const std::string bytes_;
};

absl::StatusOr<std::string> Compress(const std::string& bytes) {
  std::unique_ptr<ZSTD_CCtx, size_t (*)(ZSTD_CCtx*)> context(ZSTD_createCCtx(), &ZSTD_freeCCtx);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_checksumFlag, 1);
  std::string compressed(ZSTD_compressBound(bytes.size()), '\0');
  const size_t size =
      ZSTD_compress2(context.get(), compressed.data(), compressed.size(), bytes.data(), bytes.size());
  if (ZSTD_isError(size)) return absl::InternalError(absl::StrCat("zstd: ", ZSTD_getErrorName(size)));
  compressed.resize(size);
  return compressed;
}

absl::StatusOr<std::string> Decompress(const std::string& compressed, const std::string& path) {
  const auto damaged = [&path](std::string_view why) {
    return absl::DataLossError(absl::StrCat(path, ": damaged (", absl::string_view(why.data(), why.size()),
                                            "); restore it from a backup of this ledger"));
  };
  const unsigned long long size = ZSTD_getFrameContentSize(compressed.data(), compressed.size());
  if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN || size > kMaxSegmentBytes) {
    return damaged("not a compressed segment");
  }
  std::string bytes(size, '\0');
  const size_t got = ZSTD_decompress(bytes.data(), bytes.size(), compressed.data(), compressed.size());
  if (ZSTD_isError(got)) return damaged(ZSTD_getErrorName(got));
  if (got != size) return damaged("it is cut short");
  return bytes;
}

class Compaction {
 public:
  Compaction(const std::string& directory, const CompactOptions& options)
      : directory_(directory), options_(options), files_(options.files) {}

  absl::StatusOr<Compacted> Run() {
    absl::StatusOr<std::unique_ptr<LogScanner>> scanner =
        LogScanner::Open(directory_, {.after_sequence = 0, .files = files_});
    if (!scanner.ok()) return scanner.status();
    id_ = (*scanner)->id();
    absl::StatusOr<std::unique_ptr<FileLock>> lock = files_->Lock(PathOf(kLockName));
    if (!lock.ok()) return lock.status();
    // Again, now that nobody writes.
    scanner = LogScanner::Open(directory_, {.after_sequence = 0, .files = files_});
    if (!scanner.ok()) return scanner.status();
    if (absl::Status status = ReadThrough(scanner->get()); !status.ok()) return status;
    if (absl::Status status = List(); !status.ok()) return status;
    if (options_.drop_before_nanos != INT64_MIN) {
      if (absl::Status status = Drop(); !status.ok()) return status;
    }
    for (const std::string& name : segments_) {
      if (absl::EndsWith(name, ".log") && name != segments_.back()) {
        if (absl::Status status = CompressOne(name); !status.ok()) return status;
      }
    }
    return result_;
  }

 private:
  std::string PathOf(std::string_view name) const {
    return absl::StrCat(directory_, "/", absl::string_view(name.data(), name.size()));
  }

  absl::Status ReadThrough(LogScanner* scanner) const {
    Frame frame;
    while (true) {
      const absl::StatusOr<bool> more = scanner->Next(&frame);
      if (!more.ok()) return more.status();
      if (!*more) break;
    }
    if (scanner->end().torn_bytes > 0 || !scanner->end().later_segments.empty()) {
      return absl::FailedPreconditionError(
          absl::StrCat(directory_, ": its end is torn; the next writer mends it, compact after that"));
    }
    return absl::OkStatus();
  }

  absl::Status List() {
    absl::StatusOr<std::vector<std::string>> names = files_->List(directory_);
    if (!names.ok()) return names.status();
    for (const std::string& name : *names) {
      if (SegmentNumber(name) != 0) {
        // A compressed twin that a crash left beside its original is written again.
        if (!segments_.empty() && SegmentNumber(segments_.back()) == SegmentNumber(name)) {
          if (absl::Status status = files_->Remove(PathOf(name)); !status.ok()) return status;
          continue;
        }
        segments_.push_back(name);
      }
      const uint64_t sequence = SnapshotSequence(name);
      if (sequence == 0) continue;
      absl::StatusOr<std::string> file = ReadFile(files_, PathOf(name));
      if (!file.ok()) return file.status();
      if (DecodeSnapshot(id_, sequence, *file, PathOf(name)).ok()) snapshot_ = std::max(snapshot_, sequence);
    }
    return absl::OkStatus();
  }

  struct Extent {
    uint64_t last_sequence = 0;
    int64_t newest_nanos = INT64_MIN;
  };
  absl::StatusOr<Extent> ExtentOf(const std::string& name) const {
    absl::StatusOr<std::unique_ptr<SegmentReader>> reader =
        SegmentReader::Open(files_, PathOf(name), id_, SegmentNumber(name));
    if (!reader.ok()) return reader.status();
    Extent extent;
    uint64_t expected = (*reader)->segment().first_sequence;
    while (true) {
      const absl::StatusOr<SegmentReader::Found> found = (*reader)->Next(expected);
      if (!found.ok()) return found.status();
      if (*found != SegmentReader::Found::kFrame && *found != SegmentReader::Found::kAbandoned) break;
      extent.last_sequence = expected++;
      RecordView record;
      if (*found == SegmentReader::Found::kFrame && (*reader)->header().type == RECORD &&
          DecodeWithoutLists((*reader)->payload(), &record)) {
        extent.newest_nanos = std::max({extent.newest_nanos, record.time_nanos, record.settled_nanos});
      }
    }
    return extent;
  }

  // From the first on, and never the last: what is left has no gap.
  absl::Status Drop() {
    while (segments_.size() > 1) {
      const absl::StatusOr<Extent> extent = ExtentOf(segments_.front());
      if (!extent.ok()) return extent.status();
      if (extent->newest_nanos >= options_.drop_before_nanos) break;
      if (extent->last_sequence > snapshot_) {
        ++result_.segments_kept_for_snapshot;
        break;
      }
      if (absl::Status status = files_->Remove(PathOf(segments_.front())); !status.ok()) return status;
      segments_.erase(segments_.begin());
      ++result_.segments_dropped;
      if (absl::Status status = files_->SyncDirectory(directory_); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

  absl::Status CompressOne(const std::string& name) {
    const std::string path = PathOf(name), twin = path + ".zst", unfinished = twin + ".tmp";
    const absl::StatusOr<std::string> bytes = ReadFile(files_, path);
    if (!bytes.ok()) return bytes.status();
    const absl::StatusOr<std::string> compressed = Compress(*bytes);
    if (!compressed.ok()) return compressed.status();
    if (absl::Status status = files_->WriteFile(unfinished, *compressed); !status.ok()) return status;
    const absl::StatusOr<std::string> written = ReadFile(files_, unfinished);
    if (!written.ok()) return written.status();
    const absl::StatusOr<std::string> again = Decompress(*written, unfinished);
    if (!again.ok()) return again.status();
    if (*again != *bytes) return absl::InternalError(unfinished + ": does not read back as it was written");
    if (absl::Status status = files_->Rename(unfinished, twin); !status.ok()) return status;
    // The twin's name has to be on the disk before the original's goes.
    if (absl::Status status = files_->SyncDirectory(directory_); !status.ok()) return status;
    if (absl::Status status = files_->Remove(path); !status.ok()) return status;
    if (absl::Status status = files_->SyncDirectory(directory_); !status.ok()) return status;
    ++result_.segments_compressed;
    result_.bytes_before += bytes->size();
    result_.bytes_after += compressed->size();
    return absl::OkStatus();
  }

  const std::string& directory_;
  const CompactOptions& options_;
  FileSystem* const files_;
  uint64_t id_ = 0;
  uint64_t snapshot_ = 0;  // What the newest good one reaches.
  std::vector<std::string> segments_;
  Compacted result_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<ReadableFile>> OpenCompressed(FileSystem* files, const std::string& path) {
  const absl::StatusOr<std::string> compressed = ReadFile(files, path);
  if (!compressed.ok()) return compressed.status();
  absl::StatusOr<std::string> bytes = Decompress(*compressed, path);
  if (!bytes.ok()) return bytes.status();
  return std::make_unique<BytesFile>(*std::move(bytes));
}

absl::StatusOr<Compacted> Compact(const std::string& directory, const CompactOptions& options) {
  return Compaction(directory, options).Run();
}

}  // namespace purser::ledger
