#ifndef PURSER_ENGINE_CALLS_FINGERPRINT_H_
#define PURSER_ENGINE_CALLS_FINGERPRINT_H_

#include <purser/request.h>

#include <cstdint>

namespace purser {

// Tells whether a task makes the same call again: a hash of what is new in the request (the messages after
// the model's last answer) and of its tools, letters in lower case and runs of white space as one. An agent
// whose context grows at every turn still repeats itself in what it adds. Never 0; does not allocate.
uint64_t FingerprintOf(const Request& request);

}  // namespace purser

#endif  // PURSER_ENGINE_CALLS_FINGERPRINT_H_
