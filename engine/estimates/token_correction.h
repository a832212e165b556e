#ifndef PURSER_ENGINE_ESTIMATES_TOKEN_CORRECTION_H_
#define PURSER_ENGINE_ESTIMATES_TOKEN_CORRECTION_H_

#include <atomic>
#include <cstdint>

namespace purser::estimates {

// What a model's realised input counts say about its estimates: one factor for the expected count and one for
// the bound. Keep one per model (or per model and request class); 8 bytes.
//
// Both factors start at 1 and move by small steps towards the median and the 99th percentile of
// realised / estimated (stochastic approximation: Robbins and Monro 1951). A single call, however wrong,
// moves them by one step, so outliers do no harm; the steps shrink from 1/4 to 1/256 as calls come in and
// stay there, so the factors follow drift. Factors stay within [1/8, 8].
//
// Thread-safe and lock-free: the state is one 64-bit word; a reader always sees one state, never a mix.
class TokenCorrection {
 public:
  TokenCorrection() = default;
  TokenCorrection(const TokenCorrection&) = delete;
  TokenCorrection& operator=(const TokenCorrection&) = delete;

  // A settled call: what was estimated before correction, and what was billed. Calls of fewer than 16
  // estimated tokens say nothing and are passed over, as are counts that are not positive.
  void Observe(int64_t estimated_tokens, int64_t realised_tokens);

  // Multiply the estimate by this. 1 until something was observed.
  double expected_factor() const;
  // Multiply the *estimate* by this for a bound that 99 % of this model's calls stay below; at least
  // expected_factor. 0 until 32 calls were observed: use TokenBound alone. For a worst case, take the larger
  // of this and TokenBound * expected_factor.
  double bound_factor() const;
  // How many calls were observed; stops at 65535.
  int observations() const;

  // Convenience: both applied, rounded up.
  int64_t Expected(int64_t estimated_tokens) const;
  int64_t Bound(int64_t estimated_tokens, int64_t bound_tokens) const;

  // For snapshots: the whole state. Load of a word that Save did not make leaves the factors in their range.
  uint64_t Save() const { return state_.load(std::memory_order_relaxed); }
  void Load(uint64_t state) { state_.store(state, std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> state_{0};
};

}  // namespace purser::estimates

#endif  // PURSER_ENGINE_ESTIMATES_TOKEN_CORRECTION_H_
