#ifndef PURSER_POLICIES_CHECK_CACHING_H_
#define PURSER_POLICIES_CHECK_CACHING_H_

#include "policies/diagnostics.h"
#include "purser/policy.pb.h"

namespace purser {

// The checks of a policy's caching section: durations, amounts and shares well formed and in range, classes
// those of the policy and named once, settings that have no effect. Namespace templates are checked where
// they are parsed (engine/).
void CheckCaching(const policy::Policy& policy, Diagnostics* diagnostics);

}  // namespace purser

#endif  // PURSER_POLICIES_CHECK_CACHING_H_
