// Many threads on few accounts: caps hold at every moment, and in the end nothing is left over.

#include <algorithm>
#include <atomic>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "engine/budget/accounts.h"
#include "gtest/gtest.h"
#include "policies/textproto.h"

namespace purser::budget {
namespace {

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr int kScale = 1;
#else
constexpr int kScale = 5;
#endif

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kNow = 1'700'000'000 * kSecond;
constexpr int64_t kUsd = 1'000'000'000;

Plan MakePlan(const std::string& text, Accounts& accounts) {
  policy::Policy policy;
  Diagnostics diagnostics = ParseTextproto(text, "policy", &policy);
  Plan plan = Plan::Compile(policy, &diagnostics);
  EXPECT_TRUE(diagnostics.ok()) << diagnostics.ToStatus();
  accounts.Register(&plan);
  return plan;
}

Amounts Usd(int64_t nano_usd) { return Amounts::Call(nano_usd, 0, 0); }

// Runs `work(thread)` in so many threads while `watch` is called all the time.
template <typename Work, typename Watch>
void RunThreads(int threads, Work&& work, Watch&& watch) {
  std::atomic<int> running{threads};
  std::vector<std::thread> pool;
  for (int i = 0; i < threads; ++i) {
    pool.emplace_back([&, i] {
      work(i);
      running.fetch_sub(1);
    });
  }
  while (running.load() > 0) watch();
  for (std::thread& thread : pool) thread.join();
}

TEST(Threads, SixtyFourOfThemNeverSpendMoreThanFiveDollars) {
  Accounts accounts({});
  const Plan plan = MakePlan(R"(budgets { name: "cap" scope: GLOBAL usd: "5" })", accounts);
  std::atomic<int64_t> settled{0};
  int64_t most = 0;
  RunThreads(
      64,
      [&](int thread) {
        std::mt19937_64 random(thread + 1);
        for (int i = 0; i < 400 * kScale; ++i) {
          Call call;
          call.worst = Usd(static_cast<int64_t>(random() % (kUsd / 100)));
          const HoldResult hold = accounts.Hold(plan, call, kNow);
          if (hold.status != HoldStatus::kHeld) continue;
          const int64_t cost = static_cast<int64_t>(random() % (call.worst[Dimension::kUsd] + 1));
          switch (random() % 4) {
            case 0:
              accounts.Void(plan, hold.ticket, kNow);
              break;
            case 1:
              accounts.Settle(plan, hold.ticket, Usd(cost / 2), false, kNow);
              [[fallthrough]];
            default:
              accounts.MarkDispatched(plan, hold.ticket, kNow);
              if (accounts.Settle(plan, hold.ticket, Usd(cost), true, kNow).status == SettleStatus::kSettled)
                settled += cost;
              // Once more, as networks do.
              EXPECT_EQ(accounts.Settle(plan, hold.ticket, Usd(cost), true, kNow).status,
                        SettleStatus::kUnknownTicket);
          }
        }
      },
      [&] {
        const AccountView view = accounts.Inspect(plan, {}, kNow).at(0);
        most = std::max(most, view.settled[Dimension::kUsd] + view.held[Dimension::kUsd] +
                                  view.presumed[Dimension::kUsd]);
      });
  EXPECT_LE(most, 5 * kUsd);
  const AccountView view = accounts.Inspect(plan, {}, kNow).at(0);
  EXPECT_EQ(view.settled[Dimension::kUsd], settled.load());
  EXPECT_EQ(view.held[Dimension::kUsd], 0);
  EXPECT_LE(settled.load(), 5 * kUsd);
  EXPECT_EQ(accounts.open_holds(), 0);
}

// Everything at once on a handful of accounts that come and go: for the sanitizers, and for what must add up.
TEST(Threads, EightOfThemKeepTheBooksStraight) {
  Accounts accounts({});
  const Plan plan = MakePlan(R"(
      budgets { name: "all" scope: GLOBAL usd: "1000000" }
      budgets { name: "tenant" scope: TENANT usd: "0.9" window { rolling: "24h" } }
      budgets { name: "session" scope: SESSION usd: "0.2" }
      budgets { name: "task" scope: TASK usd: "0.1" }
      budgets { name: "model" scope: MODEL usd: "0.5" window { refill: "1h" } }
      budget_settings { hold_expires_after: "1s" dispatch_expires_after: "1s" presumed_final_after: "1s" })",
                             accounts);
  std::atomic<int64_t> settled{0}, now{kNow};
  RunThreads(
      8,
      [&](int thread) {
        std::mt19937_64 random(thread + 100);
        struct Open {
          Ticket ticket;
          int64_t worst;
        };
        std::vector<Open> open;
        for (int i = 0; i < 1500 * kScale; ++i) {
          const std::string task = "t" + std::to_string(random() % 6);
          const std::string parent = "t" + std::to_string(random() % 6);
          const std::string session = "s" + std::to_string(random() % 3);
          Call call;
          call.scope.tenant = "acme";
          call.scope.session = session;
          call.scope.task = task;
          if (random() % 3 == 0) call.scope.parent_task = parent;
          call.scope.model = random() % 2 ? "large" : "small";
          call.worst = Usd(static_cast<int64_t>(random() % 20'000'000));
          const int64_t time = now.load();
          switch (random() % 12) {
            case 0:
              accounts.Expire(plan, now.fetch_add(kSecond / 50), 1000);
              break;
            case 1:
              accounts.EndTask(plan, "acme", task, time - 7200 * kSecond);  // Long enough ago to start over.
              break;
            case 2:
              accounts.EndSession(plan, "acme", session, time - 7200 * kSecond);
              break;
            default: {
              const HoldResult hold = accounts.Hold(plan, call, time);
              if (hold.status == HoldStatus::kHeld)
                open.push_back({hold.ticket, call.worst[Dimension::kUsd]});
            }
          }
          while (open.size() > 5) {
            auto [ticket, worst] = open.front();
            open.erase(open.begin());
            // Never more than was held: a call that turns out more expensive would rightly take an account
            // past its cap.
            const auto cost = [&] { return std::min(static_cast<int64_t>(random() % 1'000'000), worst); };
            switch (random() % 6) {
              case 0:
                accounts.Void(plan, ticket, time);
                break;
              case 1:
                if (accounts.Rehold(plan, ticket, call, time).status == HoldStatus::kHeld)
                  worst = call.worst[Dimension::kUsd];
                accounts.Extend(plan, ticket, Usd(100), time);
                [[fallthrough]];
              default:
                if (const int64_t paid = cost();
                    accounts.Settle(plan, ticket, Usd(paid), true, time).status == SettleStatus::kSettled)
                  settled += paid;
            }
          }
        }
        for (const Open& one : open) accounts.Void(plan, one.ticket, now.load());
      },
      [&] {
        Scope scope;
        scope.tenant = "acme";
        for (const AccountView& view : accounts.Inspect(plan, scope, now.load())) {
          EXPECT_GE(view.held[Dimension::kUsd], 0);
          EXPECT_LE(
              view.settled[Dimension::kUsd] + view.held[Dimension::kUsd] + view.presumed[Dimension::kUsd],
              view.limits[Dimension::kUsd]);
        }
        std::this_thread::yield();
      });
  EXPECT_EQ(accounts.open_holds(), 0);
  const AccountView all = accounts.Inspect(plan, {}, now.load()).at(0);
  EXPECT_EQ(all.held[Dimension::kUsd], 0);
  EXPECT_EQ(all.presumed[Dimension::kUsd], 0);
  EXPECT_EQ(all.settled[Dimension::kUsd], settled.load());
}

TEST(Threads, AHundredThousandTasksInTreesNeverPassACap) {
  Accounts accounts({});
  const Plan plan = MakePlan(R"(
      budgets { name: "tenant" scope: TENANT usd: "3" }
      budgets { name: "task" scope: TASK usd: "0.0005" })",
                             accounts);
  constexpr int kThreads = 4,
                kTrees = 800 * kScale;  // 5 levels of 1, 1, 2, 4, 8 tasks: 16 and more per tree.
  std::atomic<int64_t> tasks{0}, settled{0};
  RunThreads(
      kThreads,
      [&](int thread) {
        std::mt19937_64 random(thread + 1);
        for (int tree = 0; tree < kTrees; ++tree) {
          std::vector<std::string> names = {std::to_string(thread) + "." + std::to_string(tree)};
          std::vector<int> parent = {-1};
          for (int level = 1, first = 0; level < 5; ++level) {
            const int last = static_cast<int>(names.size());
            for (int p = first; p < last; ++p) {
              for (int child = level == 1 ? 1 : 0; child < 2; ++child) {
                names.push_back(names[p] + "." + std::to_string(child));
                parent.push_back(p);
              }
            }
            first = last;
          }
          for (size_t i = 0; i < names.size(); ++i) {
            Call call;
            call.scope.tenant = "acme";
            call.scope.task = names[i];
            if (parent[i] >= 0) call.scope.parent_task = names[parent[i]];
            call.worst = Usd(static_cast<int64_t>(random() % 100'000));
            const HoldResult hold = accounts.Hold(plan, call, kNow);
            if (hold.status != HoldStatus::kHeld) continue;
            const int64_t cost = call.worst[Dimension::kUsd] / 2;
            accounts.Settle(plan, hold.ticket, Usd(cost), true, kNow);
            settled += cost;
          }
          Scope root;
          root.tenant = "acme";
          root.task = names[0];
          for (const AccountView& view : accounts.Inspect(plan, root, kNow))
            EXPECT_LE(view.settled[Dimension::kUsd] + view.held[Dimension::kUsd],
                      view.limits[Dimension::kUsd]);
          tasks += static_cast<int64_t>(names.size());
          for (size_t i = names.size(); i-- > 0;) accounts.EndTask(plan, "acme", names[i], kNow);
        }
      },
      [] { std::this_thread::yield(); });
  Scope scope;
  scope.tenant = "acme";
  EXPECT_EQ(accounts.Inspect(plan, scope, kNow).at(0).settled[Dimension::kUsd], settled.load());
  EXPECT_LE(settled.load(), 3 * kUsd);
  std::printf("%lld tasks\n", static_cast<long long>(tasks.load()));
  // Ended tasks are forgotten, and lose nothing: only the tenant is left.
  EXPECT_EQ(accounts.account_count(), 1);
}

}  // namespace
}  // namespace purser::budget
