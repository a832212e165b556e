#include "engine/pricing/model_compiler.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "engine/pricing/self_hosted.h"
#include "engine/pricing/unit_price.h"

namespace purser::pricing {
namespace {

constexpr int64_t kMillion = 1'000'000;

int64_t DefaultPer(Meter meter) {
  switch (FactsOf(meter).counted) {
    case Counted::kTokens:
    case Counted::kCharacters:
    case Counted::kPixels:
      return kMillion;
    default:
      return 1;
  }
}

// How much a meter says about itself: the more, the fewer units it can bill.
int Specificity(Meter meter) {
  const MeterFacts& facts = FactsOf(meter);
  return (facts.direction != Direction::kAny) + (facts.modality != Modality::kAny) +
         (facts.kind != Kind::kAny) + (facts.grade != Grade::kAny);
}

std::optional<int64_t> ParseMoment(const std::string& text) {
  absl::Time time;
  std::string error;
  if (text.size() == 10 ? absl::ParseTime("%Y-%m-%d", text, &time, &error)
                        : absl::ParseTime(absl::RFC3339_full, text, &time, &error)) {
    return absl::ToUnixNanos(time);
  }
  return std::nullopt;
}

std::optional<int32_t> ParseTimeOfDay(const std::string& text) {
  const std::vector<std::string> parts = absl::StrSplit(text, ':');
  if (parts.size() < 2 || parts.size() > 3) return std::nullopt;
  int32_t fields[3] = {0, 0, 0};
  for (size_t i = 0; i < parts.size(); ++i) {
    if (parts[i].size() != 2 || !absl::SimpleAtoi(parts[i], &fields[i]) || fields[i] < 0) return std::nullopt;
  }
  if (fields[0] > 24 || fields[1] > 59 || fields[2] > 59 || (fields[0] == 24 && (fields[1] || fields[2]))) {
    return std::nullopt;
  }
  return (fields[0] * 3600 + fields[1] * 60 + fields[2]) % 86'400;
}

// The offsets of a named zone from 2020 to 2045, one entry per change.
std::vector<TimeWindow::Offset> OffsetsOf(const absl::TimeZone& zone) {
  std::vector<TimeWindow::Offset> offsets;
  absl::Time from = absl::FromCivil(absl::CivilDay(2020, 1, 1), zone);
  const absl::Time until = absl::FromCivil(absl::CivilDay(2045, 1, 1), zone);
  offsets.push_back({absl::ToUnixNanos(from), zone.At(from).offset});
  absl::TimeZone::CivilTransition change;
  while (zone.NextTransition(from, &change)) {
    // A skipped hour holds the moment at its beginning, a repeated one at its end.
    const absl::TimeZone::TimeInfo before = zone.At(change.from);
    const absl::TimeZone::TimeInfo after = zone.At(change.to);
    const absl::Time moment = before.kind == absl::TimeZone::TimeInfo::UNIQUE ? after.trans : before.trans;
    if (moment <= from || moment >= until) break;
    from = moment;
    offsets.push_back({absl::ToUnixNanos(from), zone.At(from).offset});
  }
  return offsets;
}

std::optional<std::vector<TimeWindow::Offset>> ParseZone(const std::string& zone) {
  if (zone.empty() || zone == "UTC" || zone == "Z") return std::vector<TimeWindow::Offset>();
  if (zone.size() == 6 && (zone[0] == '+' || zone[0] == '-')) {
    const auto east = ParseTimeOfDay(zone.substr(1));
    if (!east) return std::nullopt;
    return std::vector<TimeWindow::Offset>{{INT64_MIN, zone[0] == '-' ? -*east : *east}};
  }
  absl::TimeZone named;
  if (!absl::LoadTimeZone(zone, &named)) return std::nullopt;
  return OffsetsOf(named);
}

class ModelCompiler {
 public:
  ModelCompiler(const std::string& path, Diagnostics* diagnostics) : path_(path), diagnostics_(diagnostics) {}

  std::unique_ptr<ModelPrices> Compile(const prices::Model& model);

 private:
  // Paths are put together only when something is wrong: most books have nothing wrong.
  template <typename... Parts>
  void Error(std::string message, const Parts&... parts) {
    diagnostics_->Error(absl::StrCat(path_, parts...), std::move(message));
  }

