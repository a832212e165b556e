#ifndef PURSER_ENGINE_BASE_PREFIXED_BYTES_H_
#define PURSER_ENGINE_BASE_PREFIXED_BYTES_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace purser {

// Several byte strings as one: each after its length, so that no two lists of parts make the same bytes,
// whatever the parts hold. This is what keeps tenants, accounts, cached answers and rows of reports apart.
//
// How a length is written is part of what is stored: ledgers' scopes and keys of roll-ups have four bytes,
// keys of the cache eight, keys of accounts a varint. Do not change it where bytes outlive the process.

// The fixed lengths are stored as they lie in memory.
static_assert(std::endian::native == std::endian::little);

// `Length`: uint32_t (parts are below 4 GiB) or uint64_t.
template <typename Length>
void AppendPart(std::string_view part, std::string* bytes) {
  const auto size = static_cast<Length>(part.size());
  bytes->append(reinterpret_cast<const char*>(&size), sizeof(size));
  bytes->append(part);
}

// Takes the part that `bytes` begin with off them. False: they do not begin with a whole part; both are then
// as they were.
template <typename Length>
bool TakePart(std::string_view* bytes, std::string_view* part) {
  Length size;
  if (bytes->size() < sizeof(size)) return false;
  std::memcpy(&size, bytes->data(), sizeof(size));
  if (bytes->size() - sizeof(size) < size) return false;
  *part = bytes->substr(sizeof(size), static_cast<size_t>(size));
  bytes->remove_prefix(sizeof(size) + static_cast<size_t>(size));
  return true;
}

// A length as a varint: seven bits a byte, the lowest first, and all bytes but the last with their top bit
// set.
inline constexpr size_t kMaxVarintLength = 10;

// Writes at `to`, where there is room for kMaxVarintLength; returns the end.
inline char* PutVarintLength(size_t length, char* to) {
  for (; length >= 128; length >>= 7) *to++ = static_cast<char>(length | 128);
  *to++ = static_cast<char>(length);
  return to;
}

// Takes the length that `bytes` begin with off them. False: they end within it, or it does not fit 63 bits.
inline bool TakeVarintLength(std::string_view* bytes, size_t* length) {
  size_t value = 0;
  size_t used = 0;
  for (int shift = 0; shift < 63 && used < bytes->size(); shift += 7) {
    const auto byte = static_cast<unsigned char>((*bytes)[used++]);
    value |= static_cast<size_t>(byte & 127) << shift;
    if (byte >= 128) continue;
    bytes->remove_prefix(used);
    *length = value;
    return true;
  }
  return false;
}

}  // namespace purser

#endif  // PURSER_ENGINE_BASE_PREFIXED_BYTES_H_
