#include "engine/pricing/usage_block.h"

#include <map>
#include <string>

#include "engine/pricing/meter_facts.h"
#include "gtest/gtest.h"

namespace purser::pricing {
namespace {

std::map<std::string, int64_t> Counts(const Usage& usage) {
  std::map<std::string, int64_t> counts;
  usage.known().ForEach([&](Meter meter) { counts[std::string(NameOf(meter))] = usage.Units(meter); });
  return counts;
}

struct Case {
  const char* what;
  const char* provider;
  const char* api_flavor;
  const char* json;
  std::map<std::string, int64_t> counts;
  ServiceTier tier = ServiceTier::kUnstated;
  const char* model = "m";
};

TEST(UsageReader, BringsEveryProviderIntoOneConvention) {
  const Case cases[] = {
      {"OpenAI's input includes what was cached",
       "openai",
       "chat",
       R"({"model":"m","service_tier":"flex","usage":{"prompt_tokens":100,"completion_tokens":20,
           "prompt_tokens_details":{"cached_tokens":64,"audio_tokens":0},
           "completion_tokens_details":{"reasoning_tokens":8}}})",
       {{"input_tokens", 100},
        {"output_tokens", 20},
        {"cache_read_tokens", 64},
        {"input_audio_tokens", 0},
        {"output_reasoning_tokens", 8}},
       ServiceTier::kFlex},
      {"OpenAI's responses",
       "azure",
       "responses",
       R"({"model":"m","service_tier":"default","usage":{"input_tokens":9,"output_tokens":2,
           "input_tokens_details":{"cached_tokens":3},"output_tokens_details":{"reasoning_tokens":1}}})",
       {{"input_tokens", 9}, {"output_tokens", 2}, {"cache_read_tokens", 3}, {"output_reasoning_tokens", 1}},
       ServiceTier::kStandard},
      {"OpenAI's realtime",
       "openai",
       "realtime",
       R"({"type":"response.done","response":{"usage":{"input_tokens":50,"output_tokens":30,
           "input_token_details":{"text_tokens":10,"audio_tokens":40,"cached_tokens":8,
                                  "cached_tokens_details":{"text_tokens":3,"audio_tokens":5}},
           "output_token_details":{"text_tokens":5,"audio_tokens":25}}}})",
       {{"input_tokens", 50},
        {"input_text_tokens", 10},
        {"input_audio_tokens", 40},
        {"cache_read_tokens", 8},
        {"cache_text_read_tokens", 3},
        {"cache_audio_read_tokens", 5},
        {"output_tokens", 30},
        {"output_text_tokens", 5},
        {"output_audio_tokens", 25}},
       ServiceTier::kUnstated,
       ""},
      {"Anthropic's input excludes what was cached",
       "anthropic",
       "",
       R"({"model":"m","usage":{"input_tokens":10,"cache_creation_input_tokens":100,"cache_read_input_tokens":1000,
           "cache_creation":{"ephemeral_5m_input_tokens":60,"ephemeral_1h_input_tokens":40},
           "output_tokens":7,"server_tool_use":{"web_search_requests":2},"service_tier":"batch"}})",
       {{"input_tokens", 1110},
        {"cache_write_tokens", 100},
        {"cache_write_5m_tokens", 60},
        {"cache_write_1h_tokens", 40},
        {"cache_read_tokens", 1000},
        {"output_tokens", 7},
        {"web_searches", 2}},
       ServiceTier::kBatch},
      {"Bedrock's too",
       "bedrock",
       "",
       R"({"usage":{"inputTokens":5,"cacheReadInputTokens":20,"cacheWriteInputTokens":3,"outputTokens":4,
           "totalTokens":32},"serviceTier":{"type":"priority"}})",
       {{"input_tokens", 28}, {"cache_read_tokens", 20}, {"cache_write_tokens", 3}, {"output_tokens", 4}},
       ServiceTier::kPriority,
       ""},
      {"Gemini's thoughts and tool use come on top",
       "google",
       "default",
       R"({"modelVersion":"m","usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":5,
           "thoughtsTokenCount":7,"toolUsePromptTokenCount":3,"cachedContentTokenCount":4,"totalTokenCount":25,
           "trafficType":"ON_DEMAND_FLEX",
           "promptTokensDetails":[{"modality":"TEXT","tokenCount":6},{"modality":"IMAGE","tokenCount":4}]}})",
       {{"input_tokens", 13},
        {"input_tool_tokens", 3},
        {"cache_read_tokens", 4},
        {"output_tokens", 12},
        {"output_reasoning_tokens", 7},
        {"input_text_tokens", 6},
        {"input_image_tokens", 4}},
       ServiceTier::kFlex},
      {"Cohere bills billed_units",
       "cohere",
       "",
       R"({"model":"m","usage":{"billed_units":{"input_tokens":3,"output_tokens":2},
           "tokens":{"input_tokens":500,"output_tokens":9}}})",
       {{"input_tokens", 3}, {"output_tokens", 2}}},
      {"Cohere's rerank bills searches",
       "cohere",
       "rerank",
       R"({"model":"m","meta":{"billed_units":{"search_units":4}}})",
       {{"rerank_searches", 4}}},
      {"xAI's reasoning comes on top",
       "xai",
       "chat",
       R"({"model":"m","usage":{"prompt_tokens":10,"completion_tokens":5,
           "completion_tokens_details":{"reasoning_tokens":6}}})",
       {{"input_tokens", 10}, {"output_tokens", 11}, {"output_reasoning_tokens", 6}}},
      {"a server that imitates OpenAI",
       "my-vllm",
       "",
       R"({"model":"m","usage":{"prompt_tokens":10,"completion_tokens":5,"prompt_tokens_details":null}})",
       {{"input_tokens", 10}, {"output_tokens", 5}}},
      {"a proxy that passes Anthropic's block on",
       "my-proxy",
       "",
       R"({"model":"m","usage":{"input_tokens":1,"cache_read_input_tokens":2,"output_tokens":5}})",
       {{"input_tokens", 3}, {"cache_read_tokens", 2}, {"output_tokens", 5}}},
      {"whole numbers may be written as floats",
       "openai",
       "embeddings",
       R"({"model":"m","usage":{"prompt_tokens":10.0}})",
       {{"input_tokens", 10}}},
  };
  UsageReader reader;
  UsageBlock block;
  for (const Case& c : cases) {
    SCOPED_TRACE(c.what);
    const absl::Status status = reader.Read(nullptr, c.provider, c.api_flavor, c.json, &block);
    ASSERT_TRUE(status.ok()) << status;
    EXPECT_EQ(Counts(block.usage), c.counts);
    EXPECT_EQ(block.usage.service_tier, c.tier);
    EXPECT_EQ(block.model, c.model);
  }
}

