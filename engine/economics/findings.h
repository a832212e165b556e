#ifndef PURSER_ENGINE_ECONOMICS_FINDINGS_H_
#define PURSER_ENGINE_ECONOMICS_FINDINGS_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/economics/anomaly.h"
#include "engine/economics/cost_slo.h"
#include "engine/economics/economics.h"
#include "engine/economics/forecast.h"
#include "engine/economics/margins.h"
#include "engine/economics/red_flags.h"
#include "engine/economics/survey.h"

namespace purser::economics {

// Everything that the books answer beyond sums: what a report shows, on a terminal or a page.
struct Findings {
  Economics economics;
  std::unique_ptr<Survey> survey;  // Refers to `economics`: not to be moved apart.

  UnitCosts units;
  std::vector<ClassMargin> classes;
  std::vector<TierMonth> tiers;
  std::vector<TaskMultiple> tasks;
  std::vector<CostSlo> slos;
  std::optional<Forecast> forecast;
  std::vector<RedFlag> flags;
  std::vector<Anomaly> anomalies;

  bool earns() const;  // Whether any class has revenue.
};

// Reads a ledger whose times are `span`: once, and again if there are anomalies to explain. `tick` is called
// now and then with the scanner, to show progress; may be empty. Errors are the ledger's.
using Tick = std::function<void(const ledger::LogScanner&)>;
absl::StatusOr<std::unique_ptr<Findings>> FindFindings(const std::string& ledger, const Span& span,
                                                       Economics economics, const Tick& tick);

}  // namespace purser::economics

#endif  // PURSER_ENGINE_ECONOMICS_FINDINGS_H_
