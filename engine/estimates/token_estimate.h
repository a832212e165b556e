#ifndef PURSER_ENGINE_ESTIMATES_TOKEN_ESTIMATE_H_
#define PURSER_ENGINE_ESTIMATES_TOKEN_ESTIMATE_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace purser::estimates {

// How many tokens a text will be billed for, without running a tokenizer.
//
//   TextFeatures features;
//   for (const Message& message : request.messages) features += ReadText(message.content);
//   int64_t expected = EstimateTokens(TokenFamily::kO200kBase, features);
//   int64_t hold_for = TokenBound(TokenFamily::kO200kBase, features);
//
// Tokenizers split a text into words, numbers and runs of other characters, and these into tokens. ReadText
// finds the same units, and adds up what each costs in all four families at once: units that are common, from
// a table of some 200,000 of them by name; others byte by byte, from the learned chance that a token starts
// at a byte, given the bytes around it. Median error on text that the weights were not fitted on: 1-3 % for
// English, code and data, up to 6 % in other languages. Weights: token_weights.bin, made by fit_tokens/,
// whose README has the figures.
//
// Everything here is pure, thread-safe and allocates nothing.

// Tokenizers whose counts were learned. A model of another tokenizer is estimated with the nearest family and
// corrected from its realised counts (token_correction.h).
enum class TokenFamily : uint8_t {
  kO200kBase,   // GPT-4o and later.
  kCl100kBase,  // GPT-4, GPT-3.5, text-embedding-3.
  kLlama3,      // Llama 3 and later.
  kMistralV1,   // Mistral 7B, Mixtral; 32k SentencePiece, as of Llama 2.
};
inline constexpr int kTokenFamilies = 4;

// "o200k_base", "cl100k_base", "llama3", "mistral_v1".
std::string_view TokenFamilyName(TokenFamily family);
std::optional<TokenFamily> ParseTokenFamily(std::string_view name);

// The family nearest to a model's tokenizer, from what its name and its provider's say ("openai",
// "gpt-4o-mini"; either may be empty). Not for a hot path: once per model when a policy loads. A tokenizer
// that is not public, and a model that is not known, count as the family that makes the most tokens of a text
// (kMistralV1): rather too high than too low until realised counts correct it.
TokenFamily TokenFamilyOf(std::string_view provider, std::string_view model);

// What ReadText saw. Adds up over pieces; each piece is taken as tokenized for itself. 48 bytes.
struct TextFeatures {
  int64_t bytes = 0;
  int64_t pieces = 0;  // Texts that are not empty.
  // Per family, the expected tokens, in 1/128.
  std::array<int64_t, kTokenFamilies> tokens = {};

  TextFeatures& operator+=(const TextFeatures& other) {
    bytes += other.bytes;
    pieces += other.pieces;
    for (int f = 0; f < kTokenFamilies; ++f) tokens[f] += other.tokens[f];
    return *this;
  }
  friend TextFeatures operator+(TextFeatures a, const TextFeatures& b) { return a += b; }
  friend bool operator==(const TextFeatures&, const TextFeatures&) = default;
};

// One pass over the bytes. Any bytes will do; text is expected to be UTF-8.
TextFeatures ReadText(std::string_view text);

// Expected number of tokens: at least 1 for a text that is not empty, 0 for nothing.
int64_t EstimateTokens(TokenFamily family, const TextFeatures& features);

// What a worst case should count on: at least EstimateTokens, and at least the real count of 99.9 % of texts
// of the kinds that were held back from fitting. Never more than TokenCeiling.
int64_t TokenBound(TokenFamily family, const TextFeatures& features);

// No text can have more tokens in any of these families: they fall back to single bytes, and mistral_v1 may
// put one token before a piece. Several times what text has; a cap that must hold against an adversary's
// bytes, too, takes it.
int64_t TokenCeiling(TokenFamily family, const TextFeatures& features);

// What a chat format adds around the text: start, role and end of each message, and the opening of the answer
// (OpenAI's published counting: 3 per message, 1 for its role, 3 once; Llama 3's template: 5 per message, 5
// once; Mistral's [INST] template: at most 8 per message).
int64_t ChatOverheadTokens(TokenFamily family, int64_t messages);

}  // namespace purser::estimates

#endif  // PURSER_ENGINE_ESTIMATES_TOKEN_ESTIMATE_H_
