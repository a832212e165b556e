#include "engine/recovery/account_snapshot.h"

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "policies/textproto.h"

namespace purser {
namespace {

constexpr int64_t kNow = 1'782'892'800'000'000'000;

constexpr char kPolicy[] = R"(
  candidates { model: "m" }
  budgets { name: "task" scope: TASK usd: "1" steps: 50 }
  budgets { name: "customer" scope: CUSTOMER usd: "5" window { rolling: "24h" } }
  budgets { name: "tenant" scope: TENANT tokens: 100000 window { calendar: DAY } }
  loop_guards { max_repeats: 5 }
)";

class SnapshotTest : public ::testing::Test {
 protected:
  SnapshotTest() {
    policy::Policy policy;
    Diagnostics diagnostics = ParseTextproto(kPolicy, "p", &policy);
    plan_ = budget::Plan::Compile(policy, &diagnostics);
    EXPECT_TRUE(diagnostics.ok()) << diagnostics.ToStatus();
  }

  // A few tasks with parents, settled calls, open holds in every phase, a top-up, and a key longer than any
  // buffer.
  void Fill(budget::Accounts* accounts) {
    accounts->Register(&plan_);
    const std::string long_customer(300, 'c');
    for (int i = 0; i < 20; ++i) {
      const std::string task = "task" + std::to_string(i % 5);
      budget::Call call;
      call.scope.tenant = std::string_view("t\0x", 3);
      call.scope.customer = i % 2 == 0 ? std::string_view(long_customer) : "short";
      call.scope.task = task;
      if (i % 5 != 0) call.scope.parent_task = "task0";
      call.worst = budget::Amounts::Call(10'000'000, 100, 50);
      call.fingerprint = 7 + i % 3;
      const budget::HoldResult hold = accounts->Hold(plan_, call, kNow + i);
      ASSERT_EQ(hold.status, budget::HoldStatus::kHeld);
      if (i % 4 == 0) continue;  // Undispatched: not in the snapshot.
      ASSERT_TRUE(accounts->MarkDispatched(plan_, hold.ticket, kNow + i));
      if (i % 4 == 1) continue;  // Dispatched.
      accounts->Settle(plan_, hold.ticket, budget::Amounts::Call(3'000'000 + i, 40, 20), i % 4 == 2,
                       kNow + i);
    }
    accounts->EndTask(plan_, "other", "gone", kNow);
    budget::Scope scope;
    scope.tenant = std::string_view("t\0x", 3);
    scope.customer = "short";
    ASSERT_TRUE(accounts
                    ->TopUp(plan_, "customer", scope, budget::Amounts{{1'000, 0, 0, 0, 0}},
                            kNow + 1'000'000'000, kNow)
                    .ok());
  }

  static std::vector<budget::EndedState> Ended(const budget::Accounts& accounts) {
    std::vector<budget::EndedState> ended;
    accounts.ExportEnded([&](const budget::EndedState& state) { ended.push_back(state); });
    std::sort(ended.begin(), ended.end(),
              [](const auto& a, const auto& b) { return a.digest_high < b.digest_high; });
    return ended;
  }
  static std::vector<budget::HoldState> Holds(const budget::Accounts& accounts) {
    std::vector<budget::HoldState> holds;
    accounts.ExportHolds([&](const budget::HoldState& state) {
      holds.push_back(state);
      // Said of presumed holds only.
      if (state.phase != budget::HoldPhase::kPresumed) holds.back().presumed_at_nanos = 0;
    });
    std::sort(holds.begin(), holds.end(), [](const auto& a, const auto& b) { return a.ticket < b.ticket; });
    return holds;
  }
  static std::vector<budget::AccountState> States(const budget::Accounts& accounts) {
    std::vector<budget::AccountState> states;
    accounts.ExportAccounts([&](const budget::AccountState& state) { states.push_back(state); });
    std::sort(states.begin(), states.end(), [](const auto& a, const auto& b) {
      return std::tie(a.budget, a.key) < std::tie(b.budget, b.key);
    });
    return states;
  }

  budget::Plan plan_;
};

TEST_F(SnapshotTest, RestoresAccountsHoldsAndCounts) {
  budget::Accounts before{budget::Accounts::Options{}};
  ASSERT_NO_FATAL_FAILURE(Fill(&before));
  estimates::OutputEstimator outputs(64);
  for (int i = 0; i < 100; ++i) outputs.Observe({1, 2, 3}, 40 + i % 5);
  OpenDispatches whose;
  for (const budget::HoldState& hold : Holds(before)) {
    if (hold.phase != budget::HoldPhase::kHeld) whose[hold.ticket] = absl::StrCat("of ", hold.ticket);
  }
  const OpenDispatches expected = whose;
  whose[12345] = "closed long ago";
  const std::string bytes =
      WriteSnapshot(before, outputs, {.records = 42, .loads = 3, .newest_nanos = kNow}, whose);

  budget::Accounts after{budget::Accounts::Options{}};
  after.Register(&plan_);
  estimates::OutputEstimator restored(64);
  SnapshotCounts counts;
  OpenDispatches read;
  ASSERT_TRUE(ReadSnapshot(bytes, plan_, &after, &restored, &counts, &read).ok());
  EXPECT_EQ(read, expected);
  EXPECT_EQ(counts.records, 42);
  EXPECT_EQ(counts.loads, 3u);
  EXPECT_EQ(counts.newest_nanos, kNow);
  EXPECT_EQ(restored.Get({1, 2, 3}, {}).count, outputs.Get({1, 2, 3}, {}).count);
  EXPECT_EQ(States(before), States(after));
  EXPECT_EQ(Ended(before), Ended(after));
  EXPECT_EQ(Ended(after).size(), 1u);
  std::vector<budget::HoldState> dispatched = Holds(before);
  std::erase_if(dispatched, [](const auto& hold) { return hold.phase == budget::HoldPhase::kHeld; });
  EXPECT_FALSE(dispatched.empty());
  const std::vector<budget::HoldState> restored_holds = Holds(after);
  ASSERT_EQ(dispatched.size(), restored_holds.size());
  for (size_t i = 0; i < dispatched.size(); ++i) {
    const budget::HoldState& one = dispatched[i];
    const budget::HoldState& other = restored_holds[i];
    EXPECT_EQ(one.ticket, other.ticket);
    EXPECT_EQ(one.phase, other.phase);
    EXPECT_EQ(one.expires_at_nanos, other.expires_at_nanos);
    EXPECT_EQ(one.presumed_at_nanos, other.presumed_at_nanos);
    EXPECT_EQ(one.booked_at_nanos, other.booked_at_nanos);
    EXPECT_EQ(one.fingerprint, other.fingerprint);
    EXPECT_EQ(one.worst, other.worst);
    EXPECT_EQ(one.likely, other.likely);
    EXPECT_EQ(one.booked, other.booked);
    EXPECT_EQ(one.legs, other.legs);
  }
}

TEST_F(SnapshotTest, OtherBytesAreDataLoss) {
  budget::Accounts accounts{budget::Accounts::Options{}};
  accounts.Register(&plan_);
  estimates::OutputEstimator outputs(64);
  SnapshotCounts counts;
  EXPECT_EQ(ReadSnapshot("not a snapshot", plan_, &accounts, &outputs, &counts).code(),
            absl::StatusCode::kDataLoss);
}

// The log's checksum stands before it; this is about what is read being bounded by what is there.
TEST_F(SnapshotTest, NoMutatedBytesAreReadBeyond) {
  budget::Accounts before{budget::Accounts::Options{}};
  ASSERT_NO_FATAL_FAILURE(Fill(&before));
  estimates::OutputEstimator outputs(64);
  const std::string bytes = WriteSnapshot(before, outputs, {.records = 42, .loads = 3});
  std::mt19937 random(1);
  for (int i = 0; i < 300; ++i) {
    std::string mutated = bytes.substr(0, i % 3 == 0 ? random() % bytes.size() : bytes.size());
    for (int flips = 0; flips < i % 3 && !mutated.empty(); ++flips)
      mutated[random() % mutated.size()] ^= static_cast<char>(1 << random() % 8);
    const auto copy = std::make_unique<char[]>(mutated.size());  // Its end is the sanitizer's.
    std::copy(mutated.begin(), mutated.end(), copy.get());
    budget::Accounts after{budget::Accounts::Options{}};
    after.Register(&plan_);
    estimates::OutputEstimator restored(64);
    SnapshotCounts counts;
    (void)ReadSnapshot({copy.get(), mutated.size()}, plan_, &after, &restored, &counts);
  }
}

}  // namespace
}  // namespace purser
