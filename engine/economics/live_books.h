#ifndef PURSER_ENGINE_ECONOMICS_LIVE_BOOKS_H_
#define PURSER_ENGINE_ECONOMICS_LIVE_BOOKS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "engine/economics/cost_slo.h"
#include "engine/economics/economics.h"
#include "engine/economics/hour_watch.h"
#include "engine/ledger/dimension.h"
#include "engine/ledger/record.h"

namespace purser::economics {

// The books of a running process: totals by a few dimensions and the burn of cost objectives, for a metrics
// page and for alerts. Give one to purser::Options::live_books; settled calls and answers from the cache are
// added as they are booked. (What is presumed spent is added when it is settled; the ledger has it before.)
//
// Bounded: each roll-up keeps at most 2 * max_keys keys. Beyond that the cheapest half goes into one tail
// bucket, "(other)", so that the most expensive keys stay exact and the sum of all rows stays the total. A
// key of the tail that comes back starts from zero; what it had before stays in the tail.
//
// Thread-safe. Add takes one lock, for a look-up per dimension. Callbacks are called outside the lock, on the
// thread whose call tripped them.
class LiveBooks {
 public:
  struct Alert {
    std::string request_class;
    bool fast = false;  // 14.4 times the allowance over an hour; else 6 times over six hours.
    double burn_rate = 0;
    int64_t time_nanos = 0;
  };
  struct Options {
    // Each list is a roll-up of its own, by all of its dimensions together: {{kModel}, {kDay,
    // kCustomerTier}}.
    std::vector<std::vector<ledger::Dimension>> by = {{ledger::Dimension::kModel},
                                                      {ledger::Dimension::kRequestClass},
                                                      {ledger::Dimension::kCustomerTier},
                                                      {ledger::Dimension::kFeature}};
    size_t max_keys = 100;
    Economics economics = {};  // Its classes' objectives are watched.
    // Called when an objective begins to burn, and not again before it has stopped for an hour.
    std::function<void(const Alert&)> on_alert = {};
    // Called when an hour of a class costs far more than such hours do, at once and once an hour, with what
    // most of it belongs to. Needs a day of hours to know what is usual. At most kMaxClasses are watched.
    std::function<void(const Anomaly&)> on_anomaly = {};
  };

  explicit LiveBooks(Options options);

  // Books a settled call or an answer from the cache.
  void Add(const ledger::RecordView& record);

  struct Sums {
    int64_t calls = 0;
    int64_t input_tokens = 0, output_tokens = 0;
    int64_t cost_nanos = 0, default_cost_nanos = 0, revenue_nanos = 0;
    int64_t cache_hits = 0, failed_calls = 0;

    void Add(const ledger::RecordView& record);
    void Add(const Sums& other);
  };
  struct Row {
    std::vector<std::string> values;  // One per dimension; kTail for each in the tail's row.
    Sums sums;
  };
  Sums Total() const;
  // The most expensive first, the tail last. Empty for a roll-up that is not kept.
  std::vector<Row> Rows(const std::vector<ledger::Dimension>& by) const;
  static constexpr const char* kTail = "(other)";
  static constexpr size_t kMaxClasses = 100;

  // The Prometheus text exposition format, version 0.0.4: purser_cost_usd_total, purser_calls_total and
  // others by themselves and by dimension (purser_cost_usd_by_model_total{model="..."}),
  // purser_slo_burn_rate.
  std::string Prometheus() const;

 private:
  struct Kept {
    std::vector<ledger::Dimension> by;
    absl::flat_hash_map<std::string, Sums> keys;
    Sums tail;
    int64_t folded = 0;  // Keys that went into the tail.
  };
  // Calls and expensive calls by five minutes, the last six hours.
  struct Objective {
    static constexpr int kWindows = 72;
    Economics::RequestClass terms;
    int64_t last_window = INT64_MIN;
    int64_t calls[kWindows] = {}, over[kWindows] = {};
    int64_t quiet_after_nanos = INT64_MIN;  // No alert before.

    void Advance(int64_t window);
    double BurnOver(int windows) const;
  };

  void Fold(Kept* kept);
  // True: *alert is to be sent.
  bool Watch(const ledger::RecordView& record, Alert* alert);
  bool WatchHours(const ledger::RecordView& record, Anomaly* anomaly);

  const Options options_;
  mutable std::mutex mutex_;
  Sums total_;
  std::string key_;  // Of the record that is being added.
  std::vector<Kept> kept_;
  std::vector<Objective> objectives_;
  std::map<std::string, HourWatch, std::less<>> hours_;  // By class.
};

}  // namespace purser::economics

#endif  // PURSER_ENGINE_ECONOMICS_LIVE_BOOKS_H_
