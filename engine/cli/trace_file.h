#ifndef PURSER_ENGINE_CLI_TRACE_FILE_H_
#define PURSER_ENGINE_CLI_TRACE_FILE_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "purser/trace.pb.h"

namespace purser::cli {

// A recorded call as it was read, with what the reader worked out.
struct TracedCall {
  trace::TraceCall call;
  std::string usage_json;      // `call.usage()` as JSON, for the usage reader.
  int64_t time_nanos = 0;      // 0: the line has no time.
  int64_t revenue_nanos = -1;  // -1: the line has none.
};

// Reads a trace: one JSON object per line, blank lines skipped, fields that TraceCall does not have ignored.
// Errors (INVALID_ARGUMENT, "name:line: ..."): a line that is not such an object; a time that is not RFC
// 3339; usage that is missing. Nothing is returned then.
absl::StatusOr<std::vector<TracedCall>> ParseTrace(std::string_view text, std::string_view name);

// The same for a file; NOT_FOUND with the system's reason if it cannot be read.
absl::StatusOr<std::vector<TracedCall>> ReadTrace(const std::string& path);

}  // namespace purser::cli

#endif  // PURSER_ENGINE_CLI_TRACE_FILE_H_
