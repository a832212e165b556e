#ifndef PURSER_CACHE_HASH_H_
#define PURSER_CACHE_HASH_H_

#include <cstdint>
#include <span>
#include <string_view>

namespace purser::cache {

struct Hash128 {
  uint64_t low = 0;
  uint64_t high = 0;
  friend bool operator==(const Hash128&, const Hash128&) = default;
};

// 128-bit xxHash (XXH3) of bytes, stable between runs and machines of one byte order. Fast, not secret: a
// hostile caller may craft equal hashes, so whoever finds by hash compares the bytes.
Hash128 HashBytes(std::string_view bytes);

// Of a sequence of strings, which are told apart whatever bytes they hold.
Hash128 HashParts(Hash128 seed, std::span<const std::string_view> parts);

}  // namespace purser::cache

#endif  // PURSER_CACHE_HASH_H_
