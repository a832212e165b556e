// The running process's books: exact in sum, bounded in size, and heard when an objective burns.

#include "engine/economics/live_books.h"

#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/economics/survey.h"
#include "gtest/gtest.h"

namespace purser::economics {
namespace {

using ledger::Dimension;

constexpr int64_t kStart = 1'772'438'400'000'000'000;

TEST(LiveBooksTest, TheMostExpensiveKeysAreExactAndTheTailHoldsTheRest) {
  LiveBooks live({.by = {{Dimension::kCustomer}}, .max_keys = 10});
  std::mt19937 random(3);
  std::map<std::string, int64_t> cost;
  int64_t total = 0;
  for (int i = 0; i < 20'000; ++i) {
    // Five customers make most of it; thousands come once.
    const std::string customer =
        random() % 2 == 0 ? absl::StrCat("big-", random() % 5) : absl::StrCat("small-", i);
    ledger::RecordView record;
    record.customer = customer;
    record.cost_nanos = 1 + static_cast<int64_t>(random() % 1000);
    cost[customer] += record.cost_nanos;
    total += record.cost_nanos;
    live.Add(record);
  }
  const std::vector<LiveBooks::Row> rows = live.Rows({Dimension::kCustomer});
  ASSERT_LE(rows.size(), 21u);
  EXPECT_EQ(rows.back().values[0], LiveBooks::kTail);
  int64_t sum = 0, calls = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    sum += rows[i].sums.cost_nanos;
    calls += rows[i].sums.calls;
    if (i < 5) {
      EXPECT_EQ(rows[i].sums.cost_nanos, cost[rows[i].values[0]]) << rows[i].values[0];
    }
  }
  EXPECT_EQ(sum, total);
  EXPECT_EQ(calls, 20'000);
  EXPECT_EQ(live.Total().cost_nanos, total);
  EXPECT_TRUE(live.Rows({Dimension::kModel}).empty());
}

TEST(LiveBooksTest, AnAlertIsSentOnceWhileAnObjectiveBurns) {
  std::vector<LiveBooks::Alert> alerts;
  LiveBooks live({.economics = *Economics::Parse(
                      R"(classes { name: "chat" slo_usd_per_request: "0.001" slo_target: 0.99 })", "test"),
                  .on_alert = [&alerts](const LiveBooks::Alert& alert) { alerts.push_back(alert); }});
  const auto run = [&](int64_t from_minute, int minutes, int dear_of_ten) {
    for (int i = 0; i < minutes * 10; ++i) {
      ledger::RecordView record;
      record.request_class = "chat";
      record.time_nanos = kStart + from_minute * 60'000'000'000 + i * 6'000'000'000ll;
      record.cost_nanos = i % 10 < dear_of_ten ? 2'000'000 : 500'000;
      live.Add(record);
    }
  };
  run(0, 360, 0);
  EXPECT_TRUE(alerts.empty());
  run(360, 60, 3);  // 30 times the allowance: fast, after half an hour over an hour.
  ASSERT_EQ(alerts.size(), 1u);
  EXPECT_EQ(alerts[0].request_class, "chat");
  EXPECT_GT(alerts[0].burn_rate, CostSlo::kSlowBurn);
  EXPECT_NE(live.Prometheus().find("purser_slo_burn_rate{request_class=\"chat\",window=\"1h\"} 30.0"),
            std::string::npos)
      << live.Prometheus();
  run(420, 400, 0);  // It stopped: the next one is news.
  run(820, 60, 3);
  EXPECT_EQ(alerts.size(), 2u);
}

TEST(LiveBooksTest, AnOddHourIsToldWhileItLasts) {
  std::vector<Anomaly> anomalies;
  LiveBooks live({.on_anomaly = [&anomalies](const Anomaly& anomaly) { anomalies.push_back(anomaly); }});
  std::mt19937 random(4);
  const auto call = [&](int hour, int n, const char* customer, int64_t nanos) {
    ledger::RecordView record;
    record.request_class = "chat";
    record.customer = customer;
    record.model = "m";
    record.time_nanos = kStart + hour * kNanosPerHour + n * 60'000'000'000;
    record.cost_nanos = nanos;
    live.Add(record);
  };
  for (int hour = 0; hour < 72; ++hour) {
    for (int n = 0; n < 20; ++n) {
      call(hour, n, n % 2 == 0 ? "a" : "b", 1'000'000 + static_cast<int64_t>(random() % 100'000));
      // A loop of customer b begins in the 60th hour.
      if (hour == 60) call(hour, n, "b", 20'000'000);
      if (hour == 60 && n == 10) {
        EXPECT_EQ(anomalies.size(), 1u);
      }
    }
  }
  ASSERT_EQ(anomalies.size(), 1u);
  EXPECT_EQ(anomalies[0].request_class, "chat");
  EXPECT_EQ(anomalies[0].hour, kStart / kNanosPerHour + 60);
  ASSERT_FALSE(anomalies[0].causes.empty());
  EXPECT_EQ(anomalies[0].causes[0].dimension, "customer");
  EXPECT_EQ(anomalies[0].causes[0].value, "b");
}

TEST(LiveBooksTest, PrometheusTextIsWellFormed) {
  LiveBooks live({.by = {{Dimension::kModel}, {Dimension::kDay, Dimension::kModel}}});
  ledger::RecordView record;
  record.model = "a\"b\\c\nd";
  record.cost_nanos = 1'500'000;
  record.input_tokens = 7;
  record.cache_hit = ledger::CACHE_EXACT;
  live.Add(record);
  const std::string text = live.Prometheus();
  EXPECT_NE(text.find("# TYPE purser_cost_usd_total counter\npurser_cost_usd_total 0.0015\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("purser_cost_usd_by_model_total{model=\"a\\\"b\\\\c\\nd\"} 0.0015\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("purser_cache_hits_by_model_total"), std::string::npos);
  EXPECT_NE(text.find("purser_calls_by_day_and_model_total{day=\"1970-01-01\",model=\"a\\\"b"),
            std::string::npos)
      << text;
  EXPECT_EQ(text.back(), '\n');
}

TEST(LiveBooksTest, ThreadsLoseNothing) {
  LiveBooks live({.by = {{Dimension::kCustomer}}, .max_keys = 4});
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&live, t] {
      for (int i = 0; i < 5'000; ++i) {
        const std::string customer = absl::StrCat(t, "-", i % 50);
        ledger::RecordView record;
        record.customer = customer;
        record.cost_nanos = 1;
        live.Add(record);
        if (i % 500 == 0) live.Prometheus();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  int64_t sum = 0;
  for (const LiveBooks::Row& row : live.Rows({Dimension::kCustomer})) sum += row.sums.cost_nanos;
  EXPECT_EQ(sum, 20'000);
  EXPECT_EQ(live.Total().calls, 20'000);
}

}  // namespace
}  // namespace purser::economics
