#ifndef PURSER_ENGINE_ROUTING_CANDIDATE_SET_H_
#define PURSER_ENGINE_ROUTING_CANDIDATE_SET_H_

#include <array>
#include <bit>
#include <cstdint>

namespace purser::routing {

// The most candidates that a policy may have.
inline constexpr int kMaxCandidates = 256;

// A set of candidates by their index in the policy: a value of 32 bytes, no allocation.
class CandidateSet {
 public:
  constexpr CandidateSet() = default;
  // {0, 1, ... count - 1}
  static constexpr CandidateSet FirstN(int count) {
    CandidateSet set;
    for (int i = 0; i < count; ++i) set.Add(i);
    return set;
  }

  constexpr void Add(int candidate) { words_[candidate >> 6] |= Bit(candidate); }
  constexpr void Remove(int candidate) { words_[candidate >> 6] &= ~Bit(candidate); }
  constexpr bool Has(int candidate) const { return (words_[candidate >> 6] & Bit(candidate)) != 0; }
  constexpr bool empty() const { return (words_[0] | words_[1] | words_[2] | words_[3]) == 0; }
  constexpr int size() const {
    int size = 0;
    for (const uint64_t word : words_) size += std::popcount(word);
    return size;
  }

  constexpr CandidateSet operator&(const CandidateSet& other) const {
    CandidateSet result;
    for (int i = 0; i < kWords; ++i) result.words_[i] = words_[i] & other.words_[i];
    return result;
  }
  constexpr CandidateSet operator|(const CandidateSet& other) const {
    CandidateSet result;
    for (int i = 0; i < kWords; ++i) result.words_[i] = words_[i] | other.words_[i];
    return result;
  }
  // Those of this set that are not in `other`.
  constexpr CandidateSet Without(const CandidateSet& other) const {
    CandidateSet result;
    for (int i = 0; i < kWords; ++i) result.words_[i] = words_[i] & ~other.words_[i];
    return result;
  }
  constexpr bool operator==(const CandidateSet&) const = default;

  // Calls visit(candidate) in ascending order.
  template <typename Visit>
  constexpr void ForEach(Visit visit) const {
    for (int i = 0; i < kWords; ++i) {
      for (uint64_t word = words_[i]; word != 0; word &= word - 1) visit(i * 64 + std::countr_zero(word));
    }
  }

  // 64 of them as bits, from candidate 64 * i on.
  static constexpr int kWords = kMaxCandidates / 64;
  constexpr uint64_t word(int i) const { return words_[i]; }
  constexpr void set_word(int i, uint64_t word) { words_[i] = word; }

 private:
  static constexpr uint64_t Bit(int candidate) { return uint64_t{1} << (candidate & 63); }

  std::array<uint64_t, kWords> words_ = {};
};

}  // namespace purser::routing

#endif  // PURSER_ENGINE_ROUTING_CANDIDATE_SET_H_
