#ifndef PURSER_ENGINE_BUDGET_SHA256_H_
#define PURSER_ENGINE_BUDGET_SHA256_H_

#include <array>
#include <cstdint>
#include <string_view>

#include "sodium/crypto_hash_sha256.h"

namespace purser::budget {

// SHA-256 (libsodium's), for keys that are too long to be stored. Takes its input in pieces; does not
// allocate, and needs no sodium_init().
class Sha256 {
 public:
  Sha256() { crypto_hash_sha256_init(&state_); }

  void Add(std::string_view bytes) {
    crypto_hash_sha256_update(&state_, reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  }
  std::array<uint8_t, 32> Finish() {
    std::array<uint8_t, 32> digest;
    crypto_hash_sha256_final(&state_, digest.data());
    return digest;
  }

 private:
  crypto_hash_sha256_state state_;
};

}  // namespace purser::budget

#endif  // PURSER_ENGINE_BUDGET_SHA256_H_
