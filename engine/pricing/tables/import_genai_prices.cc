// genai-prices' table (pydantic/genai-prices, prices/new_data/v2/data.json).

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "engine/pricing/meter_facts.h"
#include "engine/pricing/tables/import.h"

namespace purser::pricing {
namespace {

absl::Status InvalidTable(std::string message) { return absl::InvalidArgumentError(std::move(message)); }

struct Unit {
  absl::string_view suffix;   // Of the price's key.
  absl::string_view counted;  // Instead of it, of the meter's name.
  int64_t per;
};
constexpr Unit kUnits[] = {
    {"_mtok", "_tokens", 1'000'000}, {"_kcount", "", 1'000},
    {"_hours", "_seconds", 3'600},   {"_mchars", "_characters", 1'000'000},
    {"_kpages", "_pages", 1'000},    {"_gpixels", "_pixels", 1'000'000'000},
};

absl::Status AddRate(const std::string& key, const JsonTree& value, prices::Sheet* sheet) {
  const Unit* unit = std::find_if(std::begin(kUnits), std::end(kUnits),
                                  [&](const Unit& u) { return absl::EndsWith(key, u.suffix); });
  if (unit == std::end(kUnits)) return InvalidTable(absl::StrCat("unknown key \"", key, "\""));
  const std::string name = absl::StrCat(absl::StripSuffix(key, unit->suffix), unit->counted);
  const auto meter = FindMeter(name);
  if (!meter) return InvalidTable(absl::StrCat("unknown key \"", key, "\""));
  prices::Rate* rate = sheet->add_rates();
  rate->set_meter(name);
  const bool of_tokens = FactsOf(*meter).counted == Counted::kTokens;
  if (!of_tokens || unit->per != 1'000'000) rate->set_per(unit->per);
  bool free = false;
  const auto fail = [&](const absl::Status& status) {
    return InvalidTable(absl::StrCat(key, ": ", status.message()));
  };
  if (!value.is_object()) {
    if (absl::Status status = SetPrice(value, 0, rate->mutable_usd(), &free); !status.ok())
      return fail(status);
    if (free) rate->set_free(true);
    return absl::OkStatus();
  }
  const JsonTree* base = value.Find("base");
  const JsonTree* tiers = value.Find("tiers");
  if (base == nullptr || tiers == nullptr || !tiers->is_array())
    return InvalidTable(absl::StrCat(key, ": not a price"));
  if (absl::Status status = SetPrice(*base, 0, rate->mutable_usd(), &free); !status.ok()) return fail(status);
  if (free) rate->set_free(true);
  if (!of_tokens) rate->set_sized_by("input_tokens");
  for (const JsonTree& tier : tiers->items) {
    const JsonTree* start = tier.Find("start");
    const JsonTree* price = tier.Find("price");
    int64_t above = 0;
    if (start == nullptr || price == nullptr || !absl::SimpleAtoi(start->text, &above)) {
      return InvalidTable(absl::StrCat(key, ": not a tier"));
    }
    prices::Tier* to = rate->add_tiers();
    to->set_above(above);
    bool tier_free = false;
    if (absl::Status status = SetPrice(*price, 0, to->mutable_usd(), &tier_free); !status.ok())
      return fail(status);
    if (tier_free) to->set_free(true);
  }
  std::sort(rate->mutable_tiers()->begin(), rate->mutable_tiers()->end(),
            [](const prices::Tier& a, const prices::Tier& b) { return a.above() < b.above(); });
  return absl::OkStatus();
}

// {"or": [{"equals": "a"}, {"starts_with": "b"}]}
absl::Status AddMatch(const JsonTree& from, prices::Match* to) {
  if (!from.is_object() || from.members.size() != 1) return InvalidTable("not a match");
  const auto& [kind, value] = from.members.front();
  if (kind == "or") {
    for (const JsonTree& item : value.items) {
      // What is only a list of names joins this one.
      const bool nested = item.Find("and") != nullptr;
      if (absl::Status status = AddMatch(item, nested ? to->add_any() : to); !status.ok()) return status;
    }
    return absl::OkStatus();
  }
  if (kind == "and") {
    for (const JsonTree& item : value.items) {
      if (absl::Status status = AddMatch(item, to->add_all()); !status.ok()) return status;
    }
    return absl::OkStatus();
  }
  if (!value.is_string()) return InvalidTable("not a match");
  if (kind == "equals") {
    to->add_equals(value.text);
  } else if (kind == "starts_with") {
    to->add_starts_with(value.text);
  } else if (kind == "ends_with") {
    to->add_ends_with(value.text);
  } else if (kind == "contains") {
    to->add_contains(value.text);
  } else if (kind == "regex") {
    to->add_regex(value.text);
  } else {
    return InvalidTable(absl::StrCat("unknown match \"", kind, "\""));
  }
  return absl::OkStatus();
}

// "00:30:00Z", "16:30:00+08:00": the time of day, and its zone in *zone.
std::string TimeOfDay(std::string_view text, std::string* zone) {
  std::string time(text.substr(0, 8));
  std::string rest(text.substr(std::min<size_t>(8, text.size())));
  if (!rest.empty() && rest[0] == '.') rest.erase(0, rest.find_first_not_of("0123456789", 1));
  if (rest != "Z" && rest != "+00:00") *zone = rest;
  return time;
}

absl::Status AddConstraint(const JsonTree& constraint, prices::Sheet* sheet) {
  if (const std::string_view date = constraint.StringAt("start_date"); !date.empty()) {
    sheet->set_from(std::string(date));
    return absl::OkStatus();
  }
  const std::string_view start = constraint.StringAt("start_time");
  const std::string_view end = constraint.StringAt("end_time");
  if (start.empty() || end.empty()) return InvalidTable("unknown constraint");
  prices::Window* window = sheet->add_windows();
  std::string start_zone, end_zone;
  window->set_from(TimeOfDay(start, &start_zone));
  window->set_until(TimeOfDay(end, &end_zone));
  if (start_zone != end_zone) return InvalidTable("a window whose ends are in different zones");
  window->set_zone(start_zone);
  return absl::OkStatus();
}

// Conditional prices: the last that applies wins; if none does, the first.
absl::Status AddConditional(const JsonTree& list, prices::Model* model) {
  for (auto it = list.items.rbegin(); it != list.items.rend(); ++it) {
    const JsonTree* constraint = it->Find("constraint");
    const JsonTree* rates = it->Find("prices");
    if (rates == nullptr) return InvalidTable("no prices");
    prices::Sheet* sheet = model->add_sheets();
    if (absl::Status status = AddGenaiRates(*rates, sheet); !status.ok()) return status;
    if (constraint == nullptr || constraint->type == JsonTree::Type::kNull) return absl::OkStatus();
    if (absl::Status status = AddConstraint(*constraint, sheet); !status.ok()) return status;
  }
  if (list.items.empty()) return InvalidTable("no prices");
  return AddGenaiRates(*list.items.front().Find("prices"), model->add_sheets());
}

absl::Status AddModel(const JsonTree& from, const std::string& provider, prices::Model* model) {
  model->set_id(std::string(from.StringAt("id")));
  model->set_provider(provider);
  model->set_name(std::string(from.StringAt("name")));
  if (model->name() == model->id()) model->clear_name();
  if (const JsonTree* match = from.Find("match")) {
    if (absl::Status status = AddMatch(*match, model->mutable_match()); !status.ok()) return status;
    // Only its own name: no need to say it.
    const prices::Match& own = model->match();
    if (own.ByteSizeLong() == own.equals_size() * (2 + model->id().size()) && own.equals_size() == 1 &&
        own.equals(0) == model->id()) {
      model->clear_match();
    }
  }
  if (const JsonTree* window = from.Find("context_window"); window != nullptr && window->is_number()) {
    int64_t tokens = 0;
    if (absl::SimpleAtoi(window->text, &tokens)) model->set_context_window(tokens);
  }
  const JsonTree* rates = from.Find("prices");
  if (rates == nullptr) return InvalidTable("no prices");
  if (rates->is_object() && rates->members.empty()) {
    // The table's way to say that a model is free (":free", "moderation" ...).
    prices::Sheet* sheet = model->add_sheets();
    for (const char* meter : {"input_tokens", "output_tokens"}) {
      prices::Rate* rate = sheet->add_rates();
      rate->set_meter(meter);
      rate->set_free(true);
    }
    return absl::OkStatus();
  }
  return rates->is_array() ? AddConditional(*rates, model) : AddGenaiRates(*rates, model->add_sheets());
}

void AddPath(const JsonTree& from, google::protobuf::RepeatedPtrField<std::string>* path) {
  if (from.is_string()) *path->Add() = from.text;
  for (const JsonTree& step : from.items) {
    if (step.is_string()) {
      *path->Add() = step.text;
      continue;
    }
    const JsonTree* match = step.Find("match");
    const auto pattern = [&](const char* kind) {
      return match == nullptr ? std::string_view() : match->StringAt(kind);
    };
    struct Form {
      const char* kind;
      const char* sign;
    };
    for (const Form form : {Form{"equals", "="}, Form{"starts_with", "^="}, Form{"ends_with", "$="},
                            Form{"contains", "*="}, Form{"regex", "~="}}) {
      if (pattern(form.kind).empty()) continue;
      *path->Add() = absl::StrCat("[", std::string(step.StringAt("field")), form.sign,
                                  std::string(pattern(form.kind)), "]");
    }
  }
}

void AddExtractor(const JsonTree& from, const std::string& provider, prices::UsageRule* rule,
                  ImportReport* report) {
  rule->set_api_flavor(std::string(from.StringAt("api_flavor")));
  if (const JsonTree* root = from.Find("root")) AddPath(*root, rule->mutable_root());
  if (const JsonTree* model = from.Find("model_path")) AddPath(*model, rule->mutable_model());
  const JsonTree* mappings = from.Find("mappings");
  if (mappings == nullptr) return;
  for (const JsonTree& mapping : mappings->items) {
    const std::string meter(mapping.StringAt("dest"));
    if (!FindMeter(meter)) {
      report->Note(absl::StrCat(provider, " extractor ", rule->api_flavor()),
                   absl::StrCat("left out a field of unknown meter \"", meter, "\""));
      continue;
    }
    prices::UsageField* field = rule->add_fields();
    field->set_meter(meter);
    if (const JsonTree* path = mapping.Find("path")) AddPath(*path, field->mutable_path());
    if (const JsonTree* required = mapping.Find("required"); required == nullptr || required->is_true()) {
      field->set_required(true);
    }
  }
}

absl::Status AddProvider(const JsonTree& from, prices::Provider* provider, ImportReport* report) {
  provider->set_id(std::string(from.StringAt("id")));
  provider->set_name(std::string(from.StringAt("name")));
  provider->set_url_pattern(std::string(from.StringAt("api_pattern")));
  if (const JsonTree* match = from.Find("provider_match")) {
    if (absl::Status status = AddMatch(*match, provider->mutable_match()); !status.ok()) return status;
  }
  if (const JsonTree* match = from.Find("model_match")) {
    if (absl::Status status = AddMatch(*match, provider->mutable_implied_by()); !status.ok()) return status;
  }
  if (const JsonTree* fallbacks = from.Find("fallback_model_providers")) {
    for (const JsonTree& fallback : fallbacks->items) provider->add_fallbacks(fallback.text);
  }
  if (const JsonTree* urls = from.Find("pricing_urls")) {
    for (const JsonTree& url : urls->items) provider->add_pricing_urls(url.text);
  }
  if (const JsonTree* extractors = from.Find("extractors")) {
    for (const JsonTree& extractor : extractors->items) {
      AddExtractor(extractor, provider->id(), provider->add_usage(), report);
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status AddGenaiRates(const JsonTree& rates, prices::Sheet* sheet) {
  if (!rates.is_object()) return InvalidTable("not prices");
  for (const auto& [key, value] : rates.members) {
    if (value.type == JsonTree::Type::kNull) continue;
    if (absl::Status status = AddRate(key, value, sheet); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::StatusOr<prices::PriceBook> ImportGenaiPrices(std::string_view json, const ImportOptions& options,
                                                    ImportReport* report) {
  absl::StatusOr<JsonTree> table = ParseJsonTree(json);
  if (!table.ok()) return table.status();
  const JsonTree* providers = table->is_object() ? table->Find("providers") : &*table;
  if (providers == nullptr || !providers->is_array()) {
    return InvalidTable("not genai-prices' table; expected a list of providers with their models");
  }
  prices::PriceBook book;
  prices::Source* source = book.add_sources();
  source->set_name(options.source_name.empty() ? "pydantic/genai-prices" : options.source_name);
  source->set_url(options.source_url.empty() ? "https://github.com/pydantic/genai-prices"
                                             : options.source_url);
  source->set_date(options.source_date);
  source->set_content_hash(ContentHash(json));
  source->set_licence("MIT");
  for (const JsonTree& from : providers->items) {
    const std::string id(from.StringAt("id"));
    prices::Provider provider;
    if (absl::Status status = AddProvider(from, &provider, report); !status.ok()) {
      report->LeaveOut(absl::StrCat("provider ", id), std::string(status.message()));
      continue;
    }
    AddImported(std::move(provider), &book, report);
    const JsonTree* models = from.Find("models");
    if (models == nullptr) continue;
    for (const JsonTree& row : models->items) {
      ++report->read;
      prices::Model model;
      const std::string name = absl::StrCat(id, "/", std::string(row.StringAt("id")));
      if (absl::Status status = AddModel(row, id, &model); !status.ok()) {
        report->LeaveOut(name, std::string(status.message()));
        continue;
      }
      const JsonTree* rates = row.Find("prices");
      if (rates->is_object() && rates->members.empty()) report->Note(name, "free: listed without any price");
      AddImported(std::move(model), name, options, &book, report);
    }
  }
  return book;
}

}  // namespace purser::pricing
