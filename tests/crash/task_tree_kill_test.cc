// A hundred thousand tasks in trees five levels deep, each with a cap that its sub-tasks draw on, spent from
// by 64 threads in a process that is killed again and again. An auditor of its own adds up the log along the
// trees: after no frame has any task, with all below it, more than its cap settled or open.
// PURSER_SOAK_SECONDS makes it last about as long.

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <new>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/crash/killed_engine.h"
#include "tests/crash/log_audit.h"

namespace purser {
namespace {

constexpr int64_t kCapNanos = 20'000'000;
constexpr int kLevels = 5;
constexpr int kChildren = 3;
constexpr int kTasksOfATree = 121;  // 1 + 3 + 9 + 27 + 81
#if defined(__SANITIZE_ADDRESS__)
constexpr int kTrees = 400;
constexpr size_t kMinTasks = 10'000;
#else
constexpr int kTrees = 1600;
constexpr size_t kMinTasks = 100'000;
#endif

// Nodes are numbered level by level: the children of n are 3 n + 1 to 3 n + 3.
constexpr int ParentOf(int node) { return (node - 1) / kChildren; }
std::string NameOf(int64_t tree, int node) { return absl::StrCat("tree", tree, "/", node); }

// What processes leave to those after them.
struct Trees {
  std::atomic<int64_t> next;
  // Whether the task has made a call that is in the log. Only then has it sub-tasks: a call that is held
  // before its ancestors are known does not count for them.
  std::atomic<bool> began[kTrees][kTasksOfATree];
};

class TaskTreeKillTest : public KilledEngineTest {
 protected:
  TaskTreeKillTest()
      : KilledEngineTest(R"(
          name: "test"
          candidates { model: "m" }
          routing { expected_output_tokens: 20 }
          budgets { name: "task" scope: TASK usd: "0.02" }
          budget_settings { dispatch_expires_after: "24h" presumed_final_after: "240h" })") {}

  // False: refused. A call of size 20 is held at up to $0.0008.
  bool CallOf(int64_t tree, int node, int size, Engine* engine, std::mt19937_64* random, Decision* decision,
              Reported* reported) {
    if (node > 0 && !trees_->began[tree][ParentOf(node)]) return false;
    const std::string task = NameOf(tree, node), parent = NameOf(tree, ParentOf(node));
    Request request;
    request.tenant = "t";
    request.task = task;
    if (node > 0) request.parent_task = parent;
    request.input_tokens = static_cast<int64_t>((*random)() % static_cast<uint64_t>(3 * size));
    request.max_output_tokens = 1 + static_cast<int64_t>((*random)() % static_cast<uint64_t>(2 * size));
    const Came came = Call(engine, request, random, decision, reported);
    if (came == Came::kToLog) trees_->began[tree][node] = true;
    return came != Came::kRefused;
  }

  // Takes tree after tree. In most of them every task makes a call or two, which together are about what the
  // root may spend; in the others one task at some level spends alone until it is stopped.
  void Spend(Engine* engine, uint64_t seed, Reported* reported) {
    std::mt19937_64 random(seed);
    Decision decision;
    for (int64_t tree; (tree = trees_->next.fetch_add(1)) < kTrees;) {
      if (tree % 9 == 8) {
        const int greedy = static_cast<int>(random() % kTasksOfATree);
        std::vector<int> path = {greedy};
        while (path.back() > 0) path.push_back(ParentOf(path.back()));
        for (auto node = path.rbegin(); node != path.rend(); ++node) {
          while (!trees_->began[tree][*node] &&
                 CallOf(tree, *node, 1, engine, &random, &decision, reported)) {
          }
        }
        for (int refused = 0; refused < 10;)
          refused += CallOf(tree, greedy, 20, engine, &random, &decision, reported) ? 0 : 1;
        continue;
      }
      for (int node = 0; node < kTasksOfATree; ++node) {
        for (int calls = 1 + static_cast<int>(random() % 2); calls > 0; --calls) {
          // One in sixteen of another tree, which an earlier process may have begun.
          const int64_t of = random() % 16 == 0 ? static_cast<int64_t>(random() % (tree + 1)) : tree;
          (void)CallOf(of, node, 4, engine, &random, &decision, reported);
        }
        if (random() % 64 == 0) engine->EndTask("t", NameOf(tree, node));
      }
    }
  }

  void RunHistory(std::mt19937_64* random);

  const Surviving<Trees> trees_;
};

void TaskTreeKillTest::RunHistory(std::mt19937_64* random) {
  BeginHistory();
  new (&*trees_) Trees{};
  int kills = 0;
  const auto spend = [this](Engine* engine, uint64_t seed, Reported* reported) {
    Spend(engine, seed, reported);
  };
  while (!RunAndKill((*random)(), 20'000 + static_cast<unsigned>((*random)() % 300'000), spend)) ++kills;

  struct Task {
    std::string parent;
    int64_t nanos = 0;
    int64_t most = 0;
  };
  std::unordered_map<std::string, Task> tasks;
  const LogAudit audit =
      LogAudit::Of(ledger(), [&](std::string_view name, std::string_view parent_name, int64_t nanos) {
        Task* task = &tasks[std::string(name)];
        if (!parent_name.empty()) task->parent = parent_name;
        while (true) {
          task->nanos += nanos;
          task->most = std::max(task->most, task->nanos);
          ASSERT_LE(task->nanos, kCapNanos) << "an account that " << name << " draws on";
          if (task->parent.empty()) return;
          task = &tasks[task->parent];
        }
      });
  ASSERT_GE(audit.settled_nanos, reported().settled_nanos.load());
  ASSERT_GE(audit.settlements, reported().settlements.load());
  ASSERT_LE(audit.settlements, reported().settlements.load() + kThreads * (kills + 1));

  // Caps were reached at every level, or this would prove little.
  std::array<int, kLevels> full = {};
  for (const auto& [name, task] : tasks) {
    int level = 0;
    for (int node = std::stoi(name.substr(name.find('/') + 1)); node > 0; node = ParentOf(node)) ++level;
    full[level] += task.most > kCapNanos - kCapNanos / 20 ? 1 : 0;
  }
  for (int level = 0; level < kLevels; ++level) EXPECT_GT(full[level], 0) << "level " << level;
  EXPECT_GE(tasks.size(), kMinTasks);
  EXPECT_GT(kills, 1);
  std::printf("%zu tasks, full by level %d %d %d %d %d, %d processes killed, %lld settlements\n",
              tasks.size(), full[0], full[1], full[2], full[3], full[4], kills,
              static_cast<long long>(audit.settlements));
}

TEST_F(TaskTreeKillTest, AHundredThousandTasksAndKillsNeverPassACap) {
  const auto until = SoakEnd();
  std::mt19937_64 random(1);
  do {
    RunHistory(&random);
  } while (!HasFatalFailure() && std::chrono::steady_clock::now() < until);
}

}  // namespace
}  // namespace purser
