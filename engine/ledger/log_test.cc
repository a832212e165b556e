#include "engine/ledger/log.h"

#include <unistd.h>

#include <atomic>
#include <cstring>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "engine/ledger/log_scanner.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/memory_file_system.h"

namespace purser::ledger {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Found {
  uint64_t sequence;
  uint32_t type;
  std::string payload;
};

class LogTest : public ::testing::Test {
 protected:
  LogOptions Options() {
    LogOptions options;
    options.files = files_.get();
    options.segment_bytes = 4096;
    options.allocate_bytes = 1024;
    options.reserve_bytes = 512;
    options.background_nanos = 0;
    options.new_ledger_id = 42;
    return options;
  }
  absl::StatusOr<std::unique_ptr<Log>> Open() { return Open(Options()); }
  absl::StatusOr<std::unique_ptr<Log>> Open(const LogOptions& options) {
    found_.clear();
    return Log::Open("/ledger", options, [this](const Frame& frame) {
      found_.push_back({frame.sequence, frame.type, std::string(frame.payload)});
      return absl::OkStatus();
    });
  }
  std::vector<std::string> Payloads() const {
    std::vector<std::string> payloads;
    for (const Found& found : found_) payloads.push_back(found.payload);
    return payloads;
  }
  static std::string Payload(int i) { return absl::StrCat("payload ", i, std::string(i % 97, 'x')); }

