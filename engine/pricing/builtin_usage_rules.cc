// How the well-known providers state usage, for price books that do not say. Facts of their API references:
// OpenAI chat completions, responses, realtime, images and embeddings; Anthropic messages; Gemini
// generateContent; Bedrock Converse; Mistral; Cohere v2 chat; xAI; Perplexity.

#include <algorithm>
#include <memory>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/string_view.h"
#include "engine/pricing/name_match.h"
#include "engine/pricing/usage_rules.h"
#include "policies/textproto.h"

namespace purser::pricing {
namespace {

// What OpenAI's APIs and those that imitate them send. Input includes what was cached, output includes
// reasoning.
constexpr char kOpenAi[] = R"pb(
  usage {
    api_flavor: "chat"
    root: "usage"
    model: "model"
    fields { path: "prompt_tokens" meter: "input_tokens" required: true }
    fields { path: "prompt_tokens_details" path: "cached_tokens" meter: "cache_read_tokens" }
    fields { path: "prompt_tokens_details" path: "cache_write_tokens" meter: "cache_write_tokens" }
    fields { path: "prompt_tokens_details" path: "audio_tokens" meter: "input_audio_tokens" }
    fields { path: "prompt_tokens_details" path: "image_tokens" meter: "input_image_tokens" }
    fields { path: "completion_tokens_details" path: "audio_tokens" meter: "output_audio_tokens" }
    fields { path: "completion_tokens_details" path: "image_tokens" meter: "output_image_tokens" }
    fields { path: "completion_tokens_details" path: "reasoning_tokens" meter: "output_reasoning_tokens" }
    fields { path: "completion_tokens" meter: "output_tokens" required: true }
  }
  usage {
    api_flavor: "responses"
    root: "usage"
    model: "model"
    fields { path: "input_tokens" meter: "input_tokens" required: true }
    fields { path: "input_tokens_details" path: "cached_tokens" meter: "cache_read_tokens" }
    fields { path: "input_tokens_details" path: "cache_write_tokens" meter: "cache_write_tokens" }
    fields { path: "output_tokens_details" path: "reasoning_tokens" meter: "output_reasoning_tokens" }
    fields { path: "output_tokens" meter: "output_tokens" required: true }
  }
  usage {
    api_flavor: "realtime"
    root: "response"
    root: "usage"
    model: "model"
    fields { path: "input_tokens" meter: "input_tokens" required: true }
    fields { path: "input_token_details" path: "text_tokens" meter: "input_text_tokens" }
    fields { path: "input_token_details" path: "audio_tokens" meter: "input_audio_tokens" }
    fields { path: "input_token_details" path: "image_tokens" meter: "input_image_tokens" }
    fields { path: "input_token_details" path: "cached_tokens" meter: "cache_read_tokens" }
    fields {
      path: "input_token_details"
      path: "cached_tokens_details"
      path: "text_tokens"
      meter: "cache_text_read_tokens"
    }
    fields {
      path: "input_token_details"
      path: "cached_tokens_details"
      path: "audio_tokens"
      meter: "cache_audio_read_tokens"
    }
    fields {
      path: "input_token_details"
      path: "cached_tokens_details"
      path: "image_tokens"
      meter: "cache_image_read_tokens"
    }
    fields { path: "output_token_details" path: "text_tokens" meter: "output_text_tokens" }
    fields { path: "output_token_details" path: "audio_tokens" meter: "output_audio_tokens" }
    fields { path: "output_tokens" meter: "output_tokens" required: true }
  }
  usage {
    api_flavor: "images"
    root: "usage"
    model: "model"
    fields { path: "input_tokens" meter: "input_tokens" required: true }
    fields { path: "input_tokens_details" path: "text_tokens" meter: "input_text_tokens" required: true }
    fields { path: "input_tokens_details" path: "image_tokens" meter: "input_image_tokens" required: true }
    fields { path: "output_tokens" meter: "output_tokens" required: true }
    fields { path: "output_tokens_details" path: "text_tokens" meter: "output_text_tokens" }
    fields { path: "output_tokens_details" path: "image_tokens" meter: "output_image_tokens" }
  }
  usage {
    api_flavor: "embeddings"
    root: "usage"
    model: "model"
    fields { path: "prompt_tokens" meter: "input_tokens" required: true }
  }
)pb";

// Input excludes what was read from and written to the cache.
constexpr char kAnthropic[] = R"pb(
  usage {
    api_flavor: "anthropic"
    root: "usage"
    model: "model"
    fields { path: "input_tokens" meter: "input_tokens" required: true }
    fields { path: "cache_creation_input_tokens" meter: "input_tokens" }
    fields { path: "cache_read_input_tokens" meter: "input_tokens" }
    fields { path: "cache_creation_input_tokens" meter: "cache_write_tokens" }
    fields { path: "cache_creation" path: "ephemeral_5m_input_tokens" meter: "cache_write_5m_tokens" }
    fields { path: "cache_creation" path: "ephemeral_1h_input_tokens" meter: "cache_write_1h_tokens" }
    fields { path: "cache_read_input_tokens" meter: "cache_read_tokens" }
    fields { path: "server_tool_use" path: "web_search_requests" meter: "web_searches" }
    fields { path: "output_tokens_details" path: "thinking_tokens" meter: "output_reasoning_tokens" }
    fields { path: "output_tokens" meter: "output_tokens" required: true }
  }
)pb";

