#include "engine/pricing/money.h"

namespace purser::pricing {

int64_t ChargeHalfEven(int64_t units, UnitPrice price) {
  const unsigned __int128 product =
      static_cast<unsigned __int128>(static_cast<uint64_t>(units)) * static_cast<uint64_t>(price.numerator);
  const uint64_t divisor = static_cast<uint64_t>(price.denominator);
  unsigned __int128 quotient = product / divisor;
  const uint64_t remainder = static_cast<uint64_t>(product % divisor);
  const uint64_t other_side = divisor - remainder;
  if (remainder > other_side || (remainder == other_side && quotient % 2 == 1)) ++quotient;
  return quotient > static_cast<uint64_t>(kMaxNanos) ? kMaxNanos : static_cast<int64_t>(quotient);
}

}  // namespace purser::pricing
