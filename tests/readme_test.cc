// The README's example, compiled and run as it stands there.

#include <fstream>
#include <string>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace {

std::string last_reply;

absl::Status Reply(const std::string& body) {
  last_reply = body;
  return absl::OkStatus();
}

std::string CallProvider(const std::string& model, int64_t max_output_tokens) {
  EXPECT_EQ(model, "gpt-5-nano");
  EXPECT_EQ(max_output_tokens, 100);
  return R"({"model":"gpt-5-nano","usage":{"prompt_tokens":1000,"completion_tokens":100,"total_tokens":1100}})";
}

}  // namespace

#include "tests/readme_example.inc"

namespace {

TEST(Readme, TheExampleDecidesDispatchesAndSettles) {
  purser::Options options;
  options.source.policy_text =
      "candidates { model: \"gpt-5-nano\" provider: \"openai\" }\n"
      "budgets { name: \"cap\" scope: TENANT usd: \"0.0002\" }";
  const auto engine = purser::Engine::Open(options);
  ASSERT_TRUE(engine.ok()) << engine.status();
  purser::Request request;
  request.id = "r1";
  request.input_tokens = 1000;
  request.max_output_tokens = 100;
  EXPECT_TRUE(Answer(**engine, request).ok());
  EXPECT_THAT(last_reply, testing::HasSubstr("completion_tokens"));
  // $0.00009 a call: the third does not fit into $0.0002.
  EXPECT_TRUE(Answer(**engine, request).ok());
  EXPECT_EQ(Answer(**engine, request).code(), absl::StatusCode::kResourceExhausted);
}

}  // namespace
