// What the engine lets be answered from earlier answers.

#include <purser/cache/cache.h>
#include <purser/purser.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "gtest/gtest.h"
#include "tests/support/engine_fixture.h"

namespace purser {
namespace {

constexpr char kSemantic[] =
    R"(caching { namespace_template: "{tenant}" defaults { mode: SEMANTIC threshold: 0.8 } })";

class CachedAnswersTest : public EngineTest {
 protected:
  CachedAnswersTest() : engine_(Open(std::string(kTestCandidates) + kSemantic)) {
    request_.id = "r";
    request_.tenant = "acme";
    request_.messages = {&question_, 1};
    request_.embedding = vector_;
    request_.embedding_model = "test";
  }

  // Whether the request is answered; if not, it is settled and its answer kept.
  bool Ask(const Request& request) { return Ask(request, {.text = "Click on the link."}); }
  bool Ask(const Request& request, const CacheableAnswer& answer) {
    engine_->Decide(request, &decision_);
    if (decision_.action != Action::kDispatch) return decision_.action == Action::kAnswer;
    engine_->MarkDispatched(decision_.ticket);
    CallResult outcome;
    outcome.response_json = R"({"usage":{"prompt_tokens":1000,"completion_tokens":20}})";
    cost_nanos_ = engine_->Settle(decision_.ticket, outcome).cost_nanos;
    engine_->StoreInCache(request, decision_, answer);
    return false;
  }

