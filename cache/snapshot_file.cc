#include "cache/snapshot_file.h"

#include <zstd.h>

#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "cache/hash.h"

namespace purser::cache {
namespace {

constexpr std::string_view kMagic = "PURSERCA";
constexpr uint32_t kVersion = 2;
constexpr uint32_t kVersionWithoutLearned = 1;
constexpr size_t kBlockBytes = size_t{1} << 20;  // Blocks are closed when they have grown to this.
constexpr uint32_t kMaxBlockBytes = 1U << 30;    // No sound block is larger: entries are limited.
constexpr size_t kChecksumBytes = sizeof(Hash128);

absl::Status Damaged(std::string_view what) {
  return absl::DataLossError(
      absl::StrCat("the cache file is damaged (", absl::string_view(what.data(), what.size()), ")"));
}

// Unpacks blocks up to their end mark.
absl::Status Unpack(ByteReader* in, std::vector<std::string>* blocks) {
  for (;;) {
    const auto raw_size = in->TakeNumber<uint32_t>();
    if (!in->ok()) return Damaged("it has no end mark");
    if (raw_size == 0) return absl::OkStatus();
    const auto packed_size = in->TakeNumber<uint32_t>();
    const std::string_view packed = in->Take(packed_size);
    if (!in->ok() || raw_size > kMaxBlockBytes) return Damaged("a block's size");
    if (ZSTD_getFrameContentSize(packed.data(), packed.size()) != raw_size)
      return Damaged("a block's header");
    std::string& block = blocks->emplace_back(raw_size, '\0');
    const size_t unpacked = ZSTD_decompress(block.data(), block.size(), packed.data(), packed.size());
    if (ZSTD_isError(unpacked) || unpacked != raw_size) return Damaged("a block's content");
  }
}

// Calls `visit`, if there is one, for every entry. False where something cannot be read.
bool ReadEntries(const std::vector<std::string>& blocks,
                 const std::function<void(const SavedEntry&)>& visit) {
  for (const std::string& block : blocks) {
    for (ByteReader in(block); !in.done();) {
      const SavedEntry entry = TakeEntry(&in);
      if (!in.ok() || !Sound(entry)) return false;
      if (visit) visit(entry);
    }
  }
  return true;
}

bool ReadLearned(const std::vector<std::string>& blocks,
                 const std::function<void(const SnapshotLearned&)>& visit) {
  for (const std::string& block : blocks) {
    for (ByteReader in(block); !in.done();) {
      SnapshotLearned learned;
      learned.name_space = in.TakeString();
      learned.state = in.TakeString();
      if (!in.ok()) return false;
      if (visit) visit(learned);
    }
  }
  return true;
}

}  // namespace

SnapshotWriter::SnapshotWriter() : bytes_(kMagic) { PutNumber(kVersion, &bytes_); }

void SnapshotWriter::Add(const SavedEntry& entry) {
  PutEntry(entry, &block_);
  if (block_.size() >= kBlockBytes) FlushBlock();
}

void SnapshotWriter::Add(const SnapshotLearned& learned) {
  EndEntries();
  PutString(learned.name_space, &block_);
  PutString(learned.state, &block_);
  if (block_.size() >= kBlockBytes) FlushBlock();
}

void SnapshotWriter::EndEntries() {
  if (entries_ended_) return;
  FlushBlock();
  PutNumber(uint32_t{0}, &bytes_);
  entries_ended_ = true;
}

void SnapshotWriter::FlushBlock() {
  if (block_.empty()) return;
  std::string packed(ZSTD_compressBound(block_.size()), '\0');
  packed.resize(ZSTD_compress(packed.data(), packed.size(), block_.data(), block_.size(), 1));
  PutNumber(static_cast<uint32_t>(block_.size()), &bytes_);
  PutNumber(static_cast<uint32_t>(packed.size()), &bytes_);
  bytes_ += packed;
  block_.clear();
}

std::string SnapshotWriter::Finish() {
  EndEntries();
  FlushBlock();
  PutNumber(uint32_t{0}, &bytes_);
  PutNumber(HashBytes(bytes_), &bytes_);
  return std::move(bytes_);
}

absl::Status ReadSnapshot(std::string_view bytes, const std::function<void(const SavedEntry&)>& visit,
                          const std::function<void(const SnapshotLearned&)>& visit_learned) {
  if (!bytes.starts_with(kMagic.substr(0, bytes.size())) || bytes.empty()) {
    return absl::FailedPreconditionError("not a cache file; delete it, or name another path");
  }
  if (bytes.size() < kMagic.size() + 2 * sizeof(uint32_t) + kChecksumBytes) return Damaged("it is cut off");
  const std::string_view checked = bytes.substr(0, bytes.size() - kChecksumBytes);
  Hash128 checksum;
  std::memcpy(&checksum, bytes.data() + checked.size(), kChecksumBytes);
  if (checksum != HashBytes(checked)) return Damaged("its checksum is wrong");
  ByteReader in(checked);
  in.Take(kMagic.size());
  const auto version = in.TakeNumber<uint32_t>();
  if (version != kVersion && version != kVersionWithoutLearned) {
    return absl::FailedPreconditionError(absl::StrCat("the cache file has format version ", version,
                                                      "; this program reads version ", kVersion));
  }
  std::vector<std::string> entries;
  if (absl::Status status = Unpack(&in, &entries); !status.ok()) return status;
  std::vector<std::string> learned;
  if (version != kVersionWithoutLearned) {
    if (absl::Status status = Unpack(&in, &learned); !status.ok()) return status;
  }
  if (!in.done()) return Damaged("bytes after the end mark");
  // All of it is read once before the first is visited.
  if (!ReadEntries(entries, nullptr)) return Damaged("an entry");
  if (!ReadLearned(learned, nullptr)) return Damaged("what was learned");
  ReadEntries(entries, visit);
  ReadLearned(learned, visit_learned);
  return absl::OkStatus();
}

}  // namespace purser::cache
