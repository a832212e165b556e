#include "cache/neighbours.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <limits>
#include <vector>

#include "cache/epoch.h"
#include "cache/flat_index.h"
#include "cache/graph_index.h"
#include "cache/kernels.h"
#include "cache/stored_entry.h"

namespace purser::cache {
namespace {

// Fewer are compared one by one.
constexpr size_t kWorthAGraph = 1'000;

size_t Padded(size_t dimension) {
  return (dimension + Kernels::kPadding - 1) / Kernels::kPadding * Kernels::kPadding;
}

// Of unit length and padded; false if it has no direction.
bool ToUnit(std::span<const float> vector, std::vector<float>* unit) {
  double square = 0;
  for (const float x : vector) square += double{x} * x;
  if (!(square > 0) || !std::isfinite(square)) return false;
  const double length = std::sqrt(square);
  unit->assign(Padded(vector.size()), 0.0F);
  for (size_t i = 0; i < vector.size(); ++i) (*unit)[i] = static_cast<float>(vector[i] / length);
  return true;
}

class Built final : public Neighbours {
 public:
  Built(std::span<const float> vectors, size_t dimension)
      : dimension_(dimension), graph_(Padded(dimension), GraphParameters{}, &epochs_) {
    std::vector<float> unit;
    for (size_t at = 0; at + dimension <= vectors.size(); at += dimension) {
      (void)ToUnit(vectors.subspan(at, dimension), &unit);
      StoredEntry* record = StoredEntry::Make({.unit = unit});
      record->id = records_.size();
      record->expires_nanos = std::numeric_limits<int64_t>::max();
      records_.push_back(record);
    }
    if (records_.size() < kWorthAGraph) return;
    const std::atomic<bool> never{false};
    const auto merge = graph_.Begin(records_);
    graph_.Run(merge.get(), never);
    graph_.Publish(
        merge.get(), [this](uint64_t id) { return records_[id]; }, [](StoredEntry*) {});
  }
  ~Built() override {
    for (StoredEntry* record : records_) StoredEntry::Free(record);
  }

  size_t Find(std::span<const float> vector, float least, std::span<Neighbour> out) const override {
    thread_local std::vector<float> unit;
    if (vector.size() != dimension_ || !ToUnit(vector, &unit)) return 0;
    std::array<Candidate, kMaxFound> places;
    Nearest nearest{std::span<Candidate>(places).first(std::min(out.size(), kMaxFound)), least};
    if (graph_.size() > 0) {
      const Epochs::Guard guard = epochs_.Enter();
      graph_.Search(unit.data(), 0, /*one_is_enough=*/false, &nearest);
    } else {
      for (const StoredEntry* record : records_) {
        const float dot = BestKernels().dot_int16(unit.data(), record->vector(), unit.size());
        const float similarity = dot * record->scale / record->norm;
        if (similarity >= nearest.least()) nearest.Offer(record, similarity);
      }
    }
    for (size_t i = 0; i < nearest.size(); ++i)
      out[i] = {static_cast<uint32_t>(places[i].record->id), places[i].similarity};
    return nearest.size();
  }
  size_t size() const override { return records_.size(); }
  size_t dimension() const override { return dimension_; }

 private:
  const size_t dimension_;
  Epochs epochs_;
  GraphIndex graph_;
  std::vector<StoredEntry*> records_;
};

}  // namespace

std::unique_ptr<const Neighbours> Neighbours::Build(std::span<const float> vectors, size_t dimension) {
  if (dimension == 0) return nullptr;
  std::vector<float> unit;
  for (size_t at = 0; at + dimension <= vectors.size(); at += dimension) {
    if (!ToUnit(vectors.subspan(at, dimension), &unit)) return nullptr;
  }
  return std::make_unique<const Built>(vectors, dimension);
}

}  // namespace purser::cache
