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

namespace internal {

std::array<uint64_t, kSteps> StepsOf(const TextMeasures& measures) {
  const auto half_octaves = [](int32_t count) { return std::floor(2 * std::log2(1.0 + count)); };
  const std::array<double, kSteps> steps = {
      half_octaves(measures.bytes),       half_octaves(measures.numbers),
      double(measures.sentences),         half_octaves(measures.math_marks),
      half_octaves(measures.commas),      std::floor(2 * measures.WordLength()),
      half_octaves(measures.capitals),    double(measures.lines),
      half_octaves(measures.longest_line)};
  std::array<uint64_t, kSteps> hashes;
  for (int i = 0; i < kSteps; ++i) {
    hashes[i] =
        Mix(0x5354455000000000ull + static_cast<uint64_t>(i) * 0x1000000 + static_cast<uint64_t>(steps[i]));
  }
  return hashes;
}

}  // namespace internal

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
