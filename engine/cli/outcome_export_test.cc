#include "engine/cli/outcome_export.h"

#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "engine/routing/outcome_neighbours.h"
#include "tests/support/engine_fixture.h"

namespace purser::cli {
namespace {

class OutcomeExportTest : public EngineTest {
 protected:
  std::string Path(const char* name) const { return (folder_ / name).string(); }

  // Calls r0, r1 ... that small serves; every fourth is no good, of the last nothing is told.
  void Serve(int count) {
    const auto engine = Open(kTestCandidates, /*with_ledger=*/true);
    for (int i = 0; i < count; ++i) {
      const std::string id = absl::StrCat("r", i);
      Request request;
      request.id = id;
      request.input_tokens = 10;
      Decision decision;
      engine->Decide(request, &decision);
      ASSERT_EQ(decision.model, "small") << decision.reason;
      engine->MarkDispatched(decision.ticket);
      const Usage usage = UsageOf(10, 10);
      CallResult outcome;
      outcome.usage = &usage;
      if (i + 1 < count) outcome.success = i % 4 == 0 ? 0 : 1;
      ASSERT_EQ(engine->Settle(decision.ticket, outcome).result, SettleResult::kSettled);
    }
  }
};

TEST_F(OutcomeExportTest, IsWhatAPolicysOutcomesAreReadFrom) {
  Serve(18);
  std::ofstream embeddings(Path("embeddings.jsonl"));
  for (int i = 0; i < 18; ++i) {
    if (i == 7) continue;
    embeddings << R"({"request_id": "r)" << i << R"(", "embedding": [1, 0.)" << i % 3
               << R"(], "embedding_model": "e"})"
               << "\n";
  }
  embeddings.close();
  const auto exported = ExportOutcomes(ledger(), Path("embeddings.jsonl"), Path("outcomes.jsonl"));
  ASSERT_TRUE(exported.ok()) << exported.status();
  EXPECT_EQ(exported->written, 16);
  EXPECT_EQ(exported->without_outcome, 1);
  EXPECT_EQ(exported->without_embedding, 1);

  const auto outcomes = routing::OutcomeNeighbours::Load(Path("outcomes.jsonl"),
                                                         {.embedding_model = "e", .candidate = "small"});
  ASSERT_TRUE(outcomes.ok()) << outcomes.status();
  const float query[] = {1, 0};
  const auto estimated = (*outcomes)->Estimate(query, "e");
  EXPECT_EQ(estimated.near, 16);
  EXPECT_NEAR(estimated.good, 11.0 / 16, 1e-6);  // r0, r4, r8, r12 and r16 were no good.
}

TEST_F(OutcomeExportTest, MistakesSayWhatIsExpected) {
  Serve(1);
  std::ofstream(Path("bad.jsonl")) << R"({"request_id": 5})";
  std::ofstream(Path("good.jsonl")) << R"({"request_id": "r0", "embedding": [1]})";
  const auto error = [&](const std::string& books, const std::string& embeddings, const std::string& out) {
    return std::string(ExportOutcomes(books, embeddings, out).status().message());
  };
  EXPECT_NE(error(ledger(), Path("none.jsonl"), Path("o")).find("cannot be read"), std::string::npos);
  EXPECT_NE(error(ledger(), Path("bad.jsonl"), Path("o")).find("bad.jsonl:1"), std::string::npos);
  EXPECT_NE(error(ledger(), Path("good.jsonl"), Path("no/such/folder/o")).find("cannot be written"),
            std::string::npos);
  EXPECT_NE(error(Path("no-ledger"), Path("good.jsonl"), Path("o")), "");
}

}  // namespace
}  // namespace purser::cli
