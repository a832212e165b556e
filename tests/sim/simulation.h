#ifndef PURSER_TESTS_SIM_SIMULATION_H_
#define PURSER_TESTS_SIM_SIMULATION_H_

#include <cstdint>
#include <string>

namespace purser::budget {

// What a simulation did, and the first thing that was wrong.
struct SimulationResult {
  int64_t operations = 0;
  int64_t held = 0;
  int64_t refused = 0;
  int64_t crashes = 0;
  std::string violation;  // Empty: the accounts did what the auditor says.
};

// Runs random operations on Accounts and on the auditor side by side, in virtual time, with what goes wrong
// in practice: late, repeated and excessive settlements, voids that never come, clocks that jump both ways,
// changed limits, crashes with a snapshot and restart. The same seed gives the same run.
SimulationResult Simulate(uint64_t seed, int operations);

// Every sequence of up to `length` operations over two accounts and two holds, against a model of a few
// lines.
SimulationResult TryEverySequence(int length);

}  // namespace purser::budget

#endif  // PURSER_TESTS_SIM_SIMULATION_H_
