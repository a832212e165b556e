#include "engine/cli/trace_file.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace purser::cli {
namespace {

using ::testing::HasSubstr;

TEST(TraceFile, ReadsALineAndIgnoresWhatItDoesNotKnow) {
  const auto calls = ParseTrace(
      "\n{\"request_id\":\"r1\",\"time\":\"2026-03-02T08:00:10.044Z\",\"messages\":[{\"role\":\"user\","
      "\"content\":\"h\\u00e9\"}],"
      "\"usage\":{\"input_tokens\":1278,\"output_tokens\":20},\"revenue_usd\":0.05,\"task_success\":false,"
      "\"future\":[1]}\n\n"
      "{\"revenue_usd\":\"0.000000001\",\"usage\":{}}",
      "t.jsonl");
  ASSERT_TRUE(calls.ok()) << calls.status();
  ASSERT_EQ(calls->size(), 2u);
  const TracedCall& first = (*calls)[0];
  EXPECT_EQ(first.call.request_id(), "r1");
  EXPECT_EQ(first.call.messages(0).content(), "h\u00e9");
  EXPECT_EQ(first.time_nanos, 1'772'438'410'044'000'000);
  EXPECT_EQ(first.revenue_nanos, 50'000'000);
  EXPECT_TRUE(first.call.has_task_success());
  EXPECT_THAT(first.usage_json, HasSubstr("\"input_tokens\":1278"));
  EXPECT_EQ((*calls)[1].revenue_nanos, 1);
  EXPECT_EQ((*calls)[1].time_nanos, 0);
}

TEST(TraceFile, AMistakeNamesItsLine) {
  const struct {
    const char* line;
    const char* expected;
  } kCases[] = {
      {"{\"usage\":", "t.jsonl:2: "},
      {"[1]", "t.jsonl:2: "},
      {"{\"request_id\":\"r\"}", "t.jsonl:2: has no usage"},
      {"{\"usage\":{},\"time\":\"yesterday\"}", "t.jsonl:2: time \"yesterday\""},
      {"{\"usage\":{},\"step\":\"first\"}", "t.jsonl:2: "},
      {"{\"usage\":{},\"revenue_usd\":\"much\"}", "t.jsonl:2: \"much\" is not an amount"},
      {"{\"usage\":{},\"revenue_usd\":\"0,50\"}", "t.jsonl:2: \"0,50\" is not an amount"},
      {"{\"usage\":{},\"revenue_usd\":true}", "t.jsonl:2: revenue_usd is not an amount"},
      {"{\"usage\":{},\"revenue_usd\":{\"EUR\":5}}", "t.jsonl:2: revenue_usd is not an amount"},
  };
  for (const auto& c : kCases) {
    const auto calls = ParseTrace(std::string("{\"usage\":{}}\n") + c.line, "t.jsonl");
    ASSERT_FALSE(calls.ok()) << c.line;
    EXPECT_THAT(std::string(calls.status().message()), HasSubstr(c.expected));
  }
}

TEST(TraceFile, AFileThatIsNotThereSaysSo) {
  EXPECT_THAT(std::string(ReadTrace("/nonexistent/t.jsonl").status().message()), HasSubstr("No such file"));
}

}  // namespace
}  // namespace purser::cli
