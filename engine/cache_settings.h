#ifndef PURSER_ENGINE_CACHE_SETTINGS_H_
#define PURSER_ENGINE_CACHE_SETTINGS_H_

#include "cache/options.h"
#include "policies/diagnostics.h"
#include "policies/policy.pb.h"

namespace purser {

// The cache that a policy describes. `caching` has passed CheckPolicy; what can only be found out by trying
// (a model of static embeddings that cannot be loaded) is added to `diagnostics`.
cache::Options CacheOptionsOf(const policy::Caching& caching, Diagnostics* diagnostics);

}  // namespace purser

#endif  // PURSER_ENGINE_CACHE_SETTINGS_H_
