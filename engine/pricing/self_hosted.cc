#include "engine/pricing/self_hosted.h"

#include "absl/strings/str_cat.h"
#include "engine/pricing/unit_price.h"

namespace purser::pricing {
namespace {

using Wide = unsigned __int128;

// A non-negative decimal in units of 10^-9; an error and nothing otherwise.
std::optional<int64_t> Billionths(const std::string& text, const char* field, const std::string& path,
                                  Diagnostics* diagnostics) {
  if (text.empty()) return 0;
  const auto decimal = ParseDecimal(text);
  const auto scaled = decimal ? MakeUnitPrice(*decimal, 1) : std::nullopt;
  if (scaled && scaled->numerator % scaled->denominator == 0) return scaled->numerator / scaled->denominator;
  diagnostics->Error(absl::StrCat(path, ".", field),
                     absl::StrCat("\"", text, "\" is not a decimal of at most 9 places, 0 or more"));
  return std::nullopt;
}

UnitPrice Femtos(Wide numerator, Wide denominator) {
  const Wide femtos = (numerator + denominator - 1) / denominator;
  return {femtos > static_cast<Wide>(kMaxNanos) ? kMaxNanos : static_cast<int64_t>(femtos), kFemtosPerNano};
}

}  // namespace

SelfHostedPrices PriceSelfHosted(const prices::SelfHosted& terms, const std::string& path,
                                 Diagnostics* diagnostics) {
  SelfHostedPrices prices;
  const auto gpu_hour = Billionths(terms.gpu_hour_usd(), "gpu_hour_usd", path, diagnostics);
  const auto kilowatts = Billionths(terms.kilowatts(), "kilowatts", path, diagnostics);
  const auto kilowatt_hour = Billionths(terms.kilowatt_hour_usd(), "kilowatt_hour_usd", path, diagnostics);
  const auto training = Billionths(terms.training_usd(), "training_usd", path, diagnostics);
  const auto utilisation =
      ParseFraction(terms.utilisation().empty() ? std::string("1") : terms.utilisation());
  if (!utilisation || utilisation->numerator > utilisation->denominator) {
    diagnostics->Error(path + ".utilisation", "expected a share above 0 and at most 1, such as \"0.4\"");
    return prices;
  }
  if (terms.gpus() < 0 || terms.input_tokens_per_second() < 0 || terms.output_tokens_per_second() < 0 ||
      terms.training_spread_over_tokens() < 0) {
    diagnostics->Error(path, "a count is negative");
    return prices;
  }
  if (!gpu_hour || !kilowatts || !kilowatt_hour || !training) return prices;
  if (*training > 0 && terms.training_spread_over_tokens() == 0) {
    diagnostics->Error(path + ".training_usd", "training_spread_over_tokens is needed to spread it");
    return prices;
  }

  const Wide energy = static_cast<Wide>(*kilowatts) * static_cast<Wide>(*kilowatt_hour) / 1'000'000'000;
  const Wide hour_nanos = static_cast<Wide>(*gpu_hour) + energy;
  if (hour_nanos == 0 && *training == 0) {
    diagnostics->Error(
        path,
        "costs nothing: every call would be booked at $0. Expected gpu_hour_usd above 0, kilowatts "
        "with kilowatt_hour_usd, or training_usd");
    return prices;
  }
  // Femto-dollars of one gpu's hour, over the share of it that serves.
  const Wide paid = hour_nanos * kFemtosPerNano * static_cast<Wide>(utilisation->denominator);
  const Wide seconds = static_cast<Wide>(3600) * static_cast<Wide>(utilisation->numerator);
  prices.gpu_second = Femtos(paid, seconds * 1'000'000);

  const Wide gpus = static_cast<Wide>(terms.gpus() == 0 ? 1 : terms.gpus());
  const auto token = [&](int64_t per_second) {
    const UnitPrice serving = Femtos(paid * gpus, seconds * static_cast<Wide>(per_second));
    if (*training == 0) return serving;
    const UnitPrice trained = Femtos(static_cast<Wide>(*training) * kFemtosPerNano,
                                     static_cast<Wide>(terms.training_spread_over_tokens()));
    return UnitPrice{AddSaturating(serving.numerator, trained.numerator), kFemtosPerNano};
  };
  prices.by_token = terms.input_tokens_per_second() > 0 && terms.output_tokens_per_second() > 0;
  if (prices.by_token) {
    prices.input_token = token(terms.input_tokens_per_second());
    prices.output_token = token(terms.output_tokens_per_second());
  }
  return prices;
}

}  // namespace purser::pricing
