#include "engine/cli/trace_file.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "google/protobuf/util/json_util.h"
#include "policies/amount.h"
#include "policies/read_file.h"

namespace purser::cli {
namespace {

absl::Status ReadRevenue(const google::protobuf::Value& value, int64_t* nanos) {
  std::string text;
  if (value.kind_case() == google::protobuf::Value::kStringValue) {
    text = value.string_value();
  } else if (value.kind_case() == google::protobuf::Value::kNumberValue) {
    // JSON's numbers pass through a double here; 15 digits give back the decimal that was written.
    text = absl::StrFormat("%.15g", value.number_value());
  } else if (value.kind_case() == google::protobuf::Value::kNullValue ||
             value.kind_case() == google::protobuf::Value::KIND_NOT_SET) {
    return absl::OkStatus();
  } else {
    return absl::InvalidArgumentError(
        "revenue_usd is not an amount; expected dollars as digits with a point, such as \"0.50\"");
  }
  const absl::StatusOr<int64_t> amount = ParseUsd(text);
  if (!amount.ok()) return amount.status();
  *nanos = *amount;
  return absl::OkStatus();
}

absl::Status ReadLine(const std::string& line, TracedCall* traced) {
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = true;
  const auto parsed = google::protobuf::util::JsonStringToMessage(line, &traced->call, options);
  if (!parsed.ok()) return absl::InvalidArgumentError(parsed.message().as_string());
  if (!traced->call.has_usage())
    return absl::InvalidArgumentError("has no usage; expected \"usage\": {\"input_tokens\": ...}");
  const auto printed = google::protobuf::util::MessageToJsonString(traced->call.usage(), &traced->usage_json);
  if (!printed.ok()) return absl::InvalidArgumentError(printed.message().as_string());
  if (!traced->call.time().empty()) {
    absl::Time time;
    std::string why;
    if (!absl::ParseTime(absl::RFC3339_full, traced->call.time(), &time, &why)) {
      return absl::InvalidArgumentError(absl::StrCat("time \"", traced->call.time(), "\": ", why,
                                                     "; expected RFC 3339, such as 2026-03-02T08:00:10Z"));
    }
    traced->time_nanos = absl::ToUnixNanos(time);
  }
  return ReadRevenue(traced->call.revenue_usd(), &traced->revenue_nanos);
}

}  // namespace

absl::StatusOr<std::vector<TracedCall>> ParseTrace(std::string_view text, std::string_view name) {
  std::vector<TracedCall> calls;
  int number = 0;
  while (!text.empty()) {
    ++number;
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string line(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (absl::StripAsciiWhitespace(line).empty()) continue;
    calls.emplace_back();
    if (const absl::Status read = ReadLine(line, &calls.back()); !read.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat(absl::string_view(name.data(), name.size()), ":", number, ": ", read.message()));
    }
  }
  return calls;
}

absl::StatusOr<std::vector<TracedCall>> ReadTrace(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadWholeFile(path);
  if (!text.ok()) return absl::NotFoundError(absl::StrCat(path, ": ", text.status().message()));
  return ParseTrace(*text, path);
}

}  // namespace purser::cli
