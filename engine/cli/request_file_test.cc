#include "engine/cli/request_file.h"

#include <fstream>
#include <string>

#include "gtest/gtest.h"

namespace purser::cli {
namespace {

absl::StatusOr<std::unique_ptr<RequestFile>> ReadText(const std::string& text) {
  const std::string path = testing::TempDir() + "/request.json";
  std::ofstream(path) << text;
  return RequestFile::Read(path);
}

TEST(RequestFileTest, ReadsWhatGatesAndSignalsAskFor) {
  const auto file = ReadText(R"({
    "tenant": "acme", "customer_tier": "pro", "session": "s", "time": "2026-07-01T08:00:00Z",
    "messages": [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "Hello"}],
    "tools": 2, "needs": ["vision", "JSON_MODE"], "images": 3, "max_output_tokens": 100,
    "region": "eu", "data_policy": "zdr", "service_tier": "flex", "latency_limit_ms": 900, "deferrable": true,
    "cached_input_tokens": 50, "metadata": {"hard": "yes"},
    "embedding": [0.5, 1], "embedding_model": "e"})");
  ASSERT_TRUE(file.ok()) << file.status();
  const Request& request = (*file)->request();
  EXPECT_EQ(request.tenant, "acme");
  EXPECT_EQ(request.customer_tier, "pro");
  EXPECT_EQ(request.session, "s");
  EXPECT_EQ(request.time_nanos, 1'782'892'800'000'000'000);
  ASSERT_EQ(request.messages.size(), 2u);
  EXPECT_EQ(request.messages[0].role, Role::kSystem);
  EXPECT_EQ(request.messages[1].content, "Hello");
  EXPECT_EQ(request.needs, kNeedsTools | kNeedsVision | kNeedsJsonMode);
  EXPECT_EQ(request.images, 3);
  EXPECT_EQ(request.max_output_tokens, 100);
  EXPECT_EQ(request.region, "eu");
  EXPECT_EQ(request.data_policy, "zdr");
  EXPECT_EQ(request.service_tier, "flex");
  EXPECT_EQ(request.latency_limit_ms, 900);
  EXPECT_TRUE(request.deferrable);
  EXPECT_EQ(request.cached_input_tokens, 50);
  ASSERT_EQ(request.metadata.size(), 1u);
  EXPECT_EQ(request.metadata[0].first, "hard");
  EXPECT_EQ(request.metadata[0].second, "yes");
  ASSERT_EQ(request.embedding.size(), 2u);
  EXPECT_EQ(request.embedding[1], 1);
  EXPECT_EQ(request.embedding_model, "e");
}

TEST(RequestFileTest, MistakesSayWhatIsExpected) {
  for (const char* text :
       {"[", R"({"needs": ["SMELL"]})", R"({"time": "noon"})", R"({"max_output_tokens": -1})"}) {
    const auto file = ReadText(text);
    ASSERT_FALSE(file.ok()) << text;
    EXPECT_NE(file.status().message().find("request.json: "), std::string::npos) << file.status();
  }
}

TEST(RequestFileTest, NotesWhatWasNotRead) {
  const auto file = ReadText(R"({
    "id": "r1", "mesages": [], "maxOutputTokens": 5, "max_output_tokens": 5,
    "messages": [{"role": "developer", "content": "a"}, {"role": "usr", "content": "b"}]})");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(
      (*file)->notes(),
      (std::vector<std::string>{
          R"("id" is no field of policies/trace.proto and was not read; expected "request_id")",
          R"("mesages" is no field of policies/trace.proto and was not read)",
          R"(the role "usr" is unknown and was read as "user"; expected system, user, assistant or tool)"}));
  EXPECT_TRUE((*ReadText(R"({"request_id": "r1", "usage": {}})"))->notes().empty());
}

}  // namespace
}  // namespace purser::cli