  const Message question_{Role::kUser, "How do I reset my password?"};
  const Message rephrased_{Role::kUser, "How can I reset my password?"};
  const std::array<float, 4> vector_ = {1, 0, 0, 0};
  const std::array<float, 4> near_ = {0.9F, 0.4F, 0, 0};  // A cosine of 0.914.
  Request request_;
  Decision decision_;
  int64_t cost_nanos_ = 0;
  std::unique_ptr<Engine> engine_;
};

TEST_F(CachedAnswersTest, ASimilarRequestIsAnsweredAndTheCallerMayOnlyRaiseTheThreshold) {
  EXPECT_FALSE(Ask(request_));
  Request similar = request_;
  similar.messages = {&rephrased_, 1};
  similar.embedding = near_;
  similar.least_similarity = 0.1F;
  EXPECT_TRUE(Ask(similar));
  EXPECT_NEAR(decision_.similarity, 0.914, 0.001);
  similar.least_similarity = 0.95F;
  EXPECT_FALSE(Ask(similar));

  const std::array<float, 4> far = {0.7F, -0.7F, 0, 0};
  const Message other{Role::kUser, "And how do I reset it once more?"};
  similar.messages = {&other, 1};
  similar.embedding = far;
  similar.least_similarity = 0.1F;
  EXPECT_FALSE(Ask(similar)) << "0.71 is below the policy's threshold";
}

TEST_F(CachedAnswersTest, WhateverElseChangesTheAnswerMustBeEqual) {
  ASSERT_FALSE(Ask(request_));
  const auto with = [this](auto change) {
    Request changed = request_;
    change(&changed);
    return changed;
  };
  for (const Request& changed : {
           with([](Request* r) { r->model = "big"; }),
           with([](Request* r) { r->parameters = "temperature=1"; }),
           with([](Request* r) { r->tools_json = "[]"; }),
           with([](Request* r) { r->needs = kNeedsJsonMode; }),
           with([](Request* r) { r->unseen_digest = "another picture"; }),
           with([](Request* r) { r->tenant = "other"; }),
           with([](Request* r) { r->embedding_model = "other"; }),
       }) {
    Request similar = changed;
    similar.messages = {&rephrased_, 1};
    similar.embedding = near_;
    engine_->Decide(similar, &decision_);
    EXPECT_EQ(decision_.action, Action::kDispatch);
    engine_->Void(decision_.ticket);
    if (!changed.embedding_model.empty() && changed.embedding_model != "test") continue;
    EXPECT_FALSE(Ask(changed));
    EXPECT_TRUE(Ask(changed)) << "its own answer, from now on";
  }
}

TEST_F(CachedAnswersTest, EarlierTurnsMustBeEqualEvenWhereTheyShareTheLastOnesBytes) {
  const std::string_view yes = "yes";
  const Message confirmed[] = {{Role::kAssistant, "Shall I?"}, {Role::kUser, yes}};
  const Message twice[] = {{Role::kUser, yes}, {Role::kAssistant, "Shall I?"}, {Role::kUser, yes}};
  const Message answered[] = {{Role::kUser, yes}, {Role::kAssistant, "Shall I?"}};
  const Message longer[] = {
      {Role::kAssistant, "Shall I?"}, {Role::kUser, yes.substr(0, 2)}, {Role::kUser, yes}};
  request_.messages = confirmed;
  EXPECT_FALSE(Ask(request_));
  for (const std::span<const Message> other : {std::span<const Message>(twice), {answered}, {longer}}) {
    Request similar = request_;
    similar.messages = other;
    EXPECT_FALSE(Ask(similar));
  }
  request_.embedding = near_;
  EXPECT_TRUE(Ask(request_));
}

TEST_F(CachedAnswersTest, WhatTheRequestDoesNotShowIsNotGuessed) {
  struct Case {
    const char* what;
    void (*hide)(Request*);
  };
  for (const Case& test : {Case{"turns", [](Request* r) { r->history_tokens = 500; }},
                           Case{"picture", [](Request* r) { r->images = 1; }},
                           Case{"document", [](Request* r) { r->needs = kNeedsDocuments; }}}) {
    Request hidden = request_;
    test.hide(&hidden);
    EXPECT_FALSE(Ask(hidden));
    EXPECT_FALSE(Ask(hidden)) << "it may be another " << test.what;
    hidden.unseen_digest = test.what;
    EXPECT_FALSE(Ask(hidden));
    EXPECT_TRUE(Ask(hidden));
    hidden.unseen_digest = "another";
    hidden.embedding = near_;
    EXPECT_FALSE(Ask(hidden));
    engine_->cache()->Clear();
  }
}

TEST_F(CachedAnswersTest, EntriesLeaveByTagModelPolicySourceAndId) {
  const std::string_view tags[] = {"passwords"};
  const std::string_view sources[] = {"faq.md@7"};
  const CacheableAnswer answer = {.text = "Click.", .tags = tags, .source_versions = sources};
  const std::shared_ptr<cache::Cache> cache = engine_->cache();
  ASSERT_NE(cache, nullptr);
  EXPECT_FALSE(Ask(request_, answer));
  const std::string name_space = cache->Namespaces().at(0);
  for (const auto& [kind, label] : {std::pair{cache::LabelKind::kTag, std::string("passwords")},
                                    {cache::LabelKind::kSourceVersion, "faq.md@7"},
                                    {cache::LabelKind::kModel, "small"},
                                    {cache::LabelKind::kPolicy, "test"},
                                    {cache::LabelKind::kNamespace, name_space}}) {
    EXPECT_TRUE(Ask(request_, answer));
    cache->Invalidate(kind, "something else");
    EXPECT_TRUE(Ask(request_, answer));
    cache->Invalidate(kind, label);
    EXPECT_FALSE(Ask(request_, answer)) << label;
  }
  ASSERT_TRUE(Ask(request_, answer));
  EXPECT_TRUE(cache->InvalidateId(decision_.cache_entry));
  EXPECT_FALSE(Ask(request_, answer));
}

TEST_F(CachedAnswersTest, AHitSavesWhatTheCallDidCost) {
  const CacheableAnswer answer = {.text = "Click.", .cost_nanos = 1'040'000};
  EXPECT_FALSE(Ask(request_, answer));
  EXPECT_EQ(cost_nanos_, answer.cost_nanos) << "1,000 tokens at $1 and 20 at $2 a million";
  EXPECT_TRUE(Ask(request_, answer));
  EXPECT_EQ(decision_.saved_nanos, answer.cost_nanos);
  const cache::NamespaceStats stats = engine_->cache()->StatsOf(engine_->cache()->Namespaces().at(0));
  EXPECT_EQ(stats.exact_hits, 1U);
  EXPECT_EQ(stats.saved_nano_usd, answer.cost_nanos);
}

TEST_F(CachedAnswersTest, AnEmbeddingNeedOnlyBeMadeWhereTheExactRequestIsUnknown) {
  EXPECT_FALSE(Ask(request_));
  Request bare = request_;
  bare.embedding = {};
  EXPECT_TRUE(Ask(bare)) << "asked before, byte for byte";
  EXPECT_FALSE(decision_.cache_hit.wants_embedding);
  bare.messages = {&rephrased_, 1};
  engine_->Decide(bare, &decision_);
  ASSERT_EQ(decision_.action, Action::kDispatch);
  EXPECT_TRUE(decision_.cache_hit.wants_embedding);
  engine_->Void(decision_.ticket);
  bare.embedding = near_;
  EXPECT_TRUE(Ask(bare));
}

// Every text alike.
class OneDirection final : public cache::Embedder {
 public:
  std::string_view id() const override { return "one direction"; }
  int dimension() const override { return 3; }
  bool Embed(std::string_view, std::span<float> out) const override {
    for (float& x : out) x = 1;
    return true;
  }
};

TEST_F(CachedAnswersTest, TheCallersEmbedderServesWhereThePolicyNamesNone) {
  Options options = OptionsFor(std::string(kTestCandidates) + kSemantic);
  options.embedder = std::make_shared<OneDirection>();
  engine_ = *Engine::Open(options);
  request_.embedding = {};
  request_.embedding_model = {};
  EXPECT_FALSE(Ask(request_));
  request_.messages = {&rephrased_, 1};
  EXPECT_TRUE(Ask(request_));
  const std::shared_ptr<cache::Cache> cache = engine_->cache();
  options.embedder = nullptr;
  ASSERT_TRUE(engine_->Reload(options.source).ok());
  EXPECT_EQ(engine_->cache(), cache) << "only policy and prices are reloaded";
  EXPECT_TRUE(Ask(request_));
}

TEST_F(CachedAnswersTest, ATrialLeavesTheServingEnginesCacheAlone) {
  const std::filesystem::path kept = folder_ / "kept";
  Options options = OptionsFor(std::string(kTestCandidates) +
                               "caching { namespace_template: \"{tenant}\" persistence_directory: \"" +
                               kept.string() + "\" }");
  options.keep_cache = false;
  engine_ = *Engine::Open(options);
  EXPECT_FALSE(Ask(request_));
  EXPECT_TRUE(Ask(request_));
  engine_.reset();
  EXPECT_FALSE(std::filesystem::exists(kept));
  std::filesystem::create_directories(kept);
  std::ofstream(kept / "cache.snapshot") << "a diary";
  options.keep_cache = true;
  engine_ = *Engine::Open(options);
  EXPECT_FALSE(Ask(request_));
  EXPECT_NE(engine_->recovered().cache_refused.find("not a cache file"), std::string::npos);
}

}  // namespace
}  // namespace purser
