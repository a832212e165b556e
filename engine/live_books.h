#ifndef PURSER_ENGINE_LIVE_BOOKS_H_
#define PURSER_ENGINE_LIVE_BOOKS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace purser {

namespace economics {
class LiveBooks;
}  // namespace economics

// The books of a running process, for a metrics page and for alerts: totals by a few dimensions, and how fast
// cost objectives burn. Give one to Options::live_books; settled calls and answers from the cache are added
// as they are booked. What is presumed spent is added when it is settled.
//
// Bounded: each roll-up keeps at most 2 * max_keys keys. Beyond that the cheapest half goes into one tail
// bucket,
// "(other)", so that the most expensive keys stay exact and the rows still add up to the total. A key of the
// tail that comes back starts from zero; what it had before stays in the tail.
//
// Thread-safe. Callbacks run outside the lock, on the thread whose call triggered them.
class LiveBooks {
 public:
  // An objective of the economics file burns.
  struct BurnAlert {
    std::string request_class;
    bool fast = false;  // 14.4 times the allowance over an hour; else 6 times over six hours.
    double burn_rate = 0;
    int64_t time_nanos = 0;
  };
  // An hour of a class costs far more than such hours do.
  struct AnomalyAlert {
    std::string request_class;
    int64_t hour_nanos = 0;  // When the hour began.
    int64_t cost_nanos = 0;
    int64_t usual_nanos = 0;
    std::string cause;  // For people: what most of it belongs to.
  };
  struct Options {
    // Each list is a roll-up of its own, by all of its dimensions together: {{"model"}, {"day",
    // "customer_tier"}}. Names as in `purser report --by`.
    std::vector<std::vector<std::string>> by = {{"model"}, {"request_class"}, {"customer_tier"}, {"feature"}};
    size_t max_keys = 100;
    std::string
        economics_file{};  // purser.policy.Economics as text; its objectives are watched. Empty: none.
    // Called when an objective starts to burn, and not again before it has been quiet for an hour.
    std::function<void(const BurnAlert&)> on_burn{};
    // Needs a day of hours to know what is usual.
    std::function<void(const AnomalyAlert&)> on_anomaly{};
  };

  // INVALID_ARGUMENT: a dimension that does not exist, or the economics file's mistakes with
  // file:line:column.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<LiveBooks>> Create(const Options& options);
  ~LiveBooks();
  LiveBooks(const LiveBooks&) = delete;
  LiveBooks& operator=(const LiveBooks&) = delete;

  // The Prometheus text exposition format, version 0.0.4: purser_cost_usd_total, purser_calls_total and
  // others by themselves and by dimension (purser_cost_usd_by_model_total{model="..."}),
  // purser_slo_burn_rate.
  std::string Prometheus() const;

  // For the engine.
  economics::LiveBooks* books() { return books_.get(); }

 private:
  explicit LiveBooks(std::unique_ptr<economics::LiveBooks> books);
  std::unique_ptr<economics::LiveBooks> books_;
};

}  // namespace purser

#endif  // PURSER_ENGINE_LIVE_BOOKS_H_
