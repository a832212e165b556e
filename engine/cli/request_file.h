#ifndef PURSER_ENGINE_CLI_REQUEST_FILE_H_
#define PURSER_ENGINE_CLI_REQUEST_FILE_H_

#include <purser/request.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "purser/trace.pb.h"

namespace purser::cli {

Role RoleOf(std::string_view name);

// What a request's views point to beside the call that it was read from.
struct RequestParts {
  std::vector<Message> messages;
  std::vector<std::pair<std::string_view, std::string_view>> metadata;
  std::vector<OwnDimension> own_dimensions;
};

// The request that a recorded call was, as far as the call says; its views point into `call` and `parts`,
// which are replaced.
Request RequestOf(const trace::TraceCall& call, RequestParts* parts);

// A request that was read from a JSON file, with what its views point to.
class RequestFile {
 public:
  // A TraceCall without its usage. Errors name the file and what was expected.
  static absl::StatusOr<std::unique_ptr<RequestFile>> Read(const std::string& path);

  const Request& request() const { return request_; }
  // What stands in the file and was not read, a line each: fields and roles that nobody knows.
  const std::vector<std::string>& notes() const { return notes_; }

 private:
  trace::TraceCall call_;
  RequestParts parts_;
  Request request_;
  std::vector<std::string> notes_;
};

}  // namespace purser::cli

#endif  // PURSER_ENGINE_CLI_REQUEST_FILE_H_
