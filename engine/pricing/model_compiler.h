#ifndef PURSER_ENGINE_PRICING_MODEL_COMPILER_H_
#define PURSER_ENGINE_PRICING_MODEL_COMPILER_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "engine/pricing/model_prices.h"
#include "policies/diagnostics.h"
#include "purser/pricing.pb.h"

namespace purser::pricing {

// Compiles one model of a price book: decimals to exact unit prices, conditions to comparisons, uplifts to
// sheets of their own (before the sheet that they uplift). What is wrong is added to `diagnostics` at `path`
// ("models[3]") and left out.
std::unique_ptr<ModelPrices> CompileModel(const prices::Model& model, const std::string& path,
                                          Diagnostics* diagnostics);

// The same on its own, for tests and for prices that come with a case: INVALID_ARGUMENT if anything is wrong.
absl::StatusOr<std::unique_ptr<ModelPrices>> CompileModel(const prices::Model& model);

}  // namespace purser::pricing

#endif  // PURSER_ENGINE_PRICING_MODEL_COMPILER_H_
