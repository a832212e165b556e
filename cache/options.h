#ifndef PURSER_CACHE_OPTIONS_H_
#define PURSER_CACHE_OPTIONS_H_

#include <purser/cache/embedder.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace purser::cache {

// How far requests of a class are answered from earlier answers.
enum class Mode : uint8_t {
  kOff,       // Neither looked up nor stored.
  kExact,     // Only the same request again.
  kSemantic,  // Also requests whose embedding is at least `threshold` similar.
  kVerified,  // Also similar requests, as far as what was learned from feedback keeps the stated error.
};

// What the error that verified mode states is counted among.
enum class Bound : uint8_t {
  kHits,      // Wrong answers among hits are at most delta.
  kRequests,  // Wrong answers among all requests are at most delta.
};

enum class IndexKind : uint8_t {
  kAuto,  // Flat until a partition holds `hnsw_from` entries.
  kFlat,  // Every sketch is read: no graph, exact up to the sketch's error (see flat_index.h).
  kHnsw,  // A graph, with the newest entries flat in front of it.
};

// Affects behaviour: what one class of requests may be answered with.
struct ClassOptions {
  std::string name;  // Query::request_class. "" is the class of requests that name none that is listed.
  Mode mode = Mode::kSemantic;
  // From Store, absolutely: a hit prolongs nothing. 0 or less: entries of this class are not stored.
  int64_t ttl_nanos = 24 * int64_t{3600} * 1'000'000'000;
  // Least cosine of a semantic hit. A query may raise it, never lower it.
  float threshold = 0.9F;
  // What one semantic look-up costs, with its embedding. Where what look-ups of this class have saved on
  // average is less, only one in 32 is still made, to notice a change. 0: always look up.
  int64_t lookup_cost_nano_usd = 0;
};

// Affects behaviour: verified mode. Units: shares of 1.
struct VerifiedOptions {
  double delta = 0.02;
  Bound bound = Bound::kHits;
  // Chance that the statement about the error is wrong, spread over all looks at the data.
  double alpha = 0.05;
  // Of would-be hits, the share that asks the model all the same, so that the error stays known.
  double audit_rate = 0.03;
  uint64_t seed = 1;  // Of the draw which hits are audited.
};

struct Options {
  // Affects behaviour.
  std::vector<ClassOptions> classes = {ClassOptions{}};
  VerifiedOptions verified;
  bool guards = true;  // Compare numbers, dates, negation, names, quotes, code, units and language; veto.
  // Entries that a Store refuses: key, answer and labels together larger than this.
  size_t max_entry_bytes = size_t{1} << 20;
  // Everything held for entries, with indexes; kept after every Store. What readers still look at while it is
  // being replaced, and a graph being rebuilt, come on top for that moment (Stats::transient_bytes).
  size_t memory_bytes = size_t{256} << 20;
  // Embeds Query::text when a query brings no embedding. Null: such queries are answered exactly or not.
  std::shared_ptr<const Embedder> embedder;

  // Affects performance only.
  IndexKind index = IndexKind::kAuto;
  // Break-even on the build machine where two of three look-ups hit (bench/README.md): misses take longer in
  // a graph, hits in sketches.
  size_t hnsw_from = 1'000'000;
  // New entries wait in front of a graph, flat, until there are so many or a sixteenth of the graph: reading
  // their sketches takes less time than searching the graph.
  size_t hnsw_front = 4096;
  int hnsw_m = 16;
  int hnsw_ef_construction = 200;
  int hnsw_least_ef = 64;  // Large graphs are searched wider: GraphIndex::WidthFor.
  // Graphs are built by a thread of the cache's own, started when the first one is due. False: by Maintain().
  bool background = true;
};

}  // namespace purser::cache

#endif  // PURSER_CACHE_OPTIONS_H_
