// How fast texts are read for their tokens, by kind of text; and what learned estimates cost to ask and to
// feed.
//
// The texts built in are sentences of our own, shuffled to 64 KiB. To measure on real text, name files:
//   PURSER_TOKENS_TEXT=a.txt:b.md bazel-bin/bench/tokens_benchmark

#include <benchmark/benchmark.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "engine/base/name_hash.h"
#include "engine/estimates/output_estimate.h"
#include "engine/estimates/token_correction.h"
#include "engine/estimates/token_estimate.h"

namespace purser::estimates {
namespace {

struct Kind {
  const char* name;
  const char* lines;  // Shuffled line by line.
};

constexpr Kind kKinds[] = {
    {"English",
     "Before anybody spends a coin, the purser says what it will cost; afterwards the book shows what it did "
     "cost.\n"
     "Nobody likes to ask twice, so the rules hang on the wall where every sailor can read them.\n"
     "When the chest is empty, the answer is no, however loudly the captain shouts.\n"
     "The harbour master wrote three letters about unpaid fees, and two of them arrived.\n"
     "Which of the following statements best describes the relationship between price and demand?\n"},
    {"Cpp",
     "  explicit Ring(size_t capacity) : items_(capacity) {}\n"
     "    if (size_ == items_.size()) return false;\n"
     "    items_[(head_ + size_++) % items_.size()] = std::move(item);\n"
     "#include \"engine/pricing/quote.h\"\n"
     "template <typename T, typename Compare = std::less<T>>\n"
     "// Returns false if the ring is full.\n"},
    {"Json",
     "    {\"role\": \"user\", \"content\": \"How many planets are there?\"},\n"
     "  \"temperature\": 0.25, \"max_tokens\": 4096,\n"
     "  \"metadata\": {\"session\": \"a1b2c3d4\", \"retry\": false, \"at\": \"2026-03-01T12:30:00Z\"},\n"
     "  \"usage\": {\"prompt_tokens\": 1523, \"completion_tokens\": 187}\n"},
    {"Russian",
     "Прежде чем кто-нибудь потратит монету, он говорит, сколько это будет стоить.\n"
     "Правила висят на стене, и каждый матрос может их прочитать.\n"
     "Капитан кричал очень громко, но сундук оставался пустым до самого вечера.\n"},
    {"Chinese",
     "事务长管理船上的钱、物资和账本。每次花钱之前，他会先说明需要多少费用。\n"
     "规则挂在墙上，每个水手都可以阅读。如果箱子是空的，答案都是不行。\n"
     "港口主管写了三封关于未付费用的信，其中两封已经送到。\n"},
};

std::string Shuffled(const char* text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  std::mt19937 random(1);
  std::string out;
  while (out.size() < (64 << 10)) out += lines[random() % lines.size()] + "\n";
  return out;
}

void ReadAll(benchmark::State& state, const std::string& text) {
  for (auto _ : state) benchmark::DoNotOptimize(ReadText(text));
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(text.size()));
}

void ShortPrompt(benchmark::State& state) {
  const std::string text = Shuffled(kKinds[0].lines).substr(0, static_cast<size_t>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(ReadText(text));
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(text.size()));
}
BENCHMARK(ShortPrompt)->Arg(64)->Arg(256)->Arg(2048);

std::vector<OutputKey> SomeKeys() {
  std::vector<OutputKey> keys;
  for (uint64_t i = 0; i < 64; ++i)
    keys.push_back({HashName("model" + std::to_string(i % 24)), HashName("class" + std::to_string(i % 5)),
                    HashName("feature" + std::to_string(i))});
  return keys;
}

void OutputGet(benchmark::State& state) {
  OutputEstimator estimator;
  const std::vector<OutputKey> keys = SomeKeys();
  for (const OutputKey& key : keys)
    for (int64_t call = 0; call < state.range(0); ++call) estimator.Observe(key, 100 + call % 300);
  const OutputEstimate cold_start = {.mean = 400, .p50 = 300, .p90 = 900, .p99 = 2000};
  size_t i = 0;
  for (auto _ : state) benchmark::DoNotOptimize(estimator.Get(keys[i++ % keys.size()], cold_start));
}
BENCHMARK(OutputGet)->Arg(0)->Arg(20)->Arg(500);  // Nothing known; three levels read; one level read.

void OutputObserve(benchmark::State& state) {
  OutputEstimator estimator;
  const std::vector<OutputKey> keys = SomeKeys();
  size_t i = 0;
  for (auto _ : state) {
    estimator.Observe(keys[i % keys.size()], static_cast<int64_t>(i % 700));
    ++i;
  }
}
BENCHMARK(OutputObserve);

void CorrectionObserve(benchmark::State& state) {
  TokenCorrection correction;
  int64_t i = 0;
  for (auto _ : state) correction.Observe(1000, 1000 + ++i % 100);
}
BENCHMARK(CorrectionObserve);

void CorrectionExpected(benchmark::State& state) {
  TokenCorrection correction;
  for (int i = 0; i < 100; ++i) correction.Observe(1000, 1100);
  for (auto _ : state) benchmark::DoNotOptimize(correction.Expected(1000));
}
BENCHMARK(CorrectionExpected);

}  // namespace
}  // namespace purser::estimates

int main(int argc, char** argv) {
  using purser::estimates::kKinds;
  for (const auto& kind : kKinds)
    benchmark::RegisterBenchmark((std::string("ReadText/") + kind.name).c_str(), purser::estimates::ReadAll,
                                 purser::estimates::Shuffled(kind.lines));
  if (const char* files = std::getenv("PURSER_TOKENS_TEXT")) {
    std::istringstream names(files);
    for (std::string name; std::getline(names, name, ':');) {
      std::ifstream in(name, std::ios::binary);
      benchmark::RegisterBenchmark(("ReadText/" + name).c_str(), purser::estimates::ReadAll,
                                   std::string((std::istreambuf_iterator<char>(in)), {}));
    }
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
}
