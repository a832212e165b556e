#ifndef PURSER_ENGINE_CALLS_CACHE_QUERY_H_
#define PURSER_ENGINE_CALLS_CACHE_QUERY_H_

#include <purser/cache/cache.h>
#include <purser/request.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/revision/revision.h"

namespace purser {

// What a cache query points to, reused from call to call.
struct CacheQueryScratch {
  std::string name_space;
  std::string compatibility;
  std::vector<std::string_view> key;
  uint32_t needs = 0;

  std::string_view needs_bytes() const { return {reinterpret_cast<const char*>(&needs), sizeof(needs)}; }
};

// Whether an earlier answer may serve this request, or its answer a later one: not where the caller or acting
// tools forbid it, nor where the answer depends on what the request does not show.
bool MayCache(const Request& request);

// The request as the cache asks for it: all of it is the exact key; everything but the last user turn has to
// be equal for a similar request's answer to serve. Its views point into the request, the revision and the
// scratch.
cache::Query MakeCacheQuery(const Revision& revision, const Request& request, CacheQueryScratch* scratch);

}  // namespace purser

#endif  // PURSER_ENGINE_CALLS_CACHE_QUERY_H_
