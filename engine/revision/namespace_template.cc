#include "engine/revision/namespace_template.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace purser {
namespace {

using Field = std::string_view Request::*;

constexpr std::pair<std::string_view, Field> kFields[] = {
    {"tenant", &Request::tenant},
    {"customer", &Request::customer},
    {"customer_tier", &Request::customer_tier},
    {"team", &Request::team},
    {"feature", &Request::feature},
    {"use_case", &Request::use_case},
    {"session", &Request::session},
    {"task", &Request::task},
    {"release", &Request::release},
};

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
      for (const auto& [known, field] : kFields) {
        if (name == known) part.field = field;
      }
      if (part.field == nullptr) {
        std::vector<std::string> names;
        for (const auto& [known, field] : kFields)
          names.push_back(absl::StrCat("{", std::string(known), "}"));
        return absl::InvalidArgumentError(absl::StrCat("requests have no field {", std::string(name),
                                                       "}; expected one of ", absl::StrJoin(names, ", ")));
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
    const std::string_view value = request.*part.field;
    const uint64_t size = value.size();
    out->append(reinterpret_cast<const char*>(&size), sizeof(size));
    out->append(value);
  }
}

}  // namespace purser
