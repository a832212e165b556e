// Reopening as a property: after any sequence of calls in any order the ledger opens, and accounts and books
// say what a model of a few lines says. PURSER_SEED starts with a certain seed, PURSER_SOAK_SECONDS runs for
// longer.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/ledger/log.h"
#include "engine/ledger/record.h"
#include "engine/ledger/record_reader.h"
#include "tests/support/engine_fixture.h"

namespace purser {
namespace {

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kMinute = 60 * kSecond;
constexpr char kPolicy[] = R"(
    budget_settings { hold_expires_after: "2m" dispatch_expires_after: "15m" presumed_final_after: "2h" }
    budgets { name: "cap" scope: CUSTOMER usd: "1000000" })";

enum class Phase { kHeld, kDispatched, kPresumed, kFinal, kReleased };

struct ModelCall {
  Ticket ticket = 0;
  std::string id;
  Decision decision;
  Phase phase = Phase::kHeld;
  int64_t held = 0, part = 0;
  int64_t counted = 0;       // From when it was presumed spent.
  int64_t output_price = 0;  // Nano-dollars per token.
  int64_t expires = 0;

  int64_t committed() const {
    if (phase == Phase::kReleased) return 0;
    return phase >= Phase::kPresumed ? counted : std::max(held, part);
  }
  bool open() const { return phase < Phase::kFinal; }
};

// Written from the promises, without a look at the engine.
class ReopenTest : public EngineTest {
 protected:
  int64_t Below(int64_t bound) { return static_cast<int64_t>(random_() % static_cast<uint64_t>(bound)); }

  Request RequestOf(const std::string& id) const {
    Request request;
    request.id = id;
    request.tenant = "t";
    request.customer = "c";
    request.use_case = "u";
    request.input_tokens = 1000;
    request.max_output_tokens = 500;
    return request;
  }

  void OpenEngine() {
    engine_ = Open(std::string(kTestCandidates) + kPolicy, /*with_ledger=*/true);
    ASSERT_NE(engine_, nullptr);
    EXPECT_EQ(engine_->recovered().conflicts, 0) << engine_->recovered().first_conflict;
  }

  int64_t Committed() {
    for (const AccountStatus& account : engine_->Accounts(RequestOf("look"))) {
      if (account.budget != "cap") continue;
      return account.limits[0].settled + account.limits[0].held + account.limits[0].presumed;
    }
    return 0;
  }

  int64_t ModelCommitted() const {
    int64_t sum = settled_;
    for (const ModelCall& call : calls_) sum += call.committed();
    for (const auto& [id, amount] : earlier_) sum += amount;
    return sum;
  }

  int64_t Books() const {
    auto reader = ledger::RecordReader::Open(ledger());
    EXPECT_TRUE(reader.ok()) << reader.status();
    int64_t sum = 0;
    ledger::Entry entry;
    while (reader.ok()) {
      const absl::StatusOr<bool> more = (*reader)->Next(&entry);
      EXPECT_TRUE(more.ok()) << more.status();
      if (!more.ok() || !*more) break;
      sum += entry.sign * entry.record.cost_nanos;
    }
    return sum;
  }

  void Granted(ModelCall* call) {
    call->phase = Phase::kHeld;
    call->held = call->decision.held_nanos;
    call->output_price = call->decision.model == "small"    ? 2'000
                         : call->decision.model == "middle" ? 8'000
                                                            : 40'000;
    call->expires = clock_.NowNanos() + 2 * kMinute;
  }

  // What a stream had used when it was given up stays spent.
  void GiveUp(ModelCall* call) {
    settled_ += call->part;
    booked_ += call->part;
    call->ticket = 0;
  }

