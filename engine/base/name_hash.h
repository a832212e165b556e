#ifndef PURSER_ENGINE_BASE_NAME_HASH_H_
#define PURSER_ENGINE_BASE_NAME_HASH_H_

#include <cstdint>
#include <string_view>

namespace purser {

// Finaliser of splitmix64 (Vigna 2015): every bit of the result depends on every bit of `x`.
constexpr uint64_t MixBits(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

// A name as 64 bits, for keys of what is learned: FNV-1a, finished, since names are short. 0 for the empty
// name only. Not for untrusted names that must not collide.
constexpr uint64_t HashName(std::string_view name) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : name) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3;
  if (name.empty()) return 0;
  const uint64_t mixed = MixBits(hash);
  return mixed == 0 ? 1 : mixed;
}

// Names a provider's model in what is learned about it.
constexpr uint64_t HashModel(std::string_view provider, std::string_view model) {
  return HashName(provider) * 0x9e3779b97f4a7c15u ^ HashName(model);
}

}  // namespace purser

#endif  // PURSER_ENGINE_BASE_NAME_HASH_H_
