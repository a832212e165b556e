// PURSER_SOAK_SECONDS makes the simulation run for as long as asked; PURSER_SEED starts with a certain seed.

#include "tests/sim/simulation.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "gtest/gtest.h"

namespace purser::budget {
namespace {

uint64_t FromEnvironment(const char* name, uint64_t fallback) {
  const char* text = std::getenv(name);
  return text == nullptr ? fallback : std::strtoull(text, nullptr, 10);
}

TEST(Simulation, AccountsDoWhatTheAuditorSays) {
  const uint64_t first = FromEnvironment("PURSER_SEED", 1);
  const auto soak = std::chrono::seconds(FromEnvironment("PURSER_SOAK_SECONDS", 0));
  const auto begin = std::chrono::steady_clock::now();
  SimulationResult sum;
  uint64_t seed = first;
  for (; seed < first + 60 || std::chrono::steady_clock::now() - begin < soak; ++seed) {
    const SimulationResult run = Simulate(seed, 1500);
    ASSERT_EQ(run.violation, "") << "seed " << seed;
    sum.operations += run.operations;
    sum.held += run.held;
    sum.refused += run.refused;
    sum.crashes += run.crashes;
  }
  std::printf("%d seeds, %lld operations, %lld holds, %lld refusals, %lld crashes\n",
              static_cast<int>(seed - first), static_cast<long long>(sum.operations),
              static_cast<long long>(sum.held), static_cast<long long>(sum.refused),
              static_cast<long long>(sum.crashes));
  // The simulation is worth something only if both happen often.
  EXPECT_GT(sum.held, sum.operations / 20);
  EXPECT_GT(sum.refused, sum.operations / 20);
  EXPECT_GT(sum.crashes, 100);
}

TEST(Simulation, TheSameSeedGivesTheSameRun) {
  const SimulationResult a = Simulate(7, 500), b = Simulate(7, 500);
  EXPECT_EQ(a.held, b.held);
  EXPECT_EQ(a.refused, b.refused);
}

TEST(EverySequence, LeavesTheAccountsAsTheModelSays) {
  const SimulationResult result =
      TryEverySequence(static_cast<int>(FromEnvironment("PURSER_SEQUENCE_LENGTH", 7)));
  EXPECT_EQ(result.violation, "");
  std::printf("%lld sequences\n", static_cast<long long>(result.operations));
}

}  // namespace
}  // namespace purser::budget
