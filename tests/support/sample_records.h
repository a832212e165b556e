#ifndef PURSER_TESTS_SUPPORT_SAMPLE_RECORDS_H_
#define PURSER_TESTS_SUPPORT_SAMPLE_RECORDS_H_

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "engine/ledger/record.h"

namespace purser::ledger {

// Makes up records as a busy gateway would book them: a few tenants, their customers, tasks of several steps,
// models that cost differently, cache hits, failures. The same seed makes the same records. For tests and
// benchmarks. Not thread-safe.
class SampleRecords {
 public:
  explicit SampleRecords(uint64_t seed) : random_(seed) {}

  // The next one; its texts live until the next call.
  const RecordView& Next();

 private:
  uint64_t Below(uint64_t limit) { return random_() % limit; }

  std::mt19937_64 random_;
  RecordView record_;
  uint64_t count_ = 0;
  int64_t time_nanos_ = 1'772'438'400'000'000'000;  // 2026-03-02T08:00:00Z
  std::string request_id_, customer_, session_, task_;
};

}  // namespace purser::ledger

#endif  // PURSER_TESTS_SUPPORT_SAMPLE_RECORDS_H_
