#ifndef PURSER_CACHE_GRAPH_INDEX_H_
#define PURSER_CACHE_GRAPH_INDEX_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "cache/epoch.h"
#include "cache/flat_index.h"
#include "cache/stored_entry.h"

namespace purser::cache {

struct GraphParameters {
  int m = 16;
  int ef_construction = 200;
  int least_ef = 64;
};

// Finds similar entries of one large partition through an HNSW graph (Malkov and Yashunin 2018; built by
// hnswlib) over vectors of 8-bit components; what it finds is compared again with the records' own vectors.
//
// A published graph never changes, so no search ever meets a writer. New entries wait in the partition's flat
// index; now and then a copy of the graph takes them up, away from every lock, and replaces it:
//   Begin (under the caller's mutex)  ->  Run (without)  ->  Publish (under it).
// Entries that leave are taken out of the graph's list of records at once and skipped from then on; when a
// third of the graph is of such, the next copy is built from the living alone.
//
// Search takes no lock and needs an epoch Guard.
class GraphIndex {
 public:
  // `dimension`: of the vectors, padded.
  GraphIndex(size_t dimension, const GraphParameters& parameters, Epochs* epochs);
  ~GraphIndex();
  GraphIndex(const GraphIndex&) = delete;
  GraphIndex& operator=(const GraphIndex&) = delete;

  // Offers to `nearest` records that serve at `now_nanos`. `one_is_enough`: once a record reaches
  // nearest->least() and looking on has not bettered it, stop.
  void Search(const float* unit, int64_t now_nanos, bool one_is_enough, Nearest* nearest) const;

  // Takes a record out whose in_graph is true.
  void Erase(StoredEntry* record);

  struct Merge;
  // Starts to take up `fresh`; copies what it needs of them. One at a time.
  std::unique_ptr<Merge, void (*)(Merge*)> Begin(const std::vector<StoredEntry*>& fresh);
  // The long part. Returns early, with nothing to publish, once `stop` is true.
  bool Run(Merge* merge, const std::atomic<bool>& stop) const;
  // `alive(id)`: the record of that id, or null if it has left since Begin. Calls `moved(StoredEntry*)` for
  // each record taken up once the new graph can be searched, before slot and in_graph are set.
  void Publish(Merge* merge, const std::function<StoredEntry*(uint64_t)>& alive,
               const std::function<void(StoredEntry*)>& moved);

  // The writer's: records in the graph, and places of those that have left.
  size_t size() const { return size_; }
  size_t dead() const;
  // Besides the records themselves.
  size_t bytes() const;

  // The nearest nodes that a search keeps (hnswlib's ef) in a graph of `nodes`: at least `least`, and as the
  // square root of the nodes. A narrower search loses its way in a larger graph: of clustered vectors with
  // paraphrases at a cosine of 0.92, one of 64 finds 99.95 % in 100,000 and 91 % in a million, one of 256
  // finds 99.9 % there; this one is half as wide again. It costs hits hardly anything, for they end a search,
  // and misses in proportion.
  static size_t WidthFor(size_t nodes, size_t least);

 private:
  struct Graph;

  const size_t dimension_;
  const GraphParameters parameters_;
  Epochs* const epochs_;
  std::atomic<Graph*> graph_{nullptr};
  size_t size_ = 0;
};

}  // namespace purser::cache

#endif  // PURSER_CACHE_GRAPH_INDEX_H_
