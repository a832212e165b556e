#ifndef PURSER_ENGINE_CALLS_REQUEST_LIMITS_H_
#define PURSER_ENGINE_CALLS_REQUEST_LIMITS_H_

#include <purser/request.h>

#include <cstddef>
#include <string>

namespace purser {

// Whether every field of the request is within its limit (the table in <purser/request.h>). False: *why names
// the first that is not, its size and its limit. Allocates only then.
bool CheckLimits(const Request& request, std::string* why);

// "the request's task has 2048 bytes; expected at most 1024".
std::string BeyondLimit(const std::string& field, size_t size, size_t limit, const char* unit);

}  // namespace purser

#endif  // PURSER_ENGINE_CALLS_REQUEST_LIMITS_H_
