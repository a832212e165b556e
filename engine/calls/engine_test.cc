#include <purser/live_books.h>
#include <purser/purser.h>

#include <string>
#include <vector>

#include "engine/economics/live_books.h"
#include "engine/ledger/record_reader.h"
#include "gmock/gmock.h"
#include "tests/support/engine_fixture.h"

namespace purser {
namespace {

using ::testing::HasSubstr;

using PurserTest = EngineTest;

// 1,000 tokens in and at most 500 out: small costs at most $0.002, middle $0.006, big $0.03.
Request ThousandTokens() {
  Request request;
  request.id = "r";
  request.tenant = "t";
  request.input_tokens = 1000;
  request.max_output_tokens = 500;
  return request;
}

TEST_F(PurserTest, TheCheapestThatPassesIsHeldAtItsWorstCase) {
  const auto engine = Open(kTestCandidates);
  Decision decision;
  engine->Decide(ThousandTokens(), &decision);
  ASSERT_EQ(decision.action, Action::kDispatch) << decision.reason;
  EXPECT_EQ(decision.model, "small");
  EXPECT_EQ(decision.provider, "p");
  EXPECT_EQ(decision.max_output_tokens, 500);
  EXPECT_EQ(decision.expected_nanos, 1'200'000);  // 1,000 x $1/M + 100 x $2/M
  EXPECT_EQ(decision.held_nanos, 2'000'000);      // 1,000 x $1/M + 500 x $2/M
  ASSERT_EQ(decision.candidates.size(), 3u);
  EXPECT_EQ(decision.candidates[2].worst_nanos, 30'000'000);
}

TEST_F(PurserTest, SettlingBooksWhatWasUsedOnce) {
  const auto engine = Open(kTestCandidates);
  Decision decision;
  engine->Decide(ThousandTokens(), &decision);
  ASSERT_TRUE(engine->MarkDispatched(decision.ticket));
  const Settlement first = SettleWith(engine.get(), decision.ticket, 1001, 77);
  EXPECT_EQ(first.result, SettleResult::kSettled);
  EXPECT_EQ(first.cost_nanos, 1'001'000 + 154'000);
  EXPECT_EQ(first.input_nanos, 1'001'000);
  EXPECT_EQ(first.output_nanos, 154'000);
  EXPECT_FALSE(first.overrun);
  EXPECT_EQ(SettleWith(engine.get(), decision.ticket, 1001, 77).result, SettleResult::kAlreadySettled);
  EXPECT_EQ(SettleWith(engine.get(), 12345, 1, 1).result, SettleResult::kUnknownTicket);
  EXPECT_FALSE(engine->Void(decision.ticket));
}

constexpr char kExpensiveShadow[] = R"(
  name: "expensive"
  candidates { model: "small" quality: 10 }
  candidates { model: "big" quality: 90 }
  signals { name: "tier" field: "customer_tier" }
  rules { name: "always big" min_quality: 90 }
  rules { name: "not for free" when { signal: "tier" one_of: "free" } refuse: "not for the free tier" }
  routing { expected_output_tokens: 100 }
  budgets { name: "none" scope: TENANT usd: "0.000000001" }
  caching { }
)";

TEST_F(PurserTest, AShadowSaysWhatItWouldHaveCostAndHoldsNothing) {
  const auto engine = Open(kTestCandidates);
  const auto shadow = engine->LoadShadowPolicy(SourceFor(kExpensiveShadow));
  ASSERT_TRUE(shadow.ok()) << shadow.status();
  Decision decision;
  engine->Decide(ThousandTokens(), &decision);
  ShadowDecision watched;
  engine->DecideShadow(*shadow, ThousandTokens(), decision, &watched);
  EXPECT_FALSE(watched.refused) << "its budgets have no accounts: " << watched.reason;
  EXPECT_EQ(watched.candidate, "big");
  EXPECT_EQ(watched.candidate_index, 1);
  EXPECT_EQ(watched.expected_nanos, 14'000'000);  // 1,000 x $10/M + 100 x $40/M
  EXPECT_TRUE(watched.comparable);
  EXPECT_EQ(watched.difference_nanos, 14'000'000 - 1'200'000);
  EXPECT_TRUE(engine->Void(decision.ticket));

  // An engine's decision is the same whether or not anyone watches.
  Decision again;
  engine->Decide(ThousandTokens(), &again);
  EXPECT_EQ(again.model, decision.model);
  EXPECT_EQ(again.held_nanos, decision.held_nanos);

  // The shadow outlives a change of policy.
  ASSERT_TRUE(engine->Reload(SourceFor(kExpensiveShadow)).ok());
  engine->DecideShadow(*shadow, ThousandTokens(), again, &watched);
  EXPECT_EQ(watched.difference_nanos, 14'000'000 - 1'200'000);
}

TEST_F(PurserTest, AShadowComparesNothingWithARefusal) {
  const auto engine = Open(kExpensiveShadow);
  const auto shadow = engine->LoadShadowPolicy(SourceFor(kTestCandidates));
  ASSERT_TRUE(shadow.ok()) << shadow.status();
  Request request = ThousandTokens();
  request.customer_tier = "free";
  Decision refused;
  engine->Decide(request, &refused);
  ASSERT_EQ(refused.action, Action::kRefuse);
  ShadowDecision watched;
  engine->DecideShadow(*shadow, request, refused, &watched);
  EXPECT_FALSE(watched.refused);
  EXPECT_FALSE(watched.comparable);
  EXPECT_EQ(watched.difference_nanos, 0);

  const auto strict = engine->LoadShadowPolicy(SourceFor(kExpensiveShadow));
  engine->DecideShadow(*strict, request, refused, &watched);
  EXPECT_TRUE(watched.refused);
  EXPECT_THAT(watched.reason, HasSubstr("not for the free tier"));
  EXPECT_EQ(watched.candidate, "");
}

TEST_F(PurserTest, AShadowThatDoesNotCompileSaysWhy) {
  const auto engine = Open(kTestCandidates);
  const auto shadow = engine->LoadShadowPolicy(SourceFor("candidates { modell: \"x\" }"));
  EXPECT_EQ(shadow.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(shadow.status().message()), HasSubstr("modell"));
}

TEST_F(PurserTest, LiveBooksAreToldOfEachSettledCallOnce) {
  const absl::StatusOr<std::unique_ptr<LiveBooks>> created = LiveBooks::Create({});
  ASSERT_TRUE(created.ok()) << created.status();
  const economics::LiveBooks& live = *(*created)->books();
  Options options = OptionsFor(kTestCandidates);
  options.live_books = created->get();
  const absl::StatusOr<std::unique_ptr<Engine>> engine = Engine::Open(options);
  ASSERT_TRUE(engine.ok()) << engine.status();
  Decision decision;
  (*engine)->Decide(ThousandTokens(), &decision);
  EXPECT_EQ(live.Total().calls, 0);
  const Settlement settlement = SettleWith(engine->get(), decision.ticket, 1001, 77);
  SettleWith(engine->get(), decision.ticket, 1001, 77);
  EXPECT_EQ(live.Total().calls, 1);
  EXPECT_EQ(live.Total().cost_nanos, settlement.cost_nanos);
  EXPECT_THAT(live.Prometheus(), HasSubstr("purser_input_tokens_by_model_total{model=\"small\"} 1001\n"));
}

// A policy that was freed and another one at its address are two policies.
TEST_F(PurserTest, PricesOfTheModelAskedForAreThoseOfTheServingBooks) {
  const auto write_book = [this](int dollars) {
    std::ofstream(folder_ / "asked.textproto")
        << "name: \"asked\" models { id: \"asked\" provider: \"q\" sheets { rates { meter: \"input_tokens\" "
           "usd: \""
        << dollars << "\" } rates { meter: \"output_tokens\" usd: \"1\" } } }";
  };
  write_book(1);
  PolicySource source = SourceFor(kTestCandidates);
  source.price_books.push_back((folder_ / "asked.textproto").string());
  Options options = OptionsFor("");
  options.source = source;
  options.ledger_dir = ledger();
  Request request = ThousandTokens();
  request.task = "";
  request.model = "asked";
  constexpr int kRounds = 10;
  for (int dollars = 1; dollars <= kRounds; ++dollars) {
    write_book(dollars);
    const auto engine = Engine::Open(options);
    ASSERT_TRUE(engine.ok()) << engine.status();
    Decision decision;
    (*engine)->Decide(request, &decision);
    SettleWith(engine->get(), decision.ticket, 1'000'000, 0);
  }
  auto reader = ledger::RecordReader::Open(ledger());
  ASSERT_TRUE(reader.ok()) << reader.status();
  ledger::Entry entry;
  int dollars = 0;
  while (*(*reader)->Next(&entry)) {
    if (entry.record.model_asked != "asked") continue;
    EXPECT_EQ(entry.record.default_cost_nanos, ++dollars * int64_t{1'000'000'000});
  }
  EXPECT_EQ(dollars, kRounds);
}

TEST_F(PurserTest, AProvidersResponseIsReadAsItStatesUsage) {
  const auto engine = Open(kTestCandidates);
  Decision decision;
  engine->Decide(ThousandTokens(), &decision);
  CallResult outcome;
  outcome.response_json =
      R"({"id":"x","model":"small","usage":{"prompt_tokens":1000,"completion_tokens":10,"total_tokens":1010}})";
  const Settlement settlement = engine->Settle(decision.ticket, outcome);
  EXPECT_FALSE(settlement.usage_unknown);
  EXPECT_EQ(settlement.cost_nanos, 1'020'000);
}

TEST_F(PurserTest, WhatElseTheAnswerCostIsPartOfItsCost) {
  const auto engine =
      Open(std::string(kTestCandidates) + R"(budgets { name: "cap" scope: TENANT usd: "0.01" })");
  Decision decision;
  engine->Decide(ThousandTokens(), &decision);
  const Usage usage = UsageOf(1000, 10);
  const Usage embedding = UsageOf(500, 0);
  const ExtraCost extras[] = {{.kind = ExtraCost::Kind::kEmbedding, .model = "middle", .usage = &embedding},
                              {.kind = ExtraCost::Kind::kSearch, .cost_nanos = 7}};
  CallResult outcome;
  outcome.usage = &usage;
  outcome.extras = extras;
  EXPECT_EQ(engine->Settle(decision.ticket, outcome).cost_nanos, 1'020'000 + 1'000'000 + 7);
  EXPECT_THAT(engine->Explain(ThousandTokens()).text, HasSubstr("settled $0.002020007"));
}

TEST_F(PurserTest, UnknownUsageIsBookedAsExpectedAndSaysSo) {
  for (const char* response :
       {"", "{}", "{\"usage\":null}", "{\"usage\":{\"prompt_tokens\":-5}}", "not json"}) {
    const auto engine = Open(kTestCandidates);
    Decision decision;
    engine->Decide(ThousandTokens(), &decision);
    CallResult outcome;
    outcome.response_json = response;
    const Settlement settlement = engine->Settle(decision.ticket, outcome);
    EXPECT_EQ(settlement.result, SettleResult::kSettled) << response;
    EXPECT_TRUE(settlement.usage_unknown) << response;
    EXPECT_EQ(settlement.cost_nanos, decision.expected_nanos) << response;
  }
}

TEST_F(PurserTest, GatesAndRulesNarrowTheCandidates) {
  const auto engine = Open(std::string(kTestCandidates) + R"(
    signals { name: "proof" patterns { keyword: "prove" } }
    rules { name: "proofs" when { signal: "proof" } min_quality: 80 }
    rules { name: "nobody" when { signal: "proof" at_least: 1 } deny { names: "middle" } })");
  Decision decision;
  Request request = ThousandTokens();
  request.input_tokens = 9000;  // Beyond small's context window.
  engine->Decide(request, &decision);
  EXPECT_EQ(decision.model, "middle");
  EXPECT_FALSE(decision.candidates[0].passed);

  const Message message{Role::kUser, "Please prove it."};
  request = ThousandTokens();
  request.messages = {&message, 1};
  engine->Decide(request, &decision);
  EXPECT_EQ(decision.model, "big");

  request.input_tokens = 1'000'000;
  engine->Decide(request, &decision);
  EXPECT_EQ(decision.action, Action::kRefuse);
  EXPECT_EQ(decision.refusal, Refusal::kNoCandidate);
  EXPECT_FALSE(decision.reason.empty());
}

TEST_F(PurserTest, AnUnpricedCandidateIsNeverChosen) {
  const auto engine = Open(std::string("candidates { model: \"unheard-of\" quality: 99 }") + kTestCandidates);
  Decision decision;
  engine->Decide(ThousandTokens(), &decision);
  EXPECT_EQ(decision.model, "small");
  EXPECT_FALSE(decision.candidates[0].passed);
}

TEST_F(PurserTest, ABudgetRefusesWhatItCouldNotPay) {
  const auto engine = Open(std::string(kTestCandidates) + R"(
    budgets { name: "cap" scope: CUSTOMER usd: "0.005" })");
  Request request = ThousandTokens();
  request.customer = "c1";
  Decision first;
  Decision second;
  Decision third;
  engine->Decide(request, &first);
  engine->Decide(request, &second);
  engine->Decide(request, &third);  // $0.004 held, $0.001 left, $0.002 needed.
  EXPECT_EQ(first.action, Action::kDispatch);
  EXPECT_EQ(second.action, Action::kDispatch);
  ASSERT_EQ(third.action, Action::kRefuse);
  EXPECT_EQ(third.refusal, Refusal::kBudget);
  EXPECT_THAT(third.reason, HasSubstr("budget \"cap\""));
  EXPECT_THAT(third.reason, HasSubstr("of $0.005 spent"));
  EXPECT_THAT(third.reason, HasSubstr("$0.004 held"));
  EXPECT_THAT(third.reason, HasSubstr("could cost up to $0.002"));

  request.customer = "c2";
  engine->Decide(request, &third);
  EXPECT_EQ(third.action, Action::kDispatch) << "another customer's account";

  request.customer = "c1";
  ASSERT_TRUE(engine->Void(second.ticket));
  engine->Decide(request, &third);
  EXPECT_EQ(third.action, Action::kDispatch) << "what was voided is free again: " << third.reason;
}

TEST_F(PurserTest, AShortBudgetClampsTheOutputToWhatItCanPay) {
  const auto engine = Open(std::string(kTestCandidates) + R"(
    budgets { name: "cap" scope: CUSTOMER usd: "0.0015" when_short: CLAMP_OUTPUT when_short: DENY })");
  Request request = ThousandTokens();
  request.customer = "c1";
  Decision decision;
  engine->Decide(request, &decision);
  ASSERT_EQ(decision.action, Action::kDispatch) << decision.reason;
  EXPECT_TRUE(decision.output_clamped);
  EXPECT_EQ(decision.max_output_tokens, 250);  // $0.001 for the input leaves $0.0005: 250 x $2/M.
  EXPECT_EQ(decision.held_nanos, 1'500'000);
}

TEST_F(PurserTest, AShortBudgetFallsBackOnTheNextCheapest) {
  const auto engine = Open(std::string(kTestCandidates) + R"(
    budgets { name: "small" scope: MODEL only_for { models: "small" } usd: "0.001" when_short: NEXT_CHEAPER when_short: DENY })");
  Request request = ThousandTokens();
  request.customer = "c1";
  Decision decision;
  engine->Decide(request, &decision);
  ASSERT_EQ(decision.action, Action::kDispatch) << decision.reason;
  EXPECT_EQ(decision.candidate, "middle");
}

TEST_F(PurserTest, ABudgetThatOnlyWarnsLetsPassAndSaysSo) {
  const auto engine = Open(std::string(kTestCandidates) + R"(
    budgets { name: "soft" scope: TENANT usd: "0.001" when_short: WARN_ONLY })");
  Decision decision;
  engine->Decide(ThousandTokens(), &decision);
  EXPECT_EQ(decision.action, Action::kDispatch) << decision.reason;
  EXPECT_TRUE(decision.warned);
}

TEST_F(PurserTest, AnUndispatchedHoldIsReleasedAndADispatchedOnePresumedSpent) {
  const auto engine = Open(std::string(kTestCandidates) + R"(
    budgets { name: "cap" scope: CUSTOMER usd: "0.002" }
    budget_settings { hold_expires_after: "1m" dispatch_expires_after: "10m" })");
  Request request = ThousandTokens();
  request.customer = "c1";
  Decision decision;
  engine->Decide(request, &decision);
  ASSERT_EQ(decision.action, Action::kDispatch);
  clock_.Advance(61'000'000'000);
  engine->Maintain();
  EXPECT_FALSE(engine->MarkDispatched(decision.ticket)) << "the hold is gone: do not send";

  engine->Decide(request, &decision);
  ASSERT_EQ(decision.action, Action::kDispatch) << "the first hold is free again: " << decision.reason;
  ASSERT_TRUE(engine->MarkDispatched(decision.ticket));
  clock_.Advance(601'000'000'000);
  engine->Maintain();
  Decision other;
  engine->Decide(request, &other);
  EXPECT_EQ(other.action, Action::kRefuse);
  EXPECT_THAT(other.reason, HasSubstr("presumed spent"));
  EXPECT_EQ(SettleWith(engine.get(), decision.ticket, 1000, 0).cost_nanos, 1'000'000);
}

TEST_F(PurserTest, AnOverrunIsBookedInFullAndBlocks) {
  const auto engine =
      Open(std::string(kTestCandidates) + R"(budgets { name: "cap" scope: CUSTOMER usd: "0.005" })");
  Request request = ThousandTokens();
  request.customer = "c1";
  Decision decision;
  engine->Decide(request, &decision);
  const Settlement settlement = SettleWith(engine.get(), decision.ticket, 10'000, 10);
  EXPECT_TRUE(settlement.overrun);
  EXPECT_EQ(settlement.cost_nanos, 10'020'000);
  engine->Decide(request, &decision);
  EXPECT_EQ(decision.action, Action::kRefuse);
  EXPECT_THAT(decision.reason, HasSubstr("billed more than was held"));
}

TEST_F(PurserTest, ASubAgentDrawsOnItsParentsTask) {
  const auto engine =
      Open(std::string(kTestCandidates) + R"(budgets { name: "task" scope: TASK usd: "0.005" })");
  Request parent = ThousandTokens();
  parent.task = "parent";
  Request child = ThousandTokens();
  child.task = "child";
  child.parent_task = "parent";
  Decision decision;
  engine->Decide(parent, &decision);
  ASSERT_EQ(decision.action, Action::kDispatch);
  engine->Decide(child, &decision);
  ASSERT_EQ(decision.action, Action::kDispatch);
  engine->Decide(child, &decision);
  ASSERT_EQ(decision.action, Action::kRefuse) << "the child has $0.003 of its own left, its parent $0.001";
  EXPECT_THAT(decision.reason, HasSubstr("parent"));
}

TEST_F(PurserTest, ALoopGuardNamesWhatTripped) {
  const auto engine = Open(std::string(kTestCandidates) + "loop_guards { max_retries: 2 max_repeats: 3 }");
  Request request = ThousandTokens();
  request.task = "loop";
  request.step = 1;
  Decision decision;
  for (int attempt = 1; attempt <= 3; ++attempt) {
    request.attempt = attempt;
    engine->Decide(request, &decision);
    EXPECT_EQ(decision.action, Action::kDispatch) << decision.reason;
  }
  request.attempt = 4;
  engine->Decide(request, &decision);
  EXPECT_EQ(decision.refusal, Refusal::kLoopGuard);
  EXPECT_THAT(decision.reason, HasSubstr("max_retries"));
}

TEST_F(PurserTest, ARepeatedCallIsCaughtWhateverItsWhiteSpace) {
  const auto engine = Open(std::string(kTestCandidates) + "loop_guards { max_repeats: 2 }");
  Decision decision;
  int step = 0;
  for (const char* text : {"Search for  cats", "search for cats\n", "Search for dogs", " SEARCH FOR CATS"}) {
    const Message message{Role::kUser, text};
    Request request = ThousandTokens();
    request.task = "loop";
    request.step = ++step;
    request.messages = {&message, 1};
    engine->Decide(request, &decision);
    EXPECT_EQ(decision.action, step < 4 ? Action::kDispatch : Action::kRefuse)
        << text << ": " << decision.reason;
  }
  EXPECT_THAT(decision.reason, HasSubstr("max_repeats"));
}

TEST_F(PurserTest, FailOverMovesTheHoldToTheNextCandidate) {
  const auto engine =
      Open(std::string(kTestCandidates) + R"(budgets { name: "cap" scope: TENANT usd: "0.007" })");
  Decision decision;
  engine->Decide(ThousandTokens(), &decision);
  ASSERT_EQ(decision.model, "small");
  const Ticket ticket = decision.ticket;
  ASSERT_TRUE(engine->MarkDispatched(ticket));
  engine->FailOver(ThousandTokens(), &decision);
  ASSERT_EQ(decision.action, Action::kDispatch)
      << decision.reason << ": $0.006 fits in $0.007 only without small's hold";
  EXPECT_EQ(decision.model, "middle");
  EXPECT_EQ(decision.ticket, ticket);
  engine->FailOver(ThousandTokens(), &decision);
  EXPECT_EQ(decision.action, Action::kRefuse) << "big does not fit, the others failed";
  EXPECT_EQ(SettleWith(engine.get(), ticket, 1, 1).result, SettleResult::kUnknownTicket);
  engine->Decide(ThousandTokens(), &decision);
  EXPECT_EQ(decision.action, Action::kDispatch) << "nothing is held any more: " << decision.reason;
}

TEST_F(PurserTest, AModelThatKeepsFailingRests) {
  const auto engine = Open(kTestCandidates);
  Decision decision;
  CallResult failed;
  failed.failed = true;
  const Usage nothing = UsageOf(0, 0);
  failed.usage = &nothing;
  for (int i = 0; i < 3; ++i) {
    engine->Decide(ThousandTokens(), &decision);
    ASSERT_EQ(decision.model, "small");
    engine->Settle(decision.ticket, failed);
  }
  engine->Decide(ThousandTokens(), &decision);
  EXPECT_EQ(decision.model, "middle");
  engine->Void(decision.ticket);
  clock_.Advance(5'000'000'000);
  engine->Decide(ThousandTokens(), &decision);
  EXPECT_EQ(decision.model, "small");
}

TEST_F(PurserTest, AStreamSeesItsHoldRunOutAndExtendsIt) {
  const auto engine =
      Open(std::string(kTestCandidates) + R"(budgets { name: "cap" scope: TENANT usd: "0.003" })");
  Decision decision;
  engine->Decide(ThousandTokens(), &decision);
  EXPECT_EQ(engine->Progress(decision.ticket, 400), 100);
  EXPECT_EQ(engine->Progress(decision.ticket, 500), 0);
  EXPECT_EQ(engine->Progress(99, 500), -1);
  EXPECT_TRUE(engine->Extend(decision.ticket, 500)) << "another $0.001";
  EXPECT_EQ(engine->Progress(decision.ticket, 500), 500);
  EXPECT_FALSE(engine->Extend(decision.ticket, 1)) << "the budget is full";
  EXPECT_EQ(SettleWith(engine.get(), decision.ticket, 1000, 1000).overrun, false);
}

TEST_F(PurserTest, TheSameRequestIsAnsweredFromTheCacheWithinItsNamespaceOnly) {
  const auto engine = Open(std::string(kTestCandidates) +
                           R"(caching { namespace_template: "{tenant}" defaults { mode: EXACT } })");
  const Message message{Role::kUser, "How do I reset my password?"};
  Request request = ThousandTokens();
  request.messages = {&message, 1};
  Decision decision;
  engine->Decide(request, &decision);
  ASSERT_EQ(decision.action, Action::kDispatch);
  SettleWith(engine.get(), decision.ticket, 1000, 20);
  engine->StoreInCache(request, decision, {.text = "Click on the link."});

  engine->Decide(request, &decision);
  ASSERT_EQ(decision.action, Action::kAnswer);
  EXPECT_TRUE(decision.exact);
  EXPECT_EQ(decision.answer, "Click on the link.");
  EXPECT_GT(decision.saved_nanos, 0);

  request.parameters = "temperature=1";
  engine->Decide(request, &decision);
  EXPECT_EQ(decision.action, Action::kDispatch) << "other parameters, another answer";
  request.parameters = {};
  request.has_side_effects = true;
  engine->Decide(request, &decision);
  EXPECT_EQ(decision.action, Action::kDispatch)
      << "calls with tools that act are never answered from a cache";
  request.has_side_effects = false;
  request.tenant = "other";
  engine->Decide(request, &decision);
  EXPECT_EQ(decision.action, Action::kDispatch) << "nothing crosses a namespace";
}

TEST_F(PurserTest, APolicyThatDoesNotLoadLeavesTheLastGoodOneServing) {
  const auto engine = Open(kTestCandidates);
  const absl::Status reloaded =
      engine->Reload(SourceFor("candidates { model: \"small\" quality: -1 }\nbudgets { nam: \"x\" }"));
  EXPECT_EQ(reloaded.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(reloaded.message()), HasSubstr("policy:1:"));
  EXPECT_THAT(std::string(reloaded.message()), HasSubstr("policy:2:"));
  Decision decision;
  engine->Decide(ThousandTokens(), &decision);
  EXPECT_EQ(decision.action, Action::kDispatch);

  ASSERT_TRUE(engine->Reload(SourceFor("candidates { model: \"big\" }")).ok());
  Decision after;
  engine->Decide(ThousandTokens(), &after);
  EXPECT_EQ(after.model, "big");
  EXPECT_EQ(SettleWith(engine.get(), decision.ticket, 1000, 100).cost_nanos, 1'200'000)
      << "a ticket settles at the prices that it was granted under";
}

TEST_F(PurserTest, OutputLengthIsLearnedFromSettledCalls) {
  const auto engine = Open(kTestCandidates);
  Decision decision;
  for (int i = 0; i < 40; ++i) {
    engine->Decide(ThousandTokens(), &decision);
    SettleWith(engine.get(), decision.ticket, 1000, 20);
  }
  engine->Decide(ThousandTokens(), &decision);
  EXPECT_NEAR(static_cast<double>(decision.expected_output_tokens), 20, 2);
}

TEST_F(PurserTest, DeferrableCallsTakeTheBatchPriceWhereThePolicyLikesIt) {
  const auto engine = Open(
      R"(candidates { model: "big" } routing { expected_output_tokens: 100 batch_if_deferrable: true })");
  Request request = ThousandTokens();
  Decision decision;
  engine->Decide(request, &decision);
  EXPECT_EQ(decision.expected_nanos, 14'000'000);
  request.deferrable = true;
  engine->Decide(request, &decision);
  EXPECT_EQ(decision.expected_nanos, 7'000'000);
  EXPECT_EQ(decision.service_tier, "batch");
  EXPECT_EQ(SettleWith(engine.get(), decision.ticket, 1000, 100).cost_nanos, 7'000'000);
}

TEST_F(PurserTest, ExplainShowsEveryStepOfTheReasoning) {
  const auto engine = Open(std::string(kTestCandidates) + R"(
    signals { name: "proof" patterns { keyword: "prove" } }
    rules { name: "proofs" when { signal: "proof" } min_quality: 80 }
    budgets { name: "cap" scope: TENANT usd: "1" })");
  const Message message{Role::kUser, "Please prove it."};
  Request request = ThousandTokens();
  request.messages = {&message, 1};
  const std::string text = engine->Explain(request).text;
  for (const char* expected : {"prove", "proofs", "small", "big", "input_tokens", "cap", "$1"}) {
    EXPECT_THAT(text, HasSubstr(expected));
  }
}

TEST_F(PurserTest, AFileThatIsNotThereIsAnErrorThatNamesIt) {
  Options options;
  options.source.policy_file = "/nonexistent/policy.textproto";
  const auto engine = Engine::Open(options);
  ASSERT_FALSE(engine.ok());
  EXPECT_THAT(std::string(engine.status().message()), HasSubstr("/nonexistent/policy.textproto"));
}

}  // namespace
}  // namespace purser
