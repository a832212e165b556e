#ifndef PURSER_ENGINE_CACHE_SETTINGS_H_
#define PURSER_ENGINE_CACHE_SETTINGS_H_

#include <string_view>

#include "cache/options.h"
#include "policies/diagnostics.h"
#include "policies/policy.pb.h"

namespace purser {

// The cache that `policy.caching` describes. Adds its mistakes to `diagnostics`: durations, amounts and
// shares out of form or range, request classes that the policy does not have, an embedder's files that cannot
// be read. Files are looked for in `directory`.
cache::Options ReadCacheSettings(const policy::Policy& policy, std::string_view directory,
                                 Diagnostics* diagnostics);

}  // namespace purser

#endif  // PURSER_ENGINE_CACHE_SETTINGS_H_
