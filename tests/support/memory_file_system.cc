#include "tests/support/memory_file_system.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

namespace purser::ledger {
namespace {

// A kernel reads a mapping while its process writes it: it serves and keeps the bytes of the moment, which
// readers hold against a checksum. Here, that is a data race by design, so ThreadSanitizer has to look away;
// byte by byte, because it watches memcpy and memcmp themselves.
#ifdef __SANITIZE_THREAD__
__attribute__((no_sanitize("thread"))) void CopyWhatIsThere(const char* from, char* to, size_t size) {
  const volatile char* bytes = from;
  for (size_t i = 0; i < size; ++i) to[i] = bytes[i];
}
__attribute__((no_sanitize("thread"))) bool DiffersNow(const char* mapped, const char* other, size_t size) {
  const volatile char* bytes = mapped;
  for (size_t i = 0; i < size; ++i) {
    if (bytes[i] != other[i]) return true;
  }
  return false;
}
#else
void CopyWhatIsThere(const char* from, char* to, size_t size) { std::memcpy(to, from, size); }
bool DiffersNow(const char* mapped, const char* other, size_t size) {
  return std::memcmp(mapped, other, size) != 0;
}
#endif

constexpr uint64_t kSector = 512;
constexpr uint64_t kMaxCapacity = 256u << 20;  // Of address space per file, not of memory.

std::string DirectoryOf(const std::string& path) { return path.substr(0, path.rfind('/')); }

}  // namespace

// A file: its bytes as the kernel has them, in memory that never moves, and as the disk has them.
struct MemoryFileSystem::Inode {
  Inode() {
    void* got = ::mmap(nullptr, kMaxCapacity, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (got == MAP_FAILED) std::abort();
    bytes = static_cast<char*>(got);
  }
  ~Inode() { ::munmap(bytes, kMaxCapacity); }
  Inode(const Inode&) = delete;
  Inode& operator=(const Inode&) = delete;

  std::string_view view() const { return {bytes, size}; }
  void Assign(std::string_view content) {
    if (content.size() < size) std::memset(bytes + content.size(), 0, size - content.size());
    if (!content.empty()) std::memcpy(bytes, content.data(), content.size());
    size = content.size();
  }

  void CopyFrom(const Inode& other) {
    CopyWhatIsThere(other.bytes, bytes, other.size);
    size = other.size;
    durable = other.durable;
    given_to_disk = other.given_to_disk;
  }

  char* bytes;
  uint64_t size = 0;
  std::string durable;
  // What the last sync, successful or not, was given: a sector that has not changed since is not written
  // again. As on Linux, where a page whose write failed counts as clean.
  std::string given_to_disk;

  bool IsDirty(uint64_t at) const {
    const uint64_t end = std::min(at + kSector, size);
    if (given_to_disk.size() < end) return true;
    return DiffersNow(bytes + at, given_to_disk.data() + at, end - at);
  }
  void WriteBack(uint64_t at) {
    if (durable.size() < size) durable.resize(size, '\0');
    if (IsDirty(at)) CopyWhatIsThere(bytes + at, &durable[at], std::min(kSector, size - at));
  }
};

struct MemoryFileSystem::State {
  using Names = std::map<std::string, std::shared_ptr<Inode>>;

  mutable std::mutex mutex;
  Fault fault;
  uint64_t operations = 0;
  uint64_t space = ~uint64_t{0};
  Names names;
  Names durable_names;
  std::vector<Names> name_changes;  // The names after each change since the last SyncDirectory.
  std::set<std::string> directories;
  std::set<std::string> locks;

  void Changed() { name_changes.push_back(names); }
  uint64_t Used() const {
    uint64_t used = 0;
    for (const auto& [path, inode] : names) used += inode->size;
    return used;
  }
  absl::Status Begin(std::string_view operation, const std::string& path) {
    Fault now;
    {
      std::lock_guard lock(mutex);
      ++operations;
      now = fault;
    }
    return now ? now(operation, path) : absl::OkStatus();
  }
};

class MemoryFileSystem::Readable final : public ReadableFile {
 public:
  Readable(std::shared_ptr<State> state, std::shared_ptr<Inode> inode, std::string path)
      : state_(std::move(state)), inode_(std::move(inode)), path_(std::move(path)) {}

  absl::StatusOr<size_t> ReadAt(uint64_t offset, char* to, size_t size) const override {
    if (absl::Status status = state_->Begin("read", path_); !status.ok()) return status;
    std::lock_guard lock(state_->mutex);
    if (offset >= inode_->size) return 0;
    size = std::min<size_t>(size, inode_->size - offset);
    CopyWhatIsThere(inode_->bytes + offset, to, size);
    return size;
  }
  absl::StatusOr<uint64_t> Size() const override {
    std::lock_guard lock(state_->mutex);
    return inode_->size;
  }

