#include "engine/revision/namespace_template.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "engine/base/prefixed_bytes.h"

namespace purser {
namespace {

std::string FieldNames() {
  std::string names;
  for (const RequestDimension& dimension : kRequestDimensions) {
    if (!dimension.in_namespaces) continue;
    absl::StrAppend(&names, names.empty() ? "" : ", ", "{", std::string(dimension.name), "}");
  }
  return names;
}

}  // namespace

absl::StatusOr<NamespaceTemplate> NamespaceTemplate::Parse(std::string_view text) {
  NamespaceTemplate parsed;
  while (!text.empty()) {
    Part part;
    const size_t open = text.find('{');
    part.literal = text.substr(0, open);
    text.remove_prefix(std::min(open, text.size()));
    if (!text.empty()) {
      const size_t close = text.find('}');
      if (close == std::string_view::npos)
        return absl::InvalidArgumentError("\"{\" is never closed; expected \"}\"");
      const std::string_view name = text.substr(1, close - 1);
      for (const RequestDimension& dimension : kRequestDimensions) {
        if (dimension.in_namespaces && dimension.name == name) part.field = dimension.member;
      }
      if (part.field == nullptr) {
        return absl::InvalidArgumentError(
            absl::StrCat("requests have no field {", std::string(name), "}; expected one of ", FieldNames()));
      }
      text.remove_prefix(close + 1);
    }
    parsed.parts_.push_back(std::move(part));
  }
  return parsed;
}

void NamespaceTemplate::Render(const Request& request, std::string* out) const {
  out->clear();
  for (const Part& part : parts_) {
    out->append(part.literal);
    if (part.field == nullptr) continue;
    AppendPart<uint64_t>(request.*part.field, out);
  }
}

}  // namespace purser
