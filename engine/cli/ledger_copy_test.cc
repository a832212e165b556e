// Verbs that look leave the ledger as it was, byte for byte, and work beside its writer.

#include "engine/cli/ledger_copy.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>

#include "engine/ledger/log.h"
#include "engine/ledger/log_scanner.h"
#include "engine/ledger/record.h"
#include "gtest/gtest.h"

namespace purser::cli {
namespace {

namespace fs = std::filesystem;

std::map<std::string, std::string> BytesOf(const std::string& directory) {
  std::map<std::string, std::string> bytes;
  for (const auto& file : fs::recursive_directory_iterator(directory)) {
    std::ifstream in(file.path(), std::ios::binary);
    bytes[file.path().string()] = {std::istreambuf_iterator<char>(in), {}};
  }
  return bytes;
}

int64_t FramesOf(const std::string& directory) {
  auto scanner = ledger::LogScanner::Open(directory);
  EXPECT_TRUE(scanner.ok()) << scanner.status();
  if (!scanner.ok()) return -1;
  ledger::Frame frame;
  while (true) {
    const auto more = (*scanner)->Next(&frame);
    EXPECT_TRUE(more.ok()) << more.status();
    if (!more.ok() || !*more) break;
  }
  return static_cast<int64_t>((*scanner)->end().frames);
}

TEST(LedgerCopyTest, IsWrittenToBesideARunningWriterAndLeavesTheLedgerAsItWas) {
  const std::string ledger = ::testing::TempDir() + "/looked_at";
  fs::remove_all(ledger);
  auto writer = ledger::Log::Open(ledger, {}, nullptr);
  ASSERT_TRUE(writer.ok()) << writer.status();
  ledger::Encoder encode;
  ledger::AdjustedView adjusted;
  adjusted.request_id = "r1";
  adjusted.delta_nanos = 5;
  ASSERT_NE((*writer)->Append(ledger::ADJUSTED, encode(adjusted)), 0u);
  ASSERT_TRUE((*writer)->Sync().ok());
  const auto before = BytesOf(ledger);

  std::string place;
  {
    const auto copy = LedgerCopy::Of(ledger);
    ASSERT_TRUE(copy.ok()) << copy.status();
    place = (*copy)->directory();
    const int64_t frames = FramesOf(place);
    EXPECT_EQ(frames, FramesOf(ledger));
    auto other = ledger::Log::Open(place, {}, nullptr);  // While the ledger's own lock is held.
    ASSERT_TRUE(other.ok()) << other.status();
    EXPECT_NE((*other)->Append(ledger::ADJUSTED, encode(adjusted)), 0u);
    ASSERT_TRUE((*other)->Sync().ok());
    EXPECT_GT(FramesOf(place), frames);
  }
  EXPECT_EQ(BytesOf(ledger), before);
  EXPECT_FALSE(fs::exists(place));
  ASSERT_NE((*writer)->Append(ledger::ADJUSTED, encode(adjusted)), 0u) << "the writer goes on";
}

TEST(LedgerCopyTest, AMistypedPathIsToldAndNotCreated) {
  const std::string mistyped = ::testing::TempDir() + "/no_such_ledger";
  fs::remove_all(mistyped);
  const auto copy = LedgerCopy::Of(mistyped);
  EXPECT_EQ(copy.status().code(), absl::StatusCode::kNotFound) << copy.status();
  EXPECT_FALSE(fs::exists(mistyped));

  fs::create_directory(mistyped);
  EXPECT_EQ(LedgerCopy::Of(mistyped).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(fs::is_empty(mistyped));
}

}  // namespace
}  // namespace purser::cli
