// Program::Read.

#include <algorithm>
#include <bit>
#include <cmath>

#include "engine/routing/compiled_policy.h"
#include "engine/routing/program.h"
#include "engine/routing/request_text.h"
#include "engine/routing/text_measures.h"

namespace purser::routing {
namespace {

constexpr int64_t kNanosPerHour = 3'600'000'000'000;

int64_t FloorDivide(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }
int64_t FloorModulo(int64_t a, int64_t b) { return a - FloorDivide(a, b) * b; }

int CountRole(const Request& request, Role role) {
  return static_cast<int>(std::count_if(request.messages.begin(), request.messages.end(),
                                        [role](const Message& message) { return message.role == role; }));
}

double NumberOf(policy::Measure measure, const Request& request, const Context& context,
                const TextMeasures& text) {
  switch (measure) {
    case policy::TEXT_BYTES:
      return text.bytes;
    case policy::TEXT_WORDS:
      return text.words;
    case policy::NUMBERS:
      return text.numbers;
    case policy::QUESTION_MARKS:
      return text.question_marks;
    case policy::LIST_ITEMS:
      return text.list_items;
    case policy::CONSTRAINTS:
      return text.constraints;
    case policy::CODE_MARKS:
      return text.code_marks;
    case policy::MATH_MARKS:
      return text.math_marks;
    case policy::WORD_LENGTH:
      return text.WordLength();
    case policy::NON_LATIN_SHARE:
      return text.NonLatinShare();
    case policy::SENTENCES:
      return text.sentences;
    case policy::QUANTITIES:
      return text.quantities;
    case policy::CONDITIONS:
      return text.conditions;
    case policy::NEGATIONS:
      return text.negations;
    case policy::COMMAS:
      return text.commas;
    case policy::INPUT_TOKENS:
      return static_cast<double>(context.input_tokens);
    case policy::MAX_OUTPUT_TOKENS:
      return static_cast<double>(request.max_output_tokens);
    case policy::USER_TURNS:
      return CountRole(request, Role::kUser);
    case policy::MESSAGES:
      return static_cast<double>(request.messages.size());
    case policy::TOOLS_OFFERED:
      return request.tools;
    case policy::TOOL_RESULTS:
      return CountRole(request, Role::kTool);
    case policy::IMAGES:
      return request.images;
    case policy::STRUCTURED_ANSWER:
      return (request.needs & (kNeedsJsonMode | kNeedsStructuredOutput)) != 0 ? 1 : 0;
    case policy::FILES:
      return (request.needs & kNeedsDocuments) != 0 ? 1 : 0;
    case policy::CACHED_SHARE:
      return context.input_tokens <= 0 ? 0
                                       : std::clamp(static_cast<double>(request.cached_input_tokens) /
                                                        static_cast<double>(context.input_tokens),
                                                    0.0, 1.0);
    case policy::TASK_STEP:
      return request.step;
    case policy::TASK_DEPTH:
      return context.task_depth;
    case policy::ATTEMPT:
      return request.attempt;
    case policy::BUDGET_HEADROOM:
      return context.budget_headroom;
    case policy::HOUR:
      return static_cast<double>(FloorModulo(FloorDivide(context.now_nanos, kNanosPerHour), 24));
    case policy::WEEKDAY:
      // 1970-01-01 was a Thursday.
      return static_cast<double>(FloorModulo(FloorDivide(context.now_nanos, 24 * kNanosPerHour) + 3, 7) + 1);
    default:
      return 0;
  }
}

// The cosine with the nearest example.
double Nearest(const CompiledSignal& signal, const Request& request) {
  const auto& embedding = request.embedding;
  if (static_cast<int>(embedding.size()) != signal.dimensions ||
      request.embedding_model != signal.embedding_model) {
    return 0;
  }
  double square = 0;
  for (const float x : embedding) square += double{x} * x;
  if (!(square > 0)) return 0;
  double best = -1;
  for (size_t at = 0; at < signal.examples.size(); at += embedding.size()) {
    double dot = 0;
    for (size_t i = 0; i < embedding.size(); ++i) dot += double{embedding[i]} * signal.examples[at + i];
    best = std::max(best, dot / std::sqrt(square));
  }
  return best;
}

double TextNumberOf(const CompiledSignal& signal, std::string_view text) {
  if (text.empty()) return 0;
  const auto found = signal.texts.find(absl::string_view(text.data(), text.size()));
  return found == signal.texts.end() ? 1 : found->second;
}

std::string_view MetadataOf(const Request& request, std::string_view key) {
  for (const auto& [name, value] : request.metadata) {
    if (name == key) return value;
  }
  return {};
}

}  // namespace

void Program::Read(const Request& request, const Context& context, Features* features) const {
  const CompiledPolicy& compiled = *compiled_;
  features->numbers_.assign(compiled.signals.size(), 0);
  for (int part = 0; part < policy::TextPart_ARRAYSIZE; ++part) {
    const PatternMatcher& matcher = compiled.matchers[part];
    if (matcher.empty()) continue;
    features->seen_.assign((matcher.size() + 63) / 64, 0);
    ForEachPiece(
        request, static_cast<policy::TextPart>(part), compiled.read_bytes,
        [&](std::string_view piece) { matcher.Match(piece, features->seen_.data(), &features->scratch_); });
    for (size_t word = 0; word < features->seen_.size(); ++word) {
      for (uint64_t bits = features->seen_[word]; bits != 0; bits &= bits - 1) {
        features->numbers_[compiled.pattern_signal[part][word * 64 + std::countr_zero(bits)]] += 1;
      }
    }
  }
  TextMeasures text;
  if (compiled.reads_text_measures) {
    ForEachPiece(request, policy::LAST_USER_TURN, compiled.read_bytes,
                 [&](std::string_view piece) { Measure(piece, &text); });
    // The length is the text's own, however little of it was read.
    text.bytes = static_cast<int32_t>(std::min<size_t>(LastUserTurn(request).size(), INT32_MAX));
  }
  for (size_t i = 0; i < compiled.signals.size(); ++i) {
    const CompiledSignal& signal = compiled.signals[i];
    if (!signal.used) continue;
    double& number = features->numbers_[i];
    switch (signal.kind) {
      case SignalKind::kPatterns:
        break;
      case SignalKind::kMeasure:
        number = NumberOf(signal.measure, request, context, text);
        break;
      case SignalKind::kField:
        number = TextNumberOf(signal, signal.field(request));
        break;
      case SignalKind::kMetadata:
        number = TextNumberOf(signal, MetadataOf(request, signal.metadata_key));
        break;
      case SignalKind::kScorer:
        number = signal.scorer->Score(HeadOf(LastUserTurn(request), compiled.read_bytes));
        break;
      case SignalKind::kExamples:
        number = Nearest(signal, request);
        break;
      case SignalKind::kOutcomes:
        number = signal.outcomes->Estimate(request.embedding, request.embedding_model).guarded;
        break;
    }
    if (!std::isfinite(number)) number = 0;
  }
}

}  // namespace purser::routing
