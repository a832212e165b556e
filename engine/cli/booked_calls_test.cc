#include "engine/cli/booked_calls.h"

#include <filesystem>
#include <set>
#include <string>

#include "engine/ledger/log.h"
#include "engine/ledger/record.h"
#include "gtest/gtest.h"

namespace purser::cli {
namespace {

TEST(BookedCallsTest, SaysWhichOfATracesCallsTheLedgerHas) {
  const std::string ledger = ::testing::TempDir() + "/booked_calls";
  std::filesystem::remove_all(ledger);
  const std::set<std::string> asked = {"r1", "r2", "correction"};
  const auto none = BookedCalls(ledger, asked);
  ASSERT_TRUE(none.ok()) << none.status();
  EXPECT_TRUE(none->empty());
  EXPECT_FALSE(std::filesystem::exists(ledger)) << "looking creates nothing";

  auto log = ledger::Log::Open(ledger, {}, nullptr);
  ASSERT_TRUE(log.ok()) << log.status();
  ledger::Encoder encode;
  for (const char* id : {"r1", "r3"}) {
    ledger::RecordView record;
    record.request_id = id;
    ASSERT_NE((*log)->Append(ledger::RECORD, encode(record)), 0u);
  }
  ledger::AdjustedView adjusted;
  adjusted.request_id = "correction";
  ASSERT_NE((*log)->Append(ledger::ADJUSTED, encode(adjusted)), 0u);
  ASSERT_TRUE((*log)->Sync().ok());

  const auto booked = BookedCalls(ledger, asked);  // Beside the writer.
  ASSERT_TRUE(booked.ok()) << booked.status();
  EXPECT_EQ(*booked, std::set<std::string>{"r1"});
}

}  // namespace
}  // namespace purser::cli