// Thoughts come on top of the candidates, the results of tools on top of the prompt.
constexpr char kGemini[] = R"pb(
  usage {
    api_flavor: "default"
    root: "usageMetadata"
    model: "modelVersion"
    fields { path: "promptTokenCount" meter: "input_tokens" }
    fields { path: "toolUsePromptTokenCount" meter: "input_tokens" }
    fields { path: "toolUsePromptTokenCount" meter: "input_tool_tokens" }
    fields { path: "cachedContentTokenCount" meter: "cache_read_tokens" }
    fields { path: "candidatesTokenCount" meter: "output_tokens" }
    fields { path: "thoughtsTokenCount" meter: "output_tokens" }
    fields { path: "thoughtsTokenCount" meter: "output_reasoning_tokens" }
    fields {
      path: "cacheTokensDetails"
      path: "[modality=TEXT]"
      path: "tokenCount"
      meter: "cache_text_read_tokens"
    }
    fields {
      path: "cacheTokensDetails"
      path: "[modality=AUDIO]"
      path: "tokenCount"
      meter: "cache_audio_read_tokens"
    }
    fields {
      path: "cacheTokensDetails"
      path: "[modality=IMAGE]"
      path: "tokenCount"
      meter: "cache_image_read_tokens"
    }
    fields {
      path: "cacheTokensDetails"
      path: "[modality=DOCUMENT]"
      path: "tokenCount"
      meter: "cache_image_read_tokens"
    }
    fields {
      path: "cacheTokensDetails"
      path: "[modality=VIDEO]"
      path: "tokenCount"
      meter: "cache_video_read_tokens"
    }
    fields {
      path: "promptTokensDetails"
      path: "[modality=TEXT]"
      path: "tokenCount"
      meter: "input_text_tokens"
    }
    fields {
      path: "promptTokensDetails"
      path: "[modality=AUDIO]"
      path: "tokenCount"
      meter: "input_audio_tokens"
    }
    fields {
      path: "promptTokensDetails"
      path: "[modality=IMAGE]"
      path: "tokenCount"
      meter: "input_image_tokens"
    }
    fields {
      path: "promptTokensDetails"
      path: "[modality=DOCUMENT]"
      path: "tokenCount"
      meter: "input_image_tokens"
    }
    fields {
      path: "promptTokensDetails"
      path: "[modality=VIDEO]"
      path: "tokenCount"
      meter: "input_video_tokens"
    }
    fields {
      path: "toolUsePromptTokensDetails"
      path: "[modality=TEXT]"
      path: "tokenCount"
      meter: "input_text_tokens"
    }
    fields {
      path: "toolUsePromptTokensDetails"
      path: "[modality=AUDIO]"
      path: "tokenCount"
      meter: "input_audio_tokens"
    }
    fields {
      path: "toolUsePromptTokensDetails"
      path: "[modality=IMAGE]"
      path: "tokenCount"
      meter: "input_image_tokens"
    }
    fields {
      path: "toolUsePromptTokensDetails"
      path: "[modality=VIDEO]"
      path: "tokenCount"
      meter: "input_video_tokens"
    }
    fields {
      path: "candidatesTokensDetails"
      path: "[modality=TEXT]"
      path: "tokenCount"
      meter: "output_text_tokens"
    }
    fields {
      path: "candidatesTokensDetails"
      path: "[modality=AUDIO]"
      path: "tokenCount"
      meter: "output_audio_tokens"
    }
    fields {
      path: "candidatesTokensDetails"
      path: "[modality=IMAGE]"
      path: "tokenCount"
      meter: "output_image_tokens"
    }
    fields {
      path: "candidatesTokensDetails"
      path: "[modality=VIDEO]"
      path: "tokenCount"
      meter: "output_video_tokens"
    }
  }
)pb";

// Input excludes what was cached.
constexpr char kBedrock[] = R"pb(
  usage {
    api_flavor: "default"
    root: "usage"
    model: "model"
    fields { path: "inputTokens" meter: "input_tokens" required: true }
    fields { path: "cacheReadInputTokens" meter: "input_tokens" }
    fields { path: "cacheWriteInputTokens" meter: "input_tokens" }
    fields { path: "cacheReadInputTokens" meter: "cache_read_tokens" }
    fields { path: "cacheWriteInputTokens" meter: "cache_write_tokens" }
    fields { path: "outputTokens" meter: "output_tokens" required: true }
  }
)pb";

