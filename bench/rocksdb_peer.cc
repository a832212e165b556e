// RocksDB beside the ledger's log: batches of the same payloads under ascending keys, its write-ahead log on.
// Not there where librocksdb-dev is not installed.

#if __has_include(<rocksdb/c.h>)

#include <benchmark/benchmark.h>
#include <endian.h>
#include <rocksdb/c.h>

#include <cstdint>
#include <cstdlib>
#include <string>

#include "bench/scratch.h"

namespace purser::bench {
namespace {

constexpr int kBatch = 1000;

// sync 0 survives the death of the process, 1 the loss of power.
void BM_RocksdbWriteBatch(benchmark::State& state) {
  const Scratch scratch;
  rocksdb_options_t* options = rocksdb_options_create();
  rocksdb_options_set_create_if_missing(options, 1);
  rocksdb_options_set_write_buffer_size(options, 256u << 20);
  rocksdb_options_set_compression(options, rocksdb_no_compression);
  char* error = nullptr;
  rocksdb_t* database = rocksdb_open(options, (scratch.path() + "/peer").c_str(), &error);
  if (error != nullptr) state.SkipWithError(error);
  rocksdb_writeoptions_t* how = rocksdb_writeoptions_create();
  rocksdb_writeoptions_set_sync(how, static_cast<unsigned char>(state.range(0)));
  rocksdb_writebatch_t* batch = rocksdb_writebatch_create();
  const std::string payload(250, 'r');
  uint64_t next = 0;
  for (auto _ : state) {
    rocksdb_writebatch_clear(batch);
    for (int i = 0; i < kBatch; ++i) {
      const uint64_t key = htobe64(++next);
      rocksdb_writebatch_put(batch, reinterpret_cast<const char*>(&key), sizeof(key), payload.data(),
                             payload.size());
    }
    rocksdb_write(database, how, batch, &error);
    if (error != nullptr) state.SkipWithError(error);
  }
  state.SetItemsProcessed(state.iterations() * kBatch);
  std::free(error);
  rocksdb_writebatch_destroy(batch);
  rocksdb_writeoptions_destroy(how);
  if (database != nullptr) rocksdb_close(database);
  rocksdb_options_destroy(options);
}
BENCHMARK(BM_RocksdbWriteBatch)->ArgName("sync")->Arg(0)->Iterations(300)->UseRealTime();
BENCHMARK(BM_RocksdbWriteBatch)->ArgName("sync")->Arg(1)->Iterations(100)->UseRealTime();

}  // namespace
}  // namespace purser::bench

#endif
