#include "engine/cli/ledger_calls.h"

#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/support/engine_fixture.h"

namespace purser::cli {
namespace {

constexpr char kExploring[] = R"(
  candidates { model: "small" quality: 10 }
  candidates { model: "big" quality: 90 }
  routing { expected_output_tokens: 100 exploration { share: 0.5 salt: "s" } }
)";

class LedgerCallsTest : public EngineTest {
 protected:
  std::string Write(const char* name, const std::string& text) {
    const std::string path = (folder_ / name).string();
    std::ofstream(path) << text;
    return path;
  }

  // `count` calls, each with an id of its own; every third succeeds, the last is told nothing of. Says which
  // model served each.
  std::vector<std::string> Serve(int count) {
    const auto engine = Open(kExploring, /*with_ledger=*/true);
    std::vector<std::string> models;
    for (int i = 0; i < count; ++i) {
      const std::string id = absl::StrCat("r", i);
      const Message message{Role::kUser, "Hello"};
      Request request;
      request.id = id;
      request.messages = {&message, 1};
      Decision decision;
      engine->Decide(request, &decision);
      EXPECT_EQ(decision.action, Action::kDispatch) << decision.reason;
      engine->MarkDispatched(decision.ticket);
      const Usage usage = UsageOf(10, 10);
      CallResult outcome;
      outcome.usage = &usage;
      if (i + 1 < count) outcome.success = i % 3 == 0 ? 1 : 0;
      EXPECT_EQ(engine->Settle(decision.ticket, outcome).result, SettleResult::kSettled);
      models.push_back(decision.model);
    }
    return models;
  }
};

TEST_F(LedgerCallsTest, OutcomesAreJoinedWithPromptsByRequestId) {
  constexpr int kCalls = 60;
  const std::vector<std::string> served = Serve(kCalls);
  std::string prompts;
  for (int i = 0; i < kCalls; ++i) {
    if (i != 5) absl::StrAppend(&prompts, R"({"request_id": "r)", i, R"(", "prompt": "prompt )", i, "\"}\n");
  }
  LedgerCallsSource source{.ledger = ledger(),
                           .prompts = Write("prompts.jsonl", prompts),
                           .strong = "big",
                           .weak = "small",
                           .explored_by = ""};
  const auto all = ReadLedgerCalls(source);
  ASSERT_TRUE(all.ok()) << all.status();
  EXPECT_EQ(all->without_outcome, 1);
  EXPECT_EQ(all->without_prompt, 1);
  ASSERT_EQ(all->calls.size(), static_cast<size_t>(kCalls - 2));
  int big = 0;
  for (const learning::ObservedCall& call : all->calls) {
    const int i = std::stoi(call.prompt.substr(7));
    EXPECT_EQ(call.strong, served[i] == "big") << i;
    EXPECT_EQ(call.good, i % 3 == 0 ? 1 : 0) << i;
    big += call.strong ? 1 : 0;
  }

  // Only the cheap one is chosen where nothing is drawn: what is left out is all the weak one's.
  source.explored_by = Write("policy.textproto", kExploring);
  const auto explored = ReadLedgerCalls(source);
  ASSERT_TRUE(explored.ok()) << explored.status();
  EXPECT_GT(explored->not_explored, kCalls / 4);
  int still_big = 0;
  for (const learning::ObservedCall& call : explored->calls) still_big += call.strong ? 1 : 0;
  EXPECT_EQ(still_big, big);
  EXPECT_GT(big, 5);
}

TEST_F(LedgerCallsTest, MistakesSayWhatIsExpected) {
  Serve(1);
  const auto error = [&](const std::string& prompts, const std::string& policy) {
    return std::string(
        ReadLedgerCalls(
            {.ledger = ledger(), .prompts = prompts, .strong = "big", .weak = "small", .explored_by = policy})
            .status()
            .message());
  };
  EXPECT_NE(error("nowhere.jsonl", "").find("cannot be read"), std::string::npos);
  EXPECT_NE(error(Write("bad.jsonl", "{}\n"), "").find("bad.jsonl:1"), std::string::npos);
  const std::string good = Write("good.jsonl", "{\"request_id\": \"r0\", \"prompt\": \"p\"}\n");
  EXPECT_NE(error(good, Write("p.textproto", kTestCandidates)).find("does not explore"), std::string::npos);
}

}  // namespace
}  // namespace purser::cli
