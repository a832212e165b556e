#ifndef PURSER_ENGINE_BASE_REGION_H_
#define PURSER_ENGINE_BASE_REGION_H_

#include <cstddef>
#include <string_view>

namespace purser {

// Whether `region` is `wider` or lies in it: "eu-west-1" is in "eu" and in "eu-west", "europe" is in neither.
// Upper and lower case of ASCII are the same: "DE" is "de".
constexpr bool IsInRegion(std::string_view region, std::string_view wider) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  if (region.size() < wider.size()) return false;
  for (size_t i = 0; i < wider.size(); ++i) {
    if (lower(region[i]) != lower(wider[i])) return false;
  }
  return region.size() == wider.size() || region[wider.size()] == '-';
}

}  // namespace purser

#endif  // PURSER_ENGINE_BASE_REGION_H_
