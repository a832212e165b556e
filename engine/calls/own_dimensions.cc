#include "engine/calls/own_dimensions.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace purser {

bool CheckOwnDimensions(std::span<const OwnDimension> own, std::string* why) {
  if (own.size() > kMaxOwnDimensions) {
    *why = absl::StrCat("the request has ", own.size(), " own dimensions; at most ", kMaxOwnDimensions,
                        " are booked");
    return false;
  }
  for (size_t i = 0; i < own.size(); ++i) {
    const std::string_view shown = own[i].name.substr(0, kMaxOwnNameBytes);
    const auto wrong = [&](const std::string& problem) {
      *why = absl::StrCat("the own dimension \"", absl::CHexEscape({shown.data(), shown.size()}), "\" ",
                          problem);
      return false;
    };
    if (!IsOwnDimensionName(own[i].name)) {
      return wrong(absl::StrCat("has no valid name; expected 1 to ", kMaxOwnNameBytes,
                                " of a-z, 0-9, \"_\", \".\" and \"-\""));
    }
    if (own[i].value.size() > kMaxOwnValueBytes) {
      return wrong(absl::StrCat("has a value of ", own[i].value.size(), " bytes; expected at most ",
                                kMaxOwnValueBytes));
    }
    if (std::any_of(own.begin(), own.begin() + static_cast<std::ptrdiff_t>(i),
                    [&](const OwnDimension& other) { return other.name == own[i].name; })) {
      return wrong("is there twice");
    }
  }
  return true;
}

}  // namespace purser
