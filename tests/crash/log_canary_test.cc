// Would the crash tests notice? Each planted bug must make at least one check fail.

#include <functional>
#include <string>

#include "engine/ledger/planted_bug.h"
#include "gtest/gtest.h"
#include "tests/crash/log_checks.h"

namespace purser::ledger {
namespace {

std::string FirstProblem() {
  CheckCounts counts;
  const std::function<std::string()> checks[] = {
      [&] { return CheckSyncedSectorsLost(&counts); },
      [&] { return CheckUnfinishedFrames(&counts); },
      [&] { return CheckFullDisk(1, &counts); },
      [&] { return CheckEveryByteFlip(29, &counts); },
      [&] { return CheckEveryByteCut(5, &counts); },
      [&] { return CheckFaultAtEveryOperation(1, &counts); },
      [&] {
        for (uint64_t seed = 0; seed < 1000; ++seed) {
          if (std::string problem = CheckPowerLoss(seed, &counts); !problem.empty()) return problem;
        }
        return std::string();
      },
  };
  for (const auto& check : checks) {
    if (std::string problem = check(); !problem.empty()) return problem;
  }
  return "";
}

class LogCanaryTest : public ::testing::TestWithParam<std::pair<PlantedBug, const char*>> {};

TEST_P(LogCanaryTest, IsCaught) {
  planted_bug = GetParam().first;
  const std::string problem = FirstProblem();
  planted_bug = PlantedBug::kNone;
  EXPECT_NE(problem, "") << "the crash tests do not notice " << GetParam().second;
}

INSTANTIATE_TEST_SUITE_P(
    Bugs, LogCanaryTest,
    ::testing::Values(std::pair(PlantedBug::kSyncSkipsDisk, "SyncSkipsDisk"),
                      std::pair(PlantedBug::kSyncForgetsFullSegments, "SyncForgetsFullSegments"),
                      std::pair(PlantedBug::kSyncForgetsNames, "SyncForgetsNames"),
                      std::pair(PlantedBug::kSyncErrorForgotten, "SyncErrorForgotten"),
                      std::pair(PlantedBug::kNoSyncMarks, "NoSyncMarks"),
                      std::pair(PlantedBug::kTornTailLeftInPlace, "TornTailLeftInPlace"),
                      std::pair(PlantedBug::kLostSegmentsLeftInPlace, "LostSegmentsLeftInPlace"),
                      std::pair(PlantedBug::kChecksumNotVerified, "ChecksumNotVerified"),
                      std::pair(PlantedBug::kCorruptionTakenForTornTail, "CorruptionTakenForTornTail"),
                      std::pair(PlantedBug::kAbandonedFrameEndsLog, "AbandonedFrameEndsLog"),
                      std::pair(PlantedBug::kGrantsUseReserve, "GrantsUseReserve"),
                      std::pair(PlantedBug::kFailedSyncForgotten, "FailedSyncForgotten"),
                      std::pair(PlantedBug::kFoundFramesNotSynced, "FoundFramesNotSynced"),
                      std::pair(PlantedBug::kSnapshotBeyondLog, "SnapshotBeyondLog")),
    [](const auto& info) { return std::string(info.param.second); });

TEST(LogCanaryTest, WithoutABugNothingIsFound) {
  CheckCounts counts;
  EXPECT_EQ(CheckUnfinishedFrames(&counts), "");
  EXPECT_EQ(CheckFullDisk(1, &counts), "");
  EXPECT_EQ(CheckSyncedSectorsLost(&counts), "");
}

}  // namespace
}  // namespace purser::ledger
