// LiteLLM's table (BerriAI/litellm, model_prices_and_context_window.json).

#include <algorithm>
#include <map>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "engine/pricing/tables/import.h"
#include "engine/pricing/tables/litellm_keys.h"
#include "engine/pricing/tables/litellm_providers.h"
#include "policies/decimal.h"

namespace purser::pricing {
namespace {

absl::Status InvalidTable(std::string message) { return absl::InvalidArgumentError(std::move(message)); }

// The rates of one price list, before it is a sheet. A price is the text of the number and how it is scaled.
struct Price {
  const JsonTree* number = nullptr;
  int shift = 0;
};
struct TieredPrice {
  Price base;
  std::map<int64_t, Price> tiers;
  bool by_own_units = false;
};
using PriceList = std::map<Meter, TieredPrice>;

absl::Status AddPrice(const Price& price, std::string* usd, bool* free) {
  return SetPrice(*price.number, price.shift, usd, free);
}

absl::Status AddRate(Meter meter, const TieredPrice& tiered, bool inclusive, prices::Sheet* sheet) {
  prices::Rate* rate = sheet->add_rates();
  rate->set_meter(std::string(NameOf(meter)));
  const auto fail = [&](const absl::Status& status) {
    return InvalidTable(absl::StrCat(rate->meter(), ": ", status.message()));
  };
  if (tiered.base.number == nullptr)
    return InvalidTable(absl::StrCat(rate->meter(), ": a tier without a base price"));
  bool free = false;
  if (absl::Status status = AddPrice(tiered.base, rate->mutable_usd(), &free); !status.ok())
    return fail(status);
  if (free) rate->set_free(true);
  for (const auto& [above, price] : tiered.tiers) {
    prices::Tier* tier = rate->add_tiers();
    tier->set_above(above);
    bool tier_free = false;
    if (absl::Status status = AddPrice(price, tier->mutable_usd(), &tier_free); !status.ok())
      return fail(status);
    if (tier_free) tier->set_free(true);
  }
  if (tiered.tiers.empty()) return absl::OkStatus();
  if (inclusive) rate->set_inclusive(true);
  const bool tokens = FactsOf(meter).counted == Counted::kTokens;
  if (!tokens && !tiered.by_own_units) rate->set_sized_by("input_tokens");
  return absl::OkStatus();
}

class RowImporter {
 public:
  RowImporter(const JsonTree& row, const std::string& name, prices::Model* model, ImportReport* report)
      : row_(row), name_(name), model_(model), report_(report) {}

  absl::Status Run(bool allow_suspicious);

 private:
  absl::Status CheckKeys(bool allow_suspicious);
  void CollectRates();
  absl::Status CollectRanges(const JsonTree& ranges);
  void CollectSearches(const JsonTree& by_size);
  absl::Status AddOffPeak(const JsonTree& off_peak);
  absl::Status AddSheet(const PriceList& list, const std::string& service_tier,
                        const std::string& multiplier);
  void AddProviderSpecific(const JsonTree& entry);
  void AddUplift(std::string_view key, const char* region);
  PriceList WithStandard(const PriceList& list) const;
  PriceList WithBases(PriceList list) const;

