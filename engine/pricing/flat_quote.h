#ifndef PURSER_ENGINE_PRICING_FLAT_QUOTE_H_
#define PURSER_ENGINE_PRICING_FLAT_QUOTE_H_

#include <algorithm>
#include <cstdint>

#include "engine/pricing/meter_facts.h"
#include "engine/pricing/model_prices.h"
#include "engine/pricing/money.h"
#include "engine/pricing/quote_input.h"

namespace purser::pricing {

// The arithmetic of quotes by FlatRates. Inline: it is done for every candidate of every request.

inline int64_t ChargeFemtosUp(int64_t units, int64_t femtos) {
  uint64_t product;
  if (__builtin_mul_overflow(static_cast<uint64_t>(units), static_cast<uint64_t>(femtos), &product) ||
      product > ~uint64_t{kFemtosPerNano}) [[unlikely]] {
    return ChargeUp(units, {femtos, kFemtosPerNano});
  }
  return static_cast<int64_t>((product + (kFemtosPerNano - 1)) / kFemtosPerNano);
}

// Whether FlatRates know all that the request is billed for.
inline bool IsPlainText(const QuoteInput& input) {
  return (input.audio_input_tokens | input.image_input_tokens | input.images | input.web_searches |
          input.tool_calls | input.output_images) == 0;
}

// Quotes a request of plain text from flat rates, part by part, to `add(meter, units, most_units, femtos,
// most_femtos)`. Returns what has no rate.
template <typename AddPart>
inline MeterSet QuoteFlat(const FlatRates& flat, const QuoteInput& input, AddPart add) {
  MeterSet unpriced;
  const int64_t most_input = std::max(input.input_tokens, input.most_input_tokens);
  const FlatRates::Column& now = flat.At(input.input_tokens);
  const FlatRates::Column& most = flat.HighestUpTo(most_input);
  if (most_input > 0) {
    if (now.input < 0) {
      unpriced.Add(Meter::kInputTokens);
    } else if ((input.cached_tokens | input.cache_write_tokens) == 0) {
      add(Meter::kInputTokens, input.input_tokens, most_input, now.input, most.input);
    } else {
      // At worst nothing is in the cache: what was expected there is read in full, and written again.
      const int64_t cached = std::clamp<int64_t>(input.cached_tokens, 0, input.input_tokens);
      const int64_t written = std::clamp<int64_t>(input.cache_write_tokens, 0, input.input_tokens - cached);
      const int64_t special = cached + written;
      const Meter write = input.cache_write_1h ? Meter::kCacheWrite1hTokens : Meter::kCacheWrite5mTokens;
      const int64_t now_write = input.cache_write_1h ? now.cache_write_1h : now.cache_write_5m;
      const int64_t most_write = input.cache_write_1h ? most.cache_write_1h : most.cache_write_5m;
      const int64_t highest = special > 0 ? std::max(most.input, most_write) : most.input;
      if (cached > 0) {
        add(Meter::kCacheReadTokens, cached, cached, now.cache_read, std::max(highest, most.cache_read));
      }
      if (written > 0) add(write, written, written, now_write, highest);
      if (most_input > special) {
        add(Meter::kInputTokens, input.input_tokens - special, most_input - special, now.input, highest);
      }
    }
  }
  const int64_t most_output = std::max(input.output_tokens, input.most_output_tokens);
  if (most_output > 0) {
    if (now.output < 0) {
      unpriced.Add(Meter::kOutputTokens);
    } else {
      add(Meter::kOutputTokens, input.output_tokens, most_output, now.output, most.highest_output);
    }
  }
  return unpriced;
}

}  // namespace purser::pricing

#endif  // PURSER_ENGINE_PRICING_FLAT_QUOTE_H_
