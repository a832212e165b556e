#ifndef PURSER_ENGINE_CLI_OUTCOME_EXPORT_H_
#define PURSER_ENGINE_CLI_OUTCOME_EXPORT_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace purser::cli {

struct OutcomeExport {
  int64_t written = 0;
  int64_t without_outcome = 0;    // Settled calls of which nobody told how good the answer was;
  int64_t without_embedding = 0;  // and those whose request is not among the embeddings.
};

// Writes a ledger's outcomes as a policy's signal `outcomes` reads them (routing.proto). `embeddings`: lines
// of
// {"request_id", "embedding", "embedding_model"?}, for a ledger holds none. Errors name the file and what was
// expected.
absl::StatusOr<OutcomeExport> ExportOutcomes(const std::string& ledger, const std::string& embeddings,
                                             const std::string& out);

}  // namespace purser::cli

#endif  // PURSER_ENGINE_CLI_OUTCOME_EXPORT_H_
