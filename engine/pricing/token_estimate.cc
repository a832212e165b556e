#include "engine/pricing/token_estimate.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"

namespace purser::pricing {
namespace {

constexpr int64_t kUnit = 1024;

// Tokens per byte in units of 1/kUnit: of Latin letters, of digits and marks, of bytes of other scripts.
struct Weights {
  int64_t letter, mark, other;
};
constexpr Weights kWeights[kTokenFamilies] = {
    {185, 420, 260}, {185, 425, 400}, {185, 425, 300}, {215, 560, 420}};

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

}  // namespace

std::string_view TokenFamilyName(TokenFamily family) {
  static constexpr std::string_view kNames[] = {"o200k_base", "cl100k_base", "llama3", "mistral_v1"};
  return kNames[static_cast<int>(family)];
}

std::optional<TokenFamily> ParseTokenFamily(std::string_view name) {
  for (int f = 0; f < kTokenFamilies; ++f) {
    if (name == TokenFamilyName(static_cast<TokenFamily>(f))) return static_cast<TokenFamily>(f);
  }
  return std::nullopt;
}

TokenFamily TokenFamilyOf(std::string_view provider, std::string_view model) {
  const std::string name = absl::AsciiStrToLower(View(model));
  if (absl::StrContains(name, "llama-3") || absl::StrContains(name, "llama3")) return TokenFamily::kLlama3;
  if (absl::StrContains(name, "gpt-3.5") ||
      (absl::StartsWith(name, "gpt-4") && !absl::StartsWith(name, "gpt-4o") &&
       !absl::StartsWith(name, "gpt-4.1"))) {
    return TokenFamily::kCl100kBase;
  }
  const bool openai = provider == "openai" || provider == "azure" || absl::StartsWith(name, "gpt-") ||
                      absl::StartsWith(name, "o1") || absl::StartsWith(name, "o3") ||
                      absl::StartsWith(name, "o4");
  return openai ? TokenFamily::kO200kBase : TokenFamily::kMistralV1;
}

TextFeatures ReadText(std::string_view text) {
  int64_t letters = 0;
  int64_t others = 0;
  for (const unsigned char c : text) {
    letters += absl::ascii_isalpha(c) || c == ' ' ? 1 : 0;
    others += c >= 0x80 ? 1 : 0;
  }
  TextFeatures features;
  features.bytes = static_cast<int64_t>(text.size());
  features.pieces = text.empty() ? 0 : 1;
  const int64_t marks = features.bytes - letters - others;
  for (int f = 0; f < kTokenFamilies; ++f) {
    features.tokens[f] = letters * kWeights[f].letter + marks * kWeights[f].mark + others * kWeights[f].other;
  }
  return features;
}

int64_t EstimateTokens(TokenFamily family, const TextFeatures& features) {
  return (features.tokens[static_cast<int>(family)] + kUnit - 1) / kUnit;
}

int64_t TokenBound(TokenFamily family, const TextFeatures& features) {
  const int64_t estimate = EstimateTokens(family, features);
  return std::min(estimate + estimate / 2 + features.pieces * 8, TokenCeiling(family, features));
}

int64_t TokenCeiling(TokenFamily family, const TextFeatures& features) {
  return features.bytes + (family == TokenFamily::kMistralV1 ? features.pieces : 0);
}

int64_t ChatOverheadTokens(TokenFamily family, int64_t messages) {
  switch (family) {
    case TokenFamily::kLlama3:
      return 5 * messages + 5;
    case TokenFamily::kMistralV1:
      return 8 * messages;
    default:
      return 4 * messages + 3;
  }
}

}  // namespace purser::pricing
