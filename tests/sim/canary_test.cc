// The suite watched at work: each planted bug has to be found by the simulation or by the exhaustive search.

#include "engine/budget/canary.h"

#include "gtest/gtest.h"
#include "tests/sim/simulation.h"

namespace purser::budget {
namespace {

// Runs until something is wrong; says what, or nothing.
std::string FirstViolation() {
  if (const SimulationResult tried = TryEverySequence(5); !tried.violation.empty()) return tried.violation;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    if (const SimulationResult run = Simulate(seed, 1000); !run.violation.empty()) return run.violation;
  }
  return "";
}

TEST(Canaries, EachIsCaught) {
  for (int canary = 1; canary <= kCanaries; ++canary) {
    planted = static_cast<Canary>(canary);
    const std::string violation = FirstViolation();
    EXPECT_FALSE(violation.empty()) << "canary " << canary << " was not caught";
    std::printf("canary %d: %s\n", canary, violation.c_str());
  }
  planted = Canary::kNone;
}

TEST(Canaries, NothingIsFoundWithoutThem) {
  planted = Canary::kNone;
  EXPECT_EQ(TryEverySequence(3).violation, "");
  EXPECT_EQ(Simulate(1, 1000).violation, "");
}

}  // namespace
}  // namespace purser::budget
