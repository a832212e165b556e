#include "bench/ann_peers.h"

// The cache links its own copy of hnswlib, compiled for any machine. This one has other names, so that each
// keeps its own code.
#define hnswlib peer_hnswlib
#define AVXCapable PeerAvxCapable
#define AVX512Capable PeerAvx512Capable
#define cpuid PeerCpuid
#define xgetbv PeerXgetbv
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wsign-compare"
#pragma GCC diagnostic ignored "-Wreorder"
#pragma GCC diagnostic ignored "-Wunused-variable"
#include <hnswlib/hnswlib.h>

namespace purser::bench {
namespace {

class Hnswlib final : public Peer {
 public:
  explicit Hnswlib(const PeerOptions& options) : options_(options), space_(options.dimension) {}

  const char* name() const override { return "hnswlib"; }
  void Build(const float* vectors, size_t n) override {
    index_ = std::make_unique<Index>(&space_, options_.capacity, options_.m, options_.ef_construction);
    for (size_t i = 0; i < n; ++i) index_->addPoint(vectors + i * options_.dimension, i);
  }
  void Save(const std::string& path) const override { index_->saveIndex(path); }
  void Load(const std::string& path) override { index_ = std::make_unique<Index>(&space_, path); }
  void SetEf(int ef) override { index_->setEf(ef); }
  int64_t Nearest(const float* query) override {
    auto found = index_->searchKnn(query, 1);
    return found.empty() ? -1 : static_cast<int64_t>(found.top().second);
  }

 private:
  using Index = peer_hnswlib::HierarchicalNSW<float>;

  const PeerOptions options_;
  peer_hnswlib::InnerProductSpace space_;
  std::unique_ptr<Index> index_;
};

}  // namespace

std::unique_ptr<Peer> MakeHnswlib(const PeerOptions& options) { return std::make_unique<Hnswlib>(options); }

}  // namespace purser::bench
