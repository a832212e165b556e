// How long an engine takes to come back with a ledger of so many settled calls: after its process was killed
// (every frame since the last snapshot is read again), and after an orderly end or a first recovery (from a
// snapshot). Ten million calls take 4 GB of disk and a minute to make.
//
//   bazel run //bench:reopen_benchmark

#include <benchmark/benchmark.h>
#include <purser/purser.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "bench/scratch.h"

namespace purser {
namespace {

constexpr char kBook[] = R"(
  name: "benchmark"
  models { id: "m" provider: "p" context_window: 100000 max_output_tokens: 4000
    sheets { rates { meter: "input_tokens" usd: "1" } rates { meter: "output_tokens" usd: "2" } } })";

constexpr char kPolicy[] = R"(
  name: "benchmark"
  candidates { model: "m" }
  routing { expected_output_tokens: 100 }
  budgets { name: "task" scope: TASK usd: "1000000" }
  budgets { name: "session" scope: SESSION usd: "1000000" }
  budgets { name: "customer" scope: CUSTOMER usd: "1000000" window { calendar: MONTH } }
  budgets { name: "tenant" scope: TENANT usd: "1000000" window { calendar: DAY } })";

constexpr int kCallsOfATask = 20;

Options OptionsIn(const std::string& folder) {
  Options options;
  options.source.policy_text = kPolicy;
  options.source.price_books = {folder + "/book.textproto"};
  options.ledger_dir = folder + "/ledger";
  return options;
}

// Settles so many calls, of a thousand customers and tasks that end, and dies without closing anything.
[[noreturn]] void SettleAndDie(const std::string& folder, int64_t calls) {
  const auto opened = Engine::Open(OptionsIn(folder));
  if (!opened.ok()) _exit(1);
  Engine& engine = **opened;
  Usage usage;
  usage.Set(Meter::kInputTokens, 800);
  usage.Set(Meter::kOutputTokens, 80);
  CallResult outcome;
  outcome.usage = &usage;
  Decision decision;
  for (int64_t i = 0; i < calls; ++i) {
    const std::string task = absl::StrCat("task-", i / kCallsOfATask);
    const std::string session = absl::StrCat("session-", i / (5 * kCallsOfATask));
    const std::string customer = absl::StrCat("customer-", i / kCallsOfATask % 1000);
    Request request;
    request.id = "r";
    request.tenant = "acme";
    request.customer = customer;
    request.session = session;
    request.task = task;
    request.input_tokens = 1000;
    request.max_output_tokens = 200;
    engine.Decide(request, &decision);
    if (!engine.MarkDispatched(decision.ticket)) _exit(2);
    if (engine.Settle(decision.ticket, outcome).result != SettleResult::kSettled) _exit(3);
    if ((i + 1) % kCallsOfATask == 0) engine.EndTask(request.tenant, task);
  }
  _exit(0);
}

double SecondsToOpen(const std::string& folder, int64_t* records) {
  const auto since = std::chrono::steady_clock::now();
  const auto engine = Engine::Open(OptionsIn(folder));
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - since;
  *records = engine.ok() ? (*engine)->recovered().records : -1;
  return taken.count();
}

void Reopen(benchmark::State& state) {
  const bench::Scratch scratch;
  std::ofstream(scratch.path() + "/book.textproto") << kBook;
  const pid_t child = fork();
  if (child == 0) SettleAndDie(scratch.path(), state.range(0));
  int status = 0;
  waitpid(child, &status, 0);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    return state.SkipWithError("the calls could not be made");
  int64_t after_kill = 0, from_snapshot = 0;
  for (auto _ : state) {
    state.counters["after_kill_s"] = SecondsToOpen(scratch.path(), &after_kill);
    state.counters["from_snapshot_s"] = SecondsToOpen(scratch.path(), &from_snapshot);
  }
  if (after_kill != state.range(0) || from_snapshot != state.range(0)) state.SkipWithError("calls were lost");
}
BENCHMARK(Reopen)->Arg(1'000'000)->Arg(10'000'000)->Iterations(1)->Unit(benchmark::kSecond)->UseRealTime();

}  // namespace
}  // namespace purser

BENCHMARK_MAIN();
