// Cache look-ups beside plain nearest-neighbour indexes, in one run. Peers answer with the nearest vector's
// number; the cache does all of a look-up: keys, namespace, search, copying the answer.
//
//   bazel run //bench:cache_benchmark -- --entries 100000

#include <purser/cache/cache.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "CLI/CLI.hpp"
#include "bench/ann_peers.h"

namespace purser::bench {
namespace {

using Clock = std::chrono::steady_clock;

struct Settings {
  size_t entries = 100'000;
  size_t dimension = 384;
  size_t queries = 2000;
  int rounds = 5;
  std::string index = "auto";
  std::string keep;  // Peers' indexes are read from files that begin with this, or written to them.
  bool skewed = false;
  bool without_faiss = false;
  bool without_hnswlib = false;
  bool without_writer = false;
};

// The mean cosine of skewed vectors: all have one direction in common, as the embeddings of some models do.
constexpr float kSkew = 0.58F;

// Queries that no entry answers are this similar to their nearest one.
constexpr float kMissCosine = 0.75F;

// Unit vectors in clusters, and paraphrases of some at a cosine of about 0.92. The nearest vector of a
// paraphrase is the one that it was made from: members of a cluster are 0.64 similar (0.85 if skewed).
class Data {
 public:
  explicit Data(const Settings& settings) : dimension_(settings.dimension), random_(42) {
    const std::vector<float> common = Direction();
    std::vector<float> centre;
    vectors_.reserve(settings.entries * dimension_);
    for (size_t i = 0; i < settings.entries; ++i) {
      if (i % 20 == 0) centre = Direction();
      std::vector<float> v = Mix(centre, 0.8F, Direction());
      if (settings.skewed) v = Mix(common, std::sqrt(kSkew), v);
      vectors_.insert(vectors_.end(), v.begin(), v.end());
    }
    for (size_t i = 0; i < settings.queries; ++i) {
      const size_t source = random_() % settings.entries;
      sources_.push_back(source);
      const std::vector<float> from(Vector(source), Vector(source) + dimension_);
      const std::vector<float> v = Mix(from, 0.92F, Direction());
      queries_.insert(queries_.end(), v.begin(), v.end());
      const std::vector<float> other = Mix(from, kMissCosine, Direction());
      misses_.insert(misses_.end(), other.begin(), other.end());
    }
  }
  const float* Vector(size_t i) const { return vectors_.data() + i * dimension_; }
  const float* Query(size_t i) const { return queries_.data() + i * dimension_; }
  const float* Miss(size_t i) const { return misses_.data() + i * dimension_; }
  size_t Source(size_t i) const { return sources_[i]; }
  std::vector<float> Direction() {
    std::vector<float> v(dimension_);
    for (float& x : v) x = normal_(random_);
    return Unit(std::move(v));
  }
  double MeanCosine() {
    double sum = 0.0;
    for (int i = 0; i < 2000; ++i) {
      const float* a = Vector(random_() % (vectors_.size() / dimension_));
      const float* b = Vector(random_() % (vectors_.size() / dimension_));
      for (size_t j = 0; j < dimension_; ++j) sum += double{a[j]} * b[j];
    }
    return sum / 2000;
  }

 private:
  static std::vector<float> Unit(std::vector<float> v) {
    float square = 0.0F;
    for (const float x : v) square += x * x;
    for (float& x : v) x /= std::sqrt(square);
    return v;
  }
  static std::vector<float> Mix(const std::vector<float>& a, float weight, const std::vector<float>& b) {
    std::vector<float> v(a.size());
    for (size_t i = 0; i < v.size(); ++i) v[i] = weight * a[i] + std::sqrt(1.0F - weight * weight) * b[i];
    return Unit(std::move(v));
  }

