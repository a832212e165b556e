#include "engine/cli/request_file.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>
#include <sstream>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "google/protobuf/util/json_util.h"
#include "nlohmann/json.hpp"
#include "purser/policy.pb.h"

namespace purser::cli {

Role RoleOf(std::string_view name) {
  if (name == "system" || name == "developer") return Role::kSystem;
  if (name == "assistant") return Role::kAssistant;
  if (name == "tool" || name == "function") return Role::kTool;
  return Role::kUser;
}

namespace {

std::optional<uint32_t> NeedOf(const std::string& name) {
  policy::Capability capability;
  if (!policy::Capability_Parse(absl::AsciiStrToUpper(name), &capability) || capability <= 0)
    return std::nullopt;
  return 1u << capability;
}

// Traces hold more than what is read of them; who writes one request by hand has misspelt a name.
std::vector<std::string> NotesOn(const std::string& text, const trace::TraceCall& call) {
  std::vector<std::string> notes;
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return notes;
  for (const auto& [key, value] : json.items()) {
    const google::protobuf::Descriptor* known = trace::TraceCall::descriptor();
    if (known->FindFieldByName(key) != nullptr || known->FindFieldByCamelcaseName(key) != nullptr) continue;
    notes.push_back(absl::StrCat("\"", key, "\" is no field of policies/trace.proto and was not read",
                                 key == "id" ? "; expected \"request_id\"" : ""));
  }
  for (const trace::TraceMessage& message : call.messages()) {
    if (message.role() == "user" || RoleOf(message.role()) != Role::kUser) continue;
    notes.push_back(
        absl::StrCat("the role \"", message.role(),
                     "\" is unknown and was read as \"user\"; expected system, user, assistant or tool"));
  }
  return notes;
}

// The fields of a TraceCall that are named after the dimensions, in the order of the table.
const std::array<const google::protobuf::FieldDescriptor*, kRequestDimensionCount>& DimensionFields() {
  static const auto fields = [] {
    std::array<const google::protobuf::FieldDescriptor*, kRequestDimensionCount> found{};
    for (size_t row = 0; row < kRequestDimensionCount; ++row) {
      found[row] = trace::TraceCall::descriptor()->FindFieldByName(std::string(kRequestDimensions[row].name));
    }
    return found;
  }();
  return fields;
}

}  // namespace

Request RequestOf(const trace::TraceCall& call, RequestParts* parts) {
  parts->messages.clear();
  parts->metadata.clear();
  for (const trace::TraceMessage& message : call.messages()) {
    parts->messages.push_back({RoleOf(message.role()), message.content()});
  }
  for (const auto& [key, value] : call.metadata()) parts->metadata.emplace_back(key, value);
  parts->own_dimensions.clear();
  for (const auto& [name, value] : call.dimensions()) parts->own_dimensions.push_back({name, value});
  // A map has no order of its own.
  std::sort(parts->own_dimensions.begin(), parts->own_dimensions.end(),
            [](const OwnDimension& a, const OwnDimension& b) { return a.name < b.name; });
  Request request;
  request.id = call.request_id();
  std::string unused;  // The fields hold strings, so that they are referred to, not copied.
  for (size_t row = 0; row < kRequestDimensionCount; ++row) {
    request.*kRequestDimensions[row].member =
        call.GetReflection()->GetStringReference(call, DimensionFields()[row], &unused);
  }
  request.step = call.step();
  request.attempt = std::max(call.attempt(), 1);
  request.model = call.model();
  request.messages = parts->messages;
  request.metadata = parts->metadata;
  request.own_dimensions = parts->own_dimensions;
  request.tools = call.tools();
  request.max_output_tokens = call.max_output_tokens();
  request.needs = call.tools() > 0 ? kNeedsTools : kNeedsNothing;
  for (const std::string& need : call.needs()) request.needs |= NeedOf(need).value_or(kNeedsNothing);
  request.images = call.images();
  request.cached_input_tokens = call.cached_input_tokens();
  request.region = call.region();
  request.data_policy = call.data_policy();
  request.service_tier = call.service_tier();
  request.latency_limit_ms = call.latency_limit_ms();
  request.deferrable = call.deferrable();
  request.has_side_effects = call.tools() > 0;
  request.embedding = {call.embedding().data(), static_cast<size_t>(call.embedding_size())};
  request.embedding_model = call.embedding_model();
  return request;
}

absl::StatusOr<std::unique_ptr<RequestFile>> RequestFile::Read(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  if (in) text << in.rdbuf();
  if (!in) return absl::NotFoundError(absl::StrCat(path, ": cannot be read: ", strerror(errno)));
  auto file = std::make_unique<RequestFile>();
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = true;
  const auto parsed = google::protobuf::util::JsonStringToMessage(text.str(), &file->call_, options);
  if (!parsed.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": ", parsed.message().as_string(),
                     "; expected one JSON object with the fields of policies/trace.proto"));
  }
  for (const std::string& need : file->call_.needs()) {
    if (!NeedOf(need)) {
      return absl::InvalidArgumentError(absl::StrCat(
          path, ": \"", need, "\" is no need; expected \"vision\", \"json_mode\" or another Capability"));
    }
  }
  if (file->call_.max_output_tokens() < 0 || file->call_.latency_limit_ms() < 0 ||
      file->call_.cached_input_tokens() < 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        path,
        ": max_output_tokens, latency_limit_ms or cached_input_tokens is negative; expected at least 0"));
  }
  file->notes_ = NotesOn(text.str(), file->call_);
  file->request_ = RequestOf(file->call_, &file->parts_);
  absl::Time time;
  std::string why;
  if (absl::ParseTime(absl::RFC3339_full, file->call_.time(), &time, &why)) {
    file->request_.time_nanos = absl::ToUnixNanos(time);
  } else if (!file->call_.time().empty()) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": time \"", file->call_.time(), "\": ", why));
  }
  return file;
}

}  // namespace purser::cli
