#ifndef PURSER_BENCH_ANN_PEERS_H_
#define PURSER_BENCH_ANN_PEERS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace purser::bench {

// A nearest-neighbour index that the cache is compared with. Vectors are of unit length.
class Peer {
 public:
  virtual ~Peer() = default;
  virtual const char* name() const = 0;
  // Adds vectors 0 to n - 1, row by row.
  virtual void Build(const float* vectors, size_t n) = 0;
  // So that a graph of a million vectors need not be built for every run. Load trusts the file: it is for one
  // that Save wrote on this machine for the same vectors.
  virtual void Save(const std::string& path) const = 0;
  virtual void Load(const std::string& path) = 0;
  virtual void SetEf(int ef) = 0;
  // The number of the nearest vector found.
  virtual int64_t Nearest(const float* query) = 0;
};

struct PeerOptions {
  size_t dimension;
  size_t capacity;
  int m;
  int ef_construction;
};

// hnswlib's own float index with its inner-product space, compiled with -O3 -march=native.
std::unique_ptr<Peer> MakeHnswlib(const PeerOptions& options);
// faiss's IndexHNSWFlat. Null where this program was built without libfaiss-dev.
std::unique_ptr<Peer> MakeFaiss(const PeerOptions& options);

}  // namespace purser::bench

#endif  // PURSER_BENCH_ANN_PEERS_H_
