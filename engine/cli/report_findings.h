#ifndef PURSER_ENGINE_CLI_REPORT_FINDINGS_H_
#define PURSER_ENGINE_CLI_REPORT_FINDINGS_H_

#include <string>

#include "engine/economics/findings.h"

namespace purser::cli {

// What `purser report` prints of economics::Findings, after its sums.
void PrintFindings(const economics::Findings& findings, size_t top);
void PrintFindingsJson(const economics::Findings& findings);

// "2026-03-02 14:00" of an hour since 1970.
std::string HourText(int64_t hour);

}  // namespace purser::cli

#endif  // PURSER_ENGINE_CLI_REPORT_FINDINGS_H_
