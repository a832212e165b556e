#include "tests/crash/log_checks.h"

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "engine/ledger/log.h"
#include "tests/support/memory_file_system.h"

namespace purser::ledger {
namespace {

constexpr char kDirectory[] = "/ledger";
constexpr uint64_t kFrameHeader = 24;

LogOptions SmallSegments(FileSystem* files) {
  LogOptions options;
  options.files = files;
  options.segment_bytes = 2048;
  options.allocate_bytes = 1024;
  options.reserve_bytes = 512;
  options.background_nanos = 0;
  options.new_ledger_id = 0x123456789abcdef;
  return options;
}

std::string Describe(const std::vector<std::string>& payloads) {
  return absl::StrCat(payloads.size(), " frames", payloads.empty() ? "" : ", the last ",
                      payloads.empty() ? "" : payloads.back().substr(0, 12));
}

bool IsFirstPartOf(const std::vector<std::string>& part, const std::vector<std::string>& whole) {
  return part.size() <= whole.size() && std::equal(part.begin(), part.end(), whole.begin());
}

// Writes, and knows what must be found.
class History {
 public:
  explicit History(MemoryFileSystem* files) : files_(files) {}

  absl::Status Open() { return Replay(files_, &log_, &found_); }

  // Opens the log in `files` and reads it. A snapshot's bytes are the number of frames that it stands for.
  absl::Status Replay(MemoryFileSystem* files, std::unique_ptr<Log>* log,
                      std::vector<std::string>* found) const {
    std::vector<std::string> read;
    auto opened = Log::Open(kDirectory, SmallSegments(files), [&](const Frame& frame) {
      if (frame.type != 0) {
        read.push_back(std::string(frame.payload));
        return absl::OkStatus();
      }
      const size_t count = std::stoul(std::string(frame.payload));
      if (count > written_.size()) return absl::InternalError("a snapshot of frames that were never written");
      read.assign(written_.begin(), written_.begin() + static_cast<std::ptrdiff_t>(count));
      return absl::OkStatus();
    });
    if (!opened.ok()) return opened.status();
    *log = *std::move(opened);
    *found = std::move(read);
    return absl::OkStatus();
  }

  // What Open() found must be a first part of what was written, and all of what was synced. From here on it
  // is what has been written.
  std::string CheckFound() {
    if (!IsFirstPartOf(found_, written_)) {
      return absl::StrCat("found ", Describe(found_), ", which is not a prefix of ", Describe(written_));
    }
    if (found_.size() < synced_) {
      return absl::StrCat("found ", Describe(found_), ", but ", synced_, " frames had been synced");
    }
    written_ = found_;
    synced_ = std::min(synced_, written_.size());
    return "";
  }

  // After the death of the process alone, everything acknowledged must be in `files`.
  std::string CheckAllIn(MemoryFileSystem* files) const {
    std::unique_ptr<Log> log;
    std::vector<std::string> found;
    if (absl::Status status = Replay(files, &log, &found); !status.ok()) return status.ToString();
    if (found != written_) return absl::StrCat("found ", Describe(found), " of ", Describe(written_));
    return "";
  }

  void Append(std::mt19937_64& random, Reserve reserve = Reserve::kLeave) {
    std::string payload = absl::StrCat("#", ++made_, ":");
    // Sometimes as long as several sectors.
    const size_t size = random() % (random() % 8 == 0 ? 1500 : 120);
    while (payload.size() < size) payload.push_back(static_cast<char>('a' + random() % 26));
    AppendText(std::move(payload), reserve);
  }

  bool AppendText(std::string payload, Reserve reserve) {
    if (log_->Append(16, payload, reserve) == 0) {
      ++refused_;
      return false;
    }
    written_.push_back(std::move(payload));
    return true;
  }

  bool Sync() {
    const size_t before = written_.size();
    if (!log_->Sync().ok()) return false;
    synced_ = before;
    return true;
  }

  // One random operation.
  void Step(std::mt19937_64& random) {
    switch (random() % 20) {
      case 0:
      case 1:
      case 2:
        (void)Sync();
        break;
      case 3:
        (void)log_->Rotate();
        break;
      case 4: {
        const size_t before = written_.size();
        if (log_->last_sequence() > 0 &&
            log_->WriteSnapshot(log_->last_sequence(), absl::StrCat(before)).ok()) {
          synced_ = before;
        }
        break;
      }
      default:
        Append(random, random() % 4 == 0 ? Reserve::kUse : Reserve::kLeave);
    }
  }