TEST(UsageReader, UnknownIsNotZero) {
  struct Bad {
    const char* json;
    const char* message;
  };
  UsageReader reader;
  UsageBlock block;
  for (const Bad& bad : {
           Bad{"", "the response is not JSON"},
           Bad{R"({"usage":{"prompt_tokens":1)", "the response is not JSON"},
           Bad{"[]", "the response is not a JSON object"},
           Bad{R"({"model":"m"})", "no usage block at \"usage\""},
           Bad{R"({"usage":null})", "no usage block at \"usage\""},
           Bad{R"({"usage":{"prompt_tokens":1}})", "usage field usage.completion_tokens is missing"},
           Bad{R"({"usage":{"prompt_tokens":-1,"completion_tokens":1}})",
               "usage field usage.prompt_tokens is negative"},
           Bad{R"({"usage":{"prompt_tokens":1.5,"completion_tokens":1}})", "is not a whole number"},
           Bad{R"({"usage":{"prompt_tokens":"1","completion_tokens":1}})", "is not a number"},
           Bad{R"({"usage":{"prompt_tokens":18446744073709551615,"completion_tokens":1}})",
               "beyond what can be counted"},
           Bad{R"({"usage":{"prompt_tokens":1e300,"completion_tokens":1}})", "beyond what can be counted"},
           Bad{R"({"usage":{"prompt_tokens":NaN,"completion_tokens":1}})", "the response is not JSON"},
       }) {
    const absl::Status status = reader.Read(nullptr, "openai", "chat", bad.json, &block);
    EXPECT_FALSE(status.ok()) << bad.json;
    EXPECT_NE(std::string(status.message()).find(bad.message), std::string::npos)
        << bad.json << ": " << status;
  }
  EXPECT_FALSE(reader.Read(nullptr, "openai", "telepathy", "{}", &block).ok());
  const std::string deep = std::string(5000, '[') + std::string(5000, ']');
  EXPECT_FALSE(reader.Read(nullptr, "openai", "chat", "{\"a\":" + deep + "}", &block).ok());
  // And it still reads after all that.
  EXPECT_TRUE(reader.Read(nullptr, "openai", "embeddings", R"({"usage":{"prompt_tokens":1}})", &block).ok());
}

TEST(UsageReader, ReadsNormalisedAndExclusiveNames) {
  UsageReader reader;
  Usage usage;
  ASSERT_TRUE(
      reader.ReadNormalised(R"({"input_tokens":5,"input_audio_seconds":1.5,"service_tier":"batch"})", &usage)
          .ok());
  EXPECT_EQ(Counts(usage),
            (std::map<std::string, int64_t>{{"input_tokens", 5}, {"input_audio_seconds", 1'500'000}}));
  EXPECT_EQ(usage.service_tier, ServiceTier::kBatch);
  ASSERT_TRUE(
      reader.ReadNormalised(R"({"input":5,"output":2,"cache_read":10,"cache_write_1h":3})", &usage).ok());
  EXPECT_EQ(Counts(usage), (std::map<std::string, int64_t>{{"input_tokens", 18},
                                                           {"output_tokens", 2},
                                                           {"cache_read_tokens", 10},
                                                           {"cache_write_tokens", 3},
                                                           {"cache_write_1h_tokens", 3}}));
  EXPECT_FALSE(reader.ReadNormalised(R"({"input_tokns":5})", &usage).ok());
  EXPECT_FALSE(reader.ReadNormalised("{}", &usage).ok());
}

}  // namespace
}  // namespace purser::pricing
