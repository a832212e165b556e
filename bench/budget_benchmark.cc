// Holding and settling on four levels of budgets: alone, two threads on accounts of their own, two threads on
// the same accounts; the same with the log on, beside Redis (redis_peer.h); and the memory of an idle
// account.
//
//   bazel run //bench:budget_benchmark

#include <unistd.h>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bench/redis_peer.h"
#include "bench/scratch.h"
#include "benchmark/benchmark.h"
#include "engine/budget/accounts.h"
#include "engine/ledger/log.h"
#include "engine/ledger/record.h"
#include "policies/textproto.h"

namespace purser::budget {
namespace {

constexpr int64_t kNow = 1'700'000'000'000'000'000;

constexpr char kFourLevels[] = R"(
  budgets { name: "task" scope: TASK usd: "1000000" steps: 1000000000 }
  budgets { name: "session" scope: SESSION usd: "1000000" }
  budgets { name: "customer" scope: CUSTOMER usd: "1000000" window { calendar: MONTH } }
  budgets { name: "tenant" scope: TENANT usd: "1000000" window { calendar: DAY } })";

struct Books {
  explicit Books(const char* text) {
    policy::Policy policy;
    Diagnostics diagnostics = ParseTextproto(text, "policy", &policy);
    plan = Plan::Compile(policy, &diagnostics);
    if (!diagnostics.ok()) std::abort();
    accounts.Register(&plan);
  }
  Accounts accounts{Accounts::Options{}};
  Plan plan;
};

Books& FourLevels() {
  static Books& books = *new Books(kFourLevels);
  return books;
}

// Values of one caller; `shared` of them, from the tenant down, are the same for every thread.
struct Caller {
  Caller(int thread, int shared) {
    const std::string own = std::to_string(thread);
    tenant = absl::StrCat("tenant", shared > 0 ? "" : own);
    customer = absl::StrCat("customer-4711", shared > 1 ? "" : own);
    session = absl::StrCat("6f9619ff-8b86-d011-b42d-00c04fc964ff", shared > 2 ? "" : own);
    task = absl::StrCat("task-99881", shared > 3 ? "" : own);
    call.scope.tenant = tenant;
    call.scope.customer = customer;
    call.scope.session = session;
    call.scope.task = task;
    call.worst = call.likely = Amounts::Call(1'500'000, 2'000, 500);
  }
  std::string tenant, customer, session, task;
  Call call;
};

void HoldAndSettle(benchmark::State& state) {
  Books& books = FourLevels();
  const Caller caller(state.thread_index(), static_cast<int>(state.range(0)));
  const Amounts cost = Amounts::Call(1'000, 1'000, 200, 0);
  for (auto _ : state) {
    const HoldResult hold = books.accounts.Hold(books.plan, caller.call, kNow);
    if (hold.status != HoldStatus::kHeld) state.SkipWithError("refused");
    benchmark::DoNotOptimize(books.accounts.Settle(books.plan, hold.ticket, cost, true, kNow));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(HoldAndSettle)->ArgName("shared")->Arg(0)->Threads(1)->Threads(2)->UseRealTime();
BENCHMARK(HoldAndSettle)->ArgName("shared")->Arg(1)->Arg(4)->Threads(1)->Threads(2)->UseRealTime();

// What the engine does with money for a call: the hold, the frame that says it was dispatched, the settlement
// and its record (both survive the death of the process).
void HoldAndSettleLogged(benchmark::State& state) {
  static std::unique_ptr<bench::Scratch> scratch;
  static std::unique_ptr<ledger::Log> log;
  Books& books = FourLevels();
  if (state.thread_index() == 0) {
    scratch = std::make_unique<bench::Scratch>();
    log = *ledger::Log::Open(scratch->path(), {}, nullptr);
  }
  const Caller caller(state.thread_index(), static_cast<int>(state.range(0)));
  const Amounts cost = Amounts::Call(1'000, 1'000, 200, 0);
  ledger::DispatchedView dispatched;
  dispatched.request_id = "request-4711-0815";
  dispatched.tenant = caller.tenant;
  dispatched.customer = caller.customer;
  dispatched.session = caller.session;
  dispatched.task = caller.task;
  dispatched.time_nanos = kNow;
  dispatched.held_nanos = 1'500'000;
  ledger::RecordView record;
  record.request_id = dispatched.request_id;
  record.tenant = caller.tenant;
  record.customer = caller.customer;
  record.session = caller.session;
  record.task = caller.task;
  record.provider = "openai";
  record.model = "gpt-5-mini";
  record.time_nanos = record.settled_nanos = kNow;
  record.input_tokens = 800;
  record.output_tokens = 200;
  record.cost_nanos = 1'000;
  record.held_nanos = 1'500'000;
  ledger::Encoder encode;
  for (auto _ : state) {
    const HoldResult hold = books.accounts.Hold(books.plan, caller.call, kNow);
    if (hold.status != HoldStatus::kHeld) state.SkipWithError("refused");
    dispatched.ticket = record.ticket = hold.ticket;
    if (log->Append(ledger::DISPATCHED, encode(dispatched)) == 0) state.SkipWithError("not granted");
    books.accounts.MarkDispatched(books.plan, hold.ticket, kNow);
    if (log->Append(ledger::RECORD, encode(record), ledger::Reserve::kUse) == 0)
      state.SkipWithError("not booked");
    benchmark::DoNotOptimize(books.accounts.Settle(books.plan, hold.ticket, cost, true, kNow));
  }
  state.SetItemsProcessed(state.iterations());
  if (state.thread_index() == 0) {
    log.reset();
    scratch.reset();
  }
}
BENCHMARK(HoldAndSettleLogged)->ArgName("shared")->Arg(0)->Arg(4)->Threads(1)->Threads(2)->UseRealTime();

// The peer, without and with its own log.
void RedisHoldAndSettle(benchmark::State& state) {
  constexpr int kPipeline = 100;
  const auto redis = bench::RedisPeer::Start(state.range(0) != 0);
  if (redis == nullptr) return state.SkipWithError("needs libhiredis-dev and redis-server");
  for (auto _ : state) {
    if (!redis->HoldAndSettle(kPipeline)) state.SkipWithError("refused");
  }
  state.SetItemsProcessed(state.iterations() * kPipeline);
}
BENCHMARK(RedisHoldAndSettle)->ArgName("log")->Arg(0)->Arg(1)->UseRealTime();

void Refuse(benchmark::State& state) {
  static Books& books = *new Books(R"(budgets { name: "tenant" scope: TENANT usd: "0.001" })");
  const Caller caller(0, 0);
  for (auto _ : state) benchmark::DoNotOptimize(books.accounts.Hold(books.plan, caller.call, kNow));
}
BENCHMARK(Refuse);

int64_t ResidentBytes() {
  int64_t total = 0, resident = 0;
  if (FILE* file = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(file, "%ld %ld", &total, &resident) != 2) resident = 0;
    std::fclose(file);
  }
  return resident * sysconf(_SC_PAGESIZE);
}

// A million sessions that have spent something and are quiet: what they take by the accounts' own count, and
// what the process grew by.
void IdleSessions(benchmark::State& state) {
  for (auto _ : state) {
    Books books(R"(budgets { name: "session" scope: SESSION usd: "5" })");
    const int64_t before = books.accounts.memory_bytes();
    const int64_t resident_before = ResidentBytes();
    const int64_t sessions = state.range(0);
    for (int64_t i = 0; i < sessions; ++i) {
      char session[40];
      std::snprintf(session, sizeof(session), "%08x-8b86-d011-b42d-00c04fc964ff", static_cast<unsigned>(i));
      Scope scope;
      scope.tenant = "acme-corp";
      scope.session = {session, 36};
      books.accounts.Charge(books.plan, scope, Amounts::Call(1000, 10, 10), kNow);
    }
    state.counters["bytes_per_account"] =
        static_cast<double>(books.accounts.memory_bytes() - before) / static_cast<double>(sessions);
    state.counters["resident_MB"] = static_cast<double>(ResidentBytes() - resident_before) / 1e6;
  }
}
BENCHMARK(IdleSessions)->Arg(1'000'000)->Iterations(1)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace purser::budget

BENCHMARK_MAIN();
