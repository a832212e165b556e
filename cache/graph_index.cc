#include "cache/graph_index.h"

// The only place that includes hnswlib: it defines functions that are not inline in its header. Without its
// manual vectorisation, which we have no use for (the distances and the search are ours) and whose prefetches
// read four bytes beyond a full list of links.
#define NO_MANUAL_VECTORIZATION
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wsign-compare"
#pragma GCC diagnostic ignored "-Wreorder"
#include <hnswlib/hnswlib.h>
#pragma GCC diagnostic pop

#include <algorithm>
#include <cmath>
#include <cstring>
#include <mutex>
#include <span>

#include "cache/kernels.h"

namespace purser::cache {
namespace {

// Of what is found by 8-bit components, those at most this much below what is asked for are compared again:
// the rounding of components shifts a cosine by about 0.001.
constexpr float kRounding = 0.01F;

// Steps without a better entry after which a good enough one is taken.
constexpr int kPatience = 6;

// Most candidates whose vectors are compared again.
constexpr size_t kMaxCompared = 32;

struct Kernel {
  int32_t (*dot)(const int8_t*, const int8_t*, size_t);
  size_t dimension;
};

// hnswlib's view of the vectors: the smaller the nearer.
class Int8Space final : public hnswlib::SpaceInterface<int> {
 public:
  explicit Int8Space(size_t dimension) : kernel_{BestKernels().dot_int8, dimension} {}
  size_t get_data_size() override { return kernel_.dimension; }
  hnswlib::DISTFUNC<int> get_dist_func() override {
    return [](const void* a, const void* b, const void* kernel) -> int {
      const auto& with = *static_cast<const Kernel*>(kernel);
      return -with.dot(static_cast<const int8_t*>(a), static_cast<const int8_t*>(b), with.dimension);
    };
  }
  void* get_dist_func_param() override { return &kernel_; }

 private:
  Kernel kernel_;
};

using Index = hnswlib::HierarchicalNSW<int>;

int8_t Round(float x) { return static_cast<int8_t>(std::lrint(std::clamp(x, -127.0F, 127.0F))); }

// Takes the memory that only building needs.
void Strip(Index* index) {
  std::vector<std::mutex>().swap(index->link_list_locks_);
  std::vector<std::mutex>().swap(index->link_list_update_locks_);
  index->label_lookup_ = {};
  delete index->visited_list_pool_;
  index->visited_list_pool_ = nullptr;
}

std::unique_ptr<Index> CopyOf(const Index& from, Int8Space* space, size_t capacity,
                              const GraphParameters& with) {
  auto to = std::make_unique<Index>(space, capacity, with.m, with.ef_construction,
                                    /*random_seed=*/from.cur_element_count + 100);
  const size_t count = from.cur_element_count;
  std::memcpy(to->data_level0_memory_, from.data_level0_memory_, count * from.size_data_per_element_);
  for (size_t i = 0; i < count; ++i) {
    const int levels = from.element_levels_[i];
    to->element_levels_[i] = levels;
    to->linkLists_[i] = nullptr;
    if (levels == 0) continue;
    const size_t bytes = from.size_links_per_element_ * static_cast<size_t>(levels);
    to->linkLists_[i] = static_cast<char*>(std::malloc(bytes + 1));
    std::memcpy(to->linkLists_[i], from.linkLists_[i], bytes);
  }
  to->cur_element_count = count;
  to->maxlevel_ = from.maxlevel_;
  to->enterpoint_node_ = from.enterpoint_node_;
  return to;
}

struct Step {
  int distance;
  uint32_t node;
};

// What one search needs, kept per thread.
struct Scratch {
  std::vector<uint16_t> visited;  // Equal to `round`: seen in this search.
  uint16_t round = 0;
  std::vector<Step> open;   // To look at, nearest on top.
  std::vector<Step> found;  // The nearest, farthest on top.
  std::vector<uint32_t> fresh;
  std::vector<int8_t> query;

