// The embedders that need no service: a static table of 30,000 word pieces by 256 dimensions, generated, and
// the built-in lexical one. Questions of twenty words.
//
//   bazel run //bench:embedder_benchmark

#include <benchmark/benchmark.h>

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "cache/lexical_embedder.h"
#include "cache/static_embedder.h"

namespace purser::cache {
namespace {

constexpr size_t kPieces = 30'000;
constexpr size_t kDimension = 256;

std::string Word(std::mt19937_64* random, size_t letters) {
  std::string word;
  for (size_t i = 0; i < letters; ++i) word += static_cast<char>('a' + (*random)() % 26);
  return word;
}

// As in the vocabularies of real models: a fifth of the pieces continue words, every letter is one.
std::vector<std::string> Vocabulary() {
  std::mt19937_64 random(1);
  std::vector<std::string> pieces = {"[UNK]", ".", ",", "?", "'"};
  for (char c = 'a'; c <= 'z'; ++c) {
    pieces.push_back(std::string(1, c));
    pieces.push_back(std::string("##") + c);
  }
  while (pieces.size() < kPieces) {
    const bool continues = random() % 5 == 0;
    const size_t letters = continues ? 2 + random() % 3 : 3 + random() % 8;
    pieces.push_back((continues ? "##" : "") + Word(&random, letters));
  }
  return pieces;
}

std::string TokenizerJson(const std::vector<std::string>& pieces) {
  std::string vocabulary;
  for (size_t i = 0; i < pieces.size(); ++i) {
    vocabulary += (i == 0 ? "\"" : ",\"") + pieces[i] + "\":" + std::to_string(i);
  }
  return R"({"normalizer":{"type":"BertNormalizer","lowercase":true},"model":{"type":"WordPiece","vocab":{)" +
         vocabulary + "}}}";
}

std::string Safetensors() {
  std::mt19937_64 random(2);
  std::normal_distribution<float> normal;
  std::string data;
  for (size_t i = 0; i < kPieces * kDimension; ++i) {
    const float x = normal(random);
    data.append(reinterpret_cast<const char*>(&x), sizeof(x));
  }
  const std::string header = R"({"embeddings":{"dtype":"F32","shape":[)" + std::to_string(kPieces) + "," +
                             std::to_string(kDimension) + R"(],"data_offsets":[0,)" +
                             std::to_string(data.size()) + "]}}";
  const uint64_t size = header.size();
  return std::string(reinterpret_cast<const char*>(&size), sizeof(size)) + header + data;
}

// Three words of four are pieces, the others have to be cut.
std::vector<std::string> Questions(const std::vector<std::string>& pieces) {
  std::mt19937_64 random(3);
  std::vector<std::string> questions(1000);
  for (std::string& question : questions) {
    for (int word = 0; word < 20; ++word) {
      const std::string& piece = pieces[random() % pieces.size()];
      question += word == 0 ? "" : " ";
      question += random() % 4 == 0 || piece.starts_with("#") ? Word(&random, 4 + random() % 8) : piece;
    }
    question += "?";
  }
  return questions;
}

void EmbedAll(benchmark::State& state, const Embedder& embedder, const std::vector<std::string>& questions) {
  std::vector<float> out(static_cast<size_t>(embedder.dimension()));
  size_t at = 0;
  for (auto _ : state) {
    if (!embedder.Embed(questions[at++ % questions.size()], out)) return state.SkipWithError("not embedded");
    benchmark::DoNotOptimize(out.data());
  }
}

void StaticTable(benchmark::State& state) {
  const std::vector<std::string> pieces = Vocabulary();
  const auto embedder = StaticEmbedder::FromBytes(Safetensors(), TokenizerJson(pieces), "table");
  if (!embedder.ok()) return state.SkipWithError(std::string(embedder.status().message()).c_str());
  EmbedAll(state, **embedder, Questions(pieces));
}
BENCHMARK(StaticTable)->Unit(benchmark::kMicrosecond);

void Lexical(benchmark::State& state) { EmbedAll(state, LexicalEmbedder(), Questions(Vocabulary())); }
BENCHMARK(Lexical)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace purser::cache

BENCHMARK_MAIN();
