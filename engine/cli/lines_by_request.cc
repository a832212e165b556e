#include "engine/cli/lines_by_request.h"

#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"

namespace purser::cli {

absl::StatusOr<LinesByRequest> ReadLinesByRequest(const std::string& path, const std::string& field,
                                                  nlohmann::json::value_t kind, const std::string& also) {
  using Json = nlohmann::ordered_json;
  std::ifstream in(path);
  if (!in) {
    return absl::NotFoundError(
        absl::StrCat(path, ": cannot be read; expected lines of {\"request_id\", \"", field, "\"}"));
  }
  LinesByRequest lines;
  std::string text;
  for (int number = 1; std::getline(in, text); ++number) {
    if (text.find_first_not_of(" \t\r") == std::string::npos) continue;
    Json line = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    const bool good = line.is_object() && line.contains("request_id") && line["request_id"].is_string() &&
                      line.contains(field) && line[field].type() == kind;
    if (!good) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ":", number, ": the line is not {\"request_id\": \"...\", \"", field,
                       kind == Json::value_t::array ? "\": [...]}" : "\": \"...\"}"));
    }
    Json kept;
    kept[field] = std::move(line[field]);
    if (!also.empty() && line.contains(also)) kept[also] = std::move(line[also]);
    lines.insert_or_assign(line["request_id"].get<std::string>(), std::move(kept));
  }
  return lines;
}

}  // namespace purser::cli