  const JsonTree& row_;
  const std::string& name_;
  prices::Model* model_;
  ImportReport* report_;
  std::map<std::string, PriceList> lists_;  // By service tier; "" is standard.
  std::string fast_multiplier_;
};

absl::Status RowImporter::CheckKeys(bool allow_suspicious) {
  for (const auto& [key, value] : row_.members) {
    switch (ClassifyLiteLlmKey(key)) {
      case LiteLlmKey::kFact:
      case LiteLlmKey::kHandled:
        break;
      case LiteLlmKey::kNotRepresented:
        report_->Note(name_, absl::StrCat("without ", key, ", which no meter counts"));
        break;
      case LiteLlmKey::kUnknownPrice:
        if (!allow_suspicious)
          return InvalidTable(absl::StrCat("suspicious: unknown key \"", key, "\" that sounds like a price"));
        report_->Note(name_, absl::StrCat("without the unknown key \"", key, "\""));
        break;
      case LiteLlmKey::kUnknown:
        report_->Note(name_, absl::StrCat("unknown key \"", key, "\""));
        break;
    }
  }
  return absl::OkStatus();
}

void RowImporter::CollectRates() {
  for (const auto& [key, value] : row_.members) {
    const auto rate = ParseLiteLlmRateKey(key);
    if (!rate || value.type == JsonTree::Type::kNull) continue;
    TieredPrice& tiered = lists_[rate->service_tier][rate->meter];
    const Price price{&value, rate->shift};
    if (rate->above == 0) {
      tiered.base = price;
    } else {
      tiered.tiers[rate->above] = price;
      tiered.by_own_units = rate->above_own_units;
    }
  }
  // DeepSeek rows say the price of a cache read twice.
  const JsonTree* hit = row_.Find("input_cost_per_token_cache_hit");
  if (hit != nullptr && hit->is_number())
    lists_[""].try_emplace(Meter::kCacheReadTokens, TieredPrice{{hit, 6}, {}, false});
}

// [{"range": [0, 32000], "input_cost_per_token": ...}, ...]: each prices the whole of a call whose input
// falls in it. Within a range what is not named bills as what includes it, whatever the row says elsewhere.
absl::Status RowImporter::CollectRanges(const JsonTree& ranges) {
  struct Range {
    int64_t start;
    std::map<Meter, Price> prices;
  };
  std::vector<Range> found;
  std::set<Meter> meters;
  for (const JsonTree& item : ranges.items) {
    const JsonTree* range = item.Find("range");
    if (range == nullptr || range->items.size() != 2) {
      return InvalidTable("tiers by something else than input tokens, which no meter counts");
    }
    const auto start = ParseDecimal(range->items[0].text);
    int64_t tokens = 0;
    if (!start || !absl::SimpleAtoi(ToPlainString(*start), &tokens))
      return InvalidTable("a range that does not start at a count");
    Range one{tokens, {}};
    for (const auto& [key, value] : item.members) {
      if (key == "range") continue;
      const auto rate = ParseLiteLlmRateKey(key);
      if (!rate || rate->above != 0 || !rate->service_tier.empty()) {
        return InvalidTable(absl::StrCat("suspicious: unknown key \"", key, "\" in a range"));
      }
      one.prices[rate->meter] = {&value, rate->shift};
      meters.insert(rate->meter);
    }
    found.push_back(std::move(one));
  }
  std::sort(found.begin(), found.end(), [](const Range& a, const Range& b) { return a.start < b.start; });
  if (found.empty() || found.front().start != 0) return InvalidTable("ranges that do not start at 0");
  PriceList& standard = lists_[""];
  for (auto it = standard.begin(); it != standard.end();) {
    it = FactsOf(it->first).counted == Counted::kTokens ? standard.erase(it) : std::next(it);
  }
  for (const Meter meter : meters) {
    const Meter parent =
        FactsOf(meter).direction == Direction::kOutput ? Meter::kOutputTokens : Meter::kInputTokens;
    TieredPrice tiered;
    for (const Range& range : found) {
      auto price = range.prices.find(meter);
      if (price == range.prices.end()) price = range.prices.find(parent);
      if (price == range.prices.end()) return InvalidTable("a range without a price of input or output");
      if (range.start == 0) {
        tiered.base = price->second;
      } else {
        tiered.tiers[range.start] = price->second;
      }
    }
    standard[meter] = std::move(tiered);
  }
  return absl::OkStatus();
}

// {"search_context_size_low": 0.03, ...}. A search whose size is not known is billed as medium.
void RowImporter::CollectSearches(const JsonTree& by_size) {
  const JsonTree* any = nullptr;
  const auto add = [&](const char* key, Meter meter) {
    const JsonTree* value = by_size.Find(key);
    if (value == nullptr || !value->is_number()) return;
    lists_[""][meter].base = {value, 0};
    if (any == nullptr || meter == Meter::kWebSearchesMedium) any = value;
  };
  add("search_context_size_high", Meter::kWebSearchesHigh);
  add("search_context_size_low", Meter::kWebSearchesLow);
  add("search_context_size_medium", Meter::kWebSearchesMedium);
  if (any != nullptr) lists_[""][Meter::kWebSearches].base = {any, 0};
}

// What a service tier does not price is priced as standard.
PriceList RowImporter::WithStandard(const PriceList& list) const {
  PriceList whole = list;
  const auto standard = lists_.find("");
  if (standard == lists_.end()) return whole;
  for (const auto& [meter, tiered] : standard->second) {
    TieredPrice& to = whole[meter];
    if (to.base.number == nullptr) to.base = tiered.base;
    for (const auto& [above, price] : tiered.tiers) to.tiers.try_emplace(above, price);
    to.by_own_units = tiered.by_own_units;
  }
  return whole;
}

// A meter that has a price of its own only from some size on bills below it as what includes it.
PriceList RowImporter::WithBases(PriceList list) const {
  for (auto& [meter, tiered] : list) {
    if (tiered.base.number != nullptr) continue;
    const Meter parents[] = {Meter::kCacheWriteTokens, Meter::kInputTokens, Meter::kOutputTokens};
    for (const Meter parent : parents) {
      const auto found = list.find(parent);
      if (parent == meter || !Includes(parent, meter) || found == list.end()) continue;
      tiered.base = found->second.base;
      if (tiered.base.number != nullptr) break;
    }
  }
  return list;
}

absl::Status RowImporter::AddSheet(const PriceList& list, const std::string& service_tier,
                                   const std::string& multiplier) {
  prices::Sheet* sheet = model_->add_sheets();
  if (!service_tier.empty()) sheet->add_service_tiers(service_tier);
  sheet->set_multiplier(multiplier);
  // xAI's tiers begin at their threshold, everyone else's above it.
  const bool inclusive = model_->provider() == "xai";
  for (const auto& [meter, tiered] : WithBases(list)) {
    if (absl::Status status = AddRate(meter, tiered, inclusive, sheet); !status.ok()) return status;
  }
  return absl::OkStatus();
}

// "16:30-00:30" or a list of such; weekdays 1 (Monday) to 7.
absl::Status AddWindows(const JsonTree& hours, const JsonTree* weekdays, prices::Sheet* sheet) {
  const auto add = [&](const std::string& text) {
    const size_t dash = text.find('-');
    if (dash == std::string::npos) return InvalidTable(absl::StrCat("\"", text, "\" are not hours"));
    prices::Window* window = sheet->add_windows();
    window->set_from(text.substr(0, dash));
    window->set_until(text.substr(dash + 1));
    for (const JsonTree& day : weekdays == nullptr ? std::vector<JsonTree>() : weekdays->items) {
      int number = 0;
      if (!absl::SimpleAtoi(day.text, &number) || number < 1 || number > 7)
        return InvalidTable("weekdays are 1 to 7");
      window->add_weekdays(static_cast<prices::Weekday>(number));
    }
    return absl::OkStatus();
  };
  if (hours.is_string()) return add(hours.text);
  for (const JsonTree& one : hours.items) {
    if (absl::Status status = add(one.text); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status RowImporter::AddOffPeak(const JsonTree& off_peak) {
  PriceList list = lists_[""];
  for (const auto& [key, value] : off_peak.members) {
    if (key == "windows" || key == "hours_utc" || key == "weekdays") continue;
    const auto rate = ParseLiteLlmRateKey(key);
    if (!rate || rate->above != 0)
      return InvalidTable(absl::StrCat("suspicious: unknown key \"", key, "\" in off_peak_pricing"));
    list[rate->meter] = {{&value, rate->shift}, {}, false};
  }
  if (absl::Status status = AddSheet(list, "", ""); !status.ok()) return status;
  prices::Sheet* sheet = model_->mutable_sheets(model_->sheets_size() - 1);
  if (const JsonTree* hours = off_peak.Find("hours_utc")) {
    if (absl::Status status = AddWindows(*hours, off_peak.Find("weekdays"), sheet); !status.ok())
      return status;
  }
  if (const JsonTree* windows = off_peak.Find("windows")) {
    for (const JsonTree& window : windows->items) {
      const JsonTree* hours = window.Find("hours_utc");
      if (hours == nullptr) return InvalidTable("a window without hours_utc");
      if (absl::Status status = AddWindows(*hours, window.Find("weekdays"), sheet); !status.ok())
        return status;
    }
  }
  if (sheet->windows().empty()) return InvalidTable("off_peak_pricing without hours");
  return absl::OkStatus();
}

// {"us": 1.1, "fast": 6.0}: what Anthropic asks for inference in one country and in fast mode.
void RowImporter::AddProviderSpecific(const JsonTree& entry) {
  for (const auto& [key, value] : entry.members) {
    if (!value.is_number()) continue;
    if (key == "fast") {
      fast_multiplier_ = value.text;
    } else {
      prices::Uplift* uplift = model_->add_uplifts();
      uplift->add_regions(key);
      uplift->set_multiplier(value.text);
    }
  }
}

void RowImporter::AddUplift(std::string_view key, const char* region) {
  const JsonTree* multiplier = row_.Find(key);
  if (multiplier == nullptr || multiplier->text.empty()) return;
  prices::Uplift* uplift = model_->add_uplifts();
  if (region != nullptr) {
    uplift->add_regions(region);
  } else {
    uplift->add_regions_except("global");
  }
  uplift->set_multiplier(multiplier->text);
}

absl::Status RowImporter::Run(bool allow_suspicious) {
  if (absl::Status status = CheckKeys(allow_suspicious); !status.ok()) return status;
  CollectRates();
  if (const JsonTree* ranges = row_.Find("tiered_pricing"); ranges != nullptr && ranges->is_array()) {
    if (absl::Status status = CollectRanges(*ranges); !status.ok()) return status;
  }
  if (const JsonTree* searches = row_.Find("search_context_cost_per_query")) CollectSearches(*searches);
  if (const JsonTree* entry = row_.Find("provider_specific_entry")) AddProviderSpecific(*entry);
  AddUplift("regional_processing_uplift_multiplier_eu", "eu");
  AddUplift("regional_processing_uplift_multiplier_us", "us");
  AddUplift("regional_endpoint_uplift_multiplier", nullptr);

  if (const JsonTree* off_peak = row_.Find("off_peak_pricing")) {
    if (absl::Status status = AddOffPeak(*off_peak); !status.ok()) return status;
  }
  for (const auto& [service_tier, list] : lists_) {
    if (service_tier.empty()) continue;
    if (absl::Status status = AddSheet(WithStandard(list), service_tier, ""); !status.ok()) return status;
  }
  const PriceList& standard = lists_[""];
  if (!fast_multiplier_.empty() && !standard.empty()) {
    if (absl::Status status = AddSheet(standard, "fast", fast_multiplier_); !status.ok()) return status;
  }
  return standard.empty() ? absl::OkStatus() : AddSheet(standard, "", "");
}

int64_t CountAt(const JsonTree& row, std::string_view key) {
  const JsonTree* value = row.Find(key);
  const auto decimal = value != nullptr && value->is_number() ? ParseDecimal(value->text) : std::nullopt;
  int64_t count = 0;
  if (!decimal || decimal->negative() || !absl::SimpleAtoi(ToPlainString(*decimal), &count)) return 0;
  return count;
}

void AddFacts(const JsonTree& row, prices::Model* model) {
  struct Ability {
    const char* key;
    policy::Capability capability;
  };
  static constexpr Ability kAbilities[] = {
      {"supports_function_calling", policy::TOOLS},
      {"supports_vision", policy::VISION},
      {"supports_audio_input", policy::AUDIO_INPUT},
      {"supports_audio_output", policy::AUDIO_OUTPUT},
      {"supports_response_schema", policy::JSON_MODE},
      {"supports_response_schema", policy::STRUCTURED_OUTPUT},
      {"supports_reasoning", policy::REASONING},
      {"supports_web_search", policy::WEB_SEARCH},
      {"supports_pdf_input", policy::DOCUMENTS},
      {"supports_prompt_caching", policy::PROMPT_CACHING},
      {"supports_video_input", policy::VIDEO_INPUT},
  };
  model->set_mode(std::string(row.StringAt("mode")));
  model->set_max_input_tokens(CountAt(row, "max_input_tokens"));
  model->set_max_output_tokens(CountAt(row, "max_output_tokens"));
  model->set_deprecated_on(std::string(row.StringAt("deprecation_date")));
  for (const Ability& ability : kAbilities) {
    const JsonTree* value = row.Find(ability.key);
    if (value != nullptr && value->is_true()) model->add_capabilities(ability.capability);
  }
  if (row.Find("input_cost_per_token_batches") != nullptr) model->add_capabilities(policy::BATCH);
}

// Rows are keyed "provider/model" or by the bare model; people ask for either.
void AddNames(const std::string& key, prices::Model* model) {
  const size_t slash = key.find('/');
  if (slash == std::string::npos) return;
  const std::string prefix = key.substr(0, slash);
  if (!IsLiteLlmPrefix(prefix, model->provider())) return;
  model->mutable_match()->add_equals(key);
  model->mutable_match()->add_equals(key.substr(slash + 1));
}

bool AllFree(const prices::Model& model) {
  for (const prices::Sheet& sheet : model.sheets()) {
    for (const prices::Rate& rate : sheet.rates()) {
      if (!rate.free() || !rate.tiers().empty()) return false;
    }
  }
  return true;
}

}  // namespace

absl::Status AddLiteLlmRates(const JsonTree& row, const std::string& name, bool allow_suspicious,
                             prices::Model* model, ImportReport* report) {
  return RowImporter(row, name, model, report).Run(allow_suspicious);
}

absl::StatusOr<prices::PriceBook> ImportLiteLlm(std::string_view json, const ImportOptions& options,
                                                ImportReport* report) {
  absl::StatusOr<JsonTree> table = ParseJsonTree(json);
  if (!table.ok()) return table.status();
  if (!table->is_object())
    return InvalidTable("not LiteLLM's table; expected an object with a member per model");
  prices::PriceBook book;
  prices::Source* source = book.add_sources();
  source->set_name(options.source_name.empty() ? "BerriAI/litellm model_prices_and_context_window.json"
                                               : options.source_name);
  source->set_url(options.source_url.empty() ? "https://github.com/BerriAI/litellm" : options.source_url);
  const std::string_view updated = table->StringAt("last_updated");
  source->set_date(options.source_date.empty() ? std::string(updated.substr(0, 10)) : options.source_date);
  source->set_content_hash(ContentHash(json));
  source->set_licence("MIT");

  std::map<std::string, size_t> last;  // Of a key that is there twice the last counts, as in Python.
  for (size_t i = 0; i < table->members.size(); ++i) last[table->members[i].first] = i;
  std::set<std::string> providers;
  for (size_t i = 0; i < table->members.size(); ++i) {
    const auto& [key, row] = table->members[i];
    ++report->read;
    const std::string provider(row.StringAt("litellm_provider"));
    if (last[key] != i) {
      report->LeaveOut(key, "there again further down, which counts");
    } else if (key == "sample_spec") {
      report->LeaveOut(key, "explains the table's keys");
    } else if (!row.is_object() || provider.empty()) {
      report->LeaveOut(key, "not a model: it has no litellm_provider");
    } else {
      prices::Model model;
      model.set_id(key);
      model.set_provider(provider);
      AddFacts(row, &model);
      AddNames(key, &model);
      if (absl::Status status = AddLiteLlmRates(row, key, options.allow_suspicious, &model, report);
          !status.ok()) {
        report->LeaveOut(key, std::string(status.message()));
        continue;
      }
      if (model.sheets().empty()) {
        report->Note(key, "no price in the table: unpriced");
      } else if (AllFree(model)) {
        report->Note(key, "free: every price in the table is 0");
      }
      providers.insert(provider);
      AddImported(std::move(model), key, options, &book, report);
    }
  }
  AddLiteLlmProviders(providers, &book);
  return book;
}

}  // namespace purser::pricing
