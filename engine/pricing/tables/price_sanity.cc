#include "engine/pricing/tables/price_sanity.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "engine/pricing/meter_facts.h"
#include "engine/pricing/unit_price.h"

namespace purser::pricing {
namespace {

// $1 per thousand tokens, in femto-dollars a token.
constexpr UnitPrice kDollarPerThousand{1'000'000'000'000, kFemtosPerNano};

std::optional<UnitPrice> PriceOf(const prices::Rate& rate, const std::string& usd, bool free) {
  if (free) return UnitPrice{};
  const auto decimal = ParseDecimal(usd);
  if (!decimal) return std::nullopt;
  return MakeUnitPrice(*decimal, rate.per() == 0 ? 1'000'000 : rate.per());
}

const prices::Rate* FindRate(const prices::Sheet& sheet, Meter meter) {
  for (const prices::Rate& rate : sheet.rates()) {
    if (FindMeter(rate.meter()) == meter) return &rate;
  }
  return nullptr;
}

void CheckSize(const prices::Rate& rate, std::vector<std::string>* found) {
  const auto meter = FindMeter(rate.meter());
  if (!meter || FactsOf(*meter).counted != Counted::kTokens) return;
  const auto check = [&](const std::string& usd, bool free) {
    const auto price = PriceOf(rate, usd, free);
    if (price && !MoreExpensive(kDollarPerThousand, *price)) {
      found->push_back(absl::StrCat(rate.meter(), " costs a dollar or more per thousand: ", usd, " per ",
                                    rate.per() == 0 ? 1'000'000 : rate.per()));
    }
  };
  check(rate.usd(), rate.free());
  for (const prices::Tier& tier : rate.tiers()) check(tier.usd(), tier.free());
}

void CheckCacheRead(const prices::Sheet& sheet, std::vector<std::string>* found) {
  const prices::Rate* read = FindRate(sheet, Meter::kCacheReadTokens);
  const prices::Rate* input = FindRate(sheet, Meter::kInputTokens);
  if (read == nullptr || input == nullptr) return;
  const auto read_price = PriceOf(*read, read->usd(), read->free());
  const auto input_price = PriceOf(*input, input->usd(), input->free());
  if (read_price && input_price && MoreExpensive(*read_price, *input_price)) {
    found->push_back(absl::StrCat("reading from the cache costs more than reading without it: ", read->usd(),
                                  " above ", input->free() ? "0" : input->usd()));
  }
}

}  // namespace

std::vector<std::string> SuspiciousPrices(const prices::Model& model) {
  std::vector<std::string> found;
  for (const prices::Sheet& sheet : model.sheets()) {
    for (const prices::Rate& rate : sheet.rates()) CheckSize(rate, &found);
    CheckCacheRead(sheet, &found);
  }
  return found;
}

}  // namespace purser::pricing
