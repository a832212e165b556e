#ifndef PURSER_ENGINE_PRICING_TABLES_LITELLM_PROVIDERS_H_
#define PURSER_ENGINE_PRICING_TABLES_LITELLM_PROVIDERS_H_

#include <set>
#include <string>
#include <string_view>

#include "purser/pricing.pb.h"

namespace purser::pricing {

// LiteLLM's names of providers: several names for one seller ("vertex_ai-language-models"), and other tables'
// names for LiteLLM's ("google", "aws", "x-ai").

// True if rows of `provider` are keyed "prefix/model".
bool IsLiteLlmPrefix(std::string_view prefix, std::string_view provider);

// Describes each of `present`, and the sellers that stand for several of them.
void AddLiteLlmProviders(const std::set<std::string>& present, prices::PriceBook* book);

}  // namespace purser::pricing

#endif  // PURSER_ENGINE_PRICING_TABLES_LITELLM_PROVIDERS_H_
