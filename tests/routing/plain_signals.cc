#include "tests/routing/plain_signals.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <ctime>
#include <map>

#include "re2/re2.h"
#include "tests/routing/plain_text.h"

namespace purser::routing {
namespace {

bool IsWord(char c) { return isalnum(static_cast<unsigned char>(c)) || c == '_' || (c & 0x80) != 0; }

bool HasKeyword(std::string text, std::string keyword) {
  for (char& c : text) c = static_cast<char>(tolower(c));
  for (char& c : keyword) c = static_cast<char>(tolower(c));
  for (size_t at = text.find(keyword); at != std::string::npos; at = text.find(keyword, at + 1)) {
    const size_t end = at + keyword.size();
    const bool begins =
        !isalnum(static_cast<unsigned char>(keyword.front())) || at == 0 || !IsWord(text[at - 1]);
    const bool ends =
        !isalnum(static_cast<unsigned char>(keyword.back())) || end == text.size() || !IsWord(text[end]);
    if (begins && ends) return true;
  }
  return false;
}

// The probability of `good` or more of `near`, each good with probability `share`.
double Tail(int good, int near, double share) {
  double tail = 0;
  for (int k = good; k <= near; ++k) {
    double ways = 1;
    for (int i = 0; i < k; ++i) ways *= static_cast<double>(near - i) / (i + 1);
    tail += ways * std::pow(share, k) * std::pow(1 - share, near - k);
  }
  return tail;
}

std::tm CalendarOf(int64_t nanos) {
  auto seconds = static_cast<std::time_t>(nanos / 1'000'000'000);
  if (nanos % 1'000'000'000 < 0) --seconds;
  std::tm calendar;
  gmtime_r(&seconds, &calendar);
  return calendar;
}

}  // namespace

bool IsTextSignal(const policy::Signal& signal) { return signal.has_field() || signal.has_metadata(); }

std::string PlainSignals::Text(const policy::Signal& signal) const {
  if (signal.field() == "script") return PlainScript(LastUserTurn());
  if (signal.field() == "language") return PlainLanguage(LastUserTurn());
  if (signal.has_field()) {
    std::map<std::string, std::string_view> fields = {{"model", request_.model},
                                                      {"region", request_.region},
                                                      {"data_policy", request_.data_policy},
                                                      {"service_tier", request_.service_tier}};
    for (const RequestDimension& dimension : kRequestDimensions)
      fields[std::string(dimension.name)] = request_.*dimension.member;
    return std::string(fields.at(signal.field()));
  }
  for (const auto& [key, value] : request_.metadata) {
    if (key == signal.metadata()) return std::string(value);
  }
  return "";
}

double PlainSignals::Number(const policy::Signal& signal) const {
  switch (signal.kind_case()) {
    case policy::Signal::kPatterns:
      return Occurring(signal.patterns());
    case policy::Signal::kMeasure:
      return Measured(signal.measure());
    case policy::Signal::kExamples:
      return Nearest(signal.examples());
    case policy::Signal::kOutcomes:
      return Guarded(signal.outcomes());
    case policy::Signal::kScorerFile:
      return PlainScorer(files_.scorer,
                         LastUserTurn().substr(0, routing_.read_bytes() > 0 ? routing_.read_bytes() : 8192));
    default:
      std::abort();
  }
}

std::string PlainSignals::LastUserTurn() const {
  const std::vector<std::string> texts = Texts(policy::LAST_USER_TURN);
  return texts.empty() ? "" : texts[0];
}

// In the order in which they are read: the history from its end.
std::vector<std::string> PlainSignals::Texts(policy::TextPart part) const {
  int last_user = -1;
  for (size_t m = 0; m < request_.messages.size(); ++m) {
    if (request_.messages[m].role == Role::kUser) last_user = static_cast<int>(m);
  }
  std::vector<std::string> texts;
  for (size_t m = 0; m < request_.messages.size(); ++m) {
    const bool system = request_.messages[m].role == Role::kSystem;
    const bool last = static_cast<int>(m) == last_user;
    const policy::TextPart is = last     ? policy::LAST_USER_TURN
                                : system ? policy::SYSTEM_PROMPT
                                         : policy::HISTORY;
    if (is == part) texts.emplace_back(request_.messages[m].content);
  }
  if (part == policy::HISTORY) std::reverse(texts.begin(), texts.end());
  return texts;
}

// What is read of them: as many bytes as the policy says, of the text that goes beyond them the last quarter
// of these at its end.
std::vector<std::string> PlainSignals::Pieces(policy::TextPart part) const {
  std::vector<std::string> pieces;
  size_t left = routing_.read_bytes() > 0 ? routing_.read_bytes() : 8192;
  for (const std::string& text : Texts(part)) {
    const bool whole = text.size() <= left;
    const size_t tail = whole ? 0 : left / 4;
    const size_t head = whole ? text.size() : left - tail;
    if (head > 0) pieces.push_back(text.substr(0, head));
    if (tail > 0) pieces.push_back(text.substr(text.size() - tail));
    left -= head + tail;
  }
  return pieces;
}

double PlainSignals::Occurring(const policy::Patterns& patterns) const {
  double count = 0;
  const auto pieces = Pieces(patterns.in());
  for (const std::string& regex : patterns.regex()) {
    RE2::Options options;
    options.set_case_sensitive(patterns.case_sensitive());
    const RE2 compiled(regex, options);
    count += std::any_of(pieces.begin(), pieces.end(),
                         [&](const auto& piece) { return RE2::PartialMatch(piece, compiled); });
  }
  for (const std::string& keyword : patterns.keyword()) {
    count += std::any_of(pieces.begin(), pieces.end(),
                         [&](const auto& piece) { return HasKeyword(piece, keyword); });
  }
  return count;
}

double PlainSignals::Measured(policy::Measure measure) const {
  const auto with_role = [&](Role role) {
    return static_cast<double>(std::count_if(request_.messages.begin(), request_.messages.end(),
                                             [&](const Message& m) { return m.role == role; }));
  };
  const auto needs = [&](uint32_t any) { return (request_.needs & any) != 0 ? 1.0 : 0.0; };
  switch (measure) {
    case policy::INPUT_TOKENS:
      return static_cast<double>(context_.input_tokens);
    case policy::MAX_OUTPUT_TOKENS:
      return static_cast<double>(request_.max_output_tokens);
    case policy::USER_TURNS:
      return with_role(Role::kUser);
    case policy::MESSAGES:
      return static_cast<double>(request_.messages.size());
    case policy::TOOLS_OFFERED:
      return request_.tools;
    case policy::TOOL_RESULTS:
      return with_role(Role::kTool);
    case policy::IMAGES:
      return request_.images;
    case policy::STRUCTURED_ANSWER:
      return needs(kNeedsJsonMode) + needs(kNeedsStructuredOutput) > 0 ? 1 : 0;
    case policy::CACHED_SHARE: {
      if (context_.input_tokens == 0) return 0;
      const double share =
          static_cast<double>(request_.cached_input_tokens) / static_cast<double>(context_.input_tokens);
      return share > 1 ? 1 : share;
    }
    case policy::FILES:
      return needs(kNeedsDocuments);
    case policy::TASK_STEP:
      return request_.step;
    case policy::TASK_DEPTH:
      return context_.task_depth;
    case policy::ATTEMPT:
      return request_.attempt;
    case policy::BUDGET_HEADROOM:
      return context_.budget_headroom;
    case policy::HOUR:
      return CalendarOf(context_.now_nanos).tm_hour;
    case policy::WEEKDAY:
      return CalendarOf(context_.now_nanos).tm_wday == 0 ? 7 : CalendarOf(context_.now_nanos).tm_wday;
    case policy::TEXT_BYTES:
      return static_cast<double>(LastUserTurn().size());  // However little of it is read.
    default:
      return PlainMeasure(measure, Pieces(policy::LAST_USER_TURN));
  }
}

double PlainSignals::Cosine(std::span<const float> embedding) const {
  double dot = 0;
  double of_request = 0;
  double of_other = 0;
  for (size_t i = 0; i < embedding.size(); ++i) {
    dot += request_.embedding[i] * embedding[i];
    of_request += request_.embedding[i] * request_.embedding[i];
    of_other += embedding[i] * embedding[i];
  }
  return of_request == 0 ? 0 : dot / std::sqrt(of_request) / std::sqrt(of_other);
}

// The cosine with the nearest example.
double PlainSignals::Nearest(const policy::Examples& examples) const {
  if (request_.embedding_model != examples.embedding_model()) return 0;
  double best = -1;
  for (const policy::Example& example : examples.example()) {
    if (example.embedding_size() != static_cast<int>(request_.embedding.size())) return 0;
    best = std::max(best, Cosine({example.embedding().data(), request_.embedding.size()}));
  }
  return best;
}

// The share under which as many good ones would be as unlikely as the confidence says. Of all that are near:
// policies must not ask for fewer.
double PlainSignals::Guarded(const policy::Outcomes& outcomes) const {
  if (request_.embedding_model != outcomes.embedding_model()) return -1;
  const double least_similarity = outcomes.least_similarity() > 0 ? outcomes.least_similarity() : 0.8;
  const int least_neighbours = outcomes.least_neighbours() > 0 ? outcomes.least_neighbours() : 5;
  const double confidence = outcomes.confidence() > 0 ? outcomes.confidence() : 0.9;
  int near = 0;
  int good = 0;
  for (const PlainOutcome& outcome : files_.outcomes) {
    const bool well = outcome.well.count(outcomes.candidate()) > 0;
    if (!well && outcome.badly.count(outcomes.candidate()) == 0) continue;
    if (outcome.embedding.size() != request_.embedding.size()) return -1;
    if (Cosine(outcome.embedding) < least_similarity) continue;
    ++near;
    good += well ? 1 : 0;
  }
  if (near < least_neighbours) return -1;
  double low = 0;
  double high = 1;
  for (int i = 0; i < 50; ++i) {
    const double middle = (low + high) / 2;
    (Tail(good, near, middle) < 1 - confidence ? low : high) = middle;
  }
  return good == 0 ? 0 : std::floor(low * 1e6) / 1e6;
}

}  // namespace purser::routing
