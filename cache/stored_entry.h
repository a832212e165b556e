#ifndef PURSER_CACHE_STORED_ENTRY_H_
#define PURSER_CACHE_STORED_ENTRY_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "cache/hash.h"

namespace purser::cache {

struct Namespace;
struct Partition;

// A handle that entries can be invalidated by: a tag, a model, a policy, a source version. One object per
// (kind, text), shared by the entries that carry it.
struct Label {
  Hash128 hash;
  uint8_t kind = 0;
  std::string text;
  // Entries of an earlier generation are invalid.
  std::atomic<uint64_t> invalid_before{0};
  uint32_t users = 0;  // Writer's.

  size_t bytes() const { return sizeof(Label) + text.capacity(); }
};

// One stored answer: a single allocation, immutable once published but for its counters. Everything that a
// reader follows from it (labels, namespace, partition) outlives it.
struct StoredEntry {
  struct Content {
    std::span<const std::string_view> key = {};
    std::string_view text = {};
    std::string_view answer = {};
    std::span<Label* const> labels = {};
    // Of unit length, padded with zeros to a multiple of Kernels::kPadding. Empty: exact tier only.
    std::span<const float> unit = {};
  };
  static StoredEntry* Make(const Content& content);
  static void Free(StoredEntry* record);
  static void FreeErased(void* record) { Free(static_cast<StoredEntry*>(record)); }

  Hash128 hash;  // Of namespace and key.
  uint64_t id = 0;
  uint64_t generation = 0;
  int64_t stored_nanos = 0;
  int64_t expires_nanos = 0;
  int64_t saved_nano_usd = 0;
  uint64_t answer_hash = 0;  // Of the answer key.
  Namespace* name_space = nullptr;
  Partition* partition = nullptr;  // Null: exact tier only.
  uint32_t request_class = 0;      // Index into Options::classes.
  float scale = 0.0F;              // Component i of the unit vector is scale * vector()[i].
  float norm = 1.0F;               // Of the quantised vector, 1 up to rounding.
  uint32_t dimension = 0;          // Padded.
  uint32_t key_size = 0;
  uint32_t text_size = 0;
  uint32_t answer_size = 0;
  uint32_t label_count = 0;

  // The writer's books.
  uint32_t slot = 0;            // Where the partition's index has it.
  bool in_graph = false;        // Which index that is.
  uint32_t worth_position = 0;  // In the heaps of eviction.h.
  uint32_t expiry_position = 0;
  double worth = 0.0;
  // Readers' marks.
  std::atomic<uint32_t> hits{0};
  std::atomic<double> touched{0.0};  // The inflation (eviction.h) at the last hit.
  // Verified mode: requests that this entry would have answered and whose right answer became known.
  std::atomic<uint16_t> tried{0};
  std::atomic<uint16_t> right{0};

  const int16_t* vector() const { return reinterpret_cast<const int16_t*>(this + 1); }
  std::span<Label* const> labels() const {
    return {reinterpret_cast<Label* const*>(vector() + dimension), label_count};
  }
  std::string_view key() const {
    return {reinterpret_cast<const char*>(labels().data() + label_count), key_size};
  }
  std::string_view text() const { return {key().data() + key_size, text_size}; }
  std::string_view answer() const { return {text().data() + text_size, answer_size}; }

  // Whether the parts are byte for byte those that the record was made with.
  bool HasKey(std::span<const std::string_view> parts) const;
  // Calls `visit(std::string_view)` for every part of the key.
  template <typename Visit>
  void ForEachKeyPart(const Visit& visit) const {
    for (std::string_view rest = key(); !rest.empty();) {
      uint64_t size;
      __builtin_memcpy(&size, rest.data(), sizeof(size));
      visit(rest.substr(sizeof(size), size));
      rest.remove_prefix(sizeof(size) + size);
    }
  }

  // Neither expired nor invalidated.
  bool ServesAt(int64_t now_nanos) const {
    if (now_nanos >= expires_nanos) return false;
    for (const Label* label : labels()) {
      if (generation < label->invalid_before.load(std::memory_order_acquire)) return false;
    }
    return true;
  }

  // Of the allocation.
  size_t bytes() const;
  // Of these, key, text, answer and labels.
  size_t payload_bytes() const { return key_size + text_size + answer_size + label_count * sizeof(Label*); }
};

}  // namespace purser::cache

#endif  // PURSER_CACHE_STORED_ENTRY_H_
