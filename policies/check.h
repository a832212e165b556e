#ifndef PURSER_POLICIES_CHECK_H_
#define PURSER_POLICIES_CHECK_H_

#include "policies/diagnostics.h"
#include "purser/policy.pb.h"

namespace purser {

// The checks of a policy's meaning that need nothing but the policy: names defined once and referred to as
// defined, amounts and durations well formed, numbers in range. What needs prices or compiled programs is
// checked where those are (engine/). Adds to `diagnostics`, which came from ParseTextproto.
void CheckPolicy(const policy::Policy& policy, Diagnostics* diagnostics);

}  // namespace purser

#endif  // PURSER_POLICIES_CHECK_H_
