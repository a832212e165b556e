// purser tokens: how many tokens texts have, estimated without a tokenizer.

#include <cstdio>
#include <iostream>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/cli/verbs.h"
#include "engine/estimates/token_estimate.h"
#include "nlohmann/json.hpp"

namespace purser::cli {
namespace {

using estimates::TokenFamily;

struct TokensOptions {
  std::string family;
  bool bound = false;
};

// Reads the two fields; what else the line has is passed over. An error says what is wrong with the line.
std::string ReadLine(const std::string& line, nlohmann::ordered_json* id, std::string* text) {
  auto object = nlohmann::ordered_json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (object.is_discarded()) return "not JSON";
  if (!object.is_object()) return "not a JSON object; expected {\"id\": ..., \"text\": ...}";
  const auto found = object.find("text");
  if (found == object.end()) return "has no \"text\"";
  if (!found->is_string()) return "its \"text\" is not a string";
  *text = std::move(found->get_ref<std::string&>());
  *id = object.value("id", nlohmann::ordered_json());
  return "";
}

void Tokens(const TokensOptions& options) {
  const auto family = estimates::ParseTokenFamily(options.family);
  if (!family) {
    std::string known;
    for (int f = 0; f < estimates::kTokenFamilies; ++f) {
      const std::string_view name = estimates::TokenFamilyName(static_cast<TokenFamily>(f));
      absl::StrAppend(&known, f == 0 ? "" : ", ", absl::string_view(name.data(), name.size()));
    }
    Fail("tokens",
         absl::StrCat("no tokenizer family is named \"", options.family, "\"; use one of: ", known));
  }
  std::string line;
  int64_t number = 0, bad = 0;
  std::ios::sync_with_stdio(false);
  while (std::getline(std::cin, line)) {
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    nlohmann::ordered_json id;
    std::string text;
    if (const std::string error = ReadLine(line, &id, &text); !error.empty()) {
      ++bad;
      std::fprintf(stderr, "purser tokens: line %lld: %s\n", static_cast<long long>(number), error.c_str());
      continue;
    }
    const estimates::TextFeatures features = estimates::ReadText(text);
    nlohmann::ordered_json answer = {{"id", std::move(id)}, {"tokens", EstimateTokens(*family, features)}};
    if (options.bound) answer["bound"] = TokenBound(*family, features);
    const std::string out = answer.dump() + "\n";
    std::fwrite(out.data(), 1, out.size(), stdout);
  }
  if (bad > 0)
    Fail("tokens", absl::StrCat(bad, " of ", number, " lines could not be read; the others were answered"));
}

}  // namespace

void AddTokensVerb(Verb app) {
  auto options = std::make_shared<TokensOptions>();
  Verb verb = app.AddVerb("tokens", "Estimate how many tokens texts have");
  verb.Add("--family", &options->family, "Tokenizer: o200k_base, cl100k_base, llama3 or mistral_v1")
      .Required();
  verb.AddFlag("--bound", &options->bound, "Also a count that 999 of 1000 texts stay below");
  verb.Footer(
      "Reads {\"id\", \"text\"} objects from standard input, one a line, and writes {\"id\", \"tokens\"}.\n"
      "Example: echo '{\"id\": 1, \"text\": \"How much is the fish?\"}' | purser tokens --family o200k_base");
  verb.Run([options] { Tokens(*options); });
}

}  // namespace purser::cli
