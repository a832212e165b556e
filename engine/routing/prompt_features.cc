#include "engine/routing/prompt_features.h"

#include <cmath>

namespace purser::routing {

namespace {

// Weights by hand, as in the default policy: relations and conditions to keep in mind, and length.
double ComplexityOf(const TextMeasures& measures) {
  return 0.5 * std::log1p(measures.quantities) + 0.4 * std::log1p(measures.conditions) +
         0.5 * std::log1p(measures.commas) + 0.5 * std::log1p(measures.bytes) +
         0.3 * std::log1p(measures.constraints);
}

}  // namespace

std::array<double, kStructureFeatures> StructureOf(const TextMeasures& measures) {
  const double words = measures.words > 0 ? measures.words : 1;
  const double letters = measures.letters > 0 ? measures.letters : 1;
  const double bytes = measures.bytes + 1.0;
  const double lines = measures.lines > 0 ? measures.lines : 1;
  // Very short and very long prompts differ from both sides: the square of the distance from 250 bytes.
  const double from_usual = std::log(bytes) - 5.5;
  return {std::log1p(measures.bytes),
          std::log1p(measures.words),
          measures.WordLength(),
          std::log1p(measures.numbers),
          std::log1p(measures.sentences),
          std::log1p(measures.list_items),
          std::log1p(measures.math_marks),
          std::log1p(measures.code_marks),
          std::log1p(measures.lines),
          measures.capitals / letters,
          measures.long_words / words,
          std::log1p(measures.constraints),
          measures.digits / bytes,
          std::log1p(measures.commas),
          measures.commas / words,
          std::log1p(measures.parentheses),
          std::log1p(measures.negations),
          measures.negations > 0 ? 1.0 : 0.0,
          std::log1p(measures.quantities),
          std::log1p(measures.conditions),
          std::log1p(measures.longest_line),
          std::log1p(bytes / lines),
          from_usual * from_usual,
          measures.question_marks > 0 ? 1.0 : 0.0,
          ComplexityOf(measures)};
}

}  // namespace purser::routing
