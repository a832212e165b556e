#include "engine/ledger/rollup.h"

#include <algorithm>

namespace purser::ledger {
namespace {

// Adds value * sign to *sum.
void AddSigned(int64_t value, int sign, int64_t* sum, bool* overflowed) {
  *overflowed |=
      sign > 0 ? __builtin_add_overflow(*sum, value, sum) : __builtin_sub_overflow(*sum, value, sum);
}

// Every sum of Totals, so that none is forgotten when two are added.
template <typename Visit>
void ForEachSum(Visit visit) {
  for (int64_t Totals::*sum : {&Totals::calls,
                               &Totals::input_tokens,
                               &Totals::cached_input_tokens,
                               &Totals::cache_write_tokens,
                               &Totals::output_tokens,
                               &Totals::reasoning_tokens,
                               &Totals::cost_nanos,
                               &Totals::estimated_nanos,
                               &Totals::default_cost_nanos,
                               &Totals::best_constant_nanos,
                               &Totals::cost_against_constant_nanos,
                               &Totals::saved_routing_nanos,
                               &Totals::saved_cache_nanos,
                               &Totals::saved_prompt_cache_nanos,
                               &Totals::saved_clamp_nanos,
                               &Totals::saved_batch_nanos,
                               &Totals::revenue_nanos,
                               &Totals::calls_with_revenue,
                               &Totals::exact_hits,
                               &Totals::semantic_hits,
                               &Totals::failed_calls,
                               &Totals::usage_unknown,
                               &Totals::overruns,
                               &Totals::presumed,
                               &Totals::latency_us,
                               &Totals::calls_with_latency}) {
    visit(sum);
  }
}

}  // namespace

void Totals::Add(const Entry& entry) {
  const RecordView& record = entry.record;
  const int sign = entry.sign;
  const auto add = [&](int64_t value, int64_t* sum) { AddSigned(value, sign, sum, &overflowed); };
  add(record.cost_nanos, &cost_nanos);
  if (entry.adjustment) return;
  add(1, &calls);
  add(record.input_tokens, &input_tokens);
  add(record.cached_input_tokens, &cached_input_tokens);
  add(record.cache_write_tokens, &cache_write_tokens);
  add(record.output_tokens, &output_tokens);
  add(record.reasoning_tokens, &reasoning_tokens);
  add(record.estimated_nanos, &estimated_nanos);
  add(record.default_cost_nanos, &default_cost_nanos);
  if (record.best_constant_nanos > 0) {
    add(record.best_constant_nanos, &best_constant_nanos);
    add(record.cost_nanos, &cost_against_constant_nanos);
  }
  add(record.saved_routing_nanos, &saved_routing_nanos);
  add(record.saved_cache_nanos, &saved_cache_nanos);
  add(record.saved_prompt_cache_nanos, &saved_prompt_cache_nanos);
  add(record.saved_clamp_nanos, &saved_clamp_nanos);
  add(record.saved_batch_nanos, &saved_batch_nanos);
  if (record.revenue_nanos) {
    add(*record.revenue_nanos, &revenue_nanos);
    add(1, &calls_with_revenue);
  }
  if (record.cache_hit != CACHE_NONE) add(1, record.cache_hit == CACHE_EXACT ? &exact_hits : &semantic_hits);
  if (record.outcome == FAILED || record.outcome == ERRORED || record.outcome == TIMED_OUT)
    add(1, &failed_calls);
  if (record.flags != 0) {
    if (record.flags & USAGE_UNKNOWN) add(1, &usage_unknown);
    if (record.flags & OVERRUN) add(1, &overruns);
    if (record.flags & PRESUMED) add(1, &presumed);
  }
  if (record.latency_us > 0) {
    add(record.latency_us, &latency_us);
    add(1, &calls_with_latency);
  }
}

void Totals::Add(const Totals& other) {
  overflowed |= other.overflowed;
  ForEachSum([&](int64_t Totals::*sum) { AddSigned(other.*sum, 1, &(this->*sum), &overflowed); });
}

Rollup::Rollup(const std::vector<Dimension>& by) : columns_(by) {
  const bool has_tenant = std::find(by.begin(), by.end(), Dimension::kTenant) != by.end();
  if (!has_tenant && std::any_of(by.begin(), by.end(), IsWithinTenant)) {
    columns_.insert(columns_.begin(), Dimension::kTenant);
  }
}

void Rollup::AppendKey(const Entry& entry, Dimension column) {
  KeyBuffer buffer;
  if (!IsOfTime(column)) {
    // Adjustments stand in lines of their own, with their day.
    return AppendToKey(entry.adjustment ? "(adjustments)" : KeyOf(entry.record, column, buffer), &scratch_);
  }
  constexpr int64_t kHourNanos = 3'600'000'000'000;
  const int64_t time = entry.record.time_nanos;
  const int64_t hour = time / kHourNanos - (time % kHourNanos < 0 ? 1 : 0);
  std::string& text = time_texts_[static_cast<size_t>(column) - static_cast<size_t>(Dimension::kHour)];
  if (hour != last_hour_) {
    for (std::string& stale : time_texts_) stale.clear();
    last_hour_ = hour;
  }
  if (text.empty()) text = KeyOf(entry.record, column, buffer);
  AppendToKey(text, &scratch_);
}

void Rollup::Add(const Entry& entry) {
  scratch_.clear();
  for (const Dimension column : columns_) AppendKey(entry, column);
  if (slots_.empty() || scratch_ != last_key_) {
    const auto [found, is_new] = index_.try_emplace(scratch_, slots_.size());
    if (is_new) slots_.emplace_back();
    last_slot_ = found->second;
    last_key_ = scratch_;
  }
  slots_[last_slot_].Add(entry);
}

Totals Rollup::total() const {
  Totals total;
  for (const Totals& slot : slots_) total.Add(slot);
  return total;
}

std::vector<Rollup::Row> Rollup::Rows() const {
  std::vector<Row> rows;
  rows.reserve(index_.size());
  for (const auto& [key, slot] : index_) rows.push_back({ValuesOfKey(key), slots_[slot]});
  const bool by_time = !columns_.empty() && IsOfTime(columns_.back());
  std::sort(rows.begin(), rows.end(), [by_time](const Row& a, const Row& b) {
    if (by_time && a.values.back() != b.values.back()) return a.values.back() < b.values.back();
    if (a.totals.cost_nanos != b.totals.cost_nanos) return a.totals.cost_nanos > b.totals.cost_nanos;
    return a.values < b.values;
  });
  return rows;
}

}  // namespace purser::ledger
