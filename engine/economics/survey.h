#ifndef PURSER_ENGINE_ECONOMICS_SURVEY_H_
#define PURSER_ENGINE_ECONOMICS_SURVEY_H_

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "engine/economics/economics.h"
#include "engine/ledger/cost_change.h"
#include "engine/ledger/record_reader.h"
#include "engine/ledger/rollup.h"

namespace purser::economics {

inline constexpr int64_t kNanosPerHour = 3'600'000'000'000;
inline constexpr int64_t kNanosPerDay = 24 * kNanosPerHour;

// Times of a ledger, inclusive. Empty if last < first.
struct Span {
  int64_t first_nanos = INT64_MAX;
  int64_t last_nanos = INT64_MIN;

  void Add(int64_t time_nanos);
  bool empty() const { return last_nanos < first_nanos; }
  // Calendar months that it touches, in part counting in part: for what is paid by the month.
  double months() const;
};

struct Flow {
  int64_t calls = 0;
  int64_t cost_nanos = 0;
  int64_t revenue_nanos = 0;  // As recorded.

  void Add(const ledger::Entry& entry);
};

// One reading of the books, gathered as unit economics needs it: what is asked of it afterwards (margins.h,
// red_flags.h, cost_slo.h, forecast.h, anomaly.h) reads no ledger. Not thread-safe.
//
// Memory: about 150 bytes per customer and month, 100 per task, and per class 40 bytes an hour and, where it
// has an objective, 24 bytes per five minutes; nothing per call.
class Survey {
 public:
  struct CustomerMonth {
    std::string tier;  // The last that was seen.
    Flow flow;
  };
  struct Task {
    int16_t request_class = -1;  // Index of `classes`, of its first call.
    int64_t calls = 0;
    int64_t cost_nanos = 0;
  };
  // Half of the span, to compare the earlier with the later.
  struct Half {
    Flow flow;
    int64_t hits = 0;
    int64_t estimated_nanos = 0;          // Of calls that were estimated,
    int64_t cost_of_estimated_nanos = 0;  // and what these did cost.
    absl::flat_hash_set<std::string> customers;
    std::map<std::string, Flow> classes;
    std::map<std::string, ledger::CostShape> shapes;  // By class.
  };
  struct Window {
    int64_t calls = 0;
    int64_t over = 0;  // Cost more than the class's objective.
  };
  static constexpr int64_t kWindowNanos = 300'000'000'000;

  // `economics` has to outlive it; `span` is the ledger's.
  Survey(const Economics& economics, const Span& span);

  void Add(const ledger::Entry& entry);

  const Economics& economics() const { return economics_; }
  const Span& span() const { return span_; }
  const ledger::Totals& total() const { return total_; }
  const std::map<std::string, ledger::Totals>& classes() const { return classes_; }
  // By month ("2026-03"), then by tenant and customer.
  using CustomerMonths = absl::flat_hash_map<std::string, CustomerMonth>;
  const std::map<std::string, CustomerMonths>& months() const { return months_; }
  // By tenant and task.
  const absl::flat_hash_map<std::string, Task>& tasks() const { return tasks_; }
  const std::vector<std::string>& class_names() const { return class_names_; }
  const std::array<Half, 2>& halves() const { return halves_; }
  // By model, then day since 1970: nano-dollars.
  const std::map<std::string, std::map<int64_t, int64_t>>& model_days() const { return model_days_; }
  const std::map<int64_t, Flow>& days() const { return days_; }
  // By class, then hour since 1970.
  const std::map<std::string, std::map<int64_t, Flow>>& class_hours() const { return class_hours_; }
  // Of classes with an objective, by five minutes since 1970.
  const std::map<std::string, std::map<int64_t, Window>>& windows() const { return windows_; }
  int64_t sessions() const { return static_cast<int64_t>(sessions_.size()); }

  // What a key of two parts stands for: "tenant/customer", or the id alone where there is no tenant.
  static std::string Shown(const std::string& key);

 private:
  int16_t ClassIndex(const std::string& name);

  const Economics& economics_;
  const Span span_;
  const int64_t middle_nanos_;
  ledger::Totals total_;
  std::map<std::string, ledger::Totals> classes_;
  std::map<std::string, CustomerMonths> months_;
  absl::flat_hash_map<std::string, Task> tasks_;
  absl::flat_hash_set<uint64_t> sessions_;  // Hashes.
  std::vector<std::string> class_names_;
  absl::flat_hash_map<std::string, int16_t> class_index_;
  std::array<Half, 2> halves_;
  std::map<std::string, std::map<int64_t, int64_t>> model_days_;
  std::map<int64_t, Flow> days_;
  std::map<std::string, std::map<int64_t, Flow>> class_hours_;
  std::map<std::string, std::map<int64_t, Window>> windows_;
};

}  // namespace purser::economics

#endif  // PURSER_ENGINE_ECONOMICS_SURVEY_H_
