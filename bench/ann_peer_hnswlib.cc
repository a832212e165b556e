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
  explicit Hnswlib(const PeerOptions& options)
      : dimension_(options.dimension),
        space_(options.dimension),
        index_(&space_, options.capacity, options.m, options.ef_construction) {}

  const char* name() const override { return "hnswlib"; }
  void Build(const float* vectors, size_t n) override {
    for (size_t i = 0; i < n; ++i) index_.addPoint(vectors + i * dimension_, i);
  }
  void SetEf(int ef) override { index_.setEf(ef); }
  int64_t Nearest(const float* query) override {
    auto found = index_.searchKnn(query, 1);
    return found.empty() ? -1 : static_cast<int64_t>(found.top().second);
  }

 private:
  size_t dimension_;
  peer_hnswlib::InnerProductSpace space_;
  peer_hnswlib::HierarchicalNSW<float> index_;
};

}  // namespace

std::unique_ptr<Peer> MakeHnswlib(const PeerOptions& options) { return std::make_unique<Hnswlib>(options); }

}  // namespace purser::bench
