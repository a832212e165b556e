#include "engine/routing/prompt_features.h"

#include <cmath>

namespace purser::routing {

std::array<double, kStructureFeatures> StructureOf(const TextMeasures& measures) {
  const double words = measures.words > 0 ? measures.words : 1;
  const double letters = measures.letters > 0 ? measures.letters : 1;
  return {std::log1p(measures.bytes),      std::log1p(measures.words),      measures.WordLength(),
          std::log1p(measures.numbers),    std::log1p(measures.sentences),  std::log1p(measures.list_items),
          std::log1p(measures.math_marks), std::log1p(measures.code_marks), std::log1p(measures.lines),
          measures.capitals / letters,     measures.long_words / words,     std::log1p(measures.constraints)};
}

}  // namespace purser::routing
