#ifndef PURSER_ENGINE_PRICING_TABLES_STATED_RATES_H_
#define PURSER_ENGINE_PRICING_TABLES_STATED_RATES_H_

#include <string_view>

#include "absl/status/statusor.h"
#include "engine/pricing/tables/json_tree.h"
#include "purser/pricing.pb.h"

namespace purser::pricing {

// Rates that come with a call instead of from a price book, in the keys that the field's tools use:
//
//   {"input_mtok": "3", "output_mtok": {"base": "15", "tiers": [...]}}              genai-prices
//   {"input_cost_per_token": "0.000003", "output_cost_per_token_batches": ...}       LiteLLM
//   {"graduated_tiers": [{"range": [0, 100000], "input_cost_per_token": ...}, ...]}  LiteLLM, each tier its
//   own part
//   {"input": "3", "output": "15", "cache_read": "0.3", "above_200k_input": "6"}     per `unit`
//   {"effective_input": "0.000001", "effective_cache_write": ...}                    per token
//
// `unit` says what the fourth form is per: 1 for a token, 1,000,000. Where only a rate from a size on is
// stated, it is taken for smaller sizes too. An error names the key that cannot be read.
absl::StatusOr<prices::Model> ModelFromStatedRates(const JsonTree& rates, std::string_view provider,
                                                   int64_t unit);

}  // namespace purser::pricing

#endif  // PURSER_ENGINE_PRICING_TABLES_STATED_RATES_H_
