#ifndef PURSER_ENGINE_PRICING_USAGE_BLOCK_H_
#define PURSER_ENGINE_PRICING_USAGE_BLOCK_H_

#include <purser/usage.h>

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace purser::pricing {

class PriceBook;

// What a provider's raw response says about what it used.
struct UsageBlock {
  Usage usage;        // usage.service_tier: the tier that was served, if the response says.
  std::string model;  // As the response names it; empty: it does not. Its capacity is reused.
};

// Reads the usage block of providers' raw JSON responses and brings it into Usage's one convention. Each
// provider's own: Anthropic's and Bedrock's input excludes what was cached, OpenAI's includes it; Gemini's
// thoughts and tool-use tokens come on top; Cohere bills `billed_units`; xAI's reasoning comes on top.
//
// Keeps its buffers: reading allocates nothing once it has seen a response of that size. Not thread-safe: one
// per thread.
class UsageReader {
 public:
  UsageReader();
  ~UsageReader();

  // `provider`: one of the book's names or ids; else one of those that are built in: openai, azure,
  // anthropic, google, aws, mistral, cohere, x-ai, groq, deepseek, openrouter ... and, for any other, what
  // OpenAI-compatible servers send. `api_flavor`: "chat", "responses", "realtime", "embeddings", "images",
  // "anthropic", "default"; empty: told by the block's own fields. `book` may be null.
  //
  // INVALID_ARGUMENT: not JSON, cut off, too deep; no usage block (the usage is unknown then, not zero); a
  // count that is negative, fractional, not a number or beyond int64. *block is unspecified then.
  absl::Status Read(const PriceBook* book, std::string_view provider, std::string_view api_flavor,
                    std::string_view json, UsageBlock* block);

  // Usage under our own names: {"input_tokens": 120, "output_tokens": 5, "service_tier": "batch"}. Also the
  // exclusive names of some tools: {"input", "output", "cache_read", "cache_write_5m", "cache_write_1h"},
  // where input does not include what was cached. An unknown name is an error.
  absl::Status ReadNormalised(std::string_view json, Usage* usage);

 private:
  struct Buffers;
  std::unique_ptr<Buffers> buffers_;
};

}  // namespace purser::pricing

#endif  // PURSER_ENGINE_PRICING_USAGE_BLOCK_H_