  std::unique_ptr<MemoryFileSystem> files_ = std::make_unique<MemoryFileSystem>();
  std::vector<Found> found_;
};

TEST_F(LogTest, FindsWhatWasAppendedInOrder) {
  {
    auto log = Open();
    ASSERT_TRUE(log.ok()) << log.status();
    EXPECT_EQ((*log)->Append(16, "one"), 1u);
    EXPECT_EQ((*log)->Append(17, {"t", "", "wo"}), 2u);
    EXPECT_EQ((*log)->Append(18, ""), 3u);
  }
  auto log = Open();
  ASSERT_TRUE(log.ok()) << log.status();
  EXPECT_THAT(Payloads(), ElementsAre("one", "two", ""));
  EXPECT_EQ(found_[1].type, 17u);
  EXPECT_GT((*log)->Append(16, "later"), found_.back().sequence);
}

TEST_F(LogTest, GoesOnOverSegments) {
  std::vector<std::string> expected;
  for (int round = 0; round < 3; ++round) {
    auto log = Open();
    ASSERT_TRUE(log.ok()) << log.status();
    for (int i = 0; i < 200; ++i) {
      expected.push_back(Payload(i));
      ASSERT_NE((*log)->Append(16, expected.back()), 0u);
    }
  }
  auto log = Open();
  ASSERT_TRUE(log.ok()) << log.status();
  EXPECT_EQ(Payloads(), expected);
  EXPECT_GT((*log)->recovery().segments, 10u);
}

TEST_F(LogTest, TakesAFrameLargerThanASegment) {
  const std::string large(100'000, 'L');
  {
    auto log = Open();
    ASSERT_NE((*log)->Append(16, "small"), 0u);
    ASSERT_NE((*log)->Append(16, large), 0u);
    ASSERT_NE((*log)->Append(16, "after"), 0u);
    EXPECT_EQ((*log)->Append(16, std::string(Log::kMaxPayload + 1, 'x')), 0u);
    EXPECT_TRUE((*log)->status().ok()) << "one frame that is too large is no reason to refuse others";
  }
  ASSERT_TRUE(Open().ok());
  EXPECT_THAT(Payloads(), ElementsAre("small", large, "after"));
}

// A reader takes such a frame for damage: the ledger would never open again.
TEST_F(LogTest, AFrameThatNoReaderTakesIsNotWrittenWhereThereIsRoomForItEither) {
  LogOptions options = Options();
  options.segment_bytes = options.allocate_bytes = uint64_t{8} << 20;
  const std::string largest(Log::kMaxPayload, 'L');
  {
    auto log = Open(options);
    ASSERT_TRUE(log.ok()) << log.status();
    EXPECT_EQ((*log)->Append(16, std::string(Log::kMaxPayload + 1, 'x')), 0u);
    EXPECT_EQ((*log)->Append(16, {largest, "x"}, Reserve::kUse), 0u) << "in parts";
    EXPECT_NE((*log)->Append(16, largest), 0u);
    EXPECT_TRUE((*log)->status().ok());
  }
  ASSERT_TRUE(Open(options).ok());
  EXPECT_THAT(Payloads(), ElementsAre(largest));
}

TEST_F(LogTest, SurvivesTheDeathOfTheProcess) {
  auto log = Open();
  for (int i = 0; i < 500; ++i) ASSERT_NE((*log)->Append(16, Payload(i)), 0u);
  auto after = files_->AfterProcessDeath();
  (*log).reset();
  files_ = std::move(after);
  ASSERT_TRUE(Open().ok());
  ASSERT_EQ(found_.size(), 500u);
  for (int i = 0; i < 500; ++i) EXPECT_EQ(found_[i].payload, Payload(i));
}

TEST_F(LogTest, SecondWriterIsTurnedAway) {
  auto log = Open();
  ASSERT_TRUE(log.ok());
  EXPECT_EQ(Open().status().code(), absl::StatusCode::kUnavailable);
  log->reset();
  EXPECT_TRUE(Open().ok());
}

TEST_F(LogTest, RefusesADirectoryOfSomebodyElse) {
  files_->SetContent("/ledger/thesis.txt", "words");
  const absl::Status status = Open().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("thesis.txt"));
}

TEST_F(LogTest, RefusesForeignAndSwappedSegments) {
  { ASSERT_NE((*Open())->Append(16, "mine"), 0u); }
  const std::string mine = files_->Content("/ledger/00000001.log");
  files_->SetContent("/ledger/00000002.log",
                     "syslog: hello, this is some other log file with many words in it ...");
  EXPECT_EQ(Open().status().code(), absl::StatusCode::kFailedPrecondition);
  files_->SetContent("/ledger/00000002.log", mine);
  EXPECT_EQ(Open().status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(files_->Content("/ledger/00000001.log"), mine);
}

TEST_F(LogTest, RefusesAnotherLedgersSegment) {
  { ASSERT_NE((*Open())->Append(16, "mine"), 0u); }
  const std::string mine = files_->Content("/ledger/00000001.log");
  files_ = std::make_unique<MemoryFileSystem>();
  LogOptions options = Options();
  options.new_ledger_id = 43;
  { ASSERT_NE((*Open(options))->Append(16, "theirs"), 0u); }
  files_->SetContent("/ledger/00000001.log", mine);
  const absl::Status status = Open().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("another ledger"));
}

TEST_F(LogTest, NoticesAMissingSegment) {
  {
    auto log = Open();
    for (int i = 0; i < 300; ++i) (*log)->Append(16, Payload(i));
  }
  ASSERT_TRUE(files_->Remove("/ledger/00000002.log").ok());
  EXPECT_EQ(Open().status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(LogTest, FullDiskIsAnErrorAndGoesAwayWithIt) {
  auto log = Open();
  files_->SetSpace(20'000);
  std::vector<std::string> written;
  int i = 0;
  for (;; ++i) {
    if ((*log)->Append(16, Payload(i)) == 0) break;
    written.push_back(Payload(i));
    ASSERT_LT(i, 1000);
  }
  EXPECT_EQ((*log)->status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_FALSE((*log)->writable());
  // What has been spent can still be booked.
  ASSERT_NE((*log)->Append(16, "spent", Reserve::kUse), 0u);
  written.push_back("spent");
  EXPECT_FALSE((*log)->writable());
  EXPECT_EQ((*log)->Append(16, Payload(i)), 0u);
  files_->SetSpace(1'000'000);
  ASSERT_NE((*log)->Append(16, "again"), 0u);
  written.push_back("again");
  EXPECT_TRUE((*log)->status().ok());
  log->reset();
  ASSERT_TRUE(Open().ok());
  EXPECT_EQ(Payloads(), written);
}

TEST_F(LogTest, FailedSyncIsForGood) {
  auto log = Open();
  ASSERT_NE((*log)->Append(16, "one"), 0u);
  files_->SetFault([](std::string_view operation, const std::string& path) {
    return operation == "sync" ? absl::InternalError(path + ": I/O error") : absl::OkStatus();
  });
  EXPECT_FALSE((*log)->Sync().ok());
  files_->SetFault(nullptr);
  EXPECT_EQ((*log)->Append(16, "two"), 0u);
  EXPECT_FALSE((*log)->Sync().ok());
  EXPECT_THAT(std::string((*log)->status().message()), HasSubstr("I/O error"));
  log->reset();
  ASSERT_TRUE(Open().ok());
  EXPECT_THAT(Payloads(), ElementsAre("one"));
}

TEST_F(LogTest, StartsFromTheNewestGoodSnapshot) {
  {
    auto log = Open();
    for (int i = 0; i < 100; ++i) (*log)->Append(16, Payload(i));
    ASSERT_TRUE((*log)->WriteSnapshot((*log)->last_sequence(), "state of 100").ok());
    for (int i = 100; i < 200; ++i) (*log)->Append(16, Payload(i));
  }
  {
    auto log = Open();
    ASSERT_EQ(found_.size(), 101u);
    EXPECT_EQ(found_[0].type, 0u);
    EXPECT_EQ(found_[0].payload, "state of 100");
    EXPECT_EQ(found_[1].payload, Payload(100));
    EXPECT_EQ((*log)->recovery().snapshot_sequence, found_[0].sequence);
  }
  const std::vector<std::string> names = *files_->List("/ledger");
  for (const std::string& name : names) {
    if (!absl::EndsWith(name, ".snap")) continue;
    std::string bytes = files_->Content("/ledger/" + name);
    bytes.back() ^= 1;
    files_->SetContent("/ledger/" + name, bytes);
  }
  auto log = Open();
  ASSERT_TRUE(log.ok()) << log.status();
  EXPECT_EQ(found_.size(), 200u);
  EXPECT_EQ((*log)->recovery().damaged_snapshots, 1u);
}

TEST_F(LogTest, ReplayErrorStopsOpening) {
  { (*Open())->Append(16, "one"); }
  const absl::Status status = Log::Open("/ledger", Options(), [](const Frame&) {
                                return absl::InternalError("cannot apply");
                              }).status();
  EXPECT_EQ(status.message(), "cannot apply");
}

TEST_F(LogTest, ThreadsAppendAndSyncWhileAReaderReads) {
  constexpr int kThreads = 4, kEach = 3000;
  auto log = Open();
  std::atomic<bool> stop{false};
  std::thread reader([&] {
    uint64_t most = 0;
    while (!stop) {
      LogScanner::Options options;
      options.files = files_.get();
      auto scanner = LogScanner::Open("/ledger", options);
      ASSERT_TRUE(scanner.ok()) << scanner.status();
      Frame frame;
      uint64_t frames = 0;
      while (true) {
        const auto more = (*scanner)->Next(&frame);
        ASSERT_TRUE(more.ok()) << more.status();
        if (!*more) break;
        ++frames;
      }
      EXPECT_EQ((*scanner)->end().torn_bytes, 0u);
      EXPECT_GE(frames + (*scanner)->end().abandoned_frames, most);
      most = std::max(most, frames);
    }
  });
  std::vector<std::thread> writers;
  std::vector<std::vector<uint64_t>> sequences(kThreads);
  for (int t = 0; t < kThreads; ++t) {
    writers.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        const uint64_t sequence = (*log)->Append(16, absl::StrCat(t, "/", i));
        ASSERT_NE(sequence, 0u);
        sequences[t].push_back(sequence);
        if (i % 50 == 0) {
          ASSERT_TRUE((*log)->Sync(sequence).ok());
        }
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  stop = true;
  reader.join();
  log->reset();
  ASSERT_TRUE(Open().ok());
  ASSERT_EQ(found_.size(), size_t{kThreads * kEach});
  std::map<uint64_t, std::string> by_sequence;
  for (const Found& found : found_) by_sequence[found.sequence] = found.payload;
  for (int t = 0; t < kThreads; ++t) {
    for (int i = 0; i < kEach; ++i) EXPECT_EQ(by_sequence[sequences[t][i]], absl::StrCat(t, "/", i));
  }
}

TEST_F(LogTest, WorksOnARealDisk) {
  LogOptions options = Options();
  options.files = FileSystem::Posix();
  options.background_nanos = 1'000'000;
  const std::string directory = absl::StrCat(::testing::TempDir(), "/log_test.", ::getpid());
  for (int round = 1; round <= 3; ++round) {
    int frames = 0;
    auto log = Log::Open(directory, options, [&](const Frame&) {
      ++frames;
      return absl::OkStatus();
    });
    ASSERT_TRUE(log.ok()) << log.status();
    EXPECT_EQ(frames, (round - 1) * 1000);
    const absl::Status second = Log::Open(directory, options, nullptr).status();
    EXPECT_EQ(second.code(), absl::StatusCode::kUnavailable);
    EXPECT_THAT(std::string(second.message()), HasSubstr(absl::StrCat(::getpid())));
    for (int i = 0; i < 1000; ++i) ASSERT_NE((*log)->Append(16, Payload(i)), 0u);
    EXPECT_TRUE((*log)->Sync().ok());
  }
}

}  // namespace
}  // namespace purser::ledger
