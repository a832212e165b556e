#include "engine/revision/request_fields.h"

#include <string>

#include "engine/ledger/record.h"
#include "gtest/gtest.h"

namespace purser {
namespace {

std::string Part(std::string_view text) {
  return std::string{static_cast<char>(text.size()), 0, 0, 0} + std::string(text);
}

// What 0.1.0 wrote: eleven parts.
std::string FirstScope() {
  std::string bytes;
  for (const char* part : {"tenant", "customer", "tier", "team", "feature", "use case", "session", "task",
                           "parent", "provider", "model"}) {
    bytes += Part(part);
  }
  return bytes;
}

TEST(RequestFieldsTest, ScopesOfOlderLedgersAreRead) {
  const std::string bytes = FirstScope();
  budget::Scope scope;
  ASSERT_TRUE(DecodeScope(bytes, &scope));
  EXPECT_EQ(scope.tenant, "tenant");
  EXPECT_EQ(scope.customer_tier, "tier");
  EXPECT_EQ(scope.use_case, "use case");
  EXPECT_EQ(scope.parent_task, "parent");
  EXPECT_EQ(scope.provider, "provider");
  EXPECT_EQ(scope.model, "model");
  EXPECT_EQ(EncodeScope(scope), bytes) << "and written as they were, so that older programs read them";
}

TEST(RequestFieldsTest, WhatBudgetsReadComesBackFromTheBytes) {
  for (const RequestDimension& dimension : kRequestDimensions) {
    budget::Scope scope;
    scope.provider = "p";
    scope.*dimension.member = "value";
    const std::string bytes = EncodeScope(scope);
    budget::Scope read;
    ASSERT_TRUE(DecodeScope(bytes, &read)) << dimension.name;
    EXPECT_EQ(read.provider, "p");
    if (dimension.in_budgets) {
      EXPECT_EQ(read.*dimension.member, "value") << dimension.name;
    }
  }
}

TEST(RequestFieldsTest, BytesThatAreNoScopeAreRefused) {
  const std::string bytes = FirstScope();
  budget::Scope scope;
  for (size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(DecodeScope(bytes.substr(0, size), &scope));
  std::string many = bytes;
  for (int i = 0; i < 40; ++i) many += Part("more");
  EXPECT_FALSE(DecodeScope(many, &scope));
}

TEST(RequestFieldsTest, EveryDimensionIsDescribed) {
  for (const RequestDimension& dimension : kRequestDimensions) {
    Request request;
    request.*dimension.member = "value";
    ledger::RecordView record;
    DescribeRequest(request, &record);
    EXPECT_EQ(record.*dimension.member, "value") << dimension.name;
    EXPECT_EQ(ScopeOf(request).*dimension.member, "value") << dimension.name;
    EXPECT_EQ(ScopeOfView(record).*dimension.member, "value") << dimension.name;
  }
}

}  // namespace
}  // namespace purser
