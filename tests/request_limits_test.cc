// Every field of a request at its limit, beyond it and far beyond it: what is granted opens again, what is
// not says why.

#include <purser/purser.h>

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/ledger/log_scanner.h"
#include "engine/ledger/record.h"
#include "gmock/gmock.h"
#include "tests/support/engine_fixture.h"

namespace purser {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr size_t kHuge = size_t{2} << 20;

struct Field {
  std::string name;
  size_t limit;
  std::string_view Request::*member;
};

std::vector<Field> Fields() {
  std::vector<Field> fields = {{"id", 1024, &Request::id},
                               {"model", 512, &Request::model},
                               {"embedding_model", 512, &Request::embedding_model},
                               {"region", 256, &Request::region},
                               {"data_policy", 256, &Request::data_policy},
                               {"service_tier", 256, &Request::service_tier},
                               {"unseen_digest", 1024, &Request::unseen_digest}};
  for (const RequestDimension& dimension : kRequestDimensions)
    fields.push_back({std::string(dimension.name), 1024, dimension.member});
  return fields;
}

class RequestLimitsTest : public EngineTest {
 protected:
  static std::string Policy() {
    return std::string(kTestCandidates) + R"(
        budgets { name: "task" scope: TASK usd: "1000" }
        budgets { name: "cap" scope: CUSTOMER usd: "1000" })";
  }
  static Request Plain() {
    Request request{{.tenant = "t", .customer = "c", .session = "s", .task = "task"}};
    request.id = "r";
    request.input_tokens = 1000;
    request.max_output_tokens = 10;
    return request;
  }
  void Book(Engine* engine, const Request& request) {
    engine->Decide(request, &decision_);
    ASSERT_EQ(decision_.action, Action::kDispatch) << decision_.reason;
    ASSERT_TRUE(engine->MarkDispatched(decision_.ticket));
    ASSERT_EQ(SettleWith(engine, decision_.ticket, 1000, 10).result, SettleResult::kSettled);
  }

  Decision decision_;
};

// What is beyond a limit is refused at every door, and nothing of it is in the ledger.
TEST_F(RequestLimitsTest, EveryFieldIsRefusedBeyondItsLimitAndTheLedgerOpensAgain) {
  for (const Field& field : Fields()) {
    SCOPED_TRACE(field.name);
    {
      const auto engine = Open(Policy(), /*with_ledger=*/true);
      ASSERT_NE(engine, nullptr) << "what was refused before must not be in the way";
      for (const size_t size : {field.limit + 1, kHuge}) {
        const std::string value(size, 'x');
        const auto says = AllOf(HasSubstr(field.name + " has " + std::to_string(size)),
                                HasSubstr("expected at most " + std::to_string(field.limit)));
        Request request = Plain();
        request.*field.member = value;
        engine->Decide(request, &decision_);
        EXPECT_EQ(decision_.refusal, Refusal::kBadRequest);
        EXPECT_EQ(decision_.ticket, 0u);
        EXPECT_THAT(decision_.reason, says);
        EXPECT_THAT(engine->Explain(request).refusal, says);
        EXPECT_TRUE(engine->Accounts(request).empty());
        const absl::Status topped_up = engine->TopUp("cap", request, 1, 0, 0, "why");
        EXPECT_EQ(topped_up.code(), absl::StatusCode::kInvalidArgument);
        EXPECT_THAT(topped_up.message(), says);

        engine->Decide(Plain(), &decision_);
        const Ticket ticket = decision_.ticket;
        ASSERT_TRUE(engine->MarkDispatched(ticket));
        engine->FailOver(request, &decision_);
        EXPECT_EQ(decision_.refusal, Refusal::kBadRequest);
        EXPECT_FALSE(engine->MarkDispatched(ticket)) << "the ticket is void";
      }
    }
    ASSERT_NE(Open(Policy(), /*with_ledger=*/true), nullptr);
  }
}

TEST_F(RequestLimitsTest, EveryFieldIsTakenAtItsLimitAndAllOfThemAtOnce) {
  std::string bytes(1024, '\xff');
  {
    const auto engine = Open(Policy(), /*with_ledger=*/true);
    Request all = Plain();
    for (const Field& field : Fields()) {
      SCOPED_TRACE(field.name);
      const std::string_view value = std::string_view(bytes).substr(0, field.limit);
      Request request = Plain();
      request.*field.member = value;
      const bool constrains =
          field.name == "region" || field.name == "data_policy" || field.name == "service_tier";
      const bool own_parent = field.name == "parent_task";
      if (!constrains) {
        Request fresh = request;
        if (own_parent) fresh.task = "child";
        Book(engine.get(), fresh);
        all.*field.member = value;
      } else {
        engine->Decide(request, &decision_);
        EXPECT_NE(decision_.refusal, Refusal::kBadRequest) << decision_.reason;
      }
    }
    const std::string parent(1024, 'p');
    all.parent_task = parent;
    std::vector<std::string> names;
    for (char c = 'a'; c <= 'h'; ++c) names.emplace_back(kMaxOwnNameBytes, c);
    std::vector<OwnDimension> own;
    for (const std::string& name : names) own.push_back({name, std::string_view(bytes).substr(0, 256)});
    all.own_dimensions = own;
    Book(engine.get(), all);
    EXPECT_TRUE(engine->TopUp("cap", all, 1, 0, 0, std::string(kMaxReasonBytes, 'r')).ok());
    engine->EndTask(all.tenant, all.task);
    engine->EndSession(all.tenant, all.session);
  }
  const auto engine = Open(Policy(), /*with_ledger=*/true);
  ASSERT_NE(engine, nullptr);
  EXPECT_EQ(engine->recovered().presumed, 0);
}

