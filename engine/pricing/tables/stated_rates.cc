#include "engine/pricing/tables/stated_rates.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "engine/pricing/meter_facts.h"
#include "engine/pricing/tables/import.h"
#include "policies/decimal.h"

namespace purser::pricing {
namespace {

absl::Status InvalidRates(std::string message) { return absl::InvalidArgumentError(std::move(message)); }

constexpr absl::string_view kGenaiSuffixes[] = {"_mtok",   "_kcount", "_hours",
                                                "_mchars", "_kpages", "_gpixels"};

bool IsGenaiKey(absl::string_view key) {
  return std::any_of(std::begin(kGenaiSuffixes), std::end(kGenaiSuffixes),
                     [&](absl::string_view suffix) { return absl::EndsWith(key, suffix); });
}

struct ShortName {
  absl::string_view name;
  Meter meter;
};
constexpr ShortName kShortNames[] = {
    {"input", Meter::kInputTokens},
    {"output", Meter::kOutputTokens},
    {"cache_read", Meter::kCacheReadTokens},
    {"cache_write", Meter::kCacheWriteTokens},
    {"cache_write_5m", Meter::kCacheWrite5mTokens},
    {"cache_write_1h", Meter::kCacheWrite1hTokens},
    {"reasoning", Meter::kOutputReasoningTokens},
};

struct ShortKey {
  Meter meter;
  int64_t above = 0;
  bool effective = false;
};

// "input", "effective_cache_read", "above_200k_output".
std::optional<ShortKey> ParseShortKey(absl::string_view key) {
  ShortKey parsed{Meter::kInputTokens};
  parsed.effective = absl::ConsumePrefix(&key, "effective_");
  if (absl::ConsumePrefix(&key, "above_")) {
    const size_t k = key.find("k_");
    int64_t thousands = 0;
    if (k == absl::string_view::npos || !absl::SimpleAtoi(key.substr(0, k), &thousands)) return std::nullopt;
    parsed.above = thousands * 1000;
    key.remove_prefix(k + 2);
  }
  for (const ShortName& name : kShortNames) {
    if (name.name != key) continue;
    parsed.meter = name.meter;
    return parsed;
  }
  return std::nullopt;
}

absl::Status AddShortRates(const JsonTree& rates, int64_t unit, prices::Sheet* sheet) {
  std::map<Meter, prices::Rate> by_meter;
  for (const auto& [key, value] : rates.members) {
    const auto parsed = ParseShortKey(key);
    if (!parsed) return InvalidRates(absl::StrCat("unknown rate \"", key, "\""));
    prices::Rate& rate = by_meter[parsed->meter];
    rate.set_meter(std::string(NameOf(parsed->meter)));
    rate.set_per(parsed->effective ? 1 : unit);
    std::string usd;
    bool free = false;
    if (absl::Status status = SetPrice(value, 0, &usd, &free); !status.ok()) return status;
    if (parsed->above > 0) {
      prices::Tier* tier = rate.add_tiers();
      tier->set_above(parsed->above);
      tier->set_usd(usd);
      tier->set_free(free);
    }
    if (parsed->above == 0 || (rate.usd().empty() && !rate.free())) {
      rate.set_usd(usd);
      rate.set_free(free);
    }
  }
  for (auto& [meter, rate] : by_meter) *sheet->add_rates() = std::move(rate);
  return absl::OkStatus();
}

// {"above_272k_input_multiplier": "2", "above_272k_output_multiplier": "1.5", "tier_multiplier": "2"}, beside
// LiteLLM's keys: factors instead of rates. Nothing if the key is none of these.
absl::Status ApplyMultiplier(absl::string_view key, const std::string& factor_text, prices::Model* model) {
  const auto factor = ParseDecimal(factor_text);
  if (!factor) return InvalidRates(absl::StrCat(key, ": not a factor"));
  for (prices::Sheet& sheet : *model->mutable_sheets()) {
    if (key == "tier_multiplier") {
      sheet.set_multiplier(factor_text);
      continue;
    }
    absl::string_view rest = key;
    int64_t thousands = 0;
    const size_t k = rest.find("k_");
    if (!absl::ConsumePrefix(&rest, "above_") || k == absl::string_view::npos ||
        !absl::SimpleAtoi(rest.substr(0, rest.find("k_")), &thousands)) {
      return InvalidRates(absl::StrCat("unknown rate \"", key, "\""));
    }
    const Direction direction = absl::StrContains(key, "_output_") ? Direction::kOutput : Direction::kInput;
    for (prices::Rate& rate : *sheet.mutable_rates()) {
      const auto base = ParseDecimal(rate.usd());
      if (!base || FactsOf(*FindMeter(rate.meter())).direction != direction) continue;
      prices::Tier* tier = rate.add_tiers();
      tier->set_above(thousands * 1000);
      tier->set_usd(ToPlainString({base->digits * factor->digits, base->exponent + factor->exponent}));
    }
  }
  return absl::OkStatus();
}

// "cache_read_input_token_cost_above_200k_tokens" alone: the base is what is stated.
void StateMissingBases(JsonTree* rates) {
  std::vector<std::pair<std::string, JsonTree>> bases;
  for (const auto& [key, value] : rates->members) {
    const size_t above = key.find("_above_");
    const size_t tokens = key.find("k_tokens");
    if (above == std::string::npos || tokens == std::string::npos) continue;
    const std::string base = absl::StrCat(key.substr(0, above), key.substr(tokens + 8));
    if (rates->Find(base) == nullptr) bases.emplace_back(base, value);
  }
  for (auto& base : bases) rates->members.push_back(std::move(base));
}

absl::Status AddLiteLlm(const JsonTree& rates, prices::Model* model) {
  JsonTree known;
  known.type = JsonTree::Type::kObject;
  std::vector<std::pair<std::string, std::string>> multipliers;
  bool marginal = false;
  for (const auto& [key, value] : rates.members) {
    if (key == "graduated_tiers") {
      marginal = true;
      known.members.emplace_back("tiered_pricing", value);
    } else if (absl::EndsWith(key, "_multiplier") && !absl::StartsWith(key, "regional_")) {
      multipliers.emplace_back(key, value.text);
    } else {
      known.members.emplace_back(key, value);
    }
  }
  StateMissingBases(&known);
  ImportReport report;
  if (absl::Status status = AddLiteLlmRates(known, "rates", false, model, &report); !status.ok())
    return status;
  for (const auto& [key, factor] : multipliers) {
    if (absl::Status status = ApplyMultiplier(key, factor, model); !status.ok()) return status;
  }
  if (!marginal) return absl::OkStatus();
  for (prices::Sheet& sheet : *model->mutable_sheets()) {
    for (prices::Rate& rate : *sheet.mutable_rates()) rate.set_marginal(true);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<prices::Model> ModelFromStatedRates(const JsonTree& rates, std::string_view provider,
                                                   int64_t unit) {
  if (!rates.is_object() || rates.members.empty()) return InvalidRates("no rates are stated");
  prices::Model model;
  model.set_id("stated rates");
  model.set_provider(provider.empty() ? "stated" : std::string(provider));
  const auto all = [&](auto is) {
    return std::all_of(rates.members.begin(), rates.members.end(),
                       [&](const auto& member) { return is(member.first); });
  };
  absl::Status status;
  if (all([](const std::string& key) { return IsGenaiKey(key); })) {
    status = AddGenaiRates(rates, model.add_sheets());
  } else if (all([](const std::string& key) { return ParseShortKey(key).has_value(); })) {
    status = AddShortRates(rates, unit, model.add_sheets());
  } else {
    status = AddLiteLlm(rates, &model);
  }
  if (!status.ok()) return status;
  if (model.sheets().empty()) return InvalidRates("no rates are stated");
  return model;
}

}  // namespace purser::pricing
