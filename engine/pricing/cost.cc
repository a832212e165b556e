#include "engine/pricing/cost.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "engine/pricing/rate_size.h"

namespace purser::pricing {
namespace {

absl::string_view Absl(std::string_view text) { return {text.data(), text.size()}; }

class Realizing {
 public:
  Realizing(const Sheet& sheet, const Usage& usage, Cost* cost) : sheet_(sheet), usage_(usage), cost_(cost) {}

  void Run();

 private:
  std::optional<int64_t> UnitsOf(Meter meter) const;
  bool Bill(const MeterRate& rate);
  bool Charge(Meter meter, int64_t units, UnitPrice price);
  void FindUnpriced();
  bool Fail(CostState state, Meter at_fault) {
    cost_->state = state;
    cost_->at_fault = at_fault;
    return false;
  }

  const Sheet& sheet_;
  const Usage& usage_;
  Cost* cost_;
  // What each rate bills itself, without what more specific rates bill. Only those already billed are set.
  int64_t billed_[kMeterCount];
};

// What was used of `meter`: as stated, else the sum of what it includes. Nothing if that cannot be told,
// because the parts may overlap.
std::optional<int64_t> Realizing::UnitsOf(Meter meter) const {
  if (usage_.Has(meter)) return usage_.Units(meter);
  if (meter == Meter::kRequests) return 1;
  const MeterSet parts = IncludedIn(meter) & usage_.known();
  if (parts.empty()) return 0;
  MeterSet largest;
  parts.ForEach([&](Meter part) {
    if (usage_.Units(part) > 0) largest.Add(part);
  });
  largest.ForEach([&](Meter part) { largest = largest - IncludedIn(part); });
  int64_t sum = 0;
  bool certain = true;
  largest.ForEach([&](Meter part) {
    largest.ForEach([&](Meter other) { certain = certain && (part == other || !Overlap(part, other)); });
    certain = certain && !__builtin_add_overflow(sum, usage_.Units(part), &sum);
  });
  if (!certain) return std::nullopt;
  return sum;
}

bool Realizing::Charge(Meter meter, int64_t units, UnitPrice price) {
  const int64_t nanos = ChargeHalfEven(units, price);
  const int64_t total = AddSaturating(cost_->total_nanos, nanos);
  if (total == kMaxNanos || !cost_->Append({meter, units, price, nanos})) {
    return Fail(CostState::kOverflow, meter);
  }
  cost_->total_nanos = total;
  switch (FactsOf(meter).direction) {
    case Direction::kInput:
      cost_->input_nanos += nanos;
      break;
    case Direction::kOutput:
      cost_->output_nanos += nanos;
      break;
    case Direction::kAny:
      break;
  }
  return true;
}

bool Realizing::Bill(const MeterRate& rate) {
  const auto units = UnitsOf(rate.meter);
  if (!units) return Fail(CostState::kContradictory, rate.meter);
  int64_t own = *units;
  rate.priced_within.ForEach([&](Meter inner) { own -= billed_[static_cast<int>(inner)]; });
  if (own < 0) return Fail(CostState::kContradictory, rate.meter);
  billed_[static_cast<int>(rate.meter)] = own;
  if (own == 0) return true;
  own = std::max(own, rate.minimum);
  if (rate.rule == TierRule::kMarginal) {
    bool ok = true;
    ForEachMarginalTier(rate, own,
                        [&](int64_t part, UnitPrice price) { ok = ok && Charge(rate.meter, part, price); });
    return ok;
  }
  if (rate.tiers.empty()) return Charge(rate.meter, own, rate.base);
  const auto size = UnitsOf(rate.sized_by);
  if (!size) return Fail(CostState::kContradictory, rate.sized_by);
  return Charge(rate.meter, own, PriceAt(rate, *size));
}

// Of the meters that nothing bills, the most general ones.
void Realizing::FindUnpriced() {
  MeterSet covered;
  usage_.known().ForEach([&](Meter meter) {
    if (sheet_.billed_by[static_cast<int>(meter)] >= 0 || usage_.Units(meter) == 0) return;
    int64_t rest = usage_.Units(meter);
    (IncludedIn(meter) & sheet_.priced).ForEach([&](Meter inner) {
      rest -= billed_[static_cast<int>(inner)];
    });
    if (rest <= 0) return;
    cost_->unpriced.Add(meter);
    covered = covered | IncludedIn(meter);
  });
  cost_->unpriced = cost_->unpriced - covered;
}

void Realizing::Run() {
  for (const MeterRate& rate : sheet_.rates) {
    if (!Bill(rate)) return;
  }
  FindUnpriced();
  if (cost_->unpriced.empty()) {
    cost_->state = CostState::kPriced;
  } else {
    cost_->state = cost_->items().empty() ? CostState::kUnpriced : CostState::kPartlyPriced;
  }
}

std::string Names(MeterSet meters) {
  std::string names;
  meters.ForEach(
      [&](Meter meter) { absl::StrAppend(&names, names.empty() ? "" : ", ", Absl(NameOf(meter))); });
  return names;
}

constexpr __int128 kAttosPerNano = 1'000'000'000;

// In 10^-18 dollars.
__int128 Attos(const CostItem& item) {
  const __int128 product = static_cast<__int128>(item.units) * item.price.numerator;
  const __int128 whole = product / item.price.denominator;
  const __int128 rest = product % item.price.denominator * kAttosPerNano;
  const __int128 down = rest / item.price.denominator;
  const __int128 up = rest % item.price.denominator * 2 >= item.price.denominator ? 1 : 0;
  return whole * kAttosPerNano + down + up;
}

std::string FormatAttos(__int128 attos) {
  const __int128 per_dollar = kAttosPerNano * 1'000'000'000;
  std::string text = absl::StrCat(static_cast<int64_t>(attos / per_dollar));
  __int128 fraction = attos % per_dollar;
  if (fraction == 0) return text;
  std::string digits(18, '0');
  for (int i = 17; i >= 0; --i, fraction /= 10)
    digits[i] = static_cast<char>('0' + static_cast<int>(fraction % 10));
  while (digits.back() == '0') digits.pop_back();
  return text + "." + digits;
}

}  // namespace

void Realize(const ModelPrices& prices, const Usage& usage, ServiceTier tier, std::string_view region,
             int64_t time_nanos, Cost* cost) {
  cost->Clear();
  const ServiceTier served = usage.service_tier != ServiceTier::kUnstated ? usage.service_tier : tier;
  cost->sheet = prices.SheetFor(served, region, time_nanos);
  if (cost->sheet == nullptr || cost->sheet->rates.empty()) {
    cost->unpriced = usage.known();
    return;
  }
  Realizing(*cost->sheet, usage, cost).Run();
}

std::string Cost::Explain() const {
  switch (state) {
    case CostState::kPriced:
      return "";
    case CostState::kPartlyPriced:
      return absl::StrCat("no rate for ", Names(unpriced), ": the total is too low");
    case CostState::kUnpriced:
      if (sheet == nullptr) return "no price list applies";
      return absl::StrCat("no rate for ", Names(unpriced));
    case CostState::kContradictory:
      return absl::StrCat("the usage of ", Absl(NameOf(at_fault)),
                          " is missing or less than that of what it includes");
    case CostState::kOverflow:
      return absl::StrCat("the cost of ", Absl(NameOf(at_fault)), " is beyond what can be booked");
  }
  return "";
}

ExactCost ExactDecimals(const Cost& cost) {
  __int128 total = 0, input = 0, output = 0;
  for (const CostItem& item : cost.items()) {
    const __int128 attos = Attos(item);
    total += attos;
    if (FactsOf(item.meter).direction == Direction::kInput) input += attos;
    if (FactsOf(item.meter).direction == Direction::kOutput) output += attos;
  }
  return {FormatAttos(total), FormatAttos(input), FormatAttos(output)};
}

}  // namespace purser::pricing
