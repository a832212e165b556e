#ifndef PURSER_ENGINE_REVISION_CACHE_SETTINGS_H_
#define PURSER_ENGINE_REVISION_CACHE_SETTINGS_H_

#include <purser/cache/options.h>

#include <string_view>

#include "policies/diagnostics.h"
#include "purser/policy.pb.h"

namespace purser {

// The cache that `policy.caching` describes; CheckCaching (policies/) says what is wrong with it. Only what
// has to be tried is added to `diagnostics` here: an embedder's files that cannot be read. They are looked
// for in `directory`.
cache::Options ReadCacheSettings(const policy::Policy& policy, std::string_view directory,
                                 Diagnostics* diagnostics);

}  // namespace purser

#endif  // PURSER_ENGINE_REVISION_CACHE_SETTINGS_H_
