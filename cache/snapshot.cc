#include "cache/snapshot.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include <bit>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "cache/hash.h"

namespace purser::cache {
namespace {

static_assert(std::endian::native == std::endian::little,
              "the file's numbers are written as they are in memory");

constexpr std::string_view kMagic = "PURSERCA";
constexpr uint32_t kVersion = 2;
constexpr uint32_t kVersionWithoutLearned = 1;
constexpr size_t kBlockBytes = size_t{1} << 20;  // Blocks are closed when they have grown to this.
constexpr uint32_t kMostBlockBytes = 1U << 30;   // No sound block is larger: entries are limited.
constexpr size_t kChecksumBytes = sizeof(Hash128);

template <typename Number>
void PutNumber(Number number, std::string* out) {
  out->append(reinterpret_cast<const char*>(&number), sizeof(number));
}

void PutString(std::string_view text, std::string* out) {
  PutNumber<uint64_t>(text.size(), out);
  out->append(text);
}

// Takes fields off the front of bytes; once something is missing, `ok` is false and everything is empty.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}
  bool ok() const { return ok_; }
  bool done() const { return bytes_.empty(); }

  template <typename Number>
  Number TakeNumber() {
    Number number{};
    const std::string_view taken = Take(sizeof(Number));
    if (ok_) std::memcpy(&number, taken.data(), sizeof(Number));
    return number;
  }
  std::string_view TakeString() { return Take(TakeNumber<uint64_t>()); }
  // A count of members that take at least `least` bytes each.
  uint64_t TakeCount(uint64_t least) {
    const auto count = TakeNumber<uint64_t>();
    if (count > bytes_.size() / least) ok_ = false;
    return ok_ ? count : 0;
  }
  std::string_view Take(uint64_t size) {
    if (!ok_ || size > bytes_.size()) {
      ok_ = false;
      return {};
    }
    const std::string_view taken = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return taken;
  }

 private:
  std::string_view bytes_;
  bool ok_ = true;
};

SnapshotEntry TakeEntry(Reader* in) {
  SnapshotEntry entry;
  entry.name_space = in->TakeString();
  entry.request_class = in->TakeString();
  for (uint64_t left = in->TakeCount(8); left > 0 && in->ok(); --left) entry.key.push_back(in->TakeString());
  entry.text = in->TakeString();
  entry.answer = in->TakeString();
  for (uint64_t left = in->TakeCount(16); left > 0 && in->ok(); --left) {
    const auto kind = in->TakeNumber<uint64_t>();
    entry.labels.emplace_back(kind, in->TakeString());
  }
  entry.embedding_model = in->TakeString();
  entry.compatibility = in->TakeString();
  entry.raw_dimension = in->TakeNumber<uint64_t>();
  entry.vector = in->TakeString();
  entry.stored_nanos = in->TakeNumber<int64_t>();
  entry.expires_nanos = in->TakeNumber<int64_t>();
  entry.saved_nano_usd = in->TakeNumber<int64_t>();
  entry.answer_hash = in->TakeNumber<uint64_t>();
  entry.hits = in->TakeNumber<uint64_t>();
  entry.tried = in->TakeNumber<uint64_t>();
  entry.right = in->TakeNumber<uint64_t>();
  return entry;
}

absl::Status Damaged(std::string_view what) {
  return absl::DataLossError(
      absl::StrCat("the cache file is damaged (", absl::string_view(what.data(), what.size()), ")"));
}

// Unpacks blocks up to their end mark.
absl::Status Unpack(Reader* in, std::vector<std::string>* blocks) {
  for (;;) {
    const auto raw_size = in->TakeNumber<uint32_t>();
    if (!in->ok()) return Damaged("it has no end mark");
    if (raw_size == 0) return absl::OkStatus();
    const auto packed_size = in->TakeNumber<uint32_t>();
    const std::string_view packed = in->Take(packed_size);
    if (!in->ok() || raw_size > kMostBlockBytes) return Damaged("a block's size");
    if (ZSTD_getFrameContentSize(packed.data(), packed.size()) != raw_size)
      return Damaged("a block's header");
    std::string& block = blocks->emplace_back(raw_size, '\0');
    const size_t unpacked = ZSTD_decompress(block.data(), block.size(), packed.data(), packed.size());
    if (ZSTD_isError(unpacked) || unpacked != raw_size) return Damaged("a block's content");
  }
}

bool Sound(const SnapshotEntry& entry) {
  return entry.vector.size() % sizeof(int16_t) == 0 &&
         entry.vector.size() / sizeof(int16_t) >= entry.raw_dimension;
}

// Calls `visit`, if there is one, for every entry. False where something cannot be read.
bool ReadEntries(const std::vector<std::string>& blocks,
                 const std::function<void(const SnapshotEntry&)>& visit) {
  for (const std::string& block : blocks) {
    for (Reader in(block); !in.done();) {
      const SnapshotEntry entry = TakeEntry(&in);
      if (!in.ok() || !Sound(entry)) return false;
      if (visit) visit(entry);
    }
  }
  return true;
}

bool ReadLearned(const std::vector<std::string>& blocks,
                 const std::function<void(const SnapshotLearned&)>& visit) {
  for (const std::string& block : blocks) {
    for (Reader in(block); !in.done();) {
      SnapshotLearned learned;
      learned.name_space = in.TakeString();
      learned.state = in.TakeString();
      if (!in.ok()) return false;
      if (visit) visit(learned);
    }
  }
  return true;
}

absl::Status Errno(std::string_view what, const std::string& path) {
  const int error = errno;
  const std::string text = absl::StrCat("cannot ", absl::string_view(what.data(), what.size()), " ", path,
                                        ": ", std::strerror(error));
  return error == ENOENT ? absl::NotFoundError(text) : absl::UnavailableError(text);
}

absl::Status WriteAll(int file, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return Errno("write", path);
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  if (fsync(file) != 0) return Errno("sync", path);
  return absl::OkStatus();
}

absl::Status SyncDirectoryOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const int file = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0) return Errno("open", directory);
  const int synced = fsync(file);
  const absl::Status status = synced == 0 ? absl::OkStatus() : Errno("sync", directory);
  close(file);
  return status;
}

}  // namespace

