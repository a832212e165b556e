// How long a cache takes to come back: from the start of reading its snapshot to the first answers, one exact
// and one by similarity. Entries have 384-dimensional embeddings, a question and an answer of half a
// kilobyte.
//
//   bazel run //bench:cache_reload_benchmark

#include <benchmark/benchmark.h>
#include <purser/cache/cache.h>

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "bench/scratch.h"

namespace purser::cache {
namespace {

constexpr size_t kDimension = 384;

Options OptionsOfBoth() {
  Options options;
  options.classes[0].ttl_nanos = INT64_MAX;
  options.memory_bytes = size_t{4} << 30;
  options.background = false;
  return options;
}

struct Question {
  explicit Question(int64_t number) : text("question number " + std::to_string(number)) {
    std::mt19937_64 random(static_cast<uint64_t>(number));
    std::normal_distribution<float> normal;
    embedding.resize(kDimension);
    for (float& x : embedding) x = normal(random);
    key[0] = text;
    query.name_space = "tenant/feature";
    query.key = key;
    query.text = text;
    query.embedding = embedding;
    query.embedding_model = "model";
  }
  Question(const Question&) = delete;

  std::string text;
  std::vector<float> embedding;
  std::string_view key[1];
  Query query;
};

std::string AnswerTo(int64_t number) {
  static constexpr std::string_view kWords[] = {"the",  "account", "refund",  "is",     "within", "days",
                                                "card", "please",  "contact", "amount", "after",  "order"};
  std::mt19937_64 random(static_cast<uint64_t>(number));
  std::string answer = std::to_string(number);
  while (answer.size() < 500) {
    answer += ' ';
    answer += kWords[random() % std::size(kWords)];
  }
  return answer;
}

void Save(const std::string& path, int64_t entries) {
  Cache cache(OptionsOfBoth());
  for (int64_t i = 0; i < entries; ++i) {
    const Question question(i);
    const std::string answer = AnswerTo(i);
    Entry entry;
    entry.query = question.query;
    entry.answer = answer;
    entry.model = "large";
    cache.Store(entry, 0);
  }
  if (!cache.SaveTo(path, 0).ok()) std::filesystem::remove(path);
}

bool Answers(const Cache& cache, const Question& question, int64_t number, bool exactly) {
  Query query = question.query;
  const std::string_view other[] = {"a similar question"};
  if (!exactly) query.key = other;
  std::string answer;
  const Hit hit = cache.Lookup(query, 0, &answer);
  return hit.kind == (exactly ? Hit::kExact : Hit::kSemantic) && answer == AnswerTo(number);
}

void Reload(benchmark::State& state) {
  const bench::Scratch scratch;
  const std::string path = scratch.path() + "/cache";
  const int64_t entries = state.range(0);
  Save(path, entries);
  const Question question(entries / 2);
  std::unique_ptr<Cache> cache;
  for (auto _ : state) {
    cache = std::make_unique<Cache>(OptionsOfBoth());
    const bool right = cache->LoadFrom(path, 0).ok() && Answers(*cache, question, entries / 2, true) &&
                       Answers(*cache, question, entries / 2, false);
    if (!right) return state.SkipWithError("the cache did not come back");
    state.PauseTiming();
    cache.reset();
    state.ResumeTiming();
  }
  state.counters["file_mb"] = static_cast<double>(std::filesystem::file_size(path)) / 1e6;
}
BENCHMARK(Reload)->Arg(10'000)->Arg(100'000)->Iterations(5)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace purser::cache

BENCHMARK_MAIN();
