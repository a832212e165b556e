// The page holds what the findings hold, needs nothing from elsewhere, and takes no orders from ids.

#include "engine/economics/report_page.h"

#include <string>

#include "engine/economics/svg_chart.h"
#include "gtest/gtest.h"

namespace purser::economics {
namespace {

TEST(ReportPageTest, ShowsWhatWasFoundAndTrustsNoText) {
  Findings found;
  found.economics = *Economics::Parse(R"(classes { name: "<b>chat" slo_usd_per_request: "0.001" }
                                         plans { customer_tier: "free" usd_per_month: "0" })",
                                      "test");
  Span span;
  span.Add(1'772'438'400'000'000'000);
  span.Add(1'772'438'400'000'000'000 + 3 * kNanosPerDay);
  found.survey = std::make_unique<Survey>(found.economics, span);
  for (int i = 0; i < 200; ++i) {
    ledger::Entry entry;
    entry.record.time_nanos = span.first_nanos + i * (3 * kNanosPerDay / 200);
    entry.record.request_class = "<b>chat";
    entry.record.model = i % 2 == 0 ? "gpt\"><script>alert(1)</script>" : "other\x01\xff";
    entry.record.customer = i % 3 == 0 ? "</style>" : "b";
    entry.record.customer_tier = "free";
    entry.record.task = "t";
    entry.record.cost_nanos = 20'000'000;
    entry.record.revenue_nanos = 1'000'000;
    entry.record.default_cost_nanos = 25'000'000;
    entry.record.saved_routing_nanos = 5'000'000;
    found.survey->Add(entry);
  }
  found.units = UnitCostsOf(*found.survey);
  found.classes = ClassMargins(*found.survey);
  found.tiers = TierMonths(*found.survey);
  found.tasks = TaskMultiples(*found.survey);
  found.slos = CostSlos(*found.survey);
  found.flags = RedFlags(*found.survey);
  const std::string page = ReportPage(found, {.title = "a&b", .from = "2026-03-02", .to = "2026-03-05"});
  for (const char* part :
       {"<h1>a&amp;b</h1>", "200 calls", "$4.00", "Red flags", "free tiers are 100.0 %",
        "Spend by model and day", "gpt&quot;&gt;&lt;script&gt;", "other\\x01\\xff", "Margin by class",
        "-$3.80", "Saved, by lever", "An average customer in a month", "Tasks against a single completion",
        "Cost objectives", "&lt;b&gt;chat", "prefers-color-scheme: dark", "@media print"}) {
    EXPECT_NE(page.find(part), std::string::npos) << part;
  }
  for (const char* part : {"<script", "http:", "https:", "<b>chat", "\x01", "@import", "url("}) {
    EXPECT_EQ(page.find(part), std::string::npos) << part;
  }
}

TEST(ReportPageTest, EscapesWhatIsNoCharacter) {
  EXPECT_EQ(Escaped("grün 日本 \U0001f600"), "grün 日本 \U0001f600");
  EXPECT_EQ(Escaped("a<&>\"'b"), "a&lt;&amp;&gt;&quot;&#39;b");
  EXPECT_EQ(Escaped("\xc0\x80\xed\xa0\x80\xe2\x82"), "\\xc0\\x80\\xed\\xa0\\x80\\xe2\\x82");
}

}  // namespace
}  // namespace purser::economics
