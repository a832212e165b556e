#ifndef PURSER_ENGINE_PRICING_SELF_HOSTED_H_
#define PURSER_ENGINE_PRICING_SELF_HOSTED_H_

#include <string>

#include "engine/pricing/money.h"
#include "policies/diagnostics.h"
#include "purser/pricing.pb.h"

namespace purser::pricing {

// What a model on machines of one's own costs, so that it competes with an API on total cost:
//
//   one hour     = gpus x (gpu_hour_usd + kilowatts x kilowatt_hour_usd)
//   useful second = one hour / 3600 / utilisation                  (idle time is paid by the busy one)
//   a token      = useful second / tokens per second + training_usd / training_spread_over_tokens
//
// Rounded up to whole femto-dollars, since these are estimates and not bills.
struct SelfHostedPrices {
  UnitPrice gpu_second;  // Of one of the gpus, per microsecond; without training.
  UnitPrice input_token;
  UnitPrice output_token;
  bool by_token = false;  // Throughput is known. Otherwise only gpu_second is meaningful.
};

// Mistakes are added to `diagnostics` at `path`.
SelfHostedPrices PriceSelfHosted(const prices::SelfHosted& terms, const std::string& path,
                                 Diagnostics* diagnostics);

}  // namespace purser::pricing

#endif  // PURSER_ENGINE_PRICING_SELF_HOSTED_H_
