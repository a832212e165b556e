#ifndef PURSER_ENGINE_LEDGER_ROLLUP_H_
#define PURSER_ENGINE_LEDGER_ROLLUP_H_

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "engine/ledger/dimension.h"
#include "engine/ledger/record_reader.h"

namespace purser::ledger {

// Sums over records. Amounts are nano-dollars and exact: a sum that does not fit (about $9.2 billion) sets
// `overflowed`, and the amounts are then of no use.
struct Totals {
  int64_t calls = 0;
  int64_t input_tokens = 0;  // Cached and cache-write tokens included.
  int64_t cached_input_tokens = 0;
  int64_t cache_write_tokens = 0;
  int64_t output_tokens = 0;  // Reasoning tokens included.
  int64_t reasoning_tokens = 0;

  int64_t cost_nanos = 0;
  int64_t estimated_nanos = 0;
  int64_t default_cost_nanos = 0;  // What the models asked for would have cost.
  // What one model for all of a class would have cost, and what these calls did cost: over calls that tell
  // it.
  int64_t best_constant_nanos = 0;
  int64_t cost_against_constant_nanos = 0;
  int64_t saved_routing_nanos = 0;
  int64_t saved_cache_nanos = 0;
  int64_t saved_prompt_cache_nanos = 0;
  int64_t saved_clamp_nanos = 0;
  int64_t saved_batch_nanos = 0;
  int64_t revenue_nanos = 0;
  int64_t calls_with_revenue = 0;

  int64_t exact_hits = 0;  // Answered from the cache: counted in `calls`, too.
  int64_t semantic_hits = 0;
  int64_t failed_calls = 0;  // FAILED, ERRORED, TIMED_OUT.
  int64_t usage_unknown = 0;
  int64_t overruns = 0;
  int64_t presumed = 0;
  int64_t latency_us = 0;  // Over those that tell it.
  int64_t calls_with_latency = 0;
  bool overflowed = false;

  void Add(const Entry& entry);
  void Add(const Totals& other);
};

// Adds up a ledger by any dimensions. Not thread-safe.
//
// Memory: about 300 bytes plus the key's text per distinct key; nothing per record.
class Rollup {
 public:
  struct Row {
    std::vector<std::string> values;  // One per column.
    Totals totals;
  };

  explicit Rollup(const std::vector<Dimension>& by);

  void Add(const Entry& entry);

  // What rows are keyed by: the dimensions asked for, after the tenant where one of them is within a tenant.
  const std::vector<Dimension>& columns() const { return columns_; }
  size_t keys() const { return index_.size(); }
  Totals total() const;  // Of all rows.

  // By time if the last dimension is one of time, otherwise by cost, the most expensive first; equals by key.
  std::vector<Row> Rows() const;

 private:
  void AppendKey(const Entry& entry, Dimension column);

  std::vector<Dimension> columns_;
  absl::flat_hash_map<std::string, size_t> index_;  // Of slots_.
  std::vector<Totals> slots_;
  std::string scratch_;
  std::string last_key_;  // Runs of one key are common.
  size_t last_slot_ = 0;
  // Hour, day, week and month of the last record's hour, as far as they were asked for: they change slowly.
  int64_t last_hour_ = INT64_MIN;
  std::array<std::string, 4> time_texts_;
};

}  // namespace purser::ledger

#endif  // PURSER_ENGINE_LEDGER_ROLLUP_H_
