// What Purser adds to a model call: Decide, MarkDispatched and Settle, with a policy of 64 rules, 24
// candidates and 4 budget levels, and the ledger on disk.

#include <benchmark/benchmark.h>
#include <purser/purser.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace purser {
namespace {

constexpr int kCandidates = 24;
constexpr int kRules = 64;
constexpr const char* kPatterns[] = {"prove\\w*",       "derive",          "step by step",   "theorem|lemma",
                                     "```\\w*",         "def \\w+\\(",     "SELECT .+ FROM", "translate\\w*",
                                     "contract|clause", "diagnos\\w+",     "\\bwhy\\b",      "refactor",
                                     "optimi[sz]e",     "compare .+ with", "\\d+ ?%",        "summar\\w+"};

std::string BookText() {
  std::string text = "name: \"benchmark\"\n";
  for (int i = 0; i < kCandidates; ++i) {
    absl::StrAppend(&text, "models { id: \"model-", i,
                    "\" provider: \"p\" context_window: 200000 max_output_tokens: 16000 sheets {",
                    " rates { meter: \"input_tokens\" usd: \"", 1 + i,
                    "\" } rates { meter: \"cache_read_tokens\" usd: \"0.", 1 + i, "\" }",
                    " rates { meter: \"output_tokens\" usd: \"", 4 + 3 * i, "\" } } }\n");
  }
  return text;
}

// Of 64 rules, `regexes` look for a pattern in the last user turn; the others look at fields and numbers.
std::string RuleCondition(int i, int regexes) {
  if (i < regexes) return absl::StrCat("signal: \"regex-", i, "\"");
  switch (i % 3) {
    case 0:
      return absl::StrCat("all { signal: \"tools\" at_least: ", 1 + i,
                          " } all { signal: \"tokens\" above: ", 100 * i, " }");
    case 1:
      return absl::StrCat("signal: \"feature\" one_of: \"feature-x", i, "\" one_of: \"other-", i, "\"");
    default:
      return absl::StrCat("any { signal: \"step\" above: ", 20 + i,
                          " } any { signal: \"tokens\" at_least: ", 200000 + i, " }");
  }
}

std::string PolicyText(int regexes) {
  std::string text = "name: \"benchmark\"\n";
  for (int i = 0; i < kCandidates; ++i) {
    absl::StrAppend(&text, "candidates { model: \"model-", i, "\" quality: ", 4 * i, " }\n");
  }
  text +=
      "signals { name: \"tools\" measure: TOOLS_OFFERED }\nsignals { name: \"tokens\" measure: INPUT_TOKENS "
      "}\n"
      "signals { name: \"feature\" field: \"feature\" }\nsignals { name: \"step\" measure: TASK_STEP }\n";
  for (int i = 0; i < regexes; ++i) {
    absl::StrAppend(&text, "signals { name: \"regex-", i, "\" patterns { regex: \"",
                    absl::CEscape(kPatterns[i]), "\" } }\n");
  }
  for (int i = 0; i < kRules; ++i) {
    absl::StrAppend(&text, "rules { name: \"rule-", i, "\" priority: ", i, " when { ",
                    RuleCondition(i, regexes), " } min_quality: ", i % 50, " }\n");
  }
  text +=
      "budgets { name: \"task\" scope: TASK usd: \"1000000\" }\nbudgets { name: \"session\" scope: SESSION "
      "usd: \"1000000\" }\n"
      "budgets { name: \"customer\" scope: CUSTOMER usd: \"1000000\" window { calendar: MONTH } }\n"
      "budgets { name: \"tenant\" scope: TENANT usd: \"1000000\" window { calendar: DAY } }\n";
  return text;
}

class World {
 public:
  explicit World(int regexes) {
    std::string path = (std::filesystem::temp_directory_path() / "purser-bench-XXXXXX").string();
    if (::mkdtemp(path.data()) == nullptr) std::abort();
    folder_ = path;
    std::ofstream(folder_ / "book.textproto") << BookText();
    Options options;
    options.source.policy_text = PolicyText(regexes);
    options.source.price_books = {(folder_ / "book.textproto").string()};
    options.ledger_dir = (folder_ / "ledger").string();
    absl::StatusOr<std::unique_ptr<Engine>> engine = Engine::Open(options);
    if (!engine.ok()) {
      std::fprintf(stderr, "%s\n", std::string(engine.status().message()).c_str());
      std::abort();
    }
    engine_ = *std::move(engine);
  }
  ~World() {
    engine_.reset();
    std::filesystem::remove_all(folder_);
  }
  Engine* engine() { return engine_.get(); }

