#ifndef PURSER_ENGINE_ROUTING_TERM_H_
#define PURSER_ENGINE_ROUTING_TERM_H_

#include <algorithm>
#include <cmath>

#include "engine/routing/compiled_policy.h"

namespace purser::routing {

// What a term adds to its score when its signal has this value.
inline double Contribution(const CompiledTerm& term, double value) {
  double x = term.equals >= 0 ? (value == term.equals ? 1.0 : 0.0) : std::max(value - term.over, 0.0);
  if (term.shape == policy::Term::LOG) {
    x = std::log1p(x);
  } else if (term.shape == policy::Term::PRESENT) {
    x = x > 0 ? 1.0 : 0.0;
  }
  return std::clamp(term.weight * x, -term.most, term.most);
}

}  // namespace purser::routing

#endif  // PURSER_ENGINE_ROUTING_TERM_H_