TEST_F(RequestLimitsTest, WhatEndsOrTopsUpIsBoundedToo) {
  const std::string huge(kHuge, 'x');
  {
    const auto engine = Open(Policy(), /*with_ledger=*/true);
    for (const std::string& id : {std::string(1025, 'x'), huge}) {
      engine->EndTask("t", id);
      engine->EndTask(id, "task");
      engine->EndSession("t", id);
      engine->EndSession(id, "s");
    }
    for (const size_t size : {kMaxReasonBytes + 1, kHuge}) {
      const absl::Status refused = engine->TopUp("cap", Plain(), 1, 0, 0, std::string(size, 'r'));
      EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
      EXPECT_THAT(refused.message(), HasSubstr("reason of the top-up has " + std::to_string(size)));
    }
    EXPECT_EQ(engine->TopUp(huge, Plain(), 1, 0, 0, "").code(), absl::StatusCode::kNotFound);
    Book(engine.get(), Plain());
  }
  ASSERT_NE(Open(Policy(), /*with_ledger=*/true), nullptr);
}

TEST_F(RequestLimitsTest, AnEmbeddingIsBounded) {
  const auto engine = Open(Policy());
  const std::vector<float> embedding(kMaxEmbeddingSize + 1, 0.5F);
  Request request = Plain();
  request.embedding = embedding;
  engine->Decide(request, &decision_);
  EXPECT_EQ(decision_.refusal, Refusal::kBadRequest);
  EXPECT_THAT(decision_.reason, HasSubstr("embedding has 16385 numbers; expected at most 16384"));
  request.embedding = std::span(embedding).first(kMaxEmbeddingSize);
  engine->Decide(request, &decision_);
  EXPECT_EQ(decision_.action, Action::kDispatch) << decision_.reason;
}

TEST_F(RequestLimitsTest, FortyThousandExtrasAreBookedAndTheLinesAddUp) {
  {
    const auto engine = Open(Policy(), /*with_ledger=*/true);
    engine->Decide(Plain(), &decision_);
    ASSERT_TRUE(engine->MarkDispatched(decision_.ticket));
    const std::vector<ExtraCost> extras(40'000, {.kind = ExtraCost::Kind::kTool, .cost_nanos = 3});
    const Usage usage = UsageOf(1000, 10);
    EXPECT_EQ(engine->Settle(decision_.ticket, {.usage = &usage, .extras = extras}).result,
              SettleResult::kSettled);
  }
  ASSERT_NE(Open(Policy(), /*with_ledger=*/true), nullptr);
  auto scanner = ledger::LogScanner::Open(ledger());
  ASSERT_TRUE(scanner.ok()) << scanner.status();
  ledger::Frame frame;
  int records = 0;
  while (*(*scanner)->Next(&frame)) {
    if (frame.type != ledger::RECORD) continue;
    ++records;
    ledger::RecordView record;
    ASSERT_TRUE(ledger::Decode(frame.payload, &record));
    int64_t sum = 0;
    for (const ledger::LineItemView& line : record.line_items) sum += line.cost_nanos;
    EXPECT_EQ(sum, record.cost_nanos);
    EXPECT_GT(sum, 120'000);
    ASSERT_EQ(record.line_items.size(), 16u);
    const ledger::LineItemView& last = record.line_items[15];
    EXPECT_EQ(last.meter, "further");
    EXPECT_EQ(last.category, ledger::OTHER);
    EXPECT_EQ(last.quantity + 15, 40'002) << "two lines are the call's own";
  }
  EXPECT_EQ(records, 1);
}

TEST_F(RequestLimitsTest, APolicyWithANameThatIsTooLongDoesNotLoad) {
  const std::string name(kMaxPolicyNameBytes + 1, 'n');
  for (const std::string& policy :
       {"name: \"" + name + "\" candidates { model: \"small\" }",
        "name: \"p\" candidates { name: \"" + name + "\" model: \"small\" }",
        "name: \"p\" candidates { model: \"small\" } budgets { name: \"" + name +
            "\" scope: GLOBAL usd: \"1\" }",
        "name: \"p\" candidates { model: \"small\" } request_classes { name: \"" + name + "\" }"}) {
    const auto opened = Engine::Open(OptionsFor(policy));
    ASSERT_FALSE(opened.ok());
    EXPECT_THAT(opened.status().message(), HasSubstr("the name has 513 bytes; expected at most 512"));
  }
}

}  // namespace
}  // namespace purser
