// What can be looked at without deciding: explanations, accounts, a policy's findings, live books.

#include <purser/live_books.h>
#include <purser/purser.h>

#include <fstream>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "tests/support/engine_fixture.h"

namespace purser {
namespace {

using ::testing::HasSubstr;

using InspectionTest = EngineTest;

// small costs at most $0.002 for this, middle $0.006, big $0.03.
Request ThousandTokens() {
  Request request;
  request.id = "r";
  request.tenant = "t";
  request.customer = "c";
  request.task = "task";
  request.input_tokens = 1000;
  request.max_output_tokens = 500;
  return request;
}

TEST_F(InspectionTest, AnExplanationSaysOfEachCandidateWhereItStands) {
  const auto engine = Open(std::string(kTestCandidates) +
                           "candidates { model: \"unpriced\" }\n"
                           "rules { name: \"good ones\" min_quality: 40 }\n"
                           "budgets { name: \"cap\" scope: TASK usd: \"0.005\" }");
  const Explanation explanation = engine->Explain(ThousandTokens());
  ASSERT_EQ(explanation.candidates.size(), 4u);
  const Explanation::Candidate& small = explanation.candidates[0];
  EXPECT_EQ(small.rank, 0);
  EXPECT_THAT(small.why_not, HasSubstr("good ones"));
  EXPECT_EQ(small.worst_nanos, 0);
  const Explanation::Candidate& middle = explanation.candidates[1];
  EXPECT_EQ(middle.rank, 1);
  EXPECT_EQ(middle.why_not, "");
  EXPECT_EQ(middle.worst_nanos, 6'000'000);
  EXPECT_EQ(middle.expected_nanos, 2'800'000);  // 100 tokens out.
  EXPECT_EQ(explanation.candidates[2].rank, 2);
  EXPECT_EQ(explanation.candidates[3].rank, 0);
  EXPECT_NE(explanation.candidates[3].why_not, "");
  EXPECT_EQ(explanation.refusal, "");
  ASSERT_EQ(explanation.accounts.size(), 1u);
  EXPECT_EQ(explanation.accounts[0].limits[0].headroom(), 5'000'000);
}

TEST_F(InspectionTest, AccountsShowHoldsSettlementsAndWhenTheyReset) {
  const auto engine =
      Open(std::string(kTestCandidates) +
           "budgets { name: \"day\" scope: CUSTOMER usd: \"1\" tokens: 9000 window { calendar: DAY } }\n"
           "budgets { name: \"small only\" scope: TENANT only_for { models: \"small\" } usd: \"2\" }\n"
           "budgets { name: \"big only\" scope: TENANT only_for { models: \"big\" } usd: \"3\" }");
  const Request request = ThousandTokens();
  Decision settled, held;
  engine->Decide(request, &settled);
  SettleWith(engine.get(), settled.ticket, 1000, 500);
  engine->Decide(request, &held);
  const std::vector<AccountStatus> accounts = engine->Accounts(request);
  ASSERT_EQ(accounts.size(), 2u) << "those of the candidate that is tried first, and no others";
  EXPECT_EQ(accounts[0].budget, "day");
  EXPECT_EQ(accounts[0].key, "t/c");
  EXPECT_GT(accounts[0].resets_at_nanos, clock_.NowNanos());
  ASSERT_EQ(accounts[0].limits.size(), 2u);
  const AccountStatus::Limit& usd = accounts[0].limits[0];
  EXPECT_EQ(usd.dimension, "usd");
  EXPECT_EQ(usd.limit, 1'000'000'000);
  EXPECT_EQ(usd.settled, 2'000'000);
  EXPECT_EQ(usd.held, 2'000'000);
  EXPECT_EQ(usd.headroom(), 996'000'000);
  EXPECT_EQ(accounts[0].limits[1].dimension, "tokens");
  EXPECT_EQ(accounts[0].limits[1].held, 1500);
  EXPECT_EQ(accounts[1].budget, "small only");
  EXPECT_EQ(accounts[1].resets_at_nanos, 0) << "a lifetime does not end";
}

TEST_F(InspectionTest, AFindingOfACheckStandsAtItsPlace) {
  const std::string path = (folder_ / "policy.textproto").string();
  std::ofstream(path) << "candidates { model: \"small\" }\nrules {\n  name: \"x\"\n  min_qualty: 3\n}\n";
  PolicySource source = SourceFor("");
  source.policy_file = path;
  const std::vector<PolicyFinding> findings = CheckPolicy(source);
  ASSERT_EQ(findings.size(), 2u) << "in the order of the file: a warning on line 2, then this error";
  EXPECT_EQ(findings[0].severity, PolicyFinding::Severity::kWarning);
  EXPECT_EQ(findings[1].severity, PolicyFinding::Severity::kError);
  EXPECT_EQ(findings[1].file, path);
  EXPECT_EQ(findings[1].line, 4);
  EXPECT_EQ(findings[1].column, 3);
  EXPECT_THAT(findings[1].message, HasSubstr("did you mean \"min_quality\"?"));
  EXPECT_THAT(findings[1].ToString(), HasSubstr("policy.textproto:4:3: error: "));
}

TEST_F(InspectionTest, AShadowThatWasNeverLoadedRefuses) {
  const auto engine = Open(kTestCandidates);
  Decision decision;
  engine->Decide(ThousandTokens(), &decision);
  ShadowDecision watched;
  engine->DecideShadow(LoadedPolicy(), ThousandTokens(), decision, &watched);
  EXPECT_TRUE(watched.refused);
  EXPECT_FALSE(watched.comparable);
  EXPECT_THAT(watched.reason, HasSubstr("LoadShadowPolicy"));
}

TEST_F(InspectionTest, LiveBooksRefuseWhatTheyDoNotKnow) {
  const auto books = LiveBooks::Create({.by = {{"custmer"}}});
  EXPECT_EQ(books.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(books.status().message()), HasSubstr("\"custmer\" is not a dimension"));
  const std::string path = (folder_ / "economics.textproto").string();
  std::ofstream(path) << "classes { name: \"chat\" slo_usd_per_request: \"cheap\" }";
  const auto unreadable = LiveBooks::Create({.economics_file = path});
  EXPECT_THAT(std::string(unreadable.status().message()), HasSubstr("economics.textproto:1:"));
}

TEST_F(InspectionTest, AnObjectiveThatBurnsIsReported) {
  const std::string path = (folder_ / "economics.textproto").string();
  std::ofstream(path) << "classes { name: \"chat\" slo_usd_per_request: \"0.0001\" slo_target: 0.9 }";
  std::vector<LiveBooks::BurnAlert> alerts;
  const auto books =
      LiveBooks::Create({.economics_file = path,
                         .on_burn = [&](const LiveBooks::BurnAlert& alert) { alerts.push_back(alert); }});
  ASSERT_TRUE(books.ok()) << books.status();
  Options options =
      OptionsFor(std::string(kTestCandidates) + "request_classes { name: \"chat\" features: \"chat\" }");
  options.live_books = books->get();
  const auto engine = Engine::Open(options);
  ASSERT_TRUE(engine.ok()) << engine.status();
  Request request = ThousandTokens();
  request.feature = "chat";
  Decision decision;
  for (int i = 0; i < 200; ++i) {
    clock_.Advance(int64_t{60} * 1'000'000'000);
    (*engine)->Decide(request, &decision);
    SettleWith(engine->get(), decision.ticket, 1000, 500);
  }
  ASSERT_FALSE(alerts.empty());
  EXPECT_EQ(alerts[0].request_class, "chat");
  EXPECT_GE(alerts[0].burn_rate, 6);
  EXPECT_THAT((*books)->Prometheus(), HasSubstr("purser_slo_burn_rate"));
}

}  // namespace
}  // namespace purser