SnapshotWriter::SnapshotWriter() : bytes_(kMagic) { PutNumber(kVersion, &bytes_); }

void SnapshotWriter::Add(const SnapshotEntry& entry) {
  PutString(entry.name_space, &block_);
  PutString(entry.request_class, &block_);
  PutNumber<uint64_t>(entry.key.size(), &block_);
  for (const std::string_view part : entry.key) PutString(part, &block_);
  PutString(entry.text, &block_);
  PutString(entry.answer, &block_);
  PutNumber<uint64_t>(entry.labels.size(), &block_);
  for (const auto& [kind, text] : entry.labels) {
    PutNumber<uint64_t>(kind, &block_);
    PutString(text, &block_);
  }
  PutString(entry.embedding_model, &block_);
  PutString(entry.compatibility, &block_);
  PutNumber(entry.raw_dimension, &block_);
  PutString(entry.vector, &block_);
  PutNumber(entry.stored_nanos, &block_);
  PutNumber(entry.expires_nanos, &block_);
  PutNumber(entry.saved_nano_usd, &block_);
  PutNumber(entry.answer_hash, &block_);
  PutNumber(entry.hits, &block_);
  PutNumber(entry.tried, &block_);
  PutNumber(entry.right, &block_);
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

absl::Status ReadSnapshot(std::string_view bytes, const std::function<void(const SnapshotEntry&)>& visit,
                          const std::function<void(const SnapshotLearned&)>& visit_learned) {
  if (!bytes.starts_with(kMagic.substr(0, bytes.size())) || bytes.empty()) {
    return absl::FailedPreconditionError("not a cache file; delete it, or name another path");
  }
  if (bytes.size() < kMagic.size() + 2 * sizeof(uint32_t) + kChecksumBytes) return Damaged("it is cut off");
  const std::string_view checked = bytes.substr(0, bytes.size() - kChecksumBytes);
  Hash128 checksum;
  std::memcpy(&checksum, bytes.data() + checked.size(), kChecksumBytes);
  if (checksum != HashBytes(checked)) return Damaged("its checksum is wrong");
  Reader in(checked);
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

absl::Status ReplaceFile(const std::string& path, std::string_view bytes) {
  const std::string fresh = path + ".new";
  const int file = open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return Errno("create", fresh);
  absl::Status status = WriteAll(file, bytes, fresh);
  if (close(file) != 0 && status.ok()) status = Errno("close", fresh);
  if (status.ok() && rename(fresh.c_str(), path.c_str()) != 0) status = Errno("rename to", path);
  if (!status.ok()) {
    unlink(fresh.c_str());
    return status;
  }
  return SyncDirectoryOf(path);
}

absl::Status ReadFile(const std::string& path, std::string* bytes) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return Errno("open", path);
  struct stat about {};
  absl::Status status = fstat(file, &about) == 0 ? absl::OkStatus() : Errno("look at", path);
  bytes->resize(status.ok() ? static_cast<size_t>(about.st_size) : 0);
  size_t got = 0;
  while (status.ok() && got < bytes->size()) {
    const ssize_t count = read(file, bytes->data() + got, bytes->size() - got);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) status = Errno("read", path);
    if (count <= 0) break;
    got += static_cast<size_t>(count);
  }
  bytes->resize(got);
  close(file);
  return status;
}

}  // namespace purser::cache
