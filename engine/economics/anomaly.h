#ifndef PURSER_ENGINE_ECONOMICS_ANOMALY_H_
#define PURSER_ENGINE_ECONOMICS_ANOMALY_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "engine/economics/survey.h"

namespace purser::economics {

// An hour in which a class cost far more than it does.
struct Anomaly {
  std::string request_class;
  int64_t hour = 0;  // Since 1970-01-01T00 UTC.
  int64_t cost_nanos = 0;
  int64_t usual_nanos = 0;  // The median.
  double score = 0;         // (cost - usual) / spread, the spread being 1.4826 times the median deviation.
  // What most of the excess belongs to, the largest part first: "customer", "acme/globex", nano-dollars above
  // its usual hour.
  struct Cause {
    std::string dimension, value;
    int64_t excess_nanos = 0;
  };
  std::vector<Cause> causes;
};

// How much an hour costs, from what such hours did cost: median, and 1.4826 times the median deviation (which
// makes it the standard deviation of a normal), but a tenth of the median at least. `values` is not empty.
struct UsualCost {
  double median = 0, spread = 0;
};
UsualCost UsualCostOf(const std::vector<double>& values);
inline constexpr double kMinAnomalyScore = 5;   // In spreads above the median.
inline constexpr size_t kMinAnomalyHours = 24;  // That have to be known.
inline constexpr size_t kMinSameHours = 4;      // Of the same hour of the week, to go by these alone.

// The level and spread that a class's hour is held against: of the same hour of the week where it was seen
// four times, else of all hours. Robust, so that yesterday's anomaly does not hide today's. At most
// `most`, the largest excess first.
std::vector<Anomaly> FindAnomalies(const Survey& survey, size_t most = 10);

// Finds the causes: reads the books a second time, and remembers what belongs to the classes in question.
// Memory: about 100 bytes per class and value of a dimension.
class AnomalyCauses {
 public:
  AnomalyCauses(const Survey& survey, std::vector<Anomaly> anomalies);
  void Add(const ledger::Entry& entry);
  std::vector<Anomaly> Take();  // The anomalies, each with its three largest causes.

 private:
  struct Costs {
    int64_t total_nanos = 0;
    std::map<int64_t, int64_t> in_hour;  // Of the anomalous hours.
  };
  const Survey& survey_;
  std::vector<Anomaly> anomalies_;
  std::map<std::string, std::vector<int64_t>> hours_;  // By class.
  // By class, dimension, value.
  std::map<std::string, std::map<int, std::map<std::string, Costs>>> costs_;
};

}  // namespace purser::economics

#endif  // PURSER_ENGINE_ECONOMICS_ANOMALY_H_
