// What watches the books: red flags, objectives, forecasts, anomalies. Each is raised by what it is for, and
// by nothing else.

#include <algorithm>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/economics/anomaly.h"
#include "engine/economics/cost_slo.h"
#include "engine/economics/forecast.h"
#include "engine/economics/red_flags.h"
#include "gtest/gtest.h"

namespace purser::economics {
namespace {

constexpr int64_t kStart = 1'772'323'200'000'000'000;  // 2026-03-01T00:00:00Z, a Sunday.
constexpr int kDays = 14;

// Two quiet weeks of a healthy product: 20 calls an hour, chat and search, two tiers, a cache that answers a
// tenth. `change` may alter a call; `hour` counts from kStart.
struct Call {
  ledger::RecordView record;
  std::string customer, task;
};
using Change = std::function<void(int hour, int n, Call* call)>;

class Product {
 public:
  explicit Product(const Change& change = {}, const std::string& economics = "") {
    absl::StatusOr<Economics> parsed = Economics::Parse(economics, "test");
    EXPECT_TRUE(parsed.ok()) << parsed.status();
    economics_ = *std::move(parsed);
    std::mt19937 random(7);
    for (int hour = 0; hour < kDays * 24; ++hour) {
      for (int n = 0; n < 20; ++n) {
        auto call = std::make_unique<Call>();
        ledger::RecordView& record = call->record;
        record.time_nanos = kStart + hour * kNanosPerHour + n * (kNanosPerHour / 20);
        call->customer = absl::StrCat("customer-", n);
        record.customer_tier = n == 0 ? "free" : "pro";
        record.request_class = n % 2 == 0 ? "chat" : "search";
        record.model = "model";
        record.cost_nanos = 1'000'000 + static_cast<int64_t>(random() % 200'000);
        record.estimated_nanos = 1'100'000;
        record.revenue_nanos = 2'000'000;
        if (n % 10 == 9) {
          record.cache_hit = ledger::CACHE_EXACT;
          record.cost_nanos = record.estimated_nanos = 0;
        }
        if (change) change(hour, n, call.get());
        record.customer = call->customer;
        record.task = call->task;
        calls_.push_back(std::move(call));
      }
    }
    for (const auto& call : calls_) span_.Add(call->record.time_nanos);
    survey_ = std::make_unique<Survey>(economics_, span_);
    ForEach([this](const ledger::Entry& entry) { survey_->Add(entry); });
  }
  template <typename Visit>
  void ForEach(Visit visit) const {
    for (const auto& call : calls_) {
      ledger::Entry entry;
      entry.record = call->record;
      visit(entry);
    }
  }
  const Survey& survey() const { return *survey_; }
  std::vector<RedFlag> flags() const { return RedFlags(*survey_); }

 private:
  Economics economics_;
  Span span_;
  std::vector<std::unique_ptr<Call>> calls_;
  std::unique_ptr<Survey> survey_;
};

constexpr int kHalf = kDays * 24 / 2;

TEST(RedFlagsTest, AHealthyProductHasNone) {
  const Product product;
  for (const RedFlag& flag : product.flags()) ADD_FAILURE() << NameOf(flag.kind) << ": " << flag.what;
}

struct FlagCase {
  const char* name;
  RedFlag::Kind kind;
  Change change;
  const char* in_evidence;
};

class EachFlag : public testing::TestWithParam<FlagCase> {};

TEST_P(EachFlag, IsRaisedByItsCauseAlone) {
  const FlagCase& c = GetParam();
  const Product product(c.change);
  const std::vector<RedFlag> flags = product.flags();
  ASSERT_EQ(flags.size(), 1u) << (flags.empty() ? "none" : flags[0].what + "; " + flags.back().what);
  EXPECT_EQ(flags[0].kind, c.kind) << flags[0].what;
  const std::string text = flags[0].what + "\n" + flags[0].evidence;
  EXPECT_NE(text.find(c.in_evidence), std::string::npos) << text;
}

INSTANTIATE_TEST_SUITE_P(
    Flags, EachFlag,
    testing::Values(FlagCase{"CostOutgrowsRevenue", RedFlag::Kind::kCostOutgrowsRevenue,
                             [](int hour, int, Call* call) {
                               if (hour >= kHalf)
                                 call->record.cost_nanos = call->record.cost_nanos * 115 / 100;
                             },
                             "revenue per customer by 0.0 %"},
                    FlagCase{"FreeTierShare", RedFlag::Kind::kFreeTierShare,
                             [](int, int n, Call* call) {
                               if (n < 4) call->record.customer_tier = "free";
                             },
                             "customer months"},
                    FlagCase{"AgentMultiple", RedFlag::Kind::kAgentMultiple,
                             [](int hour, int n, Call* call) {
                               if (n % 2 != 0) return;
                               call->task =
                                   n < 14 ? absl::StrCat("loop-", hour) : absl::StrCat("shot-", hour, "-", n);
                             },
                             "chat: a task costs"},
                    FlagCase{"ClassTurnedNegative", RedFlag::Kind::kClassTurnedNegative,
                             [](int hour, int n, Call* call) {
                               if (n % 2 == 0)
                                 call->record.revenue_nanos = hour >= kHalf ? 900'000 : 2'000'000;
                               if (n % 2 == 1)
                                 call->record.revenue_nanos = hour >= kHalf ? 3'100'000 : 2'000'000;
                             },
                             "chat: margin went from"},
                    FlagCase{"SpendWithoutUse", RedFlag::Kind::kSpendWithoutUse,
                             [](int hour, int, Call* call) {
                               if (hour / 24 % 7 == 1 || hour / 24 % 7 == 4)
                                 call->record.cost_nanos = call->record.cost_nanos * 3 / 2;
                               call->record.estimated_nanos = call->record.cost_nanos;
                             },
                             "14 days"},
                    FlagCase{"EstimateDrift", RedFlag::Kind::kEstimateDrift,
                             [](int, int, Call* call) { call->record.estimated_nanos /= 2; },
                             "2.00x what was expected"},
                    FlagCase{"HitRateFalling", RedFlag::Kind::kHitRateFalling,
                             [](int hour, int, Call* call) {
                               if (hour >= kHalf) call->record.cache_hit = ledger::CACHE_NONE;
                             },
                             "before 10.0 %"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(CostSloTest, BurnsWhereExpensiveRequestsAreMoreThanAllowed) {
  const std::string economics =
      R"(classes { name: "chat" slo_usd_per_request: "0.0015" slo_target: 0.99 }
         classes { name: "search" slo_usd_per_request: "0.0015" slo_target: 0.99 })";
  // For the last two hours one chat in four is expensive.
  const Product product(
      [](int hour, int n, Call* call) {
        if (hour >= kDays * 24 - 2 && n % 4 == 0) call->record.cost_nanos = 9'000'000;
      },
      economics);
  const std::vector<CostSlo> slos = CostSlos(product.survey());
  ASSERT_EQ(slos.size(), 2u);
  EXPECT_EQ(slos[0].over, 10);
  EXPECT_TRUE(slos[0].met());  // Ten in 3,360: the month is not lost yet.
  EXPECT_GT(slos[0].burn_1h, CostSlo::kFastBurn);
  EXPECT_NEAR(slos[0].burn_6h, 10.0 / 60 / 0.01, 1e-9);
  EXPECT_EQ(slos[1].over, 0);
  EXPECT_EQ(slos[1].burn_6h, 0);
  EXPECT_FALSE(slos[1].burns_fast() || slos[1].burns_slowly());
}

TEST(ForecastTest, AMonthEndsNearWhatItsDaysForetell) {
  const Product product({}, R"(budget_usd_per_month: "10")");
  const auto forecast = ForecastMonth(product.survey());
  ASSERT_TRUE(forecast.has_value());
  EXPECT_EQ(forecast->month, "2026-03");
  EXPECT_EQ(forecast->days_left, 17);
  EXPECT_EQ(forecast->so_far_nanos, product.survey().total().cost_nanos);
  const double month = static_cast<double>(forecast->so_far_nanos) / kDays * 31;
  EXPECT_NEAR(static_cast<double>(forecast->expected_nanos), month, 0.01 * month);
  EXPECT_LT(forecast->low_nanos, forecast->expected_nanos);
  EXPECT_GT(forecast->high_nanos, forecast->expected_nanos);
  EXPECT_LT(static_cast<double>(forecast->high_nanos - forecast->low_nanos), 0.1 * month);
  EXPECT_TRUE(forecast->over_budget());
}

TEST(AnomalyTest, AnOddHourIsFoundWithItsCause) {
  const int odd = 9 * 24 + 15;
  const Product product([odd](int hour, int n, Call* call) {
    if (hour != odd || n % 2 != 0) return;
    call->customer = "customer-4";
    call->task = "loop";
    call->record.cost_nanos = 30'000'000;
  });
  std::vector<Anomaly> anomalies = FindAnomalies(product.survey());
  ASSERT_EQ(anomalies.size(), 1u);
  EXPECT_EQ(anomalies[0].request_class, "chat");
  EXPECT_EQ(anomalies[0].hour, kStart / kNanosPerHour + odd);
  EXPECT_EQ(anomalies[0].cost_nanos, 300'000'000);
  AnomalyCauses causes(product.survey(), anomalies);
  product.ForEach([&causes](const ledger::Entry& entry) { causes.Add(entry); });
  anomalies = causes.Take();
  ASSERT_GE(anomalies[0].causes.size(), 2u);
  const auto has = [&](const char* dimension, const char* value) {
    return std::any_of(anomalies[0].causes.begin(), anomalies[0].causes.end(),
                       [&](const Anomaly::Cause& c) { return c.dimension == dimension && c.value == value; });
  };
  EXPECT_TRUE(has("task", "loop"));
  EXPECT_TRUE(has("customer", "customer-4"));
}

TEST(EconomicsTest, TheExampleIsRead) {
  const auto economics = Economics::Load("policies/examples/economics.textproto");
  ASSERT_TRUE(economics.ok()) << economics.status();
  EXPECT_EQ(economics->plans.size(), 3u);
  EXPECT_EQ(economics->ClassOf("chat")->slo_nanos, 20'000'000);
  EXPECT_TRUE(economics->IsFree("free"));
  EXPECT_FALSE(economics->IsFree("pro"));
}

TEST(EconomicsTest, EveryMistakeIsNamedWithItsPlace) {
  const auto wrong = Economics::Parse(R"(plans { customer_tier: "pro" usd_per_month: "-3" }
plans { customer_tier: "pro" usd_per_month: "29" }
classes { name: "chat" revenue_per_request_usd: "1" revenue_per_month_usd: "2" slo_target: 1.5 }
fixed_costs { name: "gpu" utilisation: 2 })",
                                      "books.textproto");
  ASSERT_FALSE(wrong.ok());
  const std::string text(wrong.status().message());
  for (const char* part : {"books.textproto:1:", "books.textproto:2:", "stands here twice",
                           "books.textproto:3:", "revenue by the request or by the month",
                           "between 0 and 1, such as 0.99", "books.textproto:4:"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << " in:\n" << text;
  }
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n') + (text.back() == '\n' ? 0 : 1), 6) << text;
}

}  // namespace
}  // namespace purser::economics
