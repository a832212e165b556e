#include "engine/pricing/tables/litellm_keys.h"

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace purser::pricing {
namespace {

struct Base {
  absl::string_view key;
  Meter meter;
};

constexpr Base kBases[] = {
    {"input_cost_per_token", Meter::kInputTokens},
    {"output_cost_per_token", Meter::kOutputTokens},
    {"cache_read_input_token_cost", Meter::kCacheReadTokens},
    {"cache_creation_input_token_cost", Meter::kCacheWriteTokens},
    {"cache_creation_input_token_cost_above_1hr", Meter::kCacheWrite1hTokens},
    {"cache_read_input_audio_token_cost", Meter::kCacheReadAudioTokens},
    {"cache_creation_input_audio_token_cost", Meter::kCacheWriteAudioTokens},
    {"cache_read_input_image_token_cost", Meter::kCacheReadImageTokens},
    {"input_cost_per_audio_token", Meter::kInputAudioTokens},
    {"input_cost_per_image_token", Meter::kInputImageTokens},
    {"input_cost_per_video_token", Meter::kInputVideoTokens},
    {"output_cost_per_audio_token", Meter::kOutputAudioTokens},
    {"output_cost_per_image_token", Meter::kOutputImageTokens},
    {"output_cost_per_video_token", Meter::kOutputVideoTokens},
    {"output_cost_per_reasoning_token", Meter::kOutputReasoningTokens},
    {"citation_cost_per_token", Meter::kOutputCitationTokens},
    {"input_cost_per_character", Meter::kInputCharacters},
    {"output_cost_per_character", Meter::kOutputCharacters},
    {"input_cost_per_pixel", Meter::kInputPixels},
    {"output_cost_per_pixel", Meter::kOutputPixels},
    {"input_cost_per_image", Meter::kInputImages},
    {"output_cost_per_image", Meter::kOutputImages},
    {"input_cost_per_second", Meter::kInputSeconds},
    {"output_cost_per_second", Meter::kOutputSeconds},
    {"input_cost_per_audio_per_second", Meter::kInputAudioSeconds},
    {"input_cost_per_video_per_second", Meter::kInputVideoSeconds},
    {"output_cost_per_audio_per_second", Meter::kOutputAudioSeconds},
    {"output_cost_per_video_per_second", Meter::kOutputVideoSeconds},
    {"input_cost_per_query", Meter::kQueries},
    {"input_cost_per_request", Meter::kRequests},
    {"code_interpreter_cost_per_session", Meter::kSessions},
    {"ocr_cost_per_page", Meter::kInputDocumentPages},
    {"annotation_cost_per_page", Meter::kInputAnnotatedDocumentPages},
    {"ocr_cost_per_credit", Meter::kCredits},
};

// Keys that say what a model can do, how long it lives, where the row comes from.
constexpr absl::string_view kFacts[] = {
    "litellm_provider",
    "mode",
    "max_tokens",
    "max_input_tokens",
    "max_output_tokens",
    "source",
    "metadata",
    "deprecation_date",
    "comment",
    "rpm",
    "tpm",
    "output_vector_size",
    "prompt_cache_min_tokens",
    "bedrock_output_config_effort_ceiling",
    "bedrock_converse_supports_strict_tools",
    "gemini_native_audio",
    "gemini_audio_only_live",
    "uses_embed_content",
    "use_openai_responses_path",
    "audio_transcription_config",
    "web_search_billing_unit",
    "aliases",
    "notes",
    // The same prices in another currency of account, beside those in dollars.
    "input_dbu_cost_per_token",
    "output_dbu_cost_per_token",
};

constexpr absl::string_view kHandled[] = {
    "search_context_cost_per_query",
    "tiered_pricing",
    "off_peak_pricing",
    "provider_specific_entry",
    "input_cost_per_token_cache_hit",
    "regional_processing_uplift_multiplier_eu",
    "regional_processing_uplift_multiplier_us",
    "regional_endpoint_uplift_multiplier",
};

constexpr absl::string_view kNotRepresented[] = {
    "output_cost_per_second_1080p",           "computer_use_input_cost_per_1k_tokens",
    "computer_use_output_cost_per_1k_tokens", "file_search_cost_per_gb_per_day",
    "file_search_cost_per_1k_calls",          "vector_store_cost_per_gb_per_day",
};

template <size_t N>
bool IsOneOf(std::string_view key, const absl::string_view (&list)[N]) {
  for (const absl::string_view one : list) {
    if (one == absl::string_view(key.data(), key.size())) return true;
  }
  return false;
}

// "..._above_200k_tokens" -> 200,000, and the key without it.
bool StripThreshold(absl::string_view* key, LiteLlmRateKey* rate) {
  const size_t at = key->rfind("_above_");
  if (at == absl::string_view::npos) return true;
  absl::string_view size = key->substr(at + 7);
  int64_t number = 0;
  if (absl::ConsumeSuffix(&size, "k_tokens")) {
    if (!absl::SimpleAtoi(size, &number) || number <= 0 || number > 1'000'000'000) return false;
    rate->above = number * 1000;
  } else if (absl::ConsumeSuffix(&size, "s_interval")) {
    if (!absl::SimpleAtoi(size, &number) || number <= 0) return false;
    rate->above = number;
    rate->above_own_units = true;
  } else {
    return true;  // "..._above_1hr" belongs to the name.
  }
  *key = key->substr(0, at);
  return true;
}

}  // namespace

std::optional<LiteLlmRateKey> ParseLiteLlmRateKey(std::string_view text) {
  absl::string_view key(text.data(), text.size());
  LiteLlmRateKey rate;
  if (absl::ConsumeSuffix(&key, "_batches")) {
    rate.service_tier = "batch";
  } else if (absl::ConsumeSuffix(&key, "_priority")) {
    rate.service_tier = "priority";
  } else if (absl::ConsumeSuffix(&key, "_flex")) {
    rate.service_tier = "flex";
  }
  if (!StripThreshold(&key, &rate)) return std::nullopt;
  for (const Base& base : kBases) {
    if (base.key != key) continue;
    rate.meter = base.meter;
    const Counted counted = FactsOf(base.meter).counted;
    const bool small =
        counted == Counted::kTokens || counted == Counted::kCharacters || counted == Counted::kPixels;
    rate.shift = small ? 6 : 0;
    return rate;
  }
  return std::nullopt;
}

LiteLlmKey ClassifyLiteLlmKey(std::string_view key) {
  if (IsOneOf(key, kHandled) || ParseLiteLlmRateKey(key)) return LiteLlmKey::kHandled;
  if (IsOneOf(key, kNotRepresented)) return LiteLlmKey::kNotRepresented;
  const absl::string_view text(key.data(), key.size());
  if (IsOneOf(key, kFacts) || absl::StartsWith(text, "supports_") || absl::StartsWith(text, "supported_")) {
    return LiteLlmKey::kFact;
  }
  for (const absl::string_view word : {"cost", "price", "pricing", "multiplier"}) {
    if (absl::StrContains(text, word)) return LiteLlmKey::kUnknownPrice;
  }
  return LiteLlmKey::kUnknown;
}

}  // namespace purser::pricing
