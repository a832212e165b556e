#include "cache/kernels.h"

#include <algorithm>
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

bool Wanted(uint64_t first, uint64_t second, const SketchQuery& query, uint32_t cut_first,
            uint32_t cut_both) {
  const auto differ = static_cast<uint32_t>(std::popcount(first ^ query.words[0]));
  if (differ > cut_first) return false;
  return differ + static_cast<uint32_t>(std::popcount(second ^ query.words[1])) <= cut_both;
}

size_t Filter(const uint64_t* first, const uint64_t* second, size_t n, const SketchQuery& query,
              uint32_t cut_first, uint32_t cut_both, uint16_t* out) {
  size_t found = 0;
  for (size_t i = 0; i < n; ++i) {
    if (Wanted(first[i], second[i], query, cut_first, cut_both)) out[found++] = static_cast<uint16_t>(i);
  }
  return found;
}

size_t NearColumns(const uint64_t* columns, const uint64_t* /*next*/, const SketchQuery& query,
                   uint32_t cut_first, uint16_t* out) {
  std::array<uint8_t, Columns::kSlots> differ{};
  for (size_t j = 0; j < 64; ++j) {
    for (size_t i = 0; i < Columns::kSlots; ++i) {
      differ[i] += ((columns[Columns::kStride * j + i / 64] ^ query.spread[j]) >> (i % 64)) & 1;
    }
  }
  size_t found = 0;
  for (size_t i = 0; i < Columns::kSlots; ++i) {
    if (differ[i] <= cut_first) out[found++] = static_cast<uint16_t>(i);
  }
  std::fill_n(out + found, Kernels::kPadding, uint16_t{0});
  return found;
}

size_t Refine(const uint64_t* first, const uint64_t* second, const uint16_t* slots, size_t n,
              const SketchQuery& query, uint32_t cut_both, uint16_t* out) {
  size_t found = 0;
  for (size_t i = 0; i < n; ++i) {
    const uint16_t slot = slots[i];
    if (Wanted(first[slot], second[slot], query, 64, cut_both)) out[found++] = slot;
  }
  return found;
}

float Subtract(const float* a, const float* b, float* out, size_t n) {
  float square = 0.0F;
  for (size_t i = 0; i < n; ++i) {
    out[i] = a[i] - b[i];
    square += out[i] * out[i];
  }
  return square;
}

void Rotate(float* x, const float* signs, size_t n) {
  for (size_t i = 0; i < n; ++i) x[i] *= signs[i];
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

void SignBits(const float* x, size_t n, uint64_t* out) {
  for (size_t word = 0; word < n / 64; ++word) {
    uint64_t bits = 0;
    for (size_t i = 0; i < 64; ++i) bits |= uint64_t{x[word * 64 + i] >= 0.0F} << i;
    out[word] = bits;
  }
}

constexpr Kernels kPlain = {"plain",     DotInt16, DotInt8,  Hamming, Filter,
                            NearColumns, Refine,   Subtract, Rotate,  SignBits};

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
