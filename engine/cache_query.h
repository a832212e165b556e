#ifndef PURSER_ENGINE_CACHE_QUERY_H_
#define PURSER_ENGINE_CACHE_QUERY_H_

#include <string>
#include <string_view>
#include <vector>

#include "cache/cache.h"
#include "engine/request.h"
#include "engine/revision.h"

namespace purser {

// What a cache query points to, reused from call to call.
struct CacheQueryScratch {
  std::string name_space;
  std::string compatibility;
  std::vector<std::string_view> key;
};

// Whether an earlier answer may serve this request, or its answer a later one.
bool MayCache(const Request& request);

// The request as the cache asks for it: all of it is the exact key; everything but the last user turn has to
// be equal for a similar request's answer to serve. Its views point into the request, the revision and the
// scratch.
cache::Query MakeCacheQuery(const Revision& revision, const Request& request, CacheQueryScratch* scratch);

}  // namespace purser

#endif  // PURSER_ENGINE_CACHE_QUERY_H_
