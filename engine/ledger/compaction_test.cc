// Compressed and dropped segments: what is read stays the same, at every fault.

#include "engine/ledger/compaction.h"

#include <random>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "engine/ledger/log.h"
#include "engine/ledger/log_scanner.h"
#include "engine/ledger/record.h"
#include "gtest/gtest.h"
#include "purser/record.pb.h"
#include "tests/support/memory_file_system.h"

namespace purser::ledger {
namespace {

constexpr int64_t kStart = 1'772'438'400'000'000'000;

LogOptions Options(MemoryFileSystem* files) {
  LogOptions options;
  options.files = files;
  options.segment_bytes = 4096;
  options.allocate_bytes = 1024;
  options.reserve_bytes = 512;
  options.background_nanos = 0;
  options.new_ledger_id = 42;
  return options;
}

void Append(MemoryFileSystem* files, int from, int until) {
  auto log = Log::Open("/ledger", Options(files), nullptr);
  ASSERT_TRUE(log.ok()) << log.status();
  Encoder encode;
  for (int i = from; i < until; ++i) {
    const std::string id = absl::StrCat("request-", i, std::string(i % 61, 'x'));
    RecordView record;
    record.request_id = id;
    record.time_nanos = record.settled_nanos = kStart + i * 1'000'000'000ll;
    record.cost_nanos = i;
    ASSERT_NE((*log)->Append(RECORD, encode(record)), 0u);
  }
  ASSERT_TRUE((*log)->Sync().ok());
}

absl::StatusOr<std::vector<int64_t>> CostsIn(FileSystem* files) {
  auto scanner = LogScanner::Open("/ledger", {.after_sequence = 0, .files = files});
  if (!scanner.ok()) return scanner.status();
  std::vector<int64_t> costs;
  Frame frame;
  while (true) {
    const absl::StatusOr<bool> more = (*scanner)->Next(&frame);
    if (!more.ok()) return more.status();
    if (!*more) return costs;
    RecordView record;
    if (frame.type == RECORD && Decode(frame.payload, &record)) costs.push_back(record.cost_nanos);
  }
}

std::vector<int64_t> UpTo(int from, int until) {
  std::vector<int64_t> numbers;
  for (int i = from; i < until; ++i) numbers.push_back(i);
  return numbers;
}

std::vector<std::string> Names(FileSystem* files, const char* end) {
  std::vector<std::string> names;
  const std::vector<std::string> all = files->List("/ledger").value();
  for (const std::string& name : all) {
    if (absl::EndsWith(name, end)) names.push_back(name);
  }
  return names;
}

TEST(CompactionTest, CompressedSegmentsReadAsBefore) {
  MemoryFileSystem files;
  Append(&files, 0, 300);
  const auto before = Names(&files, ".log");
  ASSERT_GT(before.size(), 3u);
  const auto compacted = Compact("/ledger", {.files = &files});
  ASSERT_TRUE(compacted.ok()) << compacted.status();
  EXPECT_EQ(compacted->segments_compressed, before.size() - 1);
  EXPECT_LT(compacted->bytes_after * 2, compacted->bytes_before);
  EXPECT_EQ(Names(&files, ".log").size(), 1u);
  EXPECT_EQ(*CostsIn(&files), UpTo(0, 300));

  Append(&files, 300, 600);  // Goes on where it was.
  EXPECT_EQ(*CostsIn(&files), UpTo(0, 600));
  ASSERT_TRUE(Compact("/ledger", {.files = &files}).ok());
  const auto idle = Compact("/ledger", {.files = &files});
  EXPECT_EQ(idle->segments_compressed, 0u);
  EXPECT_EQ(*CostsIn(&files), UpTo(0, 600));
}

TEST(CompactionTest, AReaderIsNotDisturbed) {
  MemoryFileSystem files;
  Append(&files, 0, 300);
  auto scanner = LogScanner::Open("/ledger", {.after_sequence = 0, .files = &files});
  ASSERT_TRUE(scanner.ok());
  Frame frame;
  ASSERT_TRUE((*scanner)->Next(&frame).value_or(false));
  int frames = 1;
  ASSERT_GT(Compact("/ledger", {.files = &files})->segments_compressed, 2u);
  absl::StatusOr<bool> more;
  while ((more = (*scanner)->Next(&frame)).value_or(false)) frames += frame.type == RECORD ? 1 : 0;
  EXPECT_TRUE(more.ok()) << more.status();
  EXPECT_EQ(frames, 300);
}

TEST(CompactionTest, AWriterIsNotDisturbed) {
  MemoryFileSystem files;
  Append(&files, 0, 100);
  auto log = Log::Open("/ledger", Options(&files), nullptr);
  ASSERT_TRUE(log.ok());
  EXPECT_EQ(Compact("/ledger", {.files = &files}).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_FALSE(Compact("/elsewhere", {.files = &files}).ok());
}

// Whatever operation fails, and however the machine goes down then, every record is read.
TEST(CompactionTest, NothingIsLostAtAnyFault) {
  MemoryFileSystem pristine;
  Append(&pristine, 0, 150);
  std::mt19937_64 random(9);
  for (uint64_t failing = 1;; ++failing) {
    auto files = pristine.AfterProcessDeath();
    const uint64_t first = files->operations();
    files->SetFault([&files, first, failing](std::string_view, const std::string&) {
      return files->operations() - first >= failing ? absl::InternalError("injected") : absl::OkStatus();
    });
    const auto compacted = Compact("/ledger", {.files = files.get()});
    files->SetFault(nullptr);
    if (compacted.ok()) {
      EXPECT_GT(failing, 20u);
      break;
    }
    EXPECT_EQ(*CostsIn(files.get()), UpTo(0, 150)) << failing;
    for (int crash = 0; crash < 3; ++crash) {
      auto after = files->AfterPowerLoss(random, crash * 0.5);
      Append(after.get(), 150, 160);
      EXPECT_EQ(*CostsIn(after.get()), UpTo(0, 160)) << failing;
      ASSERT_TRUE(Compact("/ledger", {.files = after.get()}).ok());
      EXPECT_EQ(*CostsIn(after.get()), UpTo(0, 160)) << failing;
    }
  }
}

TEST(CompactionTest, DamageIsRefusedAndNamed) {
  MemoryFileSystem files;
  Append(&files, 0, 150);
  ASSERT_TRUE(Compact("/ledger", {.files = &files}).ok());
  const std::string path = "/ledger/" + Names(&files, ".zst")[1];
  const std::string good = files.Content(path);
  for (size_t at = 0; at < good.size(); at += 7) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x10);
    files.SetContent(path, bad);
    const auto costs = CostsIn(&files);
    if (costs.ok()) {
      EXPECT_EQ(*costs, UpTo(0, 150)) << at;
    } else {
      EXPECT_EQ(costs.status().code(), absl::StatusCode::kDataLoss) << costs.status();
      EXPECT_NE(costs.status().message().find(path), std::string::npos) << costs.status();
    }
  }
  files.SetContent(path, good.substr(0, good.size() / 2));
  EXPECT_EQ(CostsIn(&files).status().code(), absl::StatusCode::kDataLoss);
  files.SetContent(path, "");
  EXPECT_EQ(CostsIn(&files).status().code(), absl::StatusCode::kDataLoss);
}

TEST(CompactionTest, OldSegmentsGoOnlyWhereASnapshotStandsForThem) {
  MemoryFileSystem files;
  Append(&files, 0, 300);
  const int64_t later = kStart + 200 * 1'000'000'000ll;
  auto kept = Compact("/ledger", {.drop_before_nanos = later, .files = &files});
  ASSERT_TRUE(kept.ok()) << kept.status();
  EXPECT_EQ(kept->segments_dropped, 0u);
  EXPECT_EQ(kept->segments_kept_for_snapshot, 1u);
  EXPECT_EQ(*CostsIn(&files), UpTo(0, 300));
  {
    auto log = Log::Open("/ledger", Options(&files), nullptr);
    ASSERT_TRUE(log.ok());
    ASSERT_TRUE((*log)->WriteSnapshot((*log)->last_sequence(), "accounts").ok());
  }
  const auto dropped = Compact("/ledger", {.drop_before_nanos = later, .files = &files});
  ASSERT_TRUE(dropped.ok()) << dropped.status();
  EXPECT_GT(dropped->segments_dropped, 1u);
  const auto costs = CostsIn(&files);
  ASSERT_TRUE(costs.ok()) << costs.status();
  EXPECT_GT(costs->front(), 0);
  EXPECT_LE(costs->front(), 200);
  EXPECT_EQ(*costs, UpTo(static_cast<int>(costs->front()), 300));
  Append(&files, 300, 310);  // A writer starts from the snapshot.

  // Without the snapshot the start is missing, and said to be.
  for (const std::string& name : Names(&files, ".snap")) ASSERT_TRUE(files.Remove("/ledger/" + name).ok());
  EXPECT_EQ(Log::Open("/ledger", Options(&files), nullptr).status().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace purser::ledger
