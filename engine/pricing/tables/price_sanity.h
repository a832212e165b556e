#ifndef PURSER_ENGINE_PRICING_TABLES_PRICE_SANITY_H_
#define PURSER_ENGINE_PRICING_TABLES_PRICE_SANITY_H_

#include <string>
#include <vector>

#include "purser/pricing.pb.h"

namespace purser::pricing {

// What about a model's prices is more likely a slip of the table than a price: each as a sentence.
//
// - a dollar or more per thousand tokens of text: three decimal places off;
// - reading from the cache that costs more than reading without it.
std::vector<std::string> SuspiciousPrices(const prices::Model& model);

}  // namespace purser::pricing

#endif  // PURSER_ENGINE_PRICING_TABLES_PRICE_SANITY_H_