 private:
  const std::shared_ptr<State> state_;
  const std::shared_ptr<Inode> inode_;
  const std::string path_;
};

class MemoryFileSystem::Mapped final : public MappedFile {
 public:
  Mapped(std::shared_ptr<State> state, std::shared_ptr<Inode> inode, std::string path)
      : state_(std::move(state)), inode_(std::move(inode)), path_(std::move(path)) {}

  char* data() const override { return inode_->bytes; }
  uint64_t allocated() const override {
    std::lock_guard lock(state_->mutex);
    return inode_->size;
  }
  absl::Status Allocate(uint64_t size) override {
    if (absl::Status status = state_->Begin("allocate", path_); !status.ok()) return status;
    std::lock_guard lock(state_->mutex);
    if (size <= inode_->size) return absl::OkStatus();
    if (size > kMaxCapacity || state_->Used() + size - inode_->size > state_->space) {
      return absl::ResourceExhaustedError(path_ + ": no space left");
    }
    inode_->size = size;
    return absl::OkStatus();
  }
  void Prepare(uint64_t, uint64_t) override {}
  void Release(uint64_t, uint64_t) override {}
  absl::Status Sync() override {
    const absl::Status status = state_->Begin("sync", path_);
    std::lock_guard lock(state_->mutex);
    if (status.ok()) {
      inode_->durable.resize(inode_->size, '\0');
      for (uint64_t at = 0; at < inode_->size; at += kSector) inode_->WriteBack(at);
    }
    inode_->given_to_disk.resize(inode_->size);
    CopyWhatIsThere(inode_->bytes, inode_->given_to_disk.data(), inode_->size);
    return status;
  }
  void Touch() override {
    std::lock_guard lock(state_->mutex);
    inode_->given_to_disk.clear();
  }
  absl::Status Truncate(uint64_t size) override {
    if (absl::Status status = state_->Begin("truncate", path_); !status.ok()) return status;
    std::lock_guard lock(state_->mutex);
    if (size < inode_->size) std::memset(inode_->bytes + size, 0, inode_->size - size);
    inode_->size = size;
    return absl::OkStatus();
  }

 private:
  const std::shared_ptr<State> state_;
  const std::shared_ptr<Inode> inode_;
  const std::string path_;
};

class MemoryFileSystem::HeldLock final : public FileLock {
 public:
  HeldLock(std::shared_ptr<State> state, std::string path)
      : state_(std::move(state)), path_(std::move(path)) {}
  ~HeldLock() override {
    std::lock_guard lock(state_->mutex);
    state_->locks.erase(path_);
  }

