// Runs one scenario N times on fixed inputs, for callgrind to count: instruction_counts.py runs it with N and
// with 2N, so that the difference is N times the scenario and set-up cancels out.
//
//   instruction_counts SCENARIO N

#include <purser/cache/cache.h>
#include <purser/clock.h>
#include <purser/purser.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bench/scratch.h"
#include "engine/budget/accounts.h"
#include "policies/textproto.h"

namespace purser {
namespace {

constexpr int64_t kNow = 1'700'000'000'000'000'000;

constexpr char kBudgets[] = R"(
  budgets { name: "task" scope: TASK usd: "1000000" }
  budgets { name: "session" scope: SESSION usd: "1000000" }
  budgets { name: "customer" scope: CUSTOMER usd: "1000000" window { calendar: MONTH } }
  budgets { name: "tenant" scope: TENANT usd: "1000000" window { calendar: DAY } })";

[[noreturn]] void Stop(std::string_view why) {
  std::fprintf(stderr, "%.*s\n", static_cast<int>(why.size()), why.data());
  std::exit(1);
}

// 24 candidates and 64 rules over fields and numbers: the policy of the speed targets, without text to read.
std::string PolicyText() {
  std::string text = "name: \"counts\"\n";
  for (int i = 0; i < 24; ++i)
    absl::StrAppend(&text, "candidates { model: \"model-", i, "\" quality: ", 4 * i, " }\n");
  text +=
      "signals { name: \"tools\" measure: TOOLS_OFFERED } signals { name: \"tokens\" measure: INPUT_TOKENS "
      "}\n"
      "signals { name: \"feature\" field: \"feature\" }\n";
  for (int i = 0; i < 64; ++i) {
    const std::string condition =
        i % 2 == 0 ? absl::StrCat("all { signal: \"tools\" at_least: ", 1 + i,
                                  " } all { signal: \"tokens\" above: ", 100 * i, " }")
                   : absl::StrCat("signal: \"feature\" one_of: \"x", i, "\" one_of: \"y", i, "\"");
    absl::StrAppend(&text, "rules { name: \"rule-", i, "\" priority: ", i, " when { ", condition,
                    " } min_quality: ", i % 50, " }\n");
  }
  return text + kBudgets;
}

std::string BookText() {
  std::string text = "name: \"counts\"\n";
  for (int i = 0; i < 24; ++i) {
    absl::StrAppend(&text, "models { id: \"model-", i, "\" provider: \"p\" context_window: 200000",
                    " max_output_tokens: 16000 sheets { rates { meter: \"input_tokens\" usd: \"", 1 + i,
                    "\" } rates { meter: \"output_tokens\" usd: \"", 4 + 3 * i, "\" } } }\n");
  }
  return text;
}

class Calls {
 public:
  explicit Calls(bool with_ledger) {
    const std::string book = scratch_.path() + "/book.textproto";
    std::ofstream(book) << BookText();
    Options options;
    options.source.policy_text = PolicyText();
    options.source.price_books = {book};
    options.clock = &clock_;
    if (with_ledger) options.ledger_dir = scratch_.path() + "/ledger";
    absl::StatusOr<std::unique_ptr<Engine>> engine = Engine::Open(options);
    if (!engine.ok()) Stop(std::string(engine.status().message()));
    engine_ = *std::move(engine);
    request_.id = "request-0123456789";
    request_.tenant = "tenant";
    request_.customer = "customer-17";
    request_.session = "6f9619ff-8b86-d011-b42d-00c04fc964ff";
    request_.task = "task-99881";
    request_.feature = "feature-7";
    request_.use_case = "chat";
    request_.input_tokens = 1200;
    request_.max_output_tokens = 500;
    usage_.Set(Meter::kInputTokens, 1200);
    usage_.Set(Meter::kOutputTokens, 180);
  }

  void DecideAndVoid() {
    engine_->Decide(request_, &decision_);
    if (!engine_->Void(decision_.ticket)) Stop("not granted");
  }
  void Call() {
    engine_->Decide(request_, &decision_);
    if (!engine_->MarkDispatched(decision_.ticket)) Stop("not granted");
    CallResult result;
    result.usage = &usage_;
    result.latency_ms = 900;
    if (engine_->Settle(decision_.ticket, result).result != SettleResult::kSettled) Stop("not settled");
  }