  void Die() { log_.reset(); }
  Log* log() { return log_.get(); }
  const std::vector<std::string>& written() const { return written_; }
  uint64_t refused() const { return refused_; }
  void MoveTo(MemoryFileSystem* files) { files_ = files; }

 private:
  MemoryFileSystem* files_;
  std::unique_ptr<Log> log_;
  std::vector<std::string> written_;  // Acknowledged.
  std::vector<std::string> found_;
  size_t synced_ = 0;  // How many of them.
  uint64_t made_ = 0;
  uint64_t refused_ = 0;
};

// The process dies (its log object is gone without having done anything), and perhaps the power fails.
std::unique_ptr<MemoryFileSystem> Crash(History* history, std::unique_ptr<MemoryFileSystem> files,
                                        std::mt19937_64& random, bool power) {
  static constexpr double kKeep[] = {0, 0.1, 0.5, 0.9, 1};
  auto after = power ? files->AfterPowerLoss(random, kKeep[random() % 5]) : files->AfterProcessDeath();
  files->SetFault(nullptr);
  history->Die();  // Closes in good order, on files that nobody looks at any more.
  history->MoveTo(after.get());
  return after;
}

// A log of several segments, closed in good order or left by a process that died.
struct Written {
  std::unique_ptr<MemoryFileSystem> files;
  std::vector<std::string> payloads;
  std::vector<std::string> names;
  int segments = 0;  // Fewer than ten.
};
Written WriteSmallLog(bool closed, bool sync_often) {
  Written result;
  auto files = std::make_unique<MemoryFileSystem>();
  History history(files.get());
  if (!history.Open().ok()) return result;
  std::mt19937_64 random(closed ? 1 : 2);
  for (int i = 0; i < 25; ++i) {
    history.Append(random);
    if (sync_often && i % 4 == 0) (void)history.Sync();
  }
  result.payloads = history.written();
  if (closed) {
    history.Die();
    result.files = std::move(files);
  } else {
    result.files = files->AfterProcessDeath();
  }
  const auto names = result.files->List(kDirectory);
  for (const std::string& name : *names) {
    if (name != "LOCK") result.names.push_back(name);
    if (absl::EndsWith(name, ".log")) ++result.segments;
  }
  return result;
}

struct Reopened {
  absl::Status status;
  std::vector<std::string> found;
  std::string torn_at;
};
Reopened Reopen(MemoryFileSystem* files) {
  Reopened result;
  const auto log = Log::Open(kDirectory, SmallSegments(files), [&](const Frame& frame) {
    result.found.push_back(std::string(frame.payload));
    return absl::OkStatus();
  });
  result.status = log.status();
  if (log.ok()) result.torn_at = (*log)->recovery().torn_at;
  return result;
}

bool IsRefusal(const absl::Status& status) {
  return absl::IsDataLoss(status) || absl::IsFailedPrecondition(status);
}

std::unique_ptr<MemoryFileSystem> With(const Written& written, const std::string& name, std::string bytes) {
  auto files = written.files->AfterProcessDeath();
  files->SetContent(absl::StrCat(kDirectory, "/", name), std::move(bytes));
  return files;
}

std::string Content(const Written& written, const std::string& name) {
  return written.files->Content(absl::StrCat(kDirectory, "/", name));
}

}  // namespace

std::string CheckEveryByteCut(uint64_t stride, CheckCounts* counts) {
  for (const bool closed : {false, true}) {
    const Written written = WriteSmallLog(closed, closed);
    for (const std::string& name : written.names) {
      const std::string whole = Content(written, name);
      for (size_t size = 0; size < whole.size(); size += stride) {
        ++counts->cuts;
        auto files = With(written, name, whole.substr(0, size));
        const Reopened reopened = Reopen(files.get());
        const std::string where = absl::StrCat(name, " cut to ", size, " bytes: ");
        if (!reopened.status.ok()) {
          if (IsRefusal(reopened.status)) continue;
          return absl::StrCat(where, reopened.status.ToString());
        }
        if (!IsFirstPartOf(reopened.found, written.payloads))
          return where + "found " + Describe(reopened.found);
        // Whole frames of the last segment are found however it is cut.
        const bool zeros_only = whole.find_first_not_of('\0', size) == std::string::npos;
        if (zeros_only && reopened.found.size() != written.payloads.size()) {
          return where + "only zeros were cut, but found " + Describe(reopened.found);
        }
        // What was found must be found again: recovery has changed nothing that it should not.
        ++counts->recoveries;
        const Reopened again = Reopen(files.get());
        if (!again.status.ok() || again.found != reopened.found) return where + "found less the second time";
        if (!again.torn_at.empty()) return where + "still torn after a recovery at " + again.torn_at;
      }
    }
  }
  return "";
}

std::string CheckEveryByteFlip(uint64_t stride, CheckCounts* counts) {
  for (const bool closed : {false, true}) {
    const Written written = WriteSmallLog(closed, closed);
    for (const std::string& name : written.names) {
      const std::string whole = Content(written, name);
      for (size_t at = 0; at < whole.size(); at += stride) {
        for (const int change : {0x01, 0xff}) {
          ++counts->flips;
          std::string bytes = whole;
          bytes[at] = static_cast<char>(bytes[at] ^ change);
          const Reopened reopened = Reopen(With(written, name, std::move(bytes)).get());
          const std::string where = absl::StrCat(name, " byte ", at, " xor ", change, ": ");
          if (reopened.status.ok()) {
            if (reopened.found != written.payloads) {
              return absl::StrCat(where, "found ", Describe(reopened.found), " of ",
                                  Describe(written.payloads));
            }
          } else if (!IsRefusal(reopened.status)) {
            return where + reopened.status.ToString();
          } else if (!absl::StrContains(reopened.status.message(), name)) {
            return where + "the error does not name the file: " + reopened.status.ToString();
          }
        }
      }
    }
  }
  return "";
}

std::string CheckSyncedSectorsLost(CheckCounts* counts) {
  const Written written = WriteSmallLog(/*closed=*/false, /*sync_often=*/true);
  for (const std::string& name : written.names) {
    if (!absl::EndsWith(name, ".log")) continue;
    const std::string whole = Content(written, name);
    for (size_t at = 0; at + 512 <= whole.size(); at += 512) {
      std::string bytes = whole;
      // Of the last segment there may be no mark yet, and where nothing was written nothing is lost.
      const bool last = name == absl::StrCat("0000000", written.segments, ".log");
      if (last || bytes.find_first_not_of('\0', at) >= at + 512) continue;
      ++counts->flips;
      std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), 512, '\0');
      const Reopened reopened = Reopen(With(written, name, std::move(bytes)).get());
      if (!IsRefusal(reopened.status)) {
        return absl::StrCat(name, ": sector at ", at, " zeroed: found ", Describe(reopened.found),
                            ", status ", reopened.status.ToString());
      }
    }
  }
  return "";
}

