#ifndef PURSER_ENGINE_ECONOMICS_HOUR_WATCH_H_
#define PURSER_ENGINE_ECONOMICS_HOUR_WATCH_H_

#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "engine/economics/anomaly.h"
#include "engine/ledger/dimension.h"
#include "engine/ledger/record.h"

namespace purser::economics {

// Watches what one class costs hour by hour, and says at once when the hour under way costs far more than
// such hours do: by the measure of FindAnomalies, against the last four weeks. Memory: 16 bytes an hour, and
// at most kMaxValues values per dimension. Not thread-safe.
class HourWatch {
 public:
  static constexpr int64_t kHours = 4 * 168;
  static constexpr size_t kMaxValues = 500;

  // What may be named as causes.
  explicit HourWatch(std::vector<ledger::Dimension> dimensions) : dimensions_(std::move(dimensions)) {}

  // True, once an hour at most: *anomaly says what is odd, with its causes so far (request_class is left to
  // the caller). Records of hours gone by are added to the hour under way.
  bool Add(const ledger::RecordView& record, Anomaly* anomaly);

 private:
  struct Value {
    int64_t before_nanos = 0;  // In all hours before this one.
    int64_t now_nanos = 0;
  };
  using Values = absl::flat_hash_map<std::string, Value>;

  void Begin(int64_t hour);
  void AddCauses(Anomaly* anomaly) const;

  const std::vector<ledger::Dimension> dimensions_;
  std::vector<Values> values_;                    // By dimension.
  std::deque<std::pair<int64_t, int64_t>> past_;  // Hour, nano-dollars.
  int64_t hours_before_ = 0;                      // Of which values know.
  int64_t hour_ = INT64_MIN;
  int64_t cost_nanos_ = 0;
  double usual_ = 0, spread_ = 0;
  double alarm_at_ = std::numeric_limits<double>::infinity();
};

}  // namespace purser::economics

#endif  // PURSER_ENGINE_ECONOMICS_HOUR_WATCH_H_
