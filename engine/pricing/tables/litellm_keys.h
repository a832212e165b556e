#ifndef PURSER_ENGINE_PRICING_TABLES_LITELLM_KEYS_H_
#define PURSER_ENGINE_PRICING_TABLES_LITELLM_KEYS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "engine/pricing/meter_facts.h"

namespace purser::pricing {

// What the keys of LiteLLM's table (model_prices_and_context_window.json) mean.

// "input_cost_per_token_above_200k_tokens_priority": the rate of a meter, from a size on, in a price list.
struct LiteLlmRateKey {
  Meter meter = Meter::kInputTokens;
  int shift = 0;                 // The rate is per unit; ours per 10^shift units.
  int64_t above = 0;             // 0: the base.
  bool above_own_units = false;  // Sized by the meter itself, not by the input's tokens.
  std::string service_tier;      // "batch", "priority", "flex"; empty: standard.
};
std::optional<LiteLlmRateKey> ParseLiteLlmRateKey(std::string_view key);

enum class LiteLlmKey {
  kFact,            // Says nothing about prices: facts, limits, sources, abilities.
  kHandled,         // A price of a shape of its own that the importer knows.
  kNotRepresented,  // A price of something that is not metered here: reported, the rest of the row is kept.
  kUnknownPrice,    // A price nobody knows how to read: the row would be wrong without it.
  kUnknown,         // Anything else.
};
LiteLlmKey ClassifyLiteLlmKey(std::string_view key);

}  // namespace purser::pricing

#endif  // PURSER_ENGINE_PRICING_TABLES_LITELLM_KEYS_H_