std::string CheckUnfinishedFrames(CheckCounts* counts) {
  const Written written = WriteSmallLog(/*closed=*/false, /*sync_often=*/false);
  const std::string name = "00000001.log";
  const std::string whole = Content(written, name);
  size_t at = 64;
  for (size_t i = 0; i < written.payloads.size(); ++i) {
    const size_t payload_at = whole.find(written.payloads[i], at);
    if (payload_at == std::string::npos) break;
    // As its writer left it: a header without a checksum, and some of the payload.
    std::string bytes = whole;
    std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(payload_at - 8), 8, '\0');
    const size_t half = written.payloads[i].size() / 2;
    std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(payload_at + half),
                written.payloads[i].size() - half, '\0');
    ++counts->recoveries;
    auto files = With(written, name, std::move(bytes));
    const Reopened reopened = Reopen(files.get());
    std::vector<std::string> expected = written.payloads;
    expected.erase(expected.begin() + static_cast<std::ptrdiff_t>(i));
    if (!reopened.status.ok() || reopened.found != expected) {
      return absl::StrCat("frame ", i, " unfinished: found ", Describe(reopened.found), " of ",
                          Describe(expected), ", status ", reopened.status.ToString());
    }
    at = payload_at + kFrameHeader;
  }
  return "";
}

