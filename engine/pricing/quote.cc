#include "engine/pricing/quote.h"

#include <algorithm>

#include "engine/pricing/flat_quote.h"
#include "engine/pricing/rate_size.h"

namespace purser::pricing {
namespace {

class Quoting {
 public:
  Quoting(const Sheet& sheet, const QuoteInput& input, Quote* quote)
      : sheet_(sheet), input_(input), quote_(quote) {}

  void Run();

 private:
  const MeterRate* RateOf(Meter meter) const {
    const int8_t by = sheet_.billed_by[static_cast<int>(meter)];
    return by < 0 ? nullptr : &sheet_.rates[by];
  }
  // The rate that is the meter's own, not that of what includes it.
  const MeterRate* OwnRateOf(Meter meter) const { return sheet_.priced.Has(meter) ? RateOf(meter) : nullptr; }

  UnitPrice HighestPrice(const MeterRate& rate, int64_t most_units) const {
    return HighestUpTo(rate, rate.sized_by == Meter::kInputTokens ? input_.most_input_tokens : most_units);
  }

  // Up to `most_units` of `meter`; at worst each costs `or_price`, if that is more.
  void Add(Meter meter, int64_t units, int64_t most_units, UnitPrice or_price = {});
  void AddInput();

  const Sheet& sheet_;
  const QuoteInput& input_;
  Quote* quote_;
};

void Quoting::Add(Meter meter, int64_t units, int64_t most_units, UnitPrice or_price) {
  if (most_units < units) most_units = units;
  if (most_units <= 0) return;
  const MeterRate* rate = RateOf(meter);
  if (rate == nullptr) {
    quote_->unpriced.Add(meter);
    return;
  }
  QuoteItem& item = quote_->Append();
  item.meter = meter;
  item.units = units;
  item.most_units = most_units;
  if (rate->rule == TierRule::kMarginal) {
    item.price = rate->base;
    item.nanos = 0;
    ForEachMarginalTier(*rate, units, [&](int64_t part, UnitPrice price) {
      item.price = price;
      item.nanos = AddSaturating(item.nanos, ChargeUp(part, price));
    });
  } else {
    item.price = PriceAt(*rate, rate->sized_by == Meter::kInputTokens ? input_.input_tokens : units);
    item.nanos = ChargeUp(std::max(units, units > 0 ? rate->minimum : 0), item.price);
  }
  item.most_price = rate->tiers.empty() ? rate->base : HighestPrice(*rate, most_units);
  if (MoreExpensive(or_price, item.most_price)) item.most_price = or_price;
  item.most_nanos = std::max(item.nanos, ChargeUp(std::max(most_units, rate->minimum), item.most_price));
  quote_->expected_nanos = AddSaturating(quote_->expected_nanos, item.nanos);
  quote_->worst_nanos = AddSaturating(quote_->worst_nanos, item.most_nanos);
}

void Quoting::AddInput() {
  int64_t rest = input_.input_tokens;
  const auto take = [&rest](int64_t wanted) {
    const int64_t taken = std::clamp<int64_t>(wanted, 0, rest);
    rest -= taken;
    return taken;
  };
  const int64_t cached = take(input_.cached_tokens);
  const int64_t written = take(input_.cache_write_tokens);
  const int64_t audio = OwnRateOf(Meter::kInputAudioTokens) != nullptr ? take(input_.audio_input_tokens) : 0;
  const int64_t image = OwnRateOf(Meter::kInputImageTokens) != nullptr ? take(input_.image_input_tokens) : 0;

  // At worst nothing is in the cache: what was expected there is read in full, and written again where the
  // call asks for caching.
  const Meter write = input_.cache_write_1h ? Meter::kCacheWrite1hTokens : Meter::kCacheWrite5mTokens;
  UnitPrice highest;
  for (const Meter meter : {Meter::kInputTokens, cached > 0 || written > 0 ? write : Meter::kInputTokens}) {
    const MeterRate* rate = RateOf(meter);
    if (rate == nullptr) continue;
    const UnitPrice price = HighestPrice(*rate, input_.most_input_tokens);
    if (MoreExpensive(price, highest)) highest = price;
  }
  if (cached > 0) Add(Meter::kCacheReadTokens, cached, cached, highest);
  if (written > 0) Add(write, written, written, highest);
  if (audio > 0) Add(Meter::kInputAudioTokens, audio, audio, highest);
  if (image > 0) Add(Meter::kInputImageTokens, image, image, highest);
  const int64_t rest_at_most =
      std::max(input_.most_input_tokens, input_.input_tokens) - (input_.input_tokens - rest);
  Add(Meter::kInputTokens, rest, rest_at_most, highest);
}

void Quoting::Run() {
  if (input_.input_tokens > 0 || input_.most_input_tokens > 0) AddInput();
  const MeterRate* reasoning = OwnRateOf(Meter::kOutputReasoningTokens);
  Add(Meter::kOutputTokens, input_.output_tokens, input_.most_output_tokens,
      reasoning == nullptr ? UnitPrice{} : HighestPrice(*reasoning, input_.most_output_tokens));
  if (OwnRateOf(Meter::kRequests) != nullptr) Add(Meter::kRequests, input_.requests, input_.requests);
  if (input_.images > 0 && OwnRateOf(Meter::kInputImages) != nullptr) {
    Add(Meter::kInputImages, input_.images, input_.images);
  }
  Add(Meter::kOutputImages, input_.output_images, input_.output_images);
  Add(Meter::kWebSearches, 0, input_.web_searches);
  Add(Meter::kToolCalls, 0, input_.tool_calls);
}

void QuoteFlatItems(const FlatRates& flat, const QuoteInput& input, Quote* quote) {
  quote->unpriced =
      QuoteFlat(flat, input,
                [quote](Meter meter, int64_t units, int64_t most_units, int64_t femtos, int64_t most_femtos) {
                  QuoteItem& item = quote->Append();
                  item.meter = meter;
                  item.units = units;
                  item.most_units = most_units;
                  item.price = {femtos, kFemtosPerNano};
                  item.most_price = {most_femtos, kFemtosPerNano};
                  item.nanos = ChargeFemtosUp(units, femtos);
                  item.most_nanos = ChargeFemtosUp(most_units, most_femtos);
                  quote->expected_nanos = AddSaturating(quote->expected_nanos, item.nanos);
                  quote->worst_nanos = AddSaturating(quote->worst_nanos, item.most_nanos);
                });
}

}  // namespace

void MakeQuote(const PricedCandidate& candidate, const QuoteInput& input, Quote* quote) {
  quote->Clear();
  quote->sheet = candidate.SheetFor(input);
  if (quote->sheet == nullptr || quote->sheet->rates.empty()) return;
  if (quote->sheet->flat.serves && IsPlainText(input)) {
    QuoteFlatItems(quote->sheet->flat, input, quote);
  } else {
    Quoting(*quote->sheet, input, quote).Run();
  }
  quote->priced = quote->unpriced.empty();
}

QuoteTotals MakeLongQuoteTotals(const Sheet* sheet, const QuoteInput& input) {
  if (sheet == nullptr || sheet->rates.empty()) return {};
  Quote quote;
  Quoting(*sheet, input, &quote).Run();
  if (!quote.unpriced.empty()) return {};
  return {true, quote.expected_nanos, quote.worst_nanos};
}

}  // namespace purser::pricing
