#ifndef PURSER_ENGINE_ECONOMICS_RECORD_EXPORT_H_
#define PURSER_ENGINE_ECONOMICS_RECORD_EXPORT_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace purser::economics {

// A ledger's calls in others' names; NAMES.md has the table. The file appears complete or not at all. Return
// the number of rows. Errors: ALREADY_EXISTS if the file exists; those of the ledger; the system's.

// A CSV of FOCUS 1.2 (the FinOps Foundation's Open Cost and Usage Specification): a row per line item.
// ListCost and ContractedCost are quantity times unit price to the last digit, as the specification requires;
// BilledCost and EffectiveCost are what was booked, to the nano-dollar. What was taken back or adjusted has
// ChargeClass "Correction".
absl::StatusOr<int64_t> ExportFocus(const std::string& ledger, const std::string& file);

// A JSON object per call, attributes named as OpenTelemetry's semantic conventions for generative AI name
// them, and "purser." before what these do not know. Amounts are exact decimal strings of dollars.
absl::StatusOr<int64_t> ExportOpenTelemetry(const std::string& ledger, const std::string& file);

}  // namespace purser::economics

#endif  // PURSER_ENGINE_ECONOMICS_RECORD_EXPORT_H_