  void Start(size_t nodes) {
    if (visited.size() < nodes) visited.resize(nodes);
    if (++round == 0) {
      std::fill(visited.begin(), visited.end(), uint16_t{0});
      round = 1;
    }
    open.clear();
    found.clear();
  }
  bool Visit(uint32_t node) {
    if (visited[node] == round) return false;
    visited[node] = round;
    return true;
  }
};

bool NearerOnTop(const Step& a, const Step& b) { return a.distance > b.distance; }
bool FartherOnTop(const Step& a, const Step& b) { return a.distance < b.distance; }

std::span<const uint32_t> Links(const uint32_t* list) {
  // The count is in the lower 16 bits; the upper ones hold hnswlib's mark of deletion.
  return {list + 1, *list & 0xFFFFU};
}

}  // namespace

struct GraphIndex::Graph {
  Graph(size_t dimension, size_t capacity)
      : space(dimension), records(new std::atomic<StoredEntry*>[capacity]()) {}

  const int8_t* VectorOf(uint32_t node) const {
    return reinterpret_cast<const int8_t*>(index->data_level0_memory_ + node * index->size_data_per_element_ +
                                           index->offsetData_);
  }
  std::span<const uint32_t> LinksOf(uint32_t node, int level) const {
    return Links(level == 0 ? index->get_linklist0(node) : index->get_linklist(node, level));
  }
  void Add(const int8_t* vector, uint64_t label) { index->addPoint(vector, label); }
  size_t count() const { return index->cur_element_count; }

  void CountBytes() {
    bytes =
        sizeof(Graph) + sizeof(Index) +
        index->max_elements_ * (index->size_data_per_element_ + sizeof(int) + sizeof(char*) + sizeof(void*));
    for (size_t i = 0; i < count(); ++i) {
      const auto levels = static_cast<size_t>(index->element_levels_[i]);
      if (levels > 0) bytes += levels * index->size_links_per_element_ + 16;
    }
  }

  uint32_t Descend(const int8_t* query) const;
  void SearchBase(const int8_t* query, uint32_t start, size_t ef, int good_enough, Scratch* scratch) const;

