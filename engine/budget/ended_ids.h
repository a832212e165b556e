#ifndef PURSER_ENGINE_BUDGET_ENDED_IDS_H_
#define PURSER_ENGINE_BUDGET_ENDED_IDS_H_

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <functional>
#include <mutex>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "engine/budget/key.h"
#include "engine/budget/sha256.h"
#include "engine/budget/state.h"

namespace purser::budget {

enum class EndedKind : char { kTask, kSession };

// Remembers tasks and sessions that have ended, by 128 bits of SHA-256, for a while or until kMaxIds others
// have. Two generations: the older one is dropped when the younger one is full or old enough. Its time is the
// newest at which anything ended: a clock that was set back brings nothing back. Thread-safe.
class EndedIds {
 public:
  static constexpr size_t kMaxIds = 65'536;

  void Remember(EndedKind kind, const KeyBytes& key, int64_t now_nanos, int64_t remember_nanos) {
    const Id id = IdOf(kind, key);
    const std::lock_guard<std::mutex> lock(mutex_);
    newest_nanos_ = std::max(newest_nanos_, now_nanos);
    if (generations_[0].size() >= kMaxIds || newest_nanos_ - since_nanos_ > remember_nanos) {
      std::swap(generations_[0], generations_[1]);
      generations_[0].clear();
      since_nanos_ = newest_nanos_;
    }
    generations_[0].insert_or_assign(id, newest_nanos_);
  }

  void Export(const std::function<void(const EndedState&)>& visit) const {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (const auto& generation : generations_) {
      for (const auto& [id, ended_nanos] : generation) visit({id.first, id.second, ended_nanos});
    }
  }

  void Import(const EndedState& state) {
    const std::lock_guard<std::mutex> lock(mutex_);
    int64_t& ended_nanos = generations_[0][{state.digest_high, state.digest_low}];
    ended_nanos = std::max(ended_nanos, state.ended_nanos);
    newest_nanos_ = std::max(newest_nanos_, ended_nanos);
  }

  bool Contains(EndedKind kind, const KeyBytes& key, int64_t now_nanos, int64_t remember_nanos) const {
    const Id id = IdOf(kind, key);
    const std::lock_guard<std::mutex> lock(mutex_);
    now_nanos = std::max(now_nanos, newest_nanos_);
    for (const auto& generation : generations_) {
      const auto found = generation.find(id);
      if (found != generation.end()) return now_nanos - found->second <= remember_nanos;
    }
    return false;
  }

 private:
  using Id = std::pair<uint64_t, uint64_t>;

  static Id IdOf(EndedKind kind, const KeyBytes& key) {
    Sha256 sha;
    const char head[2] = {static_cast<char>(kind), static_cast<char>(key.digested)};
    sha.Add({head, 2});
    sha.Add(key.view());
    const std::array<uint8_t, 32> digest = sha.Finish();
    Id id;
    std::memcpy(&id.first, digest.data(), 8);
    std::memcpy(&id.second, digest.data() + 8, 8);
    return id;
  }

  mutable std::mutex mutex_;
  std::array<absl::flat_hash_map<Id, int64_t>, 2> generations_;
  int64_t since_nanos_ = 0;   // When the younger generation was begun.
  int64_t newest_nanos_ = 0;  // When something ended last.
};

}  // namespace purser::budget

#endif  // PURSER_ENGINE_BUDGET_ENDED_IDS_H_
