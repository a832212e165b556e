// purser cache-eval --stream S.jsonl: plays requests whose right answers are known against the cache in
// verified mode, and counts hits and wrong answers.

#include <purser/cache/cache.h>

#include <cstdint>
#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "cache/lexical_embedder.h"
#include "engine/cli/verbs.h"
#include "nlohmann/json.hpp"

namespace purser::cli {
namespace {

using Json = nlohmann::ordered_json;

struct CacheEvalOptions {
  std::string stream;
  double delta = 0.02;
  std::string bound = "requests";
  double audit_rate = 0.03;
  uint64_t seed = 1;
  bool json = false;
  std::string out;
};

struct Question {
  std::string text;
  std::string answer;
};

std::vector<Question> ReadStream(const std::string& path) {
  std::ifstream in(path);
  if (!in) Fail("cache-eval", "cannot read " + path + "; expected a file with one JSON object per line");
  std::vector<Question> questions;
  std::string line;
  for (int number = 1; std::getline(in, line); ++number) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const Json object = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!object.is_object() || !object.contains("text") || !object["text"].is_string() ||
        !object.contains("answer") || !object["answer"].is_string()) {
      Fail("cache-eval", path + ":" + std::to_string(number) +
                             ": expected {\"text\": \"...\", \"answer\": \"...\"}, both strings");
    }
    questions.push_back({object["text"], object["answer"]});
  }
  return questions;
}

struct Tally {
  int64_t queries = 0;
  int64_t hits = 0;
  int64_t false_hits = 0;
  int64_t audits = 0;
  int64_t vetoed = 0;
};

// One request: looks it up; after a miss or an audit, stores the right answer, which is all the cache is
// told.
struct Player {
  explicit Player(cache::Options options) : cache(std::move(options)) {}

  void Play(const Question& question, Tally* tally, std::ofstream* out) {
    const std::string_view key[] = {question.text};
    cache::Query query;
    query.name_space = "stream";
    query.key = key;
    query.text = question.text;
    const cache::Hit hit = cache.Lookup(query, 0, &answer);
    const bool hits = hit.kind != cache::Hit::kNone;
    ++tally->queries;
    tally->audits += hit.audit;
    tally->vetoed += hit.veto != cache::Veto::kNone;
    tally->hits += hits;
    tally->false_hits += hits && answer != question.answer;
    if (out != nullptr && out->is_open()) {
      Json line;
      line["hit"] = hits;
      line["answer"] = hits ? answer : question.answer;
      line["similarity"] = hit.similarity;
      if (hit.audit) line["audit"] = true;
      if (hit.veto != cache::Veto::kNone) line["veto"] = std::string(cache::VetoName(hit.veto));
      *out << line.dump(-1, ' ', false, Json::error_handler_t::replace) << '\n';
    }
    if (hits) return;
    cache::Entry entry;
    entry.query = query;
    entry.answer = question.answer.empty() ? std::string_view("\0", 1) : std::string_view(question.answer);
    entry.trial = hit.trial;
    cache.Store(entry, 0);
  }

  cache::Cache cache;
  std::string answer;
};

cache::Options BaseOptions() {
  cache::Options options;
  options.memory_bytes = size_t{8} << 30;
  options.embedder = std::make_shared<cache::LexicalEmbedder>();
  options.classes[0].ttl_nanos = INT64_MAX;
  return options;
}

Tally PlayAll(const std::vector<Question>& questions, cache::Options options, const std::string& out_path) {
  std::ofstream out;
  if (!out_path.empty()) {
    out.open(out_path);
    if (!out) Fail("cache-eval", "cannot write " + out_path);
  }
  Tally tally;
  Player player(std::move(options));
  for (const Question& question : questions) player.Play(question, &tally, &out);
  if (out.is_open() && !out.flush()) Fail("cache-eval", "cannot write all of " + out_path);
  return tally;
}

double Share(int64_t part, int64_t whole) {
  return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole);
}

