// RocksDB beside the ledger's log: batches of the same payloads under ascending keys, its write-ahead log on.
// Not there where librocksdb-dev is not installed.

#if __has_include(<rocksdb/c.h>)

#include <benchmark/benchmark.h>
#include <endian.h>
#include <rocksdb/c.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>

#include "bench/scratch.h"

namespace purser::bench {
namespace {

// A database shared by the benchmark's threads.
struct Peer {
  Peer() {
    rocksdb_options_set_create_if_missing(options, 1);
    rocksdb_options_set_write_buffer_size(options, 256u << 20);
    rocksdb_options_set_compression(options, rocksdb_no_compression);
    database = rocksdb_open(options, (scratch.path() + "/peer").c_str(), &error);
  }
  ~Peer() {
    if (database != nullptr) rocksdb_close(database);
    rocksdb_options_destroy(options);
    std::free(error);
  }
  const Scratch scratch;
  rocksdb_options_t* const options = rocksdb_options_create();
  rocksdb_t* database = nullptr;
  char* error = nullptr;
};

// sync 0 survives the death of the process, 1 the loss of power.
void BM_RocksdbWriteBatch(benchmark::State& state) {
  static std::unique_ptr<Peer> peer;
  if (state.thread_index() == 0) {
    peer = std::make_unique<Peer>();
    if (peer->error != nullptr) state.SkipWithError(peer->error);
  }
  rocksdb_writeoptions_t* how = rocksdb_writeoptions_create();
  rocksdb_writeoptions_set_sync(how, static_cast<unsigned char>(state.range(0)));
  rocksdb_writebatch_t* batch = rocksdb_writebatch_create();
  const std::string payload(250, 'r');
  uint64_t next = static_cast<uint64_t>(state.thread_index()) << 32;
  char* error = nullptr;
  for (auto _ : state) {
    rocksdb_writebatch_clear(batch);
    for (int64_t i = 0; i < state.range(1); ++i) {
      const uint64_t key = htobe64(++next);
      rocksdb_writebatch_put(batch, reinterpret_cast<const char*>(&key), sizeof(key), payload.data(),
                             payload.size());
    }
    rocksdb_write(peer->database, how, batch, &error);
    if (error != nullptr) state.SkipWithError(error);
  }
  state.SetItemsProcessed(state.iterations() * state.range(1));
  std::free(error);
  rocksdb_writebatch_destroy(batch);
  rocksdb_writeoptions_destroy(how);
  if (state.thread_index() == 0) peer.reset();
}
BENCHMARK(BM_RocksdbWriteBatch)
    ->ArgNames({"sync", "batch"})
    ->Args({0, 1'000})
    ->Args({0, 10'000})
    ->Args({1, 1'000})
    ->Args({1, 10'000})
    ->Iterations(50)
    ->Threads(1)
    ->Threads(2)
    ->UseRealTime();

}  // namespace
}  // namespace purser::bench

#endif