 private:
  const std::shared_ptr<State> state_;
  const std::string path_;
};

MemoryFileSystem::MemoryFileSystem() : state_(std::make_shared<State>()) {}
MemoryFileSystem::~MemoryFileSystem() = default;

void MemoryFileSystem::SetFault(Fault fault) {
  std::lock_guard lock(state_->mutex);
  state_->fault = std::move(fault);
}

uint64_t MemoryFileSystem::operations() const {
  std::lock_guard lock(state_->mutex);
  return state_->operations;
}

void MemoryFileSystem::SetSpace(uint64_t bytes) {
  std::lock_guard lock(state_->mutex);
  state_->space = bytes;
}

std::unique_ptr<MemoryFileSystem> MemoryFileSystem::AfterProcessDeath() const {
  auto after = std::make_unique<MemoryFileSystem>();
  std::lock_guard lock(state_->mutex);
  after->state_->directories = state_->directories;
  // What the disk has stays different from what the kernel has: a power failure may follow.
  std::map<Inode*, std::shared_ptr<Inode>> copies;
  const auto copy_of = [&](const State::Names& names) {
    State::Names result;
    for (const auto& [path, inode] : names) {
      std::shared_ptr<Inode>& copy = copies[inode.get()];
      if (copy == nullptr) {
        copy = std::make_shared<Inode>();
        copy->CopyFrom(*inode);
      }
      result[path] = copy;
    }
    return result;
  };
  after->state_->names = copy_of(state_->names);
  after->state_->durable_names = copy_of(state_->durable_names);
  for (const State::Names& names : state_->name_changes)
    after->state_->name_changes.push_back(copy_of(names));
  return after;
}

std::unique_ptr<MemoryFileSystem> MemoryFileSystem::AfterPowerLoss(std::mt19937_64& random,
                                                                   double keep) const {
  auto after = std::make_unique<MemoryFileSystem>();
  std::lock_guard lock(state_->mutex);
  after->state_->directories = state_->directories;
  const size_t changes = std::uniform_int_distribution<size_t>(0, state_->name_changes.size())(random);
  const State::Names& names = changes == 0 ? state_->durable_names : state_->name_changes[changes - 1];
  std::bernoulli_distribution kept(keep);
  for (const auto& [path, inode] : names) {
    // The size is the kernel's or the disk's; sectors that were not written are zeros.
    const bool new_size = kept(random);
    std::string bytes = inode->durable;
    bytes.resize(new_size ? inode->size : inode->durable.size(), '\0');
    for (uint64_t at = 0; at < bytes.size() && at < inode->size; at += kSector) {
      if (!inode->IsDirty(at) || !kept(random)) continue;
      std::memcpy(&bytes[at], inode->bytes + at,
                  std::min(kSector, std::min<uint64_t>(bytes.size(), inode->size) - at));
    }
    after->SetContent(path, std::move(bytes));
  }
  return after;
}

std::string MemoryFileSystem::Content(const std::string& path) const {
  std::lock_guard lock(state_->mutex);
  const auto found = state_->names.find(path);
  return found == state_->names.end() ? std::string() : std::string(found->second->view());
}

void MemoryFileSystem::SetContent(const std::string& path, std::string bytes) {
  std::lock_guard lock(state_->mutex);
  auto inode = std::make_shared<Inode>();
  inode->Assign(bytes);
  inode->durable = inode->given_to_disk = std::move(bytes);
  state_->names[path] = state_->durable_names[path] = inode;
  state_->directories.insert(DirectoryOf(path));
}

absl::StatusOr<std::unique_ptr<ReadableFile>> MemoryFileSystem::OpenForReading(const std::string& path) {
  if (absl::Status status = state_->Begin("open", path); !status.ok()) return status;
  std::lock_guard lock(state_->mutex);
  const auto found = state_->names.find(path);
  if (found == state_->names.end()) return absl::NotFoundError(path + ": no such file");
  return std::make_unique<Readable>(state_, found->second, path);
}

absl::StatusOr<std::unique_ptr<MappedFile>> MemoryFileSystem::OpenMapped(const std::string& path,
                                                                         uint64_t capacity) {
  if (absl::Status status = state_->Begin("map", path); !status.ok()) return status;
  if (capacity > kMaxCapacity) return absl::InternalError(path + ": capacity");
  std::lock_guard lock(state_->mutex);
  std::shared_ptr<Inode>& inode = state_->names[path];
  if (inode == nullptr) {
    inode = std::make_shared<Inode>();
    state_->Changed();
  }
  return std::make_unique<Mapped>(state_, inode, path);
}

absl::Status MemoryFileSystem::WriteFile(const std::string& path, std::string_view bytes) {
  if (absl::Status status = state_->Begin("write", path); !status.ok()) return status;
  std::lock_guard lock(state_->mutex);
  if (state_->Used() + bytes.size() > state_->space)
    return absl::ResourceExhaustedError(path + ": no space left");
  auto inode = std::make_shared<Inode>();
  inode->Assign(bytes);
  inode->durable = inode->given_to_disk = std::string(bytes);
  state_->names[path] = inode;
  state_->Changed();
  return absl::OkStatus();
}

absl::Status MemoryFileSystem::Rename(const std::string& from, const std::string& to) {
  if (absl::Status status = state_->Begin("rename", from); !status.ok()) return status;
  std::lock_guard lock(state_->mutex);
  const auto found = state_->names.find(from);
  if (found == state_->names.end()) return absl::NotFoundError(from + ": no such file");
  state_->names[to] = found->second;
  state_->names.erase(from);
  state_->Changed();
  return absl::OkStatus();
}

absl::Status MemoryFileSystem::Remove(const std::string& path) {
  if (absl::Status status = state_->Begin("remove", path); !status.ok()) return status;
  std::lock_guard lock(state_->mutex);
  if (state_->names.erase(path) == 0) return absl::NotFoundError(path + ": no such file");
  state_->Changed();
  return absl::OkStatus();
}

absl::Status MemoryFileSystem::SyncDirectory(const std::string& path) {
  if (absl::Status status = state_->Begin("sync directory", path); !status.ok()) return status;
  std::lock_guard lock(state_->mutex);
  state_->durable_names = state_->names;
  state_->name_changes.clear();
  return absl::OkStatus();
}

absl::Status MemoryFileSystem::CreateDirectory(const std::string& path) {
  if (absl::Status status = state_->Begin("create directory", path); !status.ok()) return status;
  std::lock_guard lock(state_->mutex);
  if (state_->names.contains(path)) {
    return absl::FailedPreconditionError(path + ": is a file, not a directory");
  }
  state_->directories.insert(path);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> MemoryFileSystem::List(const std::string& path) {
  if (absl::Status status = state_->Begin("list", path); !status.ok()) return status;
  std::lock_guard lock(state_->mutex);
  if (!state_->directories.contains(path)) return absl::NotFoundError(path + ": no such directory");
  std::vector<std::string> names;
  for (const auto& [name, inode] : state_->names) {
    if (DirectoryOf(name) == path) names.push_back(name.substr(path.size() + 1));
  }
  return names;
}

absl::StatusOr<std::unique_ptr<FileLock>> MemoryFileSystem::Lock(const std::string& path) {
  if (absl::Status status = state_->Begin("lock", path); !status.ok()) return status;
  std::lock_guard lock(state_->mutex);
  if (!state_->locks.insert(path).second) return absl::UnavailableError(path + ": in use");
  return std::make_unique<HeldLock>(state_, path);
}

}  // namespace purser::ledger