 private:
  const bench::Scratch scratch_;
  const ManualClock clock_{kNow};
  std::unique_ptr<Engine> engine_;
  Request request_;
  Usage usage_;
  Decision decision_;
};

class Holds {
 public:
  Holds() {
    policy::Policy policy;
    Diagnostics diagnostics = ParseTextproto(kBudgets, "policy", &policy);
    plan_ = budget::Plan::Compile(policy, &diagnostics);
    if (!diagnostics.ok()) Stop("the budgets do not compile");
    accounts_.Register(&plan_);
    call_.scope.tenant = "tenant";
    call_.scope.customer = "customer-4711";
    call_.scope.session = "6f9619ff-8b86-d011-b42d-00c04fc964ff";
    call_.scope.task = "task-99881";
    call_.worst = call_.likely = budget::Amounts::Call(1'500'000, 2'000, 500);
  }
  void HoldAndSettle() {
    const budget::HoldResult hold = accounts_.Hold(plan_, call_, kNow);
    if (hold.status != budget::HoldStatus::kHeld) Stop("refused");
    accounts_.Settle(plan_, hold.ticket, budget::Amounts::Call(1'000, 1'000, 200, 0), true, kNow);
  }

 private:
  budget::Accounts accounts_{budget::Accounts::Options{}};
  budget::Plan plan_;
  budget::Call call_;
};

// 2,000 entries of 384 dimensions, drawn from a fixed seed.
class LookUps {
 public:
  static constexpr size_t kEntries = 2000, kDimension = 384;

  LookUps() : cache_(CacheOptions()) {
    std::mt19937_64 random(7);
    for (size_t i = 0; i < kEntries; ++i) {
      std::vector<float>& vector = vectors_.emplace_back(kDimension);
      for (float& x : vector) x = static_cast<float>(random() % 2001) / 1000.0F - 1.0F;
      const std::string key = absl::StrCat("entry ", i);
      const std::string_view parts[] = {key};
      cache::Entry entry;
      entry.query = QueryOf(parts, vector);
      entry.answer = "an answer of ordinary length, as chat bots give them";
      if (cache_.Store(entry, kNow) != cache::StoreResult::kStored) Stop("not stored");
    }
    cache_.Maintain(kNow);
  }
  void Exact() {
    const std::string_view parts[] = {"entry 1234"};
    if (cache_.Lookup(QueryOf(parts, vectors_[1234]), kNow, &answer_).kind != cache::Hit::kExact)
      Stop("no exact hit");
  }
  void Semantic() {
    const std::string_view parts[] = {"another question"};
    if (cache_.Lookup(QueryOf(parts, vectors_[1234]), kNow, &answer_).kind != cache::Hit::kSemantic)
      Stop("no semantic hit");
  }

 private:
  static cache::Options CacheOptions() {
    cache::Options options;
    options.background = false;
    options.classes[0].threshold = 0.85F;
    options.classes[0].ttl_nanos = INT64_MAX;
    return options;
  }
  static cache::Query QueryOf(std::span<const std::string_view> parts, const std::vector<float>& vector) {
    cache::Query query;
    query.name_space = "tenant/feature";
    query.key = parts;
    query.embedding = vector;
    query.embedding_model = "model";
    return query;
  }

  cache::Cache cache_;
  std::vector<std::vector<float>> vectors_;
  std::string answer_;
};

template <typename World, typename... Arguments>
std::function<void()> In(void (World::*step)(), Arguments... arguments) {
  auto world = std::make_shared<World>(arguments...);
  return [world, step] { ((*world).*step)(); };
}

int Run(const std::string& scenario, int64_t times) {
  const std::map<std::string, std::function<std::function<void()>()>> scenarios = {
      {"decide_void", [] { return In(&Calls::DecideAndVoid, false); }},
      {"decide_dispatch_settle", [] { return In(&Calls::Call, false); }},
      {"decide_dispatch_settle_ledger", [] { return In(&Calls::Call, true); }},
      {"hold_settle", [] { return In(&Holds::HoldAndSettle); }},
      {"cache_exact", [] { return In(&LookUps::Exact); }},
      {"cache_semantic", [] { return In(&LookUps::Semantic); }},
  };
  const auto found = scenarios.find(scenario);
  if (found == scenarios.end()) {
    for (const auto& [name, make] : scenarios) std::printf("%s\n", name.c_str());
    return 2;
  }
  const std::function<void()> step = found->second();
  for (int i = 0; i < 1000; ++i) step();  // What is learned and cached settles down.
  for (int64_t i = 0; i < times; ++i) step();
  return 0;
}

}  // namespace
}  // namespace purser

int main(int argc, char** argv) {
  return purser::Run(argc > 1 ? argv[1] : "", argc > 2 ? std::strtoll(argv[2], nullptr, 10) : 1);
}