// `billed_units` is what is billed; `tokens` is what the tokenizer counted.
constexpr char kCohere[] = R"pb(
  usage {
    api_flavor: "default"
    root: "usage"
    root: "billed_units"
    model: "model"
    fields { path: "input_tokens" meter: "input_tokens" required: true }
    fields { path: "output_tokens" meter: "output_tokens" required: true }
  }
  usage {
    api_flavor: "rerank"
    root: "meta"
    root: "billed_units"
    model: "model"
    fields { path: "search_units" meter: "rerank_searches" required: true }
  }
  usage {
    api_flavor: "embeddings"
    root: "meta"
    root: "billed_units"
    model: "model"
    fields { path: "input_tokens" meter: "input_tokens" required: true }
    fields { path: "images" meter: "input_images" }
  }
)pb";

// Reasoning comes on top of the completion.
constexpr char kXai[] = R"pb(
  usage {
    api_flavor: "chat"
    root: "usage"
    model: "model"
    fields { path: "prompt_tokens" meter: "input_tokens" required: true }
    fields { path: "prompt_tokens_details" path: "cached_tokens" meter: "cache_read_tokens" }
    fields { path: "prompt_tokens_details" path: "image_tokens" meter: "input_image_tokens" }
    fields { path: "completion_tokens_details" path: "audio_tokens" meter: "output_audio_tokens" }
    fields { path: "completion_tokens_details" path: "reasoning_tokens" meter: "output_tokens" }
    fields { path: "completion_tokens_details" path: "reasoning_tokens" meter: "output_reasoning_tokens" }
    fields { path: "completion_tokens" meter: "output_tokens" required: true }
  }
)pb";

// Reasoning and citations come on top.
constexpr char kPerplexity[] = R"pb(
  usage {
    api_flavor: "default"
    root: "usage"
    model: "model"
    fields { path: "prompt_tokens" meter: "input_tokens" required: true }
    fields { path: "reasoning_tokens" meter: "output_tokens" }
    fields { path: "reasoning_tokens" meter: "output_reasoning_tokens" }
    fields { path: "citation_tokens" meter: "output_tokens" }
    fields { path: "citation_tokens" meter: "output_citation_tokens" }
    fields { path: "num_search_queries" meter: "web_searches" }
    fields { path: "completion_tokens" meter: "output_tokens" required: true }
  }
)pb";

struct BuiltIn {
  std::vector<absl::string_view> names;  // A provider whose name has one of these in it.
  std::vector<absl::string_view> rules;
};

bool ContainsIgnoringCase(std::string_view text, absl::string_view part) {
  return std::search(text.begin(), text.end(), part.begin(), part.end(),
                     [](char a, char b) { return absl::ascii_tolower(a) == b; }) != text.end() ||
         part.empty();
}

}  // namespace

const UsageRules& BuiltInUsageRules(std::string_view provider) {
  // In this order: "vertex_ai-anthropic_models" is Anthropic's block, "bedrock" any of three.
  static const auto* const kBuiltIns = new std::vector<BuiltIn>{
      {{"anthropic"}, {kAnthropic, kOpenAi}},
      {{"google", "gemini", "vertex"}, {kGemini, kAnthropic, kOpenAi}},
      {{"bedrock", "aws", "amazon"}, {kBedrock, kAnthropic, kOpenAi}},
      {{"cohere"}, {kCohere, kOpenAi}},
      {{"x-ai", "xai"}, {kXai, kOpenAi}},
      {{"perplexity"}, {kPerplexity}},
      {{""}, {kOpenAi, kAnthropic, kGemini, kBedrock}},
  };
  static const auto* const kCompiled = [] {
    auto* compiled = new std::vector<std::unique_ptr<UsageRules>>();
    for (const BuiltIn& built_in : *kBuiltIns) {
      prices::Provider rules;
      for (const absl::string_view text : built_in.rules) {
        prices::Provider part;
        ParseTextproto({text.data(), text.size()}, "built in", &part);
        rules.MergeFrom(part);
      }
      Diagnostics diagnostics;
      compiled->push_back(UsageRules::Compile(rules, "", &diagnostics));
    }
    return compiled;
  }();
  for (size_t i = 0; i < kBuiltIns->size(); ++i) {
    for (const absl::string_view name : (*kBuiltIns)[i].names) {
      if (ContainsIgnoringCase(provider, name)) {
        return *(*kCompiled)[i];
      }
    }
  }
  return *kCompiled->back();
}

}  // namespace purser::pricing
