#include "cache/stored_entry.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <new>

namespace purser::cache {
namespace {

size_t KeySize(std::span<const std::string_view> parts) {
  size_t size = 0;
  for (const std::string_view part : parts) size += sizeof(uint64_t) + part.size();
  return size;
}

// Components are kept as 16-bit multiples of a scale of their own: half the memory of floats, and a cosine
// that is off by about 2e-6 (the rounding errors of n components, each at most half a scale, add up in
// quadrature: scale / sqrt(12) against a unit query).
void Quantise(std::span<const float> unit, int16_t* out, StoredEntry* record) {
  const float* const in = unit.data();
  const size_t size = unit.size();
  // Floats above zero are ordered as their bits are; the loops are such that compilers vectorise them.
  int32_t largest_bits = 0;
  for (size_t i = 0; i < size; ++i) {
    largest_bits = std::max(largest_bits, std::bit_cast<int32_t>(in[i]) & 0x7FFFFFFF);
  }
  const float largest = std::bit_cast<float>(largest_bits);
  record->scale = largest / 32767.0F;
  const float steps = 32767.0F / largest;
  int64_t square = 0;
  for (size_t i = 0; i < size; ++i) {
    const float scaled = in[i] * steps;
    const auto rounded = static_cast<int32_t>(scaled + (scaled < 0.0F ? -0.5F : 0.5F));
    out[i] = static_cast<int16_t>(rounded);
    square += rounded * rounded;
  }
  record->norm = static_cast<float>(std::sqrt(static_cast<double>(square)) * record->scale);
  record->scale /= record->norm;
}

char* Append(char* at, std::string_view bytes) {
  if (!bytes.empty()) std::memcpy(at, bytes.data(), bytes.size());
  return at + bytes.size();
}

}  // namespace

StoredEntry* StoredEntry::Make(const Content& content) {
  const size_t key_size = KeySize(content.key);
  const size_t size = sizeof(StoredEntry) + content.unit.size() * sizeof(int16_t) +
                      content.labels.size() * sizeof(Label*) + key_size + content.text.size() +
                      content.answer.size();
  StoredEntry* record = new (::operator new(size)) StoredEntry;
  record->dimension = static_cast<uint32_t>(content.unit.size());
  record->key_size = static_cast<uint32_t>(key_size);
  record->text_size = static_cast<uint32_t>(content.text.size());
  record->answer_size = static_cast<uint32_t>(content.answer.size());
  record->label_count = static_cast<uint32_t>(content.labels.size());
  if (!content.unit.empty()) Quantise(content.unit, const_cast<int16_t*>(record->vector()), record);
  std::copy(content.labels.begin(), content.labels.end(), const_cast<Label**>(record->labels().data()));
  char* at = const_cast<char*>(record->key().data());
  for (const std::string_view part : content.key) {
    const uint64_t part_size = part.size();
    std::memcpy(at, &part_size, sizeof(part_size));
    at = Append(at + sizeof(part_size), part);
  }
  Append(Append(at, content.text), content.answer);
  return record;
}

void StoredEntry::Free(StoredEntry* record) {
  record->~StoredEntry();
  ::operator delete(record);
}

bool StoredEntry::HasKey(std::span<const std::string_view> parts) const {
  if (key_size != KeySize(parts)) return false;
  const char* at = key().data();
  for (const std::string_view part : parts) {
    uint64_t part_size;
    std::memcpy(&part_size, at, sizeof(part_size));
    if (part_size != part.size()) return false;
    at += sizeof(part_size);
    if (!part.empty() && std::memcmp(at, part.data(), part.size()) != 0) return false;
    at += part.size();
  }
  return true;
}

size_t StoredEntry::bytes() const {
  // malloc's header and rounding to 16 bytes.
  const size_t size = sizeof(StoredEntry) + dimension * sizeof(int16_t) + payload_bytes();
  return (size + 8 + 15) / 16 * 16;
}

}  // namespace purser::cache
