#ifndef PURSER_ENGINE_VERSION_H_
#define PURSER_ENGINE_VERSION_H_

#include <string_view>

namespace purser {

// The version of the library and of the command; semantic versioning. Ledgers name the version that wrote
// them.
inline constexpr int kVersionMajor = 0;
inline constexpr int kVersionMinor = 1;
inline constexpr int kVersionPatch = 0;
inline constexpr std::string_view kVersion = "0.1.0";

}  // namespace purser

#endif  // PURSER_ENGINE_VERSION_H_
