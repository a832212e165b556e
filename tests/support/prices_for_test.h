#ifndef PURSER_TESTS_SUPPORT_PRICES_FOR_TEST_H_
#define PURSER_TESTS_SUPPORT_PRICES_FOR_TEST_H_

#include <memory>
#include <string>
#include <string_view>

#include "engine/pricing/model_compiler.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"

namespace purser::pricing {

// A model compiled from what its text says besides id and provider.
inline std::unique_ptr<ModelPrices> PricesForTest(std::string_view text) {
  prices::Model model;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(std::string(text), &model)) << text;
  model.set_id("m");
  model.set_provider("p");
  auto compiled = CompileModel(model);
  EXPECT_TRUE(compiled.ok()) << compiled.status();
  return compiled.ok() ? *std::move(compiled) : std::make_unique<ModelPrices>();
}

}  // namespace purser::pricing

#endif  // PURSER_TESTS_SUPPORT_PRICES_FOR_TEST_H_