  // Now and then more than the hold covers.
  Usage RandomUsage() {
    const bool more = Below(5) == 0;
    return UsageOf(1 + Below(more ? 3'000 : 1'000), Below(more ? 2'000 : 500));
  }

  int64_t CostOf(const ModelCall& call, const Usage& usage) const {
    const int64_t input_price = call.output_price == 2'000   ? 1'000
                                : call.output_price == 8'000 ? 2'000
                                                             : 10'000;
    return usage.input_tokens() * input_price + usage.output_tokens() * call.output_price;
  }

  void Maintain() {
    engine_->Maintain();
    const int64_t now = clock_.NowNanos();
    for (ModelCall& call : calls_) {
      if (!call.open() || call.expires > now) continue;
      switch (call.phase) {
        case Phase::kHeld:
          settled_ += call.part;
          call.phase = Phase::kReleased;
          break;
        case Phase::kDispatched:
          call.counted = call.committed();
          call.phase = Phase::kPresumed;
          call.expires = now + 120 * kMinute;
          break;
        default:
          call.phase = Phase::kFinal;
          break;
      }
    }
  }

  void Settle(ModelCall* call) {
    const Usage usage = RandomUsage();
    CallResult result;
    result.usage = &usage;
    const int64_t cost = CostOf(*call, usage);
    const Settlement settlement = engine_->Settle(call->ticket, result);
    if (call->open()) {
      ASSERT_EQ(settlement.result, SettleResult::kSettled);
      ASSERT_EQ(settlement.cost_nanos, cost);
    }
    if (settlement.result == SettleResult::kSettled) {
      settled_ += call->phase == Phase::kFinal ? std::max(cost, call->committed()) : cost;
      booked_ += cost;
      call->ticket = 0;
    } else if (call->phase == Phase::kFinal) {  // Its place was given to another call: it stays presumed.
      settled_ += call->committed();
      booked_ += call->committed();
      call->ticket = 0;
    } else {
      call->ticket = 0;
    }
  }

  void SettlePart(ModelCall* call) {
    if (!call->open()) return;
    const Usage usage = RandomUsage();
    CallResult result;
    result.usage = &usage;
    result.final = false;
    ASSERT_EQ(engine_->Settle(call->ticket, result).result, SettleResult::kSettled);
    call->part = std::max(call->part, CostOf(*call, usage));
    if (call->phase == Phase::kPresumed) return;
    call->phase = Phase::kDispatched;
    call->expires = clock_.NowNanos() + 15 * kMinute;
  }

  void FailOver(ModelCall* call) {
    if (!call->open()) return;
    engine_->FailOver(RequestOf(call->id), &call->decision);
    GiveUp(call);
    if (call->decision.action != Action::kDispatch) return;
    call->ticket = call->decision.ticket;
    call->part = 0;
    Granted(call);
  }

  void Step() {
    const int64_t dice = Below(100);
    if (dice < 25 || calls_.empty()) {
      ModelCall call;
      call.id = absl::StrCat("r", next_id_++);
      engine_->Decide(RequestOf(call.id), &call.decision);
      if (call.decision.action != Action::kDispatch) return;  // Too many failovers: every model rests.
      call.ticket = call.decision.ticket;
      Granted(&call);
      calls_.push_back(std::move(call));
      return;
    }
    if (dice < 29) {
      clock_.Advance(Below(4) == 0 ? Below(150 * kMinute) : Below(10 * kMinute));
      return;
    }
    if (dice < 33) return Maintain();
    if (dice < 35) return SettleEarlier();
    const size_t at = static_cast<size_t>(Below(static_cast<int64_t>(calls_.size())));
    ModelCall* call = &calls_[at];
    if (dice < 55) {
      const bool announced = engine_->MarkDispatched(call->ticket);
      ASSERT_EQ(announced, call->phase == Phase::kHeld || call->phase == Phase::kDispatched);
      if (announced) {
        call->phase = Phase::kDispatched;
        call->expires = clock_.NowNanos() + 15 * kMinute;
      }
    } else if (dice < 68) {
      FailOver(call);
    } else if (dice < 73) {
      if (call->part > call->held) return;
      const int64_t before = Committed();
      const bool more_held = engine_->Extend(call->ticket, Below(200) + 1);
      if (!more_held) return;
      ASSERT_TRUE(call->phase == Phase::kHeld || call->phase == Phase::kDispatched);
      call->held += Committed() - before;
      call->expires = clock_.NowNanos() + (call->phase == Phase::kHeld ? 2 : 15) * kMinute;
    } else if (dice < 80) {
      SettlePart(call);
    } else if (dice < 90) {
      if (!call->open()) return;
      ASSERT_TRUE(engine_->Void(call->ticket));
      GiveUp(call);
    } else {
      Settle(call);
    }
    if (calls_[at].ticket == 0) {
      std::swap(calls_[at], calls_.back());
      calls_.pop_back();
    }
  }

  void SettleEarlier() {
    if (earlier_.empty()) return;
    auto found = std::next(earlier_.begin(), Below(static_cast<int64_t>(earlier_.size())));
    const Usage usage = UsageOf(Below(1'001), Below(501));
    CallResult result;
    result.usage = &usage;
    const Settlement settlement = engine_->SettleByRequest("t", found->first, result);
    if (settlement.result == SettleResult::kSettled) {
      settled_ += settlement.cost_nanos;
      booked_ += settlement.cost_nanos;
      earlier_.erase(found);
      ASSERT_EQ(engine_->SettleByRequest("t", absl::StrCat("r", next_id_ + 1), result).result,
                SettleResult::kUnknownTicket);
    } else {
      // Only what may have been booked for good by now.
      ASSERT_EQ(settlement.result, SettleResult::kUnknownTicket);
    }
  }

  void Reopen() {
    engine_.reset();
    for (const ModelCall& call : calls_) {
      if (call.phase == Phase::kReleased) continue;
      if (call.phase == Phase::kHeld) {
        ASSERT_EQ(call.part, 0);
        continue;
      }
      earlier_[call.id] = call.committed();
    }
    calls_.clear();
    OpenEngine();
  }

  std::mt19937_64 random_;
  std::unique_ptr<Engine> engine_;
  std::vector<ModelCall> calls_;
  std::map<std::string, int64_t> earlier_;  // Dispatched by an earlier run, and what they commit.
  int64_t settled_ = 0;
  int64_t booked_ = 0;
  int64_t next_id_ = 0;
};

TEST_F(ReopenTest, AccountsAndBooksSayWhatTheModelSaysAfterAnySequence) {
  const auto number = [](const char* name, uint64_t otherwise) {
    const char* value = std::getenv(name);
    return value == nullptr ? otherwise : std::strtoull(value, nullptr, 10);
  };
  const auto begin = std::chrono::steady_clock::now();
  const std::chrono::milliseconds duration(1000 * number("PURSER_SOAK_SECONDS", 0) + 2500);
  const uint64_t first = number(
      "PURSER_SEED", static_cast<uint64_t>(std::chrono::system_clock::now().time_since_epoch().count()));
  int64_t steps = 0, reopened = 0;
  uint64_t seed = first;
  for (; std::chrono::steady_clock::now() - begin < duration; ++seed) {
    SCOPED_TRACE(absl::StrCat("PURSER_SEED=", seed));
    random_.seed(seed);
    engine_.reset();
    std::filesystem::remove_all(ledger());
    calls_.clear();
    earlier_.clear();
    settled_ = booked_ = next_id_ = 0;
    OpenEngine();
    for (int run = 0; run < 5; ++run, ++reopened) {
      const int64_t length = Below(200);
      for (int64_t i = 0; i < length; ++i, ++steps) {
        Step();
        if (HasFatalFailure()) return;
        ASSERT_EQ(Committed(), ModelCommitted()) << "run " << run << ", step " << i;
      }
      Reopen();
      if (HasFatalFailure()) return;
      ASSERT_EQ(Committed(), ModelCommitted()) << "after run " << run;
    }
    // Once everything that is open is presumed spent, the books say so too.
    clock_.Advance(20 * kMinute);
    Maintain();
    int64_t books = booked_;
    for (const auto& [id, amount] : earlier_) books += amount;
    ASSERT_EQ(Books(), books);
  }
  std::printf("seeds %llu to %llu: %lld steps, reopened %lld times\n", static_cast<unsigned long long>(first),
              static_cast<unsigned long long>(seed - 1), static_cast<long long>(steps),
              static_cast<long long>(reopened));
}

// The slot of the first call is used again by the second.
TEST_F(ReopenTest, AFailoverThatIsGivenUpIsFreeAfterARestart) {
  OpenEngine();
  Decision decision;
  for (int i = 0; i < 3; ++i) {
    engine_->Decide(RequestOf("r"), &decision);
    ASSERT_TRUE(engine_->MarkDispatched(decision.ticket));
    engine_->FailOver(RequestOf("r"), &decision);
    ASSERT_EQ(decision.action, Action::kDispatch);
    if (i > 0) engine_->FailOver(RequestOf("r"), &decision);
    ASSERT_EQ(decision.action, Action::kDispatch);
    ASSERT_TRUE(engine_->Void(decision.ticket));
  }
  engine_->Decide(RequestOf("r"), &decision);
  ASSERT_TRUE(engine_->MarkDispatched(decision.ticket));
  const int64_t committed = Committed();
  engine_.reset();
  OpenEngine();
  ASSERT_NE(engine_, nullptr);
  EXPECT_EQ(engine_->recovered().presumed, 1);
  EXPECT_EQ(Committed(), committed);
}

// What version 0.1.0 could write: the failover of the first call was given up, and no frame says so.
TEST_F(ReopenTest, ALedgerThatContradictsItselfOpensAndCountsWhatMayHaveBeenBilled) {
  {
    auto log = ledger::Log::Open(ledger(), {}, nullptr);
    ASSERT_TRUE(log.ok()) << log.status();
    ledger::Encoder encode;
    ledger::DispatchedView dispatched;
    dispatched.tenant = "t";
    dispatched.customer = "c";
    dispatched.provider = "p";
    dispatched.model = dispatched.candidate = "small";
    dispatched.time_nanos = clock_.NowNanos();
    for (const uint64_t use : {1, 2}) {
      dispatched.ticket = use << 32 | 5;
      dispatched.held_nanos = use == 1 ? 3'000'000 : 4'000'000;
      ASSERT_NE((*log)->Append(ledger::DISPATCHED, encode(dispatched), ledger::Reserve::kUse), 0u);
    }
  }
  engine_ = Open(std::string(kTestCandidates) + kPolicy, /*with_ledger=*/true);
  ASSERT_NE(engine_, nullptr);
  EXPECT_EQ(engine_->recovered().conflicts, 1);
  EXPECT_NE(engine_->recovered().first_conflict.find(
                "call 8589934597 was dispatched in the place of call 4294967301, which never ended"),
            std::string::npos)
      << engine_->recovered().first_conflict;
  EXPECT_EQ(Committed(), 7'000'000);
}

TEST_F(ReopenTest, WhatAStreamSettledInPartStaysSpentAndBookedWhenItFailsOver) {
  OpenEngine();
  Decision decision;
  engine_->Decide(RequestOf("r"), &decision);
  ASSERT_TRUE(engine_->MarkDispatched(decision.ticket));
  const Usage usage = UsageOf(1000, 100);
  ASSERT_EQ(engine_->Settle(decision.ticket, {.final = false, .usage = &usage}).result,
            SettleResult::kSettled);
  engine_->FailOver(RequestOf("r"), &decision);
  ASSERT_TRUE(engine_->Void(decision.ticket));
  EXPECT_EQ(Committed(), 1'200'000);
  engine_.reset();
  OpenEngine();
  EXPECT_EQ(Committed(), 1'200'000);
  EXPECT_EQ(Books(), 1'200'000);
}

// What it has used by then is more than its hold: the dispatch alone would say too little.
TEST_F(ReopenTest, AStreamThatDiesIsPresumedToHaveSpentWhatItSettledInPart) {
  OpenEngine();
  Decision decision;
  engine_->Decide(RequestOf("r"), &decision);
  ASSERT_TRUE(engine_->MarkDispatched(decision.ticket));
  const Usage usage = UsageOf(1000, 5000);
  engine_->Settle(decision.ticket, {.final = false, .usage = &usage});
  EXPECT_EQ(Committed(), 11'000'000);
  engine_.reset();
  OpenEngine();
  EXPECT_EQ(Committed(), 11'000'000);
}

TEST_F(ReopenTest, ASettlementAfterPresumedSpendWasBookedForGoodCountsOnce) {
  for (const int64_t output : {0, 5000}) {  // Less than was held, and more.
    std::filesystem::remove_all(ledger());
    OpenEngine();
    Decision decision;
    engine_->Decide(RequestOf("r"), &decision);
    ASSERT_TRUE(engine_->MarkDispatched(decision.ticket));
    clock_.Advance(16 * kMinute);
    engine_->Maintain();
    EXPECT_EQ(Books(), decision.held_nanos) << "presumed spent";
    clock_.Advance(121 * kMinute);
    engine_->Maintain();
    const int64_t cost = SettleWith(engine_.get(), decision.ticket, 1000, output).cost_nanos;
    ASSERT_GT(cost, 0);
    for (int opened = 0; opened < 2; ++opened) {
      EXPECT_EQ(Committed(), std::max(cost, decision.held_nanos)) << opened;
      EXPECT_EQ(Books(), cost) << opened;
      engine_.reset();
      OpenEngine();
    }
    engine_.reset();
  }
}

TEST_F(ReopenTest, ACallOfAnEarlierRunSettlesByItsRequestOnce) {
  OpenEngine();
  Decision decision;
  engine_->Decide(RequestOf("batch"), &decision);
  ASSERT_TRUE(engine_->MarkDispatched(decision.ticket));
  engine_.reset();
  clock_.Advance(16 * kMinute);
  OpenEngine();
  EXPECT_EQ(Books(), decision.held_nanos) << "presumed spent by the opening";
  const Usage usage = UsageOf(1000, 100);
  EXPECT_EQ(engine_->SettleByRequest("another", "batch", {.usage = &usage}).result,
            SettleResult::kUnknownTicket);
  const Settlement settlement = engine_->SettleByRequest("t", "batch", {.usage = &usage});
  EXPECT_EQ(settlement.result, SettleResult::kSettled);
  EXPECT_EQ(settlement.cost_nanos, 1'200'000);
  EXPECT_EQ(engine_->SettleByRequest("t", "batch", {.usage = &usage}).result, SettleResult::kUnknownTicket);
  for (int opened = 0; opened < 2; ++opened) {
    EXPECT_EQ(Committed(), 1'200'000);
    EXPECT_EQ(Books(), 1'200'000);
    engine_.reset();
    OpenEngine();
  }
}

}  // namespace
}  // namespace purser
