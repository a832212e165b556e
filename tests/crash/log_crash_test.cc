// The log's promises over crashes and damage. PURSER_SOAK_SECONDS lengthens it; PURSER_SEED starts with a
// certain seed.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "gtest/gtest.h"
#include "tests/crash/log_checks.h"

namespace purser::ledger {
namespace {

// How often to do all of it: PURSER_SOAK_SECONDS makes it last about as long.
uint64_t Soak() {
  constexpr uint64_t kSecondsOnce = 7;
  const char* seconds = std::getenv("PURSER_SOAK_SECONDS");
  return seconds != nullptr ? std::max<uint64_t>(1, std::strtoull(seconds, nullptr, 10) / kSecondsOnce) : 1;
}

uint64_t FirstSeed() {
  const char* seed = std::getenv("PURSER_SEED");
  return seed != nullptr ? std::strtoull(seed, nullptr, 10) : 0;
}

TEST(LogCrashTest, EveryByteCut) {
  CheckCounts counts;
  EXPECT_EQ(CheckEveryByteCut(1, &counts), "");
  std::printf("%lu cuts\n", counts.cuts);
}

TEST(LogCrashTest, EveryByteFlip) {
  CheckCounts counts;
  EXPECT_EQ(CheckEveryByteFlip(1, &counts), "");
  std::printf("%lu flips\n", counts.flips);
}

TEST(LogCrashTest, SyncedSectorsLost) {
  CheckCounts counts;
  EXPECT_EQ(CheckSyncedSectorsLost(&counts), "");
}

TEST(LogCrashTest, UnfinishedFrames) {
  CheckCounts counts;
  EXPECT_EQ(CheckUnfinishedFrames(&counts), "");
}

TEST(LogCrashTest, PowerLossAndCrashDuringRecovery) {
  CheckCounts counts;
  for (uint64_t seed = FirstSeed(); seed < FirstSeed() + 1500 * Soak(); ++seed) {
    ASSERT_EQ(CheckPowerLoss(seed, &counts), "") << "seed " << seed;
  }
  std::printf("%lu crashes, %lu recoveries, %lu operations\n", counts.power_losses, counts.recoveries,
              counts.operations);
}

TEST(LogCrashTest, FaultAtEveryOperation) {
  CheckCounts counts;
  for (uint64_t seed = FirstSeed(); seed < FirstSeed() + 5 * Soak(); ++seed) {
    ASSERT_EQ(CheckFaultAtEveryOperation(seed, &counts), "") << "seed " << seed;
  }
  std::printf("%lu faults, %lu operations\n", counts.faults, counts.operations);
}

TEST(LogCrashTest, FullDisk) {
  CheckCounts counts;
  for (uint64_t seed = FirstSeed(); seed < FirstSeed() + 50 * Soak(); ++seed) {
    ASSERT_EQ(CheckFullDisk(seed, &counts), "") << "seed " << seed;
  }
}

}  // namespace
}  // namespace purser::ledger
