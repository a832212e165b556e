#include "cache/kernels.h"

#include <array>
#include <bit>

namespace purser::cache {
namespace {

float DotInt16(const float* query, const int16_t* vector, size_t n) {
  float sum = 0.0F;
  for (size_t i = 0; i < n; ++i) sum += query[i] * static_cast<float>(vector[i]);
  return sum;
}

int32_t DotInt8(const int8_t* a, const int8_t* b, size_t n) {
  int32_t sum = 0;
  for (size_t i = 0; i < n; ++i) sum += int32_t{a[i]} * int32_t{b[i]};
  return sum;
}

uint32_t Hamming(const uint64_t* a, const uint64_t* b, size_t words) {
  uint32_t differ = 0;
  for (size_t i = 0; i < words; ++i) differ += static_cast<uint32_t>(std::popcount(a[i] ^ b[i]));
  return differ;
}

size_t Filter(const uint64_t* first, const uint64_t* second, size_t n, const uint64_t query[2],
              uint32_t cut_first, uint32_t cut_both, uint16_t* out) {
  size_t found = 0;
  for (size_t i = 0; i < n; ++i) {
    const auto differ = static_cast<uint32_t>(std::popcount(first[i] ^ query[0]));
    if (differ > cut_first) continue;
    if (differ + static_cast<uint32_t>(std::popcount(second[i] ^ query[1])) > cut_both) continue;
    out[found++] = static_cast<uint16_t>(i);
  }
  return found;
}

void Hadamard(float* x, size_t n) {
  for (size_t half = 1; half < n; half *= 2) {
    for (size_t start = 0; start < n; start += 2 * half) {
      for (size_t i = start; i < start + half; ++i) {
        const float a = x[i];
        const float b = x[i + half];
        x[i] = a + b;
        x[i + half] = a - b;
      }
    }
  }
}

constexpr Kernels kPlain = {"plain", DotInt16, DotInt8, Hamming, Filter, Hadamard};

struct Usable {
  Usable() {
    all[count++] = &kPlain;
    if (const Kernels* avx2 = Avx2Kernels()) all[count++] = avx2;
    if (const Kernels* avx512 = Avx512Kernels()) all[count++] = avx512;
  }
  std::array<const Kernels*, 3> all{};
  size_t count = 0;
};

const Usable& TheUsable() {
  static const Usable usable;
  return usable;
}

}  // namespace

const Kernels& PlainKernels() { return kPlain; }

std::span<const Kernels* const> UsableKernels() { return {TheUsable().all.data(), TheUsable().count}; }

const Kernels& BestKernels() { return *TheUsable().all[TheUsable().count - 1]; }

}  // namespace purser::cache
