#ifndef PURSER_ENGINE_REVISION_ALWAYS_PASSED_H_
#define PURSER_ENGINE_REVISION_ALWAYS_PASSED_H_

#include <array>
#include <atomic>
#include <cstdint>

#include "engine/routing/candidate_set.h"

namespace purser {

// Which candidates have passed every decision of a request class so far: any one of them could have served
// the class by itself. Lock-free; a decision that changes nothing writes nothing.
class AlwaysPassed {
 public:
  AlwaysPassed() {
    for (std::atomic<uint64_t>& word : words_) word.store(~uint64_t{0}, std::memory_order_relaxed);
  }

  void Note(const routing::CandidateSet& passed) {
    for (int i = 0; i < routing::CandidateSet::kWords; ++i) {
      if ((words_[i].load(std::memory_order_relaxed) & ~passed.word(i)) == 0) continue;
      words_[i].fetch_and(passed.word(i), std::memory_order_relaxed);
    }
  }
  routing::CandidateSet Get() const {
    routing::CandidateSet set;
    for (int i = 0; i < routing::CandidateSet::kWords; ++i) {
      set.set_word(i, words_[i].load(std::memory_order_relaxed));
    }
    return set;
  }

 private:
  std::array<std::atomic<uint64_t>, routing::CandidateSet::kWords> words_;
};

}  // namespace purser

#endif  // PURSER_ENGINE_REVISION_ALWAYS_PASSED_H_