  Int8Space space;
  std::unique_ptr<Index> index;
  // By node: nodes are labelled in the order of their adding. Null: has left.
  std::unique_ptr<std::atomic<StoredEntry*>[]> records;
  float scale = 1.0F;  // Component * scale, rounded, is the 8-bit component.
  size_t bytes = 0;
};

// Greedily through the upper levels.
uint32_t GraphIndex::Graph::Descend(const int8_t* query) const {
  const auto dot = BestKernels().dot_int8;
  const size_t dimension = index->data_size_;
  uint32_t at = index->enterpoint_node_;
  int distance = -dot(query, VectorOf(at), dimension);
  for (int level = index->maxlevel_; level > 0; --level) {
    for (bool moved = true; moved;) {
      moved = false;
      for (const uint32_t next : LinksOf(at, level)) {
        const int there = -dot(query, VectorOf(next), dimension);
        if (there < distance) {
          distance = there;
          at = next;
          moved = true;
        }
      }
    }
  }
  return at;
}

// Best first on the lowest level, keeping the `ef` nearest in scratch->found. Stops early when a node with a
// record is at most at `good_enough` and none nearer was found for a while.
void GraphIndex::Graph::SearchBase(const int8_t* query, uint32_t start, size_t ef, int good_enough,
                                   Scratch* scratch) const {
  const auto dot = BestKernels().dot_int8;
  const size_t dimension = index->data_size_;
  scratch->Start(count());
  std::vector<Step>& open = scratch->open;
  std::vector<Step>& found = scratch->found;
  int best = INT32_MAX;
  int idle = 0;
  const auto consider = [&](uint32_t node) {
    const int distance = -dot(query, VectorOf(node), dimension);
    if (found.size() >= ef && distance >= found.front().distance) return;
    open.push_back({distance, node});
    std::push_heap(open.begin(), open.end(), NearerOnTop);
    if (records[node].load(std::memory_order_relaxed) == nullptr) return;
    if (distance < best) {
      best = distance;
      idle = 0;
    }
    found.push_back({distance, node});
    std::push_heap(found.begin(), found.end(), FartherOnTop);
    if (found.size() > ef) {
      std::pop_heap(found.begin(), found.end(), FartherOnTop);
      found.pop_back();
    }
  };
  scratch->Visit(start);
  consider(start);
  while (!open.empty()) {
    const Step next = open.front();
    if (found.size() >= ef && next.distance > found.front().distance) break;
    if (best <= good_enough && ++idle > kPatience) break;
    std::pop_heap(open.begin(), open.end(), NearerOnTop);
    open.pop_back();
    scratch->fresh.clear();
    for (const uint32_t node : LinksOf(next.node, 0)) {
      if (!scratch->Visit(node)) continue;
      scratch->fresh.push_back(node);
      const char* vector = reinterpret_cast<const char*>(VectorOf(node));
      for (size_t line = 0; line < dimension; line += 64) __builtin_prefetch(vector + line);
    }
    for (const uint32_t node : scratch->fresh) consider(node);
  }
}

struct GraphIndex::Merge {
  const Graph* from = nullptr;  // Null: there is none yet.
  std::vector<uint32_t> kept;   // Nodes of `from` to rebuild from; empty: `from` is copied whole.
  float scale = 1.0F;
  std::vector<uint64_t> ids;    // Of the fresh records ...
  std::vector<int8_t> vectors;  // ... and their vectors.
  std::unique_ptr<Graph> graph;
  bool rebuilt = false;
};

GraphIndex::GraphIndex(size_t dimension, const GraphParameters& parameters, Epochs* epochs)
    : dimension_(dimension), parameters_(parameters), epochs_(epochs) {}

GraphIndex::~GraphIndex() { delete graph_.load(); }

size_t GraphIndex::WidthFor(size_t nodes, size_t least) {
  constexpr double kWidth = 0.4;  // 400 in a million.
  return std::max(least, static_cast<size_t>(kWidth * std::sqrt(static_cast<double>(nodes))));
}

size_t GraphIndex::dead() const {
  const Graph* graph = graph_.load();
  return graph == nullptr ? 0 : graph->count() - size_;
}

size_t GraphIndex::bytes() const {
  const Graph* graph = graph_.load();
  return sizeof(GraphIndex) + (graph == nullptr ? 0 : graph->bytes);
}

void GraphIndex::Erase(StoredEntry* record) {
  graph_.load()->records[record->slot].store(nullptr);
  --size_;
}

void GraphIndex::Search(const float* unit, int64_t now_nanos, bool one_is_enough, Nearest* nearest) const {
  const Graph* graph = graph_.load();
  if (graph == nullptr || graph->count() == 0) return;
  thread_local Scratch scratch;
  scratch.query.resize(dimension_);
  for (size_t i = 0; i < dimension_; ++i) scratch.query[i] = Round(unit[i] * graph->scale);
  // An entry that is good enough beyond rounding need not be looked for any longer.
  const float square = graph->scale * graph->scale;
  const int good_enough =
      one_is_enough ? static_cast<int>(-(nearest->least() + kRounding) * square) : INT32_MIN;
  graph->SearchBase(scratch.query.data(), graph->Descend(scratch.query.data()),
                    WidthFor(graph->count(), static_cast<size_t>(parameters_.least_ef)), good_enough,
                    &scratch);
  std::sort_heap(scratch.found.begin(), scratch.found.end(), FartherOnTop);
  const Kernels& kernels = BestKernels();
  size_t compared = 0;
  for (const Step& step : scratch.found) {
    const float about = static_cast<float>(-step.distance) / square;
    if (about < nearest->least() - kRounding || compared == kMaxCompared) break;
    const StoredEntry* record = graph->records[step.node].load();
    if (record == nullptr || !record->ServesAt(now_nanos)) continue;
    ++compared;
    nearest->Offer(record, record->scale * kernels.dot_int16(unit, record->vector(), dimension_));
  }
}

std::unique_ptr<GraphIndex::Merge, void (*)(GraphIndex::Merge*)> GraphIndex::Begin(
    const std::vector<StoredEntry*>& fresh) {
  std::unique_ptr<Merge, void (*)(Merge*)> merge(new Merge, [](Merge* m) { delete m; });
  const Graph* from = graph_.load();
  merge->from = from;
  if (from != nullptr) {
    merge->scale = from->scale;
    if (dead() * 3 > from->count()) {
      merge->rebuilt = true;
      for (uint32_t node = 0; node < from->count(); ++node) {
        if (from->records[node].load() != nullptr) merge->kept.push_back(node);
      }
    }
  } else {
    // Components are spread so that the largest of a sample fill the range; rarer ones are cut off.
    std::vector<float> largest;
    for (size_t i = 0; i < fresh.size(); i += fresh.size() / 1000 + 1) {
      const StoredEntry& record = *fresh[i];
      for (size_t j = 0; j < dimension_; ++j) {
        largest.push_back(std::fabs(record.scale * static_cast<float>(record.vector()[j])));
      }
    }
    const auto cut = largest.begin() + static_cast<ptrdiff_t>(static_cast<double>(largest.size()) * 0.9995);
    std::nth_element(largest.begin(), cut, largest.end());
    merge->scale = 127.0F / std::max(*cut, 1e-6F);
  }
  merge->ids.reserve(fresh.size());
  merge->vectors.reserve(fresh.size() * dimension_);
  for (const StoredEntry* record : fresh) {
    merge->ids.push_back(record->id);
    const float factor = record->scale * merge->scale;
    for (size_t j = 0; j < dimension_; ++j) {
      merge->vectors.push_back(Round(factor * static_cast<float>(record->vector()[j])));
    }
  }
  return merge;
}

// merge->from stays: only Publish replaces it, and only one merge runs at a time.
bool GraphIndex::Run(Merge* merge, const std::atomic<bool>& stop) const {
  const size_t kept = merge->rebuilt ? merge->kept.size() : merge->from == nullptr ? 0 : merge->from->count();
  const size_t capacity = kept + merge->ids.size();
  auto graph = std::make_unique<Graph>(dimension_, std::max<size_t>(capacity, 1));
  graph->scale = merge->scale;
  if (merge->from != nullptr && !merge->rebuilt) {
    graph->index = CopyOf(*merge->from->index, &graph->space, capacity, parameters_);
  } else {
    graph->index = std::make_unique<Index>(&graph->space, std::max<size_t>(capacity, 1), parameters_.m,
                                           parameters_.ef_construction);
    for (size_t i = 0; i < kept; ++i) {
      if (stop.load(std::memory_order_relaxed)) return false;
      graph->Add(merge->from->VectorOf(merge->kept[i]), i);
    }
  }
  for (size_t i = 0; i < merge->ids.size(); ++i) {
    if (stop.load(std::memory_order_relaxed)) return false;
    graph->Add(merge->vectors.data() + i * dimension_, kept + i);
  }
  Strip(graph->index.get());
  graph->CountBytes();
  merge->graph = std::move(graph);
  return true;
}

void GraphIndex::Publish(Merge* merge, const std::function<StoredEntry*(uint64_t)>& alive,
                         const std::function<void(StoredEntry*)>& moved) {
  Graph* old = graph_.load();
  Graph* fresh = merge->graph.release();
  uint32_t node = 0;
  if (old != nullptr) {
    const size_t kept = merge->rebuilt ? merge->kept.size() : old->count();
    for (; node < kept; ++node) {
      StoredEntry* record = old->records[merge->rebuilt ? merge->kept[node] : node].load();
      fresh->records[node].store(record);
      if (record != nullptr) record->slot = node;
    }
  }
  std::vector<StoredEntry*> taken;
  for (const uint64_t id : merge->ids) {
    StoredEntry* record = alive(id);
    if (record != nullptr) {
      fresh->records[node].store(record);
      taken.push_back(record);
    }
    ++node;
  }
  graph_.store(fresh);
  size_ += taken.size();
  // Where the flat index had them is still needed to take them out of it.
  for (StoredEntry* record : taken) moved(record);
  node = static_cast<uint32_t>(fresh->count() - merge->ids.size());
  size_t next = 0;
  for (const uint64_t id : merge->ids) {
    if (next < taken.size() && taken[next]->id == id) {
      taken[next]->slot = node;
      taken[next]->in_graph = true;
      ++next;
    }
    ++node;
  }
  if (old != nullptr) epochs_->Retire(old, old->bytes);
}

}  // namespace purser::cache
