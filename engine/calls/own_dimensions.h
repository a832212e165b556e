#ifndef PURSER_ENGINE_CALLS_OWN_DIMENSIONS_H_
#define PURSER_ENGINE_CALLS_OWN_DIMENSIONS_H_

#include <purser/dimensions.h>

#include <span>
#include <string>

namespace purser {

// Whether a caller's own dimensions are within their bounds. False: *why says which is not.
bool CheckOwnDimensions(std::span<const OwnDimension> own, std::string* why);

}  // namespace purser

#endif  // PURSER_ENGINE_CALLS_OWN_DIMENSIONS_H_
