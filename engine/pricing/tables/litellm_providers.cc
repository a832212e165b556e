#include "engine/pricing/tables/litellm_providers.h"

#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace purser::pricing {
namespace {

struct Seller {
  const char* id;
  std::vector<const char*> names;      // Other names.
  std::vector<const char*> implied;    // Starts of model names that imply it.
  std::vector<const char*> fallbacks;  // Where its other models are listed; "vertex_ai-*": all that start so.
};

const std::vector<Seller>& Sellers() {
  static const auto* const kSellers = new std::vector<Seller>{
      {"openai", {}, {"gpt-", "o1", "o3", "o4", "text-embedding-", "chatgpt-"}, {"text-completion-openai"}},
      {"anthropic", {}, {"claude-"}, {}},
      {"gemini",
       {"google", "google-ai-studio", "google-gla", "google_genai"},
       {"gemini-", "gemini/"},
       {"vertex_ai", "vertex_ai-*"}},
      {"vertex_ai",
       {"vertex", "google-vertex", "google_vertexai", "vertexai"},
       {"vertex_ai/"},
       {"vertex_ai-*"}},
      {"bedrock",
       {"aws", "amazon", "amazon-bedrock", "aws-bedrock", "amazon_bedrock"},
       {"bedrock/"},
       {"bedrock_converse", "bedrock_mantle"}},
      {"bedrock_converse", {}, {}, {"bedrock"}},
      {"azure", {"azure-openai", "microsoft", "azure_openai"}, {"azure/"}, {"azure_ai", "azure_text"}},
      {"azure_ai", {"azure-ai", "azure-foundry"}, {"azure_ai/"}, {}},
      {"mistral", {"mistralai", "mistral-ai"}, {"mistral-", "mistral/"}, {"codestral"}},
      {"cohere", {}, {"command-", "embed-", "rerank-"}, {"cohere_chat"}},
      {"cohere_chat", {}, {}, {"cohere"}},
      {"xai", {"x-ai", "x.ai", "grok"}, {"grok-", "xai/"}, {}},
      {"deepseek", {}, {"deepseek-", "deepseek/"}, {}},
      {"groq", {}, {"groq/"}, {}},
      {"together_ai", {"together", "together-ai", "togetherai"}, {"together_ai/"}, {}},
      {"fireworks_ai",
       {"fireworks", "fireworks-ai"},
       {"accounts/fireworks/"},
       {"fireworks_ai-embedding-models"}},
      {"openrouter", {}, {"openrouter/"}, {}},
      {"perplexity", {}, {"sonar"}, {}},
      {"voyage", {"voyageai", "voyage-ai"}, {"voyage-", "voyage/"}, {}},
      {"dashscope", {"alibaba", "qwen", "aliyun"}, {"dashscope/", "qwen"}, {}},
      {"moonshot", {"moonshotai", "kimi"}, {"kimi-", "moonshot/"}, {}},
      {"zai", {"z-ai", "z.ai", "zhipuai"}, {"glm-"}, {}},
      {"cerebras", {}, {"cerebras/"}, {}},
  };
  return *kSellers;
}

}  // namespace

bool IsLiteLlmPrefix(std::string_view prefix, std::string_view provider) {
  if (prefix == provider) return true;
  // "vertex_ai/..." of "vertex_ai-llama_models", "bedrock/..." of "bedrock_converse".
  return absl::StartsWith(absl::string_view(provider.data(), provider.size()),
                          absl::string_view(prefix.data(), prefix.size())) &&
         (provider[prefix.size()] == '-' || provider[prefix.size()] == '_');
}

void AddLiteLlmProviders(const std::set<std::string>& present, prices::PriceBook* book) {
  std::set<std::string> described;
  for (const Seller& seller : Sellers()) {
    bool any = present.count(seller.id) > 0;
    prices::Provider provider;
    provider.set_id(seller.id);
    for (const char* name : seller.names) provider.mutable_match()->add_equals(name);
    for (const char* start : seller.implied) provider.mutable_implied_by()->add_starts_with(start);
    for (const absl::string_view fallback : seller.fallbacks) {
      for (const std::string& id : present) {
        const bool listed = absl::EndsWith(fallback, "*")
                                ? absl::StartsWith(id, absl::StripSuffix(fallback, "*"))
                                : id == fallback;
        if (!listed) continue;
        any = true;
        provider.add_fallbacks(id);
      }
    }
    if (!any) continue;
    described.insert(seller.id);
    *book->add_providers() = std::move(provider);
  }
  for (const std::string& id : present) {
    if (described.count(id) == 0) book->add_providers()->set_id(id);
  }
}

}  // namespace purser::pricing
