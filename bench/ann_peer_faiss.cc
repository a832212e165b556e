#include "bench/ann_peers.h"

#if __has_include(<faiss/IndexHNSW.h>)

#pragma GCC diagnostic ignored "-Wunused-parameter"
#include <faiss/IndexHNSW.h>
#include <faiss/index_io.h>

namespace purser::bench {
namespace {

class Faiss final : public Peer {
 public:
  explicit Faiss(const PeerOptions& options) : options_(options) {}
  const char* name() const override { return "faiss"; }
  void Build(const float* vectors, size_t n) override {
    index_ = std::make_unique<faiss::IndexHNSWFlat>(static_cast<int>(options_.dimension), options_.m,
                                                    faiss::METRIC_INNER_PRODUCT);
    index_->hnsw.efConstruction = options_.ef_construction;
    index_->add(static_cast<faiss::Index::idx_t>(n), vectors);
  }
  void Save(const std::string& path) const override { faiss::write_index(index_.get(), path.c_str()); }
  void Load(const std::string& path) override {
    index_.reset(dynamic_cast<faiss::IndexHNSWFlat*>(faiss::read_index(path.c_str())));
  }
  void SetEf(int ef) override { index_->hnsw.efSearch = ef; }
  int64_t Nearest(const float* query) override {
    float similarity = 0.0F;
    faiss::Index::idx_t label = -1;
    index_->search(1, query, 1, &similarity, &label);
    return label;
  }

 private:
  const PeerOptions options_;
  std::unique_ptr<faiss::IndexHNSWFlat> index_;
};

}  // namespace

std::unique_ptr<Peer> MakeFaiss(const PeerOptions& options) { return std::make_unique<Faiss>(options); }

}  // namespace purser::bench

#else

namespace purser::bench {
std::unique_ptr<Peer> MakeFaiss(const PeerOptions&) { return nullptr; }
}  // namespace purser::bench

#endif
