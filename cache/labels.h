#ifndef PURSER_CACHE_LABELS_H_
#define PURSER_CACHE_LABELS_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "cache/epoch.h"
#include "cache/stored_entry.h"

namespace purser::cache {

// The labels that entries carry, one object per (kind, text), and the invalidations of late. Calls are
// serialised by the caller; readers look at Label::invalid_before only.
class Labels {
 public:
  explicit Labels(Epochs* epochs) : epochs_(epochs) {}
  ~Labels();
  Labels(const Labels&) = delete;
  Labels& operator=(const Labels&) = delete;

  // The label, with one more user.
  Label* Acquire(uint8_t kind, std::string_view text);
  void Release(Label* label);

  // Entries of a generation below `generation` are invalid from now on.
  void Invalidate(uint8_t kind, std::string_view text, uint64_t generation);

  // Whether what was asked for at `generation` has been invalidated since, as far back as is remembered;
  // beyond that, yes.
  bool Outdated(uint8_t kind, std::string_view text, uint64_t generation) const;
  bool Forgotten(uint64_t generation) const { return generation < forgotten_before_; }

  size_t bytes() const { return bytes_; }

 private:
  using Key = std::pair<uint8_t, std::string>;
  static constexpr size_t kRemembered = 1024;

  Epochs* const epochs_;
  absl::flat_hash_map<Key, Label*> labels_;
  absl::flat_hash_map<Key, uint64_t> recent_;
  std::deque<std::pair<Key, uint64_t>> order_;
  uint64_t forgotten_before_ = 0;
  size_t bytes_ = 0;
};

}  // namespace purser::cache

#endif  // PURSER_CACHE_LABELS_H_
