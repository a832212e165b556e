// What a reload costs those who decide meanwhile: one thread decides, another reloads a policy of a thousand
// rules again and again, or does nothing. Phases take turns, so that what else the machine does falls on
// both. "p99" and "p99_reloading" are of the times of single decisions, in nanoseconds; "moved" is the second
// over the first.
//
//   bazel run //bench:routing_reload_benchmark

#include <benchmark/benchmark.h>
#include <purser/purser.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bench/scratch.h"

namespace purser {
namespace {

constexpr int kCandidates = 24;
constexpr int kRules = 1000;
constexpr int kPhases = 10;
constexpr auto kPhase = std::chrono::milliseconds(300);

std::string BookText() {
  std::string text = "name: \"benchmark\"\n";
  for (int i = 0; i < kCandidates; ++i) {
    absl::StrAppend(&text, "models { id: \"model-", i,
                    "\" provider: \"p\" context_window: 200000 max_output_tokens: 16000 sheets {",
                    " rates { meter: \"input_tokens\" usd: \"", 1 + i,
                    "\" } rates { meter: \"output_tokens\" usd: \"", 4 + 3 * i, "\" } } }\n");
  }
  return text;
}

// `revision` makes two texts that differ.
std::string PolicyText(int revision) {
  std::string text = absl::StrCat("name: \"benchmark ", revision, "\"\n");
  for (int i = 0; i < kCandidates; ++i)
    absl::StrAppend(&text, "candidates { model: \"model-", i, "\" quality: ", 4 * i, " }\n");
  text +=
      "signals { name: \"tools\" measure: TOOLS_OFFERED }\nsignals { name: \"tokens\" measure: INPUT_TOKENS "
      "}\n"
      "signals { name: \"feature\" field: \"feature\" }\n"
      "signals { name: \"law\" patterns { regex: \"clause [0-9]+\" keyword: \"lease\" } }\n";
  for (int i = 0; i < kRules; ++i) {
    absl::StrAppend(&text, "rules { name: \"rule-", i, "\" when { ");
    if (i % 3 == 0) {
      absl::StrAppend(&text, "all { signal: \"tools\" at_least: ", 1 + i % 40,
                      " } all { signal: \"tokens\" above: ", 100 * (i % 50), " }");
    } else if (i % 3 == 1) {
      absl::StrAppend(&text, "signal: \"feature\" one_of: \"feature-", i, "\" one_of: \"other-", i, "\"");
    } else {
      absl::StrAppend(&text, "all { signal: \"law\" } all { signal: \"tokens\" above: ", 300 * (i % 50),
                      " }");
    }
    absl::StrAppend(&text, " } min_quality: ", i % 50, " yield_if_none: true }\n");
  }
  return text;
}

int64_t Percentile(std::vector<int64_t>* times, double share) {
  if (times->empty()) return 0;
  const auto at = times->begin() + static_cast<int64_t>(share * static_cast<double>(times->size() - 1));
  std::nth_element(times->begin(), at, times->end());
  return *at;
}

class Deciding {
 public:
  explicit Deciding(Engine* engine) : engine_(engine) {
    request_.tenant = "t";
    request_.feature = "feature-7";
    request_.messages = {&message_, 1};
    request_.max_output_tokens = 500;
    request_.tools = 5;
  }

  // Adds the time of each decision.
  void Run(std::chrono::steady_clock::duration length, std::vector<int64_t>* times) {
    auto begin = std::chrono::steady_clock::now();
    for (const auto until = begin + length; begin < until;) {
      engine_->Decide(request_, &decision_);
      const auto end = std::chrono::steady_clock::now();
      times->push_back(std::chrono::nanoseconds(end - begin).count());
      engine_->Void(decision_.ticket);
      begin = std::chrono::steady_clock::now();
    }
  }
  bool dispatches() const { return decision_.action == Action::kDispatch; }

 private:
  Engine* const engine_;
  const Message message_{Role::kUser, "Please read clause 12 of the lease and tell me when it ends."};
  Request request_;
  Decision decision_;
};

void BM_DecideWhileReloading(benchmark::State& state) {
  const bench::Scratch scratch;
  const std::string book = scratch.path() + "/book.textproto";
  std::ofstream(book) << BookText();
  PolicySource policies[2];
  for (int i = 0; i < 2; ++i) {
    policies[i].policy_text = PolicyText(i);
    policies[i].price_books = {book};
  }
  auto engine = Engine::Open({.source = policies[0]});
  if (!engine.ok()) return state.SkipWithError(std::string(engine.status().message()).c_str());
  Deciding deciding(engine->get());
  std::vector<int64_t> idle;
  std::vector<int64_t> reloading;
  int64_t reloads = 0;
  double reload_seconds = 0;
  for (auto _ : state) {
    deciding.Run(kPhase, &idle);
    idle.clear();  // Warm.
    for (int phase = 0; phase < kPhases; ++phase) {
      deciding.Run(kPhase, &idle);
      std::atomic<bool> stop{false};
      std::thread other([&] {
        while (!stop.load()) {
          const auto begin = std::chrono::steady_clock::now();
          if (!(*engine)->Reload(policies[++reloads % 2]).ok()) return;
          reload_seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
        }
      });
      deciding.Run(kPhase, &reloading);
      stop = true;
      other.join();
    }
  }
  if (!deciding.dispatches()) return state.SkipWithError("nothing serves the request");
  const auto p99 = static_cast<double>(Percentile(&idle, 0.99));
  const auto p99_reloading = static_cast<double>(Percentile(&reloading, 0.99));
  state.counters["p50"] = static_cast<double>(Percentile(&idle, 0.5));
  state.counters["p50_reloading"] = static_cast<double>(Percentile(&reloading, 0.5));
  state.counters["p99"] = p99;
  state.counters["p99_reloading"] = p99_reloading;
  state.counters["moved"] = p99_reloading / p99;
  state.counters["reloads"] = static_cast<double>(reloads);
  state.counters["reload_ms"] = 1e3 * reload_seconds / static_cast<double>(std::max<int64_t>(reloads, 1));
}
BENCHMARK(BM_DecideWhileReloading)->Iterations(1)->Unit(benchmark::kSecond)->UseRealTime();

}  // namespace
}  // namespace purser

BENCHMARK_MAIN();