std::string CheckPowerLoss(uint64_t seed, CheckCounts* counts) {
  std::mt19937_64 random(seed);
  auto files = std::make_unique<MemoryFileSystem>();
  History history(files.get());
  if (absl::Status status = history.Open(); !status.ok()) return status.ToString();
  for (int round = 0; round < 4; ++round) {
    for (uint64_t steps = random() % 60; steps > 0; --steps) {
      ++counts->operations;
      history.Step(random);
    }
    bool power_failed = random() % 4 != 0;
    files = Crash(&history, std::move(files), random, power_failed);
    ++counts->power_losses;
    // A recovery that does not get far, perhaps twice.
    for (uint64_t tries = random() % 3; tries > 0; --tries) {
      const uint64_t last = files->operations() + random() % 30;
      MemoryFileSystem* const now = files.get();
      files->SetFault([now, last](std::string_view, const std::string& path) {
        return now->operations() > last ? absl::InternalError(path + ": the machine is going down")
                                        : absl::OkStatus();
      });
      ++counts->recoveries;
      const absl::Status status = history.Open();
      if (status.ok()) {
        if (const std::string problem = history.CheckFound(); !problem.empty()) return problem;
        history.Append(random);
      }
      files->SetFault(nullptr);
      const bool power = random() % 2 == 0;
      power_failed |= power;
      files = Crash(&history, std::move(files), random, power);
    }
    ++counts->recoveries;
    if (!power_failed) {
      const auto copy = files->AfterProcessDeath();
      if (const std::string problem = history.CheckAllIn(copy.get()); !problem.empty()) return problem;
    }
    if (absl::Status status = history.Open(); !status.ok()) return "cannot be opened: " + status.ToString();
    if (const std::string problem = history.CheckFound(); !problem.empty()) return problem;
  }
  return "";
}

std::string CheckFaultAtEveryOperation(uint64_t seed, CheckCounts* counts) {
  for (uint64_t n = 1;; ++n) {
    for (const bool for_good : {false, true}) {
      std::mt19937_64 random(seed);
      auto files = std::make_unique<MemoryFileSystem>();
      History history(files.get());
      bool failed = false;
      MemoryFileSystem* const now = files.get();
      files->SetFault([&failed, now, n, for_good](std::string_view operation, const std::string& path) {
        if (now->operations() != n && !(for_good && now->operations() > n)) return absl::OkStatus();
        failed = true;
        return absl::InternalError(absl::StrCat(path, ": I/O error in ", std::string(operation)));
      });
      const std::string where =
          absl::StrCat("operation ", n, for_good ? " and all later ones fail: " : " fails: ");
      for (int step = 0; step < 60; ++step) {
        ++counts->operations;
        if (history.log() == nullptr) {
          // Only a fault may keep it from opening.
          if (absl::Status status = history.Open(); !status.ok()) {
            if (failed) continue;
            return where + status.ToString();
          }
          if (const std::string problem = history.CheckFound(); !problem.empty()) return where + problem;
        }
        const uint64_t refused = history.refused();
        history.Step(random);
        // Somebody opens it again after a failure, or does not.
        if (history.refused() > refused && random() % 2 == 0) history.Die();
      }
      ++counts->faults;
      files->SetFault(nullptr);
      // In the kernel's hands: all that was acknowledged.
      const auto dead = files->AfterProcessDeath();
      if (const std::string problem = history.CheckAllIn(dead.get()); !problem.empty())
        return where + problem;
      files = Crash(&history, std::move(files), random, /*power=*/true);
      if (absl::Status status = history.Open(); !status.ok()) return where + status.ToString();
      if (const std::string problem = history.CheckFound(); !problem.empty()) return where + problem;
      if (!failed) return "";  // The history has fewer than n operations: every one of them has failed once.
    }
  }
}

std::string CheckFullDisk(uint64_t seed, CheckCounts* counts) {
  std::mt19937_64 random(seed);
  auto files = std::make_unique<MemoryFileSystem>();
  History history(files.get());
  if (absl::Status status = history.Open(); !status.ok()) return status.ToString();
  for (uint64_t space : {6'000u, 9'000u, 9'100u, 20'000u}) {
    files->SetSpace(space);
    const uint64_t refused_before = history.refused();
    while (history.refused() == refused_before) {
      ++counts->operations;
      history.Append(random);
    }
    ++counts->faults;
    if (history.log()->status().ok()) return "a refused append, and status() is OK";
    // Grants are refused; what they led to can be booked.
    // Not even a small one is left.
    while (history.AppendText("grant", Reserve::kLeave)) ++counts->operations;
    if (!history.AppendText(std::string(150, 'r'), Reserve::kUse)) {
      return absl::StrCat("no reserve at ", space, " bytes");
    }
    const auto died = files->AfterProcessDeath();  // With space again.
    if (const std::string problem = history.CheckAllIn(died.get()); !problem.empty()) return problem;
  }
  return "";
}

}  // namespace purser::ledger
