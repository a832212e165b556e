#ifndef PURSER_ENGINE_ECONOMICS_REPORT_PAGE_H_
#define PURSER_ENGINE_ECONOMICS_REPORT_PAGE_H_

#include <string>

#include "engine/economics/findings.h"

namespace purser::economics {

struct PageOptions {
  std::string title;     // Shown in the heading.
  std::string from, to;  // Days, "2026-03-02".
};

// One HTML page that shows the findings at a glance: no script, no network, light and dark by the reader's
// setting, fit for a phone and for paper. Every text from the ledger is escaped.
std::string ReportPage(const Findings& findings, const PageOptions& options);

}  // namespace purser::economics

#endif  // PURSER_ENGINE_ECONOMICS_REPORT_PAGE_H_
