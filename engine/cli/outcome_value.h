#ifndef PURSER_ENGINE_CLI_OUTCOME_VALUE_H_
#define PURSER_ENGINE_CLI_OUTCOME_VALUE_H_

#include <optional>

#include "engine/ledger/record.h"

namespace purser::cli {

// How good a settled call's answer was, 0 to 1, as reported: its quality, or else whether it succeeded.
// Nothing if neither was reported, or no answer came.
inline std::optional<double> ReportedOutcome(const ledger::RecordView& record) {
  if (record.quality.has_value()) return *record.quality;
  if (record.outcome == ledger::SUCCEEDED) return 1;
  if (record.outcome == ledger::FAILED) return 0;
  return std::nullopt;
}

}  // namespace purser::cli

#endif  // PURSER_ENGINE_CLI_OUTCOME_VALUE_H_
