// What the ledger costs: encoding and appending records, reading them back, syncing; beside SQLite and
// RocksDB (rocksdb_peer.cc) in the same run.

#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bench/scratch.h"
#include "engine/ledger/log.h"
#include "engine/ledger/record.h"
#include "engine/ledger/record_reader.h"
#include "engine/ledger/rollup.h"
#include "tests/support/sample_records.h"

namespace purser::ledger {
namespace {

using bench::Scratch;

// 250 bytes, as a record without line items and long ids is.
const std::string& Payload() {
  static const std::string payload(250, 'r');
  return payload;
}

// Batches for all that works in batches: each has the size that suits it best.
constexpr int kSmall = 1'000;
constexpr int kLarge = 10'000;

// The median and the 99th percentile, in microseconds.
class Latencies {
 public:
  void AddSince(std::chrono::steady_clock::time_point since) {
    micros_.push_back(
        std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - since).count());
  }
  void Report(benchmark::State& state) {
    std::sort(micros_.begin(), micros_.end());
    state.counters["p50_us"] = micros_[micros_.size() / 2];
    state.counters["p99_us"] = micros_[micros_.size() * 99 / 100];
  }

 private:
  std::vector<double> micros_;
};

void BM_EncodeRecord(benchmark::State& state) {
  SampleRecords samples(1);
  const RecordView record = samples.Next();
  Encoder encode;
  size_t bytes = 0;
  for (auto _ : state) {
    bytes = encode(record).size();
    benchmark::DoNotOptimize(bytes);
  }
  state.counters["bytes"] = static_cast<double>(bytes);
}
BENCHMARK(BM_EncodeRecord);

void BM_DecodeRecord(benchmark::State& state) {
  SampleRecords samples(1);
  Encoder encode;
  const std::string bytes(encode(samples.Next()));
  RecordView record;
  for (auto _ : state) {
    benchmark::DoNotOptimize(Decode(bytes, &record));
    benchmark::DoNotOptimize(record.cost_nanos);
  }
}
BENCHMARK(BM_DecodeRecord);

// Survives the death of the process.
void BM_LogAppend(benchmark::State& state) {
  static Scratch* scratch;
  static std::unique_ptr<Log> log;
  if (state.thread_index() == 0) {
    scratch = new Scratch;
    log = *Log::Open(scratch->path(), {}, nullptr);
  }
  for (auto _ : state) {
    if (log->Append(RECORD, Payload()) == 0) state.SkipWithError("not appended");
  }
  state.SetItemsProcessed(state.iterations());
  if (state.thread_index() == 0) {
    log.reset();
    delete scratch;
  }
}
BENCHMARK(BM_LogAppend)->Iterations(1'500'000)->UseRealTime();
BENCHMARK(BM_LogAppend)->Iterations(700'000)->Threads(2)->UseRealTime();

// Survives the loss of power, a batch at a time. Two threads: one appends while the other waits for the disk.
void BM_LogAppendSyncedBatch(benchmark::State& state) {
  static std::unique_ptr<Scratch> scratch;
  static std::unique_ptr<Log> log;
  if (state.thread_index() == 0) {
    scratch = std::make_unique<Scratch>();
    log = *Log::Open(scratch->path(), {}, nullptr);
  }
  for (auto _ : state) {
    uint64_t last = 0;
    for (int64_t i = 0; i < state.range(0); ++i) last = log->Append(RECORD, Payload());
    if (!log->Sync(last).ok()) state.SkipWithError("not synced");
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
  if (state.thread_index() == 0) {
    log.reset();
    scratch.reset();
  }
}
BENCHMARK(BM_LogAppendSyncedBatch)
    ->ArgName("batch")
    ->Arg(kSmall)
    ->Arg(kLarge)
    ->Iterations(50)
    ->Threads(1)
    ->Threads(2)
    ->UseRealTime();

// Survives the death of the process, a batch at a time, as the peers below do.
void BM_LogAppendBatch(benchmark::State& state) {
  const Scratch scratch;
  const auto log = *Log::Open(scratch.path(), {}, nullptr);
  for (auto _ : state) {
    for (int64_t i = 0; i < state.range(0); ++i) log->Append(RECORD, Payload());
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_LogAppendBatch)->ArgName("batch")->Arg(kSmall)->Iterations(300)->UseRealTime();
BENCHMARK(BM_LogAppendBatch)->ArgName("batch")->Arg(kLarge)->Iterations(50)->UseRealTime();

// One append, one sync; beside it what the device takes for a bare fdatasync of as much.
void BM_LogAppendSynced(benchmark::State& state) {
  const Scratch scratch;
  const auto log = *Log::Open(scratch.path(), {}, nullptr);
  Latencies latencies;
  for (auto _ : state) {
    const auto since = std::chrono::steady_clock::now();
    if (!log->Sync(log->Append(RECORD, Payload())).ok()) state.SkipWithError("not synced");
    latencies.AddSince(since);
  }
  latencies.Report(state);
}
BENCHMARK(BM_LogAppendSynced)->Iterations(5000)->UseRealTime();

void BM_BareFdatasync(benchmark::State& state) {
  const Scratch scratch;
  const auto file = *FileSystem::Posix()->OpenMapped(scratch.path() + "/file", 8u << 20);
  if (!file->Allocate(8u << 20).ok()) state.SkipWithError("no space");
  size_t at = 0;
  Latencies latencies;
  for (auto _ : state) {
    const auto since = std::chrono::steady_clock::now();
    std::memcpy(file->data() + at, Payload().data(), Payload().size());
    at += 280;
    if (!file->Sync().ok()) state.SkipWithError("not synced");
    latencies.AddSince(since);
  }
  latencies.Report(state);
}
BENCHMARK(BM_BareFdatasync)->Iterations(5000)->UseRealTime();

// What the device allows: as many bytes as a batch of frames has, by one write, and an fdatasync.
void BM_BareWriteSynced(benchmark::State& state) {
  const Scratch scratch;
  const std::string path = scratch.path() + "/file";
  const std::string bytes(static_cast<size_t>(state.range(0)) * 280, 'r');
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (::posix_fallocate(fd, 0, static_cast<off_t>(bytes.size()) * 50) != 0) state.SkipWithError("no space");
  for (auto _ : state) {
    if (::write(fd, bytes.data(), bytes.size()) < 0 || ::fdatasync(fd) != 0)
      state.SkipWithError("not written");
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
  ::close(fd);
}
BENCHMARK(BM_BareWriteSynced)->ArgName("batch")->Arg(kSmall)->Arg(kLarge)->Iterations(50)->UseRealTime();

// The peer: rows of one blob, in its fastest durable set-up (write-ahead log, prepared statement, batches in
// a transaction). synchronous 0 survives the death of the process, 2 the loss of power.
void BM_SqliteInsertBatch(benchmark::State& state) {
  const Scratch scratch;
  sqlite3* database;
  sqlite3_open((scratch.path() + "/peer.sqlite").c_str(), &database);
  const std::string setup = absl::StrCat("PRAGMA journal_mode = WAL; PRAGMA synchronous = ", state.range(0),
                                         "; CREATE TABLE records (id INTEGER PRIMARY KEY, payload BLOB)");
  sqlite3_exec(database, setup.c_str(), nullptr, nullptr, nullptr);
  sqlite3_stmt* insert;
  sqlite3_prepare_v2(database, "INSERT INTO records (payload) VALUES (?)", -1, &insert, nullptr);
  for (auto _ : state) {
    sqlite3_exec(database, "BEGIN", nullptr, nullptr, nullptr);
    for (int64_t i = 0; i < state.range(1); ++i) {
      sqlite3_bind_blob(insert, 1, Payload().data(), static_cast<int>(Payload().size()), SQLITE_STATIC);
      sqlite3_step(insert);
      sqlite3_reset(insert);
    }
    if (sqlite3_exec(database, "COMMIT", nullptr, nullptr, nullptr) != SQLITE_OK)
      state.SkipWithError("no commit");
  }
  state.SetItemsProcessed(state.iterations() * state.range(1));
  sqlite3_finalize(insert);
  sqlite3_close(database);
}
BENCHMARK(BM_SqliteInsertBatch)
    ->ArgNames({"sync", "batch"})
    ->Args({0, kSmall})
    ->Args({0, kLarge})
    ->Args({2, kSmall})
    ->Args({2, kLarge})
    ->Iterations(50)
    ->UseRealTime();

// Reading the books by three dimensions.
void BM_RollupByThreeDimensions(benchmark::State& state) {
  constexpr int kRecords = 300'000;
  const Scratch scratch;
  {
    const auto log = *Log::Open(scratch.path(), {}, nullptr);
    SampleRecords samples(1);
    Encoder encode;
    for (int i = 0; i < kRecords; ++i) log->Append(RECORD, encode(samples.Next()));
  }
  for (auto _ : state) {
    Rollup rollup({Dimension::kCustomer, Dimension::kModel, Dimension::kDay});
    const auto reader = *RecordReader::Open(scratch.path());
    Entry entry;
    while (*reader->Next(&entry)) rollup.Add(entry);
    benchmark::DoNotOptimize(rollup.total().cost_nanos);
  }
  state.SetItemsProcessed(state.iterations() * kRecords);
}
BENCHMARK(BM_RollupByThreeDimensions)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace purser::ledger

BENCHMARK_MAIN();
