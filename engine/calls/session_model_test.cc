// Sessions and tool loops do not bounce between models: what served them before is remembered, and what a
// switch loses is counted.

#include <fstream>
#include <string>

#include "tests/support/engine_fixture.h"

namespace purser {
namespace {

// Rules that ask for the better model as the caller's metadata say.
constexpr char kCandidates[] = R"(
  candidates { model: "cheap" quality: 10 }
  candidates { model: "good" quality: 90 }
  signals { name: "hard" metadata: "hard" }
  rules { name: "hard" when { signal: "hard" } min_quality: 50 }
)";

// A cached token costs a tenth.
constexpr char kBook[] = R"(
  name: "cached"
  models { id: "cheap" provider: "p" context_window: 100000 max_output_tokens: 1000
    sheets { rates { meter: "input_tokens" usd: "5" } rates { meter: "cache_read_tokens" usd: "0.5" }
             rates { meter: "output_tokens" usd: "1" } } }
  models { id: "good" provider: "p" context_window: 100000 max_output_tokens: 1000
    sheets { rates { meter: "input_tokens" usd: "10" } rates { meter: "cache_read_tokens" usd: "1" }
             rates { meter: "output_tokens" usd: "1" } } }
)";

class SessionModelTest : public EngineTest {
 protected:
  void Start(const std::string& routing) {
    const std::string book = (folder_ / "cached.textproto").string();
    std::ofstream(book) << kBook;
    Options options =
        OptionsFor(std::string(kCandidates) + "routing { expected_output_tokens: 100 " + routing + " }");
    options.source.price_books = {book};
    absl::StatusOr<std::unique_ptr<Engine>> engine = Engine::Open(options);
    ASSERT_TRUE(engine.ok()) << engine.status();
    engine_ = *std::move(engine);
  }

  struct Call {
    bool hard = false;
    std::string_view session = "s";
    std::string_view task = {};
    int64_t cached = 0;
    Role last = Role::kUser;
    bool failed = false;
  };

  // Which model serves it.
  std::string Serve(const Call& call) {
    const Message message{call.last, "words"};
    const std::pair<std::string_view, std::string_view> hard[] = {{"hard", "yes"}};
    Request request;
    request.tenant = "t";
    request.session = call.session;
    request.task = call.task;
    request.messages = {&message, 1};
    request.input_tokens = 8'000;
    request.cached_input_tokens = call.cached;
    if (call.hard) request.metadata = hard;
    Decision decision;
    engine_->Decide(request, &decision);
    EXPECT_EQ(decision.action, Action::kDispatch) << decision.reason;
    text_ = engine_->Explain(request).text;
    engine_->MarkDispatched(decision.ticket);
    const Usage usage = UsageOf(8'000, 100);
    CallResult outcome;
    outcome.usage = &usage;
    outcome.failed = call.failed;
    engine_->Settle(decision.ticket, outcome);
    return decision.model;
  }

  std::unique_ptr<Engine> engine_;
  std::string text_;  // What Explain said before the last call.
};

TEST_F(SessionModelTest, WithoutAMarginACheaperModelIsTaken) {
  Start("");
  EXPECT_EQ(Serve({.hard = true}), "good");
  EXPECT_EQ(Serve({}), "cheap");
}

// Good: 800 new tokens at $10 and 7,200 cached at $1; cheap, which has nothing cached: 8,000 at $5.
TEST_F(SessionModelTest, AModelThatHoldsThePrefixIsLeftOnlyForLess) {
  Start("");
  EXPECT_EQ(Serve({.hard = true}), "good");
  EXPECT_EQ(Serve({.cached = 7'200}), "good");
  EXPECT_NE(text_.find("served before by good"), std::string::npos) << text_;
  EXPECT_EQ(Serve({.cached = 7'200}), "good");
  EXPECT_EQ(Serve({.cached = 1'000}), "cheap");
  // Another session, of which nothing is known: the caller's word counts for every candidate.
  EXPECT_EQ(Serve({.session = "other", .cached = 7'200}), "cheap");
}

TEST_F(SessionModelTest, ASwitchHasToSaveMoreThanTheMargin) {
  Start("switch_margin_share: 0.6");
  EXPECT_EQ(Serve({.hard = true}), "good");
  EXPECT_EQ(Serve({}), "good");  // Half of its cost would be saved.
  EXPECT_NE(text_.find("less than the switch margin"), std::string::npos) << text_;
  EXPECT_NE(text_.find("with what leaving good has to save"), std::string::npos) << text_;
  EXPECT_EQ(Serve({.session = "other"}), "cheap");
  EXPECT_EQ(Serve({.session = {}}), "cheap");
}

TEST_F(SessionModelTest, AToolLoopOnlyEscalates) {
  Start("escalate_only_in_tool_loop: true");
  EXPECT_EQ(Serve({.task = "a"}), "cheap");
  EXPECT_EQ(Serve({.hard = true, .task = "a", .last = Role::kTool}), "good");
  EXPECT_EQ(Serve({.task = "a", .last = Role::kTool}), "good");
  EXPECT_NE(text_.find("cheap: lower quality inside a tool loop"), std::string::npos) << text_;
  EXPECT_EQ(Serve({.task = "b"}), "cheap");
  EXPECT_EQ(Serve({.task = "a"}), "cheap");  // The loop is over: the user speaks.
}

TEST_F(SessionModelTest, AModelThatFailedServedNothing) {
  Start("switch_margin_share: 0.6");
  EXPECT_EQ(Serve({.hard = true, .failed = true}), "good");
  EXPECT_EQ(Serve({}), "cheap");
}

}  // namespace
}  // namespace purser
