#include "engine/pricing/tables/book_diff.h"

#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "engine/pricing/cost.h"

namespace purser::pricing {
namespace {

std::string Text(std::string_view text) { return std::string(text); }

// Dollars for `units` at `price`, exactly.
std::string Usd(UnitPrice price, int64_t units) {
  Cost cost;
  cost.Append({Meter::kInputTokens, units, price, 0});
  return ExactDecimals(cost).total;
}

// "3 per million, 6 above 200000".
std::string Describe(const MeterRate& rate) {
  const Counted counted = FactsOf(rate.meter).counted;
  const bool many =
      counted == Counted::kTokens || counted == Counted::kCharacters || counted == Counted::kPixels;
  const int64_t units = many ? 1'000'000 : UnitScale(rate.meter);
  std::string text =
      rate.base.numerator == 0 ? "free" : absl::StrCat(Usd(rate.base, units), many ? " per million" : "");
  for (const PriceTier& tier : rate.tiers) {
    absl::StrAppend(&text, ", ", Usd(tier.price, units), rate.inclusive ? " from " : " above ",
                    tier.start / UnitScale(rate.sized_by));
  }
  if (rate.rule == TierRule::kMarginal) absl::StrAppend(&text, " (each its own part)");
  if (rate.minimum > 0) absl::StrAppend(&text, ", at least ", rate.minimum / UnitScale(rate.meter));
  return text;
}

std::string Date(int64_t nanos) {
  return absl::FormatTime("%Y-%m-%d", absl::FromUnixNanos(nanos), absl::UTCTimeZone());
}

// When a sheet applies; tells the sheets of a model apart.
std::string Describe(const Sheet& sheet) {
  std::vector<std::string> parts;
  for (int tier = 1; tier < kServiceTierCount; ++tier) {
    if (sheet.service_tiers >> tier & 1) parts.push_back(Text(NameOf(static_cast<ServiceTier>(tier))));
  }
  for (const std::string& region : sheet.regions) parts.push_back(absl::StrCat("in ", region));
  for (const std::string& region : sheet.regions_except) parts.push_back(absl::StrCat("not in ", region));
  if (sheet.from_nanos != INT64_MIN) parts.push_back(absl::StrCat("from ", Date(sheet.from_nanos)));
  if (sheet.until_nanos != INT64_MAX) parts.push_back(absl::StrCat("until ", Date(sheet.until_nanos)));
  for (const TimeWindow& window : sheet.windows) {
    parts.push_back(
        absl::StrCat("seconds ", window.begin_second, "-", window.end_second, " of days ", window.weekdays));
  }
  return parts.empty() ? "standard" : absl::StrJoin(parts, " ");
}

// Everything that a model's price consists of: "batch: output_tokens" -> "5 per million".
std::map<std::string, std::string> Entries(const ModelPrices& model) {
  std::map<std::string, std::string> entries;
  for (const Sheet& sheet : model.sheets) {
    const std::string when = Describe(sheet);
    for (const MeterRate& rate : sheet.rates) {
      // A sheet that an earlier one hides says nothing new.
      entries.try_emplace(absl::StrCat(when, ": ", Text(NameOf(rate.meter))), Describe(rate));
    }
  }
  const auto fact = [&](const char* name, int64_t value) {
    if (value != 0) entries[name] = absl::StrCat(value);
  };
  fact("context window", model.context_window);
  fact("most input tokens", model.max_input_tokens);
  fact("most output tokens", model.max_output_tokens);
  return entries;
}

std::vector<std::string> DiffModels(const ModelPrices& before, const ModelPrices& after) {
  const auto old_entries = Entries(before);
  const auto new_entries = Entries(after);
  std::vector<std::string> lines;
  for (const auto& [what, value] : old_entries) {
    const auto it = new_entries.find(what);
    if (it == new_entries.end()) {
      lines.push_back(absl::StrCat(what, " ", value, " -> none"));
    } else if (it->second != value) {
      lines.push_back(absl::StrCat(what, " ", value, " -> ", it->second));
    }
  }
  for (const auto& [what, value] : new_entries) {
    if (old_entries.count(what) == 0) lines.push_back(absl::StrCat(what, " none -> ", value));
  }
  return lines;
}

std::map<std::string, const ModelPrices*> ByName(const PriceBook& book) {
  std::map<std::string, const ModelPrices*> by_name;
  for (const auto& model : book.models())
    by_name[absl::StrCat(model->provider, "/", model->id)] = model.get();
  return by_name;
}

}  // namespace

std::vector<BookChange> DiffBooks(const PriceBook& before, const PriceBook& after) {
  const auto old_models = ByName(before);
  const auto new_models = ByName(after);
  std::map<std::string, BookChange> changes;
  for (const auto& [name, model] : old_models) {
    const auto it = new_models.find(name);
    if (it == new_models.end()) {
      changes[name] = {BookChange::What::kRemoved, name, {}};
    } else if (auto lines = DiffModels(*model, *it->second); !lines.empty()) {
      changes[name] = {BookChange::What::kChanged, name, std::move(lines)};
    }
  }
  for (const auto& [name, model] : new_models) {
    if (old_models.count(name) == 0) changes[name] = {BookChange::What::kAdded, name, {}};
  }
  std::vector<BookChange> sorted;
  for (auto& [name, change] : changes) sorted.push_back(std::move(change));
  return sorted;
}

}  // namespace purser::pricing
