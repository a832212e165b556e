#include "cache/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace purser::cache {

Hash128 HashBytes(std::string_view bytes) {
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return {hash.low64, hash.high64};
}

Hash128 HashParts(Hash128 seed, std::span<const std::string_view> parts) {
  for (const std::string_view part : parts) {
    const Hash128 own = HashBytes(part);
    const uint64_t chain[5] = {seed.low, seed.high, own.low, own.high, part.size()};
    const XXH128_hash_t hash = XXH3_128bits(chain, sizeof(chain));
    seed = {hash.low64, hash.high64};
  }
  return seed;
}

}  // namespace purser::cache
