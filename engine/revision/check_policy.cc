#include <purser/policy_source.h>

#include <string>
#include <vector>

#include "engine/revision/revision.h"
#include "policies/diagnostics.h"

namespace purser {

std::string PolicyFinding::ToString() const {
  return Diagnostic{severity == Severity::kError ? purser::Severity::kError : purser::Severity::kWarning,
                    file,
                    {line, column},
                    message}
      .ToString();
}

std::vector<PolicyFinding> CheckPolicy(const PolicySource& source) {
  std::vector<Diagnostics> diagnostics;
  Revision::Compile(source, 0, &diagnostics);
  std::vector<PolicyFinding> findings;
  for (const Diagnostics& of_file : diagnostics) {
    for (const Diagnostic& found : of_file.Sorted()) {
      findings.push_back({.severity = found.severity == Severity::kError ? PolicyFinding::Severity::kError
                                                                         : PolicyFinding::Severity::kWarning,
                          .file = found.file,
                          .line = found.position.line,
                          .column = found.position.column,
                          .message = found.message});
    }
  }
  return findings;
}

}  // namespace purser