// What one fixed threshold could have had, had it been known before: the yardstick of verified mode.
void PrintBestFixedThreshold(const std::vector<Question>& questions, const CacheEvalOptions& options,
                             const Tally& ours) {
  Tally best;
  float best_threshold = 1.0F;
  for (float threshold = 0.98F; threshold > 0.5F; threshold -= 0.02F) {
    cache::Options fixed = BaseOptions();
    fixed.guards = false;
    fixed.classes[0].threshold = threshold;
    const Tally tally = PlayAll(questions, std::move(fixed), "");
    const double error = Share(tally.false_hits, options.bound == "hits" ? tally.hits : tally.queries);
    // Three times beyond the bound, no lower threshold comes back within it.
    if (error > 3.0 * options.delta && tally.hits > 100) break;
    if (error <= options.delta && tally.hits > best.hits) {
      best = tally;
      best_threshold = threshold;
    }
  }
  std::printf(
      "best fixed threshold in hindsight (%.2f): %.1f %% hits, %lld wrong; verified: %.2f times its hits\n",
      best_threshold, 100.0 * Share(best.hits, best.queries), static_cast<long long>(best.false_hits),
      Share(ours.hits, best.hits));
}

void CacheEval(const CacheEvalOptions& options) {
  const std::vector<Question> questions = ReadStream(options.stream);
  cache::Options verified = BaseOptions();
  verified.classes[0].mode = cache::Mode::kVerified;
  verified.verified.delta = options.delta;
  verified.verified.bound = options.bound == "hits" ? cache::Bound::kHits : cache::Bound::kRequests;
  verified.verified.audit_rate = options.audit_rate;
  verified.verified.seed = options.seed;
  const Tally tally = PlayAll(questions, std::move(verified), options.out);
  if (options.json) {
    Json line;
    line["queries"] = tally.queries;
    line["hits"] = tally.hits;
    line["false_hits"] = tally.false_hits;
    line["audits"] = tally.audits;
    line["vetoed"] = tally.vetoed;
    std::printf("%s\n", line.dump().c_str());
    return;
  }
  std::printf("%lld queries, %lld hits (%.1f %%), %lld of them wrong, %lld audits, %lld vetoed\n",
              static_cast<long long>(tally.queries), static_cast<long long>(tally.hits),
              100.0 * Share(tally.hits, tally.queries), static_cast<long long>(tally.false_hits),
              static_cast<long long>(tally.audits), static_cast<long long>(tally.vetoed));
  std::printf("wrong among hits %.2f %%, among requests %.2f %%; bound: %.2f %% of %s\n",
              100.0 * Share(tally.false_hits, tally.hits), 100.0 * Share(tally.false_hits, tally.queries),
              100.0 * options.delta, options.bound.c_str());
  PrintBestFixedThreshold(questions, options, tally);
}

}  // namespace

void AddCacheEvalVerb(Verb app) {
  auto options = std::make_shared<CacheEvalOptions>();
  Verb verb = app.AddVerb("cache-eval", "Play questions with known answers against the cache");
  verb.Add("--stream", &options->stream, "Lines of {\"text\", \"answer\"}, in the order asked").Required();
  verb.Add("--delta", &options->delta, "Share of wrong answers that is allowed").Between(0.0001, 0.9999);
  verb.Add("--bound", &options->bound, "What that is a share of").OneOf({"hits", "requests"}).ShowDefault();
  verb.Add("--audit-rate", &options->audit_rate, "Share of would-be hits that ask all the same")
      .Between(0.0, 1.0)
      .ShowDefault();
  verb.Add("--seed", &options->seed, "Of the draw of audits").ShowDefault();
  verb.AddFlag("--json", &options->json, "Counts only, as one JSON object");
  verb.Add("--out", &options->out, "Write a line of JSON per query here, in order");
  verb.Footer("Example: purser cache-eval --stream questions.jsonl --delta 0.02 --bound requests");
  verb.Run([options] { CacheEval(*options); });
}

}  // namespace purser::cli
