#ifndef PURSER_CACHE_PARTITION_H_
#define PURSER_CACHE_PARTITION_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "cache/flat_index.h"
#include "cache/graph_index.h"
#include "cache/hash.h"
#include "cache/verifier.h"

namespace purser::cache {

// What is kept per namespace: its name and its counts. Readers count without locks.
struct Namespace {
  Hash128 hash;
  std::string name;
  uint64_t id = 0;            // Never used again for another namespace.
  uint64_t entries = 0;       // The writer's.
  uint64_t record_bytes = 0;  // The writer's.
  uint64_t partitions = 0;    // The writer's.

  struct Counts {
    std::atomic<uint64_t> exact_hits{0};
    std::atomic<uint64_t> semantic_hits{0};
    std::atomic<uint64_t> misses{0};
    std::array<std::atomic<uint64_t>, 10> vetoes{};
    std::atomic<uint64_t> stores{0};
    std::atomic<uint64_t> evictions{0};
    std::atomic<uint64_t> expirations{0};
    std::atomic<uint64_t> invalidations{0};
    std::atomic<int64_t> saved_nano_usd{0};
    std::atomic<uint64_t> audits{0};
  };
  Counts counts;
  std::unique_ptr<Verifier> verifier;  // Null where no class is verified.

  // What the writer last counted.
  size_t counted_bytes = 0;
  size_t bytes() const {
    return sizeof(Namespace) + name.capacity() + 64 + (verifier != nullptr ? verifier->bytes() : 0);
  }
};

// The entries of a namespace that may be compared with each other: one embedding model, one dimension, one
// compatibility.
struct Partition {
  Partition(size_t dimension, const GraphParameters& parameters, Epochs* epochs)
      : flat(dimension, epochs), graph(dimension, parameters, epochs) {}

  // For readers, under a Guard. The flat index first: entries move from it to the graph, and are in the graph
  // before they leave it.
  void Search(const float* unit, int64_t now_nanos, bool one_is_enough, Nearest* nearest) const {
    flat.Search(unit, now_nanos, nearest);
    graph.Search(unit, now_nanos, one_is_enough, nearest);
  }

  Hash128 hash;
  Namespace* name_space = nullptr;
  std::string embedding_model;
  std::string compatibility;
  size_t raw_dimension = 0;  // Before padding.
  std::atomic<size_t> entries{0};
  FlatIndex flat;
  GraphIndex graph;      // Empty for all but the largest partitions.
  bool merging = false;  // The writer's: a merge into the graph runs.

  // What the writer last counted for this partition's indexes.
  size_t counted_bytes = 0;
  size_t bytes() const {
    return sizeof(Partition) + embedding_model.capacity() + compatibility.capacity() + flat.bytes() +
           graph.bytes();
  }
};

}  // namespace purser::cache

#endif  // PURSER_CACHE_PARTITION_H_
