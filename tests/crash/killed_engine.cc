#include "tests/crash/killed_engine.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace purser {
namespace {

constexpr char kBook[] = R"(
  name: "test"
  models { id: "m" provider: "p" context_window: 100000 max_output_tokens: 4000
    sheets { rates { meter: "input_tokens" usd: "3" } rates { meter: "output_tokens" usd: "15" } } })";

// So that processes are killed while they keep snapshots, too.
constexpr int64_t kFramesBetweenSnapshots = 3'000;

}  // namespace

std::chrono::steady_clock::time_point SoakEnd() {
  const char* soak = std::getenv("PURSER_SOAK_SECONDS");
  return std::chrono::steady_clock::now() + std::chrono::seconds(soak != nullptr ? std::atoi(soak) : 0);
}

KilledEngineTest::KilledEngineTest(std::string policy)
    : folder_(absl::StrCat(::testing::TempDir(), "/killed_engine.", getpid())), policy_(std::move(policy)) {
  std::filesystem::remove_all(folder_);
  std::filesystem::create_directories(folder_);
  std::ofstream(folder_ + "/book.textproto") << kBook;
}

KilledEngineTest::~KilledEngineTest() { std::filesystem::remove_all(folder_); }

void KilledEngineTest::BeginHistory() {
  std::filesystem::remove_all(ledger());
  new (&*reported_) Reported{};
}

void KilledEngineTest::WorkUntilKilled(uint64_t seed, const Work& work) {
  Options options;
  options.source.policy_text = policy_;
  options.source.price_books = {folder_ + "/book.textproto"};
  options.ledger_dir = ledger();
  options.frames_between_snapshots = kFramesBetweenSnapshots;
  const auto engine = Engine::Open(options);
  if (!engine.ok()) {
    std::fprintf(stderr, "%s\n", engine.status().ToString().c_str());
    _exit(3);
  }
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back(
        [&, t] { work(engine->get(), seed * 1000 + static_cast<uint64_t>(t), &*reported_); });
  for (std::thread& thread : threads) thread.join();
  _exit(0);
}

bool KilledEngineTest::RunAndKill(uint64_t seed, unsigned micros, const Work& work) {
  const int64_t before = reported_->settlements.load();
  const pid_t child = fork();
  if (child == 0) WorkUntilKilled(seed, work);
  int status = 0;
  pid_t ended = 0;
  while (reported_->settlements.load() == before && (ended = waitpid(child, &status, WNOHANG)) == 0)
    usleep(200);
  if (ended == 0) {
    usleep(micros);
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
  }
  EXPECT_TRUE(!WIFEXITED(status) || WEXITSTATUS(status) == 0) << WEXITSTATUS(status);
  return WIFEXITED(status);
}

KilledEngineTest::Came KilledEngineTest::Call(Engine* engine, const Request& request, std::mt19937_64* random,
                                              Decision* decision, Reported* reported) {
  engine->Decide(request, decision);
  if (decision->action != Action::kDispatch) return Came::kRefused;
  const bool dispatch = (*random)() % 16 != 0;
  if (dispatch && !engine->MarkDispatched(decision->ticket)) return Came::kToNothing;
  // The provider is at work: most processes are killed with calls under way.
  if ((*random)() % 4 == 0) usleep(static_cast<unsigned>((*random)() % 500));
  if ((*random)() % 10 == 0) {
    engine->Void(decision->ticket);
    return dispatch ? Came::kToLog : Came::kToNothing;
  }
  Usage usage;
  usage.Set(Meter::kInputTokens, request.input_tokens);
  usage.Set(Meter::kOutputTokens,
            static_cast<int64_t>((*random)() % static_cast<uint64_t>(request.max_output_tokens + 1)));
  CallResult outcome;
  outcome.usage = &usage;
  const Settlement settlement = engine->Settle(decision->ticket, outcome);
  if (settlement.result != SettleResult::kSettled) return Came::kToNothing;
  reported->settled_nanos.fetch_add(settlement.cost_nanos);
  reported->settlements.fetch_add(1);
  engine->Settle(decision->ticket, outcome);
  return Came::kToLog;
}

}  // namespace purser
