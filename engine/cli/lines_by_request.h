#ifndef PURSER_ENGINE_CLI_LINES_BY_REQUEST_H_
#define PURSER_ENGINE_CLI_LINES_BY_REQUEST_H_

#include <string>
#include <unordered_map>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"

namespace purser::cli {

// What a caller knows of its requests and no ledger holds, by request id.
using LinesByRequest = std::unordered_map<std::string, nlohmann::ordered_json>;

// Reads lines of {"request_id": "...", FIELD: ...}, of which `field` must be there and be of the kind: a
// string or an array. `also` is kept where a line has it; everything else is dropped. Blank lines are stepped
// over; of two lines with one id the later counts. Errors name the file, the line and what was expected.
absl::StatusOr<LinesByRequest> ReadLinesByRequest(const std::string& path, const std::string& field,
                                                  nlohmann::json::value_t kind, const std::string& also = "");

}  // namespace purser::cli

#endif  // PURSER_ENGINE_CLI_LINES_BY_REQUEST_H_
