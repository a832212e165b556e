#ifndef PURSER_ENGINE_BUDGET_SHA256_H_
#define PURSER_ENGINE_BUDGET_SHA256_H_

#include <array>
#include <cstdint>
#include <string_view>

namespace purser::budget {

// SHA-256 (FIPS 180-4), for keys that are too long to be stored. Takes its input in pieces; does not
// allocate.
class Sha256 {
 public:
  void Add(std::string_view bytes);
  std::array<uint8_t, 32> Finish();

 private:
  void AddBlock(const uint8_t* block);

  std::array<uint32_t, 8> state_ = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                    0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<uint8_t, 64> pending_;
  uint64_t size_ = 0;
};

}  // namespace purser::budget

#endif  // PURSER_ENGINE_BUDGET_SHA256_H_