  size_t dimension_;
  std::mt19937_64 random_;
  std::normal_distribution<float> normal_;
  std::vector<float> vectors_;
  std::vector<float> queries_;
  std::vector<float> misses_;
  std::vector<size_t> sources_;
};

struct Timing {
  std::vector<double> micros;
  double At(double share) {
    std::sort(micros.begin(), micros.end());
    return micros.empty() ? 0.0 : micros[static_cast<size_t>(share * static_cast<double>(micros.size() - 1))];
  }
};

template <typename Call>
void Time(Timing* timing, const Call& call) {
  const auto start = Clock::now();
  call();
  timing->micros.push_back(std::chrono::duration<double, std::micro>(Clock::now() - start).count());
}

struct Asked {
  std::string key;
  std::string_view parts[1];
  cache::Query query;
  Asked(std::string k, std::span<const float> embedding) : key(std::move(k)) {
    parts[0] = key;
    query.name_space = "tenant/feature";
    query.key = parts;
    query.embedding = embedding;
    query.embedding_model = "model";
  }
  Asked(const Asked&) = delete;
};

std::unique_ptr<cache::Cache> Fill(const Settings& settings, const Data& data) {
  cache::Options options;
  options.classes[0].threshold = 0.85F;
  options.classes[0].ttl_nanos = INT64_MAX;
  options.memory_bytes = size_t{16} << 30;
  options.background = false;
  options.index = settings.index == "flat"   ? cache::IndexKind::kFlat
                  : settings.index == "hnsw" ? cache::IndexKind::kHnsw
                                             : cache::IndexKind::kAuto;
  auto filled = std::make_unique<cache::Cache>(options);
  const auto start = Clock::now();
  for (size_t i = 0; i < settings.entries; ++i) {
    const Asked asked("entry " + std::to_string(i), {data.Vector(i), settings.dimension});
    const std::string answer = std::to_string(i);
    cache::Entry entry;
    entry.query = asked.query;
    entry.answer = answer;
    filled->Store(entry, 0);
  }
  const double stored = std::chrono::duration<double>(Clock::now() - start).count();
  filled->Maintain(0);
  const double built = std::chrono::duration<double>(Clock::now() - start).count() - stored;
  const cache::CacheStats stats = filled->Stats();
  std::printf("cache (%s): stored in %.1f s, graph built in %.1f s, %.0f B per entry besides payload\n",
              settings.index.c_str(), stored, built,
              static_cast<double>(stats.bytes - stats.payload_bytes) / static_cast<double>(stats.entries));
  return filled;
}

// The least ef at which 99 % of the queries find their vector.
int FindEf(Peer* peer, const Settings& settings, const Data& data) {
  int ef = 10;
  for (;; ef = ef * 5 / 4 + 1) {
    peer->SetEf(ef);
    size_t found = 0;
    for (size_t i = 0; i < settings.queries; ++i) {
      found += peer->Nearest(data.Query(i)) == static_cast<int64_t>(data.Source(i));
    }
    const double recall = static_cast<double>(found) / static_cast<double>(settings.queries);
    if (recall >= 0.99 || ef > 2000) {
      std::printf("%s: ef %d, recall@1 %.4f\n", peer->name(), ef, recall);
      return ef;
    }
  }
}

std::unique_ptr<Peer> Ready(std::unique_ptr<Peer> peer, const Settings& settings, const Data& data) {
  const auto start = Clock::now();
  const std::string file = settings.keep.empty() ? "" : settings.keep + "." + peer->name();
  const bool kept = !file.empty() && std::filesystem::exists(file);
  if (kept) {
    peer->Load(file);
  } else {
    peer->Build(data.Vector(0), settings.entries);
  }
  std::printf("%s: %s in %.1f s\n", peer->name(), kept ? "read" : "built",
              std::chrono::duration<double>(Clock::now() - start).count());
  if (!kept && !file.empty()) peer->Save(file);
  peer->SetEf(FindEf(peer.get(), settings, data));
  return peer;
}

// One look-up; whether it hit.
bool LookUp(const cache::Cache& cache, const Settings& settings, const float* query, Timing* timing,
            std::string* answer) {
  const Asked asked("query", {query, settings.dimension});
  cache::Hit hit;
  Time(timing, [&] { hit = cache.Lookup(asked.query, 0, answer); });
  return hit.kind != cache::Hit::kNone;
}

// Prints one line; times of the cache's first.
void Print(const char* name, const char* what, std::vector<Timing>* timings, size_t which) {
  const double p50 = (*timings)[which].At(0.5);
  std::printf("%-8s %s p50 %8.1f us  p99 %8.1f us", name, what, p50, (*timings)[which].At(0.99));
  if (which > 0) std::printf("  cache's p50 is %.3f of it", (*timings)[0].At(0.5) / p50);
  std::printf("\n");
}

void CompareSearches(const Settings& settings, const Data& data, const cache::Cache& cache,
                     const std::vector<std::unique_ptr<Peer>>& peers) {
  std::vector<Timing> hits(peers.size() + 1);
  std::vector<Timing> misses(peers.size() + 1);
  std::string answer;
  size_t found = 0;
  size_t wrong = 0;
  int64_t sink = 0;
  for (int round = 0; round < settings.rounds; ++round) {
    found = 0;
    for (size_t i = 0; i < settings.queries; ++i) {
      found += LookUp(cache, settings, data.Query(i), &hits[0], &answer) &&
               answer == std::to_string(data.Source(i));
    }
    for (size_t i = 0; i < settings.queries; ++i) {
      wrong += LookUp(cache, settings, data.Miss(i), &misses[0], &answer);
    }
    for (size_t p = 0; p < peers.size(); ++p) {
      for (size_t i = 0; i < settings.queries; ++i) {
        Time(&hits[p + 1], [&] { sink += peers[p]->Nearest(data.Query(i)); });
      }
      for (size_t i = 0; i < settings.queries; ++i) {
        Time(&misses[p + 1], [&] { sink += peers[p]->Nearest(data.Miss(i)); });
      }
    }
  }
  std::printf("true hits found %.4f, wrong hits %zu\n",
              static_cast<double>(found) / static_cast<double>(settings.queries), wrong);
  for (size_t i = 0; i <= peers.size(); ++i) {
    const char* const name = i == 0 ? "cache" : peers[i - 1]->name();
    Print(name, "hits  ", &hits, i);
    Print(name, "misses", &misses, i);
  }
  if (sink == 1) std::printf("\n");
}

// p99 of look-ups while another thread inserts 500 entries a second, against idle rounds in between.
void BesideAWriter(const Settings& settings, Data* data, cache::Cache* cache) {
  Timing idle;
  Timing busy;
  std::string answer;
  for (int round = 0; round < 2 * settings.rounds; ++round) {
    const bool writing = round % 2 == 1;
    std::atomic<bool> stop{false};
    std::thread writer([&, round] {
      for (int i = 0; writing && !stop.load(); ++i) {
        const std::vector<float> vector = data->Direction();
        const Asked asked("new " + std::to_string(round) + " " + std::to_string(i), vector);
        cache::Entry entry;
        entry.query = asked.query;
        entry.answer = "new";
        cache->Store(entry, 0);
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
      }
    });
    for (size_t i = 0; i < settings.queries; ++i) {
      LookUp(*cache, settings, data->Query(i), writing ? &busy : &idle, &answer);
    }
    stop.store(true);
    writer.join();
  }
  std::printf(
      "beside 500 inserts/s: p50 %.1f us, p99 %.1f us; idle p50 %.1f us, p99 %.1f us; ratio of p99 %.2f\n",
      busy.At(0.5), busy.At(0.99), idle.At(0.5), idle.At(0.99), busy.At(0.99) / idle.At(0.99));
}

void ExactHits(const cache::Cache& cache) {
  std::string answer;
  std::vector<std::unique_ptr<Asked>> asked;
  for (int i = 0; i < 1000; ++i) {
    asked.push_back(std::make_unique<Asked>("entry " + std::to_string(i * 7), std::span<const float>()));
  }
  Timing per_round;
  for (int round = 0; round < 50; ++round) {
    const auto start = Clock::now();
    for (const auto& one : asked) cache.Lookup(one->query, 0, &answer);
    per_round.micros.push_back(std::chrono::duration<double, std::micro>(Clock::now() - start).count());
  }
  std::printf("exact hit: %.0f ns (median of rounds of 1000 entries)\n", per_round.At(0.5));
}

void Run(const Settings& settings) {
  Data data(settings);
  std::printf("%zu entries x %zu%s, mean cosine %.2f, %zu queries, %d rounds\n", settings.entries,
              settings.dimension, settings.skewed ? ", skewed" : "", data.MeanCosine(), settings.queries,
              settings.rounds);
  const std::unique_ptr<cache::Cache> cache = Fill(settings, data);
  const PeerOptions peer_options = {settings.dimension, settings.entries, 16, 200};
  std::vector<std::unique_ptr<Peer>> peers;
  if (!settings.without_hnswlib) peers.push_back(Ready(MakeHnswlib(peer_options), settings, data));
  if (!settings.without_faiss) {
    if (auto faiss = MakeFaiss(peer_options)) {
      peers.push_back(Ready(std::move(faiss), settings, data));
    } else {
      std::printf("faiss: skipped, libfaiss-dev was not there when this was built\n");
    }
  }
  CompareSearches(settings, data, *cache, peers);
  ExactHits(*cache);
  if (!settings.without_writer) BesideAWriter(settings, &data, cache.get());
}

}  // namespace
}  // namespace purser::bench

int main(int argc, char** argv) {
  purser::bench::Settings settings;
  CLI::App app("Cache look-ups beside plain nearest-neighbour indexes");
  app.add_option("--entries", settings.entries)->capture_default_str();
  app.add_option("--dimension", settings.dimension)->capture_default_str();
  app.add_option("--queries", settings.queries)->capture_default_str();
  app.add_option("--rounds", settings.rounds)->capture_default_str();
  app.add_option("--index", settings.index)
      ->check(CLI::IsMember({"auto", "flat", "hnsw"}))
      ->capture_default_str();
  app.add_option("--keep", settings.keep,
                 "Read the peers' indexes from files with this prefix, or write them");
  app.add_flag("--skewed", settings.skewed, "A mean cosine of about 0.58");
  app.add_flag("--without-faiss", settings.without_faiss);
  app.add_flag("--without-hnswlib", settings.without_hnswlib);
  app.add_flag("--without-writer", settings.without_writer);
  std::string ignored;  // What runs all benchmarks says how long; here --rounds does.
  app.add_option("--benchmark_min_time", ignored)->group("");
  CLI11_PARSE(app, argc, argv);
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  purser::bench::Run(settings);
  return 0;
}
