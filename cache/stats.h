#ifndef PURSER_CACHE_STATS_H_
#define PURSER_CACHE_STATS_H_

#include <array>
#include <cstdint>

namespace purser::cache {

// Counts since the namespace came to hold its first entry. Money in nano-dollars.
struct NamespaceStats {
  uint64_t exact_hits = 0;
  uint64_t semantic_hits = 0;
  uint64_t misses = 0;
  std::array<uint64_t, 10> vetoes{};  // By Veto.
  uint64_t stores = 0;
  uint64_t evictions = 0;      // For room.
  uint64_t expirations = 0;    // Swept after their TTL.
  uint64_t invalidations = 0;  // Swept after Invalidate.
  int64_t saved_nano_usd = 0;
  int64_t oldest_nanos = 0;  // When the oldest entry was stored. 0: none.
  uint64_t entries = 0;
  uint64_t bytes = 0;  // Entries and their indexes.
  // Verified mode.
  uint64_t audits = 0;
  uint64_t judged = 0;     // Would-be hits whose right answer became known.
  double error = 0.0;      // Estimated share of wrong answers, as the bound counts it ...
  double error_low = 0.0;  // ... with its two-sided 95 % interval.
  double error_high = 1.0;
  double least_score = 1.0;  // Hits have at least this score at present. Above 1: no hits yet.
};

struct CacheStats {
  uint64_t entries = 0;
  uint64_t namespaces = 0;
  uint64_t partitions = 0;
  uint64_t bytes = 0;            // Held for entries, with indexes: what memory_bytes bounds.
  uint64_t payload_bytes = 0;    // Of these, keys, answers, texts and labels.
  uint64_t transient_bytes = 0;  // Waiting for readers to leave, and graphs in the making.
  uint64_t lookups_skipped = 0;  // Not worth their cost.
};

}  // namespace purser::cache

#endif  // PURSER_CACHE_STATS_H_