  void CompileFacts(const prices::Model& model, ModelPrices* prices);
  Sheet CompileSheet(const prices::Model& model, int index);
  void CompileConditions(const prices::Model& model, int index, Sheet* sheet);
  void CompileWindow(const prices::Window& window, int sheet, int index, Sheet* to);
  std::optional<MeterRate> CompileRate(const prices::Rate& rate, Fraction factor, int sheet, int index);
  std::optional<UnitPrice> CompilePrice(const std::string& usd, bool free, int64_t per, Fraction factor,
                                        int sheet, int rate, int tier);
  void CompileTiers(const prices::Rate& rate, int64_t per, Fraction factor, int sheet, int index,
                    MeterRate* to);
  void CompileUplifts(const prices::Model& model, ModelPrices* prices);
  void CompileSelfHosted(const prices::SelfHosted& terms, ModelPrices* prices);

  const std::string& path_;
  Diagnostics* diagnostics_;
};

// What is not the whole input's size, or not in femto-dollars, does not fit into FlatRates.
bool IsFlat(const MeterRate& rate) {
  const auto in_femtos = [](UnitPrice price) { return price.denominator == kFemtosPerNano; };
  return rate.rule == TierRule::kWhole && rate.minimum == 0 && rate.meter != Meter::kRequests &&
         rate.tiers.size() <= 1 && in_femtos(rate.base) &&
         (rate.tiers.empty() || (rate.sized_by == Meter::kInputTokens && in_femtos(rate.tiers[0].price)));
}

FlatRates Flatten(const Sheet& sheet) {
  FlatRates flat;
  if (sheet.rates.empty()) return flat;
  for (const MeterRate& rate : sheet.rates) {
    if (!IsFlat(rate)) return {};
    if (rate.tiers.empty()) continue;
    const int64_t above = rate.tiers[0].start - (rate.inclusive ? 1 : 0);
    if (flat.above != INT64_MAX && flat.above != above) return {};
    flat.above = above;
  }
  const auto rate_of = [&](Meter meter) -> const MeterRate* {
    const int8_t by = sheet.billed_by[static_cast<int>(meter)];
    return by < 0 ? nullptr : &sheet.rates[by];
  };
  // The more expensive of two tiers is found rate by rate: output may get cheaper where input gets more
  // expensive.
  const auto set = [&](int64_t FlatRates::Column::*field, Meter meter) {
    const MeterRate* rate = rate_of(meter);
    if (rate == nullptr) return;
    flat.base.*field = rate->base.numerator;
    flat.upper.*field = rate->tiers.empty() ? rate->base.numerator : rate->tiers[0].price.numerator;
    flat.highest_reach.*field = std::max(flat.base.*field, flat.upper.*field);
  };
  using Column = FlatRates::Column;
  set(&Column::input, Meter::kInputTokens);
  set(&Column::cache_read, Meter::kCacheReadTokens);
  set(&Column::cache_write_5m, Meter::kCacheWrite5mTokens);
  set(&Column::cache_write_1h, Meter::kCacheWrite1hTokens);
  set(&Column::output, Meter::kOutputTokens);
  set(&Column::highest_output, Meter::kOutputReasoningTokens);
  for (Column* column : {&flat.base, &flat.upper, &flat.highest_reach}) {
    if (column->output >= 0) column->highest_output = std::max(column->highest_output, column->output);
  }
  flat.serves = true;
  return flat;
}

// Orders a sheet's rates and says which meter bills what.
void Finish(Sheet* sheet) {
  std::stable_sort(sheet->rates.begin(), sheet->rates.end(), [](const MeterRate& a, const MeterRate& b) {
    return Specificity(a.meter) > Specificity(b.meter);
  });
  sheet->priced = {};
  for (const MeterRate& rate : sheet->rates) sheet->priced.Add(rate.meter);
  for (MeterRate& rate : sheet->rates) {
    rate.priced_within = IncludedIn(rate.meter) & sheet->priced;
    rate.highest = rate.base;
    for (const PriceTier& tier : rate.tiers) {
      if (MoreExpensive(tier.price, rate.highest)) rate.highest = tier.price;
    }
  }
  // From the general to the specific, so that the most specific rate has the last word.
  std::fill(std::begin(sheet->billed_by), std::end(sheet->billed_by), int8_t{-1});
  for (int r = static_cast<int>(sheet->rates.size()) - 1; r >= 0; --r) {
    const Meter meter = sheet->rates[r].meter;
    sheet->billed_by[static_cast<int>(meter)] = static_cast<int8_t>(r);
    IncludedIn(meter).ForEach([&](Meter inner) {
      int8_t& by = sheet->billed_by[static_cast<int>(inner)];
      const bool as_specific = by >= 0 && Specificity(sheet->rates[by].meter) == Specificity(meter);
      if (as_specific && MoreExpensive(sheet->rates[by].highest, sheet->rates[r].highest)) return;
      by = static_cast<int8_t>(r);
    });
  }
  sheet->flat = Flatten(*sheet);
}

void ModelCompiler::CompileFacts(const prices::Model& model, ModelPrices* prices) {
  if (model.id().empty()) Error("a model needs an id");
  if (model.provider().empty()) Error("a model needs a provider");
  prices->id = model.id();
  prices->provider = model.provider();
  prices->mode = model.mode();
  prices->context_window = model.context_window();
  prices->max_input_tokens = model.max_input_tokens();
  prices->max_output_tokens = model.max_output_tokens();
  if (prices->context_window < 0 || prices->max_input_tokens < 0 || prices->max_output_tokens < 0) {
    Error("a size is negative");
  }
  for (const int capability : model.capabilities()) prices->capabilities |= 1u << capability;
  prices->capabilities_known = !model.capabilities().empty();
}

std::optional<UnitPrice> ModelCompiler::CompilePrice(const std::string& usd, bool free, int64_t per,
                                                     Fraction factor, int sheet, int rate, int tier) {
  const auto fail = [&](std::string message) {
    const std::string in_tier = tier < 0 ? "" : absl::StrCat(".tiers[", tier, "]");
    Error(std::move(message), ".sheets[", sheet, "].rates[", rate, "]", in_tier, usd.empty() ? "" : ".usd");
    return std::nullopt;
  };
  if (free) {
    if (!usd.empty()) return fail("free and a price: say one of them");
    return UnitPrice{};
  }
  if (usd.empty()) return fail("no price; expected usd: \"0.25\" or free: true");
  const auto decimal = ParseDecimal(usd);
  if (!decimal)
    return fail(absl::StrCat("\"", usd,
                             "\" is not a price; expected dollars as digits with a point, such as \"0.50\""));
  if (decimal->zero()) return fail("a price of 0 must be stated as free: true");
  if (decimal->negative()) return fail(absl::StrCat("\"", usd, "\" is negative"));
  auto price = MakeUnitPrice(*decimal, per);
  if (price && (factor.numerator != 1 || factor.denominator != 1)) price = Multiply(*price, factor);
  if (!price) return fail(absl::StrCat("\"", usd, "\" cannot be held exactly"));
  return price;
}

void ModelCompiler::CompileTiers(const prices::Rate& rate, int64_t per, Fraction factor, int sheet, int index,
                                 MeterRate* to) {
  int64_t previous = -1;
  for (int t = 0; t < rate.tiers_size(); ++t) {
    const prices::Tier& tier = rate.tiers(t);
    if (tier.above() <= previous || (t == 0 && tier.above() < 0)) {
      Error("tiers have to ascend from 0", ".sheets[", sheet, "].rates[", index, "].tiers[", t, "].above");
    }
    previous = tier.above();
    const auto price = CompilePrice(tier.usd(), tier.free(), per, factor, sheet, index, t);
    int64_t start;
    if (__builtin_mul_overflow(tier.above(), UnitScale(to->sized_by), &start)) {
      Error("beyond what can be counted", ".sheets[", sheet, "].rates[", index, "].tiers[", t, "].above");
      continue;
    }
    if (price) to->tiers.push_back({start, *price});
  }
}

std::optional<MeterRate> ModelCompiler::CompileRate(const prices::Rate& rate, Fraction factor, int sheet,
                                                    int index) {
  const auto meter = FindMeter(rate.meter());
  if (!meter) {
    Error(absl::StrCat("no meter is named \"", rate.meter(), "\"; such are input_tokens, output_tokens, ",
                       "cache_read_tokens, cache_write_1h_tokens, output_reasoning_tokens, web_searches"),
          ".sheets[", sheet, "].rates[", index, "].meter");
    return std::nullopt;
  }
  MeterRate compiled;
  compiled.meter = *meter;
  compiled.rule = rate.marginal() ? TierRule::kMarginal : TierRule::kWhole;
  compiled.inclusive = rate.inclusive();
  const bool by_itself = rate.marginal() || FactsOf(*meter).counted != Counted::kTokens;
  compiled.sized_by = by_itself ? *meter : Meter::kInputTokens;
  if (!rate.sized_by().empty()) {
    if (const auto sized_by = FindMeter(rate.sized_by())) {
      compiled.sized_by = *sized_by;
    } else {
      Error(absl::StrCat("no meter is named \"", rate.sized_by(), "\""), ".sheets[", sheet, "].rates[", index,
            "].sized_by");
    }
  }
  int64_t per = rate.per() == 0 ? DefaultPer(*meter) : rate.per();
  if (per < 0 || __builtin_mul_overflow(per, UnitScale(*meter), &per) ||
      __builtin_mul_overflow(rate.minimum(), UnitScale(*meter), &compiled.minimum) || compiled.minimum < 0) {
    Error("expected a positive number of units", ".sheets[", sheet, "].rates[", index, "]");
    return std::nullopt;
  }
  const auto base = CompilePrice(rate.usd(), rate.free(), per, factor, sheet, index, -1);
  if (base) compiled.base = *base;
  CompileTiers(rate, per, factor, sheet, index, &compiled);
  if (!base) return std::nullopt;
  return compiled;
}

void ModelCompiler::CompileWindow(const prices::Window& window, int sheet, int index, Sheet* to) {
  TimeWindow compiled;
  const auto begin = ParseTimeOfDay(window.from());
  const auto end = ParseTimeOfDay(window.until());
  if (!begin || !end) {
    Error("expected times of day, such as from: \"16:30\" until: \"00:30\"", ".sheets[", sheet, "].windows[",
          index, "]");
    return;
  }
  compiled.begin_second = *begin;
  compiled.end_second = *end;
  if (!window.weekdays().empty()) {
    compiled.weekdays = 0;
    for (const int day : window.weekdays()) compiled.weekdays |= day > 0 ? 1u << (day - 1) : 0;
  }
  auto offsets = ParseZone(window.zone());
  if (!offsets) {
    Error(absl::StrCat("no time zone \"", window.zone(),
                       "\"; expected \"UTC\", \"+08:00\" or \"Asia/Shanghai\""),
          ".sheets[", sheet, "].windows[", index, "].zone");
    return;
  }
  compiled.offsets = *std::move(offsets);
  to->windows.push_back(std::move(compiled));
}

void ModelCompiler::CompileConditions(const prices::Model& model, int index, Sheet* sheet) {
  const auto& from = model.sheets(index);
  for (int i = 0; i < from.service_tiers_size(); ++i) {
    const ServiceTier tier = ParseServiceTier(from.service_tiers(i));
    if (tier == ServiceTier::kUnstated) {
      Error(absl::StrCat("no service tier is named \"", from.service_tiers(i),
                         "\"; expected one of: standard, batch, flex, priority, fast, scale"),
            ".sheets[", index, "].service_tiers[", i, "]");
    }
    sheet->service_tiers |= 1u << static_cast<int>(tier);
  }
  sheet->regions.assign(from.regions().begin(), from.regions().end());
  const auto moment = [&](const std::string& text, const char* field, int64_t* to) {
    if (text.empty()) return;
    const auto parsed = ParseMoment(text);
    if (!parsed) {
      Error(absl::StrCat("\"", text, "\" is not a date; expected \"2026-03-13\" or \"2026-03-13T08:00:00Z\""),
            ".sheets[", index, "].", field);
      return;
    }
    *to = *parsed;
  };
  moment(from.from(), "from", &sheet->from_nanos);
  moment(from.until(), "until", &sheet->until_nanos);
  if (sheet->from_nanos >= sheet->until_nanos) {
    Error("ends before it begins", ".sheets[", index, "].until");
  }
  for (int i = 0; i < from.windows_size(); ++i) CompileWindow(from.windows(i), index, i, sheet);
  sheet->unconditional = sheet->service_tiers == 0 && sheet->regions.empty() && from.from().empty() &&
                         from.until().empty() && sheet->windows.empty();
}

Sheet ModelCompiler::CompileSheet(const prices::Model& model, int index) {
  const auto& from = model.sheets(index);
  Sheet sheet;
  CompileConditions(model, index, &sheet);
  Fraction factor;
  if (!from.multiplier().empty()) {
    if (const auto parsed = ParseFraction(from.multiplier())) {
      factor = *parsed;
    } else {
      Error("expected a positive decimal or fraction, such as \"0.5\" or \"11/10\"", ".sheets[", index,
            "].multiplier");
    }
  }
  sheet.rates.reserve(from.rates_size());
  MeterSet seen;
  for (int i = 0; i < from.rates_size(); ++i) {
    auto rate = CompileRate(from.rates(i), factor, index, i);
    if (!rate) continue;
    if (seen.Has(rate->meter)) {
      Error(absl::StrCat("\"", from.rates(i).meter(), "\" has a rate already"), ".sheets[", index, "].rates[",
            i, "].meter");
      continue;
    }
    seen.Add(rate->meter);
    sheet.rates.push_back(*std::move(rate));
  }
  Finish(&sheet);
  return sheet;
}

void ModelCompiler::CompileUplifts(const prices::Model& model, ModelPrices* prices) {
  if (model.uplifts().empty()) return;
  std::vector<Sheet> plain = std::move(prices->sheets);
  prices->sheets.clear();
  for (int u = 0; u < model.uplifts_size(); ++u) {
    const prices::Uplift& uplift = model.uplifts(u);
    const auto factor = ParseFraction(uplift.multiplier());
    if (!factor || (uplift.regions().empty() && uplift.regions_except().empty())) {
      Error("expected regions and a positive multiplier, such as \"1.1\"", ".uplifts[", u, "]");
      continue;
    }
    for (const Sheet& sheet : plain) {
      if (!sheet.regions.empty()) continue;  // It has prices for its regions already.
      Sheet uplifted = sheet;
      uplifted.regions.assign(uplift.regions().begin(), uplift.regions().end());
      uplifted.regions_except.assign(uplift.regions_except().begin(), uplift.regions_except().end());
      uplifted.unconditional = false;
      bool exact = true;
      const auto raise = [&](UnitPrice* price) {
        const auto raised = Multiply(*price, *factor);
        exact = exact && raised.has_value();
        if (raised) *price = *raised;
      };
      for (MeterRate& rate : uplifted.rates) {
        raise(&rate.base);
        for (PriceTier& tier : rate.tiers) raise(&tier.price);
      }
      if (!exact) Error("a price times this cannot be held exactly", ".uplifts[", u, "].multiplier");
      Finish(&uplifted);
      prices->sheets.push_back(std::move(uplifted));
    }
  }
  // A sheet for a region of its own comes before every uplift: it says the price outright.
  std::stable_partition(plain.begin(), plain.end(),
                        [](const Sheet& sheet) { return !sheet.regions.empty(); });
  const auto regional =
      std::find_if(plain.begin(), plain.end(), [](const Sheet& s) { return s.regions.empty(); });
  prices->sheets.insert(prices->sheets.begin(), std::make_move_iterator(plain.begin()),
                        std::make_move_iterator(regional));
  prices->sheets.insert(prices->sheets.end(), std::make_move_iterator(regional),
                        std::make_move_iterator(plain.end()));
}

void ModelCompiler::CompileSelfHosted(const prices::SelfHosted& terms, ModelPrices* prices) {
  if (!prices->sheets.empty()) {
    Error("a self-hosted model has no sheets", ".self_hosted");
    return;
  }
  const SelfHostedPrices costs = PriceSelfHosted(terms, path_ + ".self_hosted", diagnostics_);
  const auto rate = [](Meter meter, UnitPrice price) {
    MeterRate compiled;
    compiled.meter = meter;
    compiled.base = price;
    return compiled;
  };
  Sheet sheet;
  if (costs.by_token) {
    sheet.rates.push_back(rate(Meter::kInputTokens, costs.input_token));
    sheet.rates.push_back(rate(Meter::kOutputTokens, costs.output_token));
  } else {
    sheet.rates.push_back(rate(Meter::kGpuSeconds, costs.gpu_second));
  }
  Finish(&sheet);
  prices->sheets.push_back(std::move(sheet));
}

std::unique_ptr<ModelPrices> ModelCompiler::Compile(const prices::Model& model) {
  auto prices = std::make_unique<ModelPrices>();
  CompileFacts(model, prices.get());
  prices->sheets.reserve(model.sheets_size());
  for (int i = 0; i < model.sheets_size(); ++i) prices->sheets.push_back(CompileSheet(model, i));
  CompileUplifts(model, prices.get());
  if (model.has_self_hosted()) CompileSelfHosted(model.self_hosted(), prices.get());
  return prices;
}

}  // namespace

std::unique_ptr<ModelPrices> CompileModel(const prices::Model& model, const std::string& path,
                                          Diagnostics* diagnostics) {
  return ModelCompiler(path, diagnostics).Compile(model);
}

absl::StatusOr<std::unique_ptr<ModelPrices>> CompileModel(const prices::Model& model) {
  Diagnostics diagnostics;
  auto prices = CompileModel(model, "model", &diagnostics);
  if (!diagnostics.ok()) return diagnostics.ToStatus();
  return prices;
}

}  // namespace purser::pricing
