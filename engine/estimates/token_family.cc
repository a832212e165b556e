// Names of tokenizer families, and which models count by which.

#include <algorithm>
#include <cctype>
#include <string>

#include "engine/estimates/token_estimate.h"

namespace purser::estimates {
namespace {

constexpr std::array<std::string_view, kTokenFamilies> kNames = {"o200k_base", "cl100k_base", "llama3",
                                                                 "mistral_v1"};

struct Rule {
  std::string_view in_model;  // Part of the model's name, in small letters.
  TokenFamily family;
};

// The first rule whose text occurs in the model's name decides. OpenAI's from tiktoken's published model
// table; others from the vocabulary that the model's makers published: those of 100,000 pieces and more,
// which follow tiktoken's way of splitting, make about as many tokens as cl100k_base or a few more.
constexpr Rule kRules[] = {
    {"gpt-oss", TokenFamily::kO200kBase},
    {"gpt-5", TokenFamily::kO200kBase},
    {"gpt-4o", TokenFamily::kO200kBase},
    {"gpt-4.1", TokenFamily::kO200kBase},
    {"gpt-4.5", TokenFamily::kO200kBase},
    {"chatgpt-4o", TokenFamily::kO200kBase},
    {"gpt-realtime", TokenFamily::kO200kBase},
    {"gpt-audio", TokenFamily::kO200kBase},
    {"computer-use-preview", TokenFamily::kO200kBase},
    {"codex-mini", TokenFamily::kO200kBase},
    {"llama-4", TokenFamily::kO200kBase},  // 200k vocabulary, o200k's way of splitting.
    {"llama4", TokenFamily::kO200kBase},
    {"gpt-4", TokenFamily::kCl100kBase},
    {"gpt-3.5", TokenFamily::kCl100kBase},
    {"gpt-35", TokenFamily::kCl100kBase},
    {"text-embedding-3", TokenFamily::kCl100kBase},
    {"text-embedding-ada-002", TokenFamily::kCl100kBase},
    {"llama-3", TokenFamily::kLlama3},
    {"llama3", TokenFamily::kLlama3},
    {"deepseek-r1-distill-llama", TokenFamily::kLlama3},
    {"qwen", TokenFamily::kCl100kBase},
    {"deepseek", TokenFamily::kCl100kBase},
    {"phi-4", TokenFamily::kCl100kBase},
    {"mistral-nemo", TokenFamily::kCl100kBase},
};

std::string SmallLetters(std::string_view text) {
  std::string small(text);
  std::transform(small.begin(), small.end(), small.begin(), [](unsigned char c) { return std::tolower(c); });
  return small;
}

// "o1", "o3-mini", "openai/o4-mini-2025-04-16": the letter o, a digit, and then no letter.
bool IsOpenAiReasoningModel(std::string_view model) {
  if (const size_t slash = model.rfind('/'); slash != std::string_view::npos) model.remove_prefix(slash + 1);
  if (model.size() < 2 || model[0] != 'o' || model[1] < '1' || model[1] > '9') return false;
  return model.size() == 2 || model[2] == '-';
}

}  // namespace

std::string_view TokenFamilyName(TokenFamily family) { return kNames[static_cast<size_t>(family)]; }

std::optional<TokenFamily> ParseTokenFamily(std::string_view name) {
  for (int f = 0; f < kTokenFamilies; ++f)
    if (kNames[f] == name) return static_cast<TokenFamily>(f);
  return std::nullopt;
}

TokenFamily TokenFamilyOf(std::string_view provider, std::string_view model) {
  const std::string name = SmallLetters(model);
  for (const Rule& rule : kRules)
    if (name.find(rule.in_model) != std::string::npos) return rule.family;
  const std::string maker = SmallLetters(provider);
  // A new model of OpenAI counts like its latest known one.
  if (maker.find("openai") != std::string::npos || maker == "azure") return TokenFamily::kO200kBase;
  if (maker.empty() && IsOpenAiReasoningModel(name)) return TokenFamily::kO200kBase;
  return TokenFamily::kMistralV1;
}

}  // namespace purser::estimates