 private:
  std::filesystem::path folder_;
  std::unique_ptr<Engine> engine_;
};

World& SharedWorld(int regexes) {
  static World plain(0);
  static World with_regexes(16);
  return regexes == 0 ? plain : with_regexes;
}

const std::string& Prompt() {
  static const std::string prompt = [] {
    std::string text;
    while (text.size() < 2048) {
      text +=
          "Please look at the quarterly figures of the three regions and tell me which of them grew, by how "
          "much, and "
          "what the report says about the causes; keep it short and name the page. ";
    }
    text.resize(2048);
    return text;
  }();
  return prompt;
}

// A request of one thread, with the strings that it points to.
class Caller {
 public:
  Caller(const std::string& suffix, std::string_view prompt, bool tokens_known)
      : tenant_("tenant" + suffix),
        customer_("customer" + suffix),
        session_("session" + suffix),
        task_("task" + suffix),
        message_{Role::kUser, prompt} {
    request_.id = "request-0123456789";
    request_.tenant = tenant_;
    request_.customer = customer_;
    request_.session = session_;
    request_.task = task_;
    request_.feature = "feature-7";
    request_.use_case = "chat";
    request_.step = 3;
    if (!prompt.empty()) request_.messages = {&message_, 1};
    if (tokens_known) request_.input_tokens = 1200;
    request_.max_output_tokens = 500;
    usage_.Set(Meter::kInputTokens, 1200);
    usage_.Set(Meter::kOutputTokens, 180);
    outcome_.usage = &usage_;
    outcome_.latency_ms = 900;
  }
  Caller(const Caller&) = delete;
  Caller& operator=(const Caller&) = delete;

  void Call(Engine* engine) {
    engine->Decide(request_, &decision_);
    engine->MarkDispatched(decision_.ticket);
    engine->Settle(decision_.ticket, outcome_);
  }
  const Decision& decision() const { return decision_; }

 private:
  const std::string tenant_, customer_, session_, task_;
  const Message message_;
  Request request_;
  Usage usage_;
  CallResult outcome_;
  Decision decision_;
};

void Run(benchmark::State& state, World& world, std::string_view prompt, bool tokens_known,
         bool shared_accounts) {
  Caller caller(shared_accounts ? "" : std::to_string(state.thread_index()), prompt, tokens_known);
  for (int i = 0; i < 300; ++i) caller.Call(world.engine());
  for (auto _ : state) {
    caller.Call(world.engine());
    if (caller.decision().action != Action::kDispatch) state.SkipWithError(caller.decision().reason.c_str());
  }
  state.SetItemsProcessed(state.iterations());
}

void BM_ReadyFeatures(benchmark::State& state) { Run(state, SharedWorld(0), "", true, false); }
void BM_ReadyFeaturesHotAccounts(benchmark::State& state) { Run(state, SharedWorld(0), "", true, true); }
void BM_Estimate2KB(benchmark::State& state) { Run(state, SharedWorld(0), Prompt(), false, false); }
void BM_SixteenRegexes2KB(benchmark::State& state) { Run(state, SharedWorld(16), Prompt(), true, false); }
void BM_SixteenRegexesAndEstimate2KB(benchmark::State& state) {
  Run(state, SharedWorld(16), Prompt(), false, false);
}

BENCHMARK(BM_ReadyFeatures)->ThreadRange(1, 2)->UseRealTime();
BENCHMARK(BM_ReadyFeaturesHotAccounts)->ThreadRange(1, 2)->UseRealTime();
BENCHMARK(BM_Estimate2KB)->UseRealTime();
BENCHMARK(BM_SixteenRegexes2KB)->UseRealTime();
BENCHMARK(BM_SixteenRegexesAndEstimate2KB)->UseRealTime();

// One call at a time on the clock: what a caller waits for.
void BM_LatencyPercentiles(benchmark::State& state) {
  World& world = SharedWorld(0);
  Caller caller("", "", true);
  std::vector<int64_t> nanos;
  nanos.reserve(1 << 22);
  for (auto _ : state) {
    const auto start = std::chrono::steady_clock::now();
    caller.Call(world.engine());
    nanos.push_back((std::chrono::steady_clock::now() - start).count());
  }
  std::sort(nanos.begin(), nanos.end());
  state.counters["p50_ns"] = static_cast<double>(nanos[nanos.size() / 2]);
  state.counters["p99_ns"] = static_cast<double>(nanos[nanos.size() * 99 / 100]);
}
BENCHMARK(BM_LatencyPercentiles)->UseRealTime();

}  // namespace
}  // namespace purser

BENCHMARK_MAIN();
