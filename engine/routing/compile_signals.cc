#include <algorithm>
#include <cmath>
#include <functional>
#include <iterator>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "engine/routing/compiler.h"
#include "engine/routing/language_of_text.h"
#include "engine/routing/request_text.h"

namespace purser::routing {
namespace {

struct NamedField {
  std::string_view name;
  TextField field;
};
constexpr NamedField kOtherFields[] = {
    {"model", [](const Request& request) { return request.model; }},
    {"region", [](const Request& request) { return request.region; }},
    {"data_policy", [](const Request& request) { return request.data_policy; }},
    {"service_tier", [](const Request& request) { return request.service_tier; }},
    {"script", [](const Request& request) { return WritingOf(LastUserTurn(request)).script; }},
    {"language", [](const Request& request) { return WritingOf(LastUserTurn(request)).language; }},
};

template <size_t... rows>
std::vector<NamedField> DimensionFields(std::index_sequence<rows...>) {
  return {{kRequestDimensions[rows].name,
           [](const Request& request) { return request.*kRequestDimensions[rows].member; }}...};
}

const std::vector<NamedField>& AllFields() {
  static const std::vector<NamedField>& all = *[] {
    auto* fields =
        new std::vector<NamedField>(DimensionFields(std::make_index_sequence<kRequestDimensionCount>()));
    fields->insert(fields->end(), std::begin(kOtherFields), std::end(kOtherFields));
    return fields;
  }();
  return all;
}

// What stands there a second time counts twice: whoever wrote it meant something else.
template <typename Same>
void WarnOfRepeats(const google::protobuf::RepeatedPtrField<std::string>& texts, const std::string& path,
                   Same same, Diagnostics* diagnostics) {
  for (int i = 1; i < texts.size(); ++i) {
    const auto first = std::find_if(texts.begin(), texts.begin() + i,
                                    [&](const auto& other) { return same(other, texts[i]); });
    if (first == texts.begin() + i) continue;
    diagnostics->Warning(absl::StrCat(path, "[", i, "]"),
                         absl::StrCat("\"", texts[i], "\" stands there twice, and counts twice"));
  }
}

// Whether texts that have nothing in common all match.
bool MatchesAnything(const PatternMatcher& matcher, int number) {
  constexpr std::string_view kUnlike[] = {"a", "Q", "7", " ", "?", "\xc3\xa9"};
  std::string_view where;
  return std::all_of(std::begin(kUnlike), std::end(kUnlike),
                     [&](std::string_view text) { return matcher.Find(number, text, &where); });
}

void CompilePatterns(const policy::Patterns& patterns, int signal, const std::string& path,
                     CompiledPolicy* out, Diagnostics* diagnostics) {
  if (patterns.regex().empty() && patterns.keyword().empty()) {
    diagnostics->Error(path, "looks for nothing; expected regex: \"...\" or keyword: \"...\"");
  }
  WarnOfRepeats(patterns.regex(), path + ".regex", std::equal_to<>(), diagnostics);
  WarnOfRepeats(patterns.keyword(), path + ".keyword", absl::EqualsIgnoreCase, diagnostics);
  PatternMatcher& matcher = out->matchers[patterns.in()];
  std::vector<int>& owner = out->pattern_signal[patterns.in()];
  for (int i = 0; i < patterns.regex_size(); ++i) {
    const std::string at = absl::StrCat(path, ".regex[", i, "]");
    const absl::StatusOr<int> added = matcher.AddRegex(patterns.regex(i), patterns.case_sensitive());
    if (!added.ok()) {
      diagnostics->Error(
          at, absl::StrCat("\"", patterns.regex(i), "\" is not a valid regex: ", added.status().message()));
      continue;
    }
    owner.push_back(signal);
    std::string_view nowhere;
    if (matcher.Find(*added, "", &nowhere)) {
      diagnostics->Warning(
          at, absl::StrCat("\"", patterns.regex(i), "\" matches every text, the empty one included"));
    } else if (MatchesAnything(matcher, *added)) {
      diagnostics->Warning(at, absl::StrCat("\"", patterns.regex(i), "\" matches nearly every text"));
    }
  }
  for (int i = 0; i < patterns.keyword_size(); ++i) {
    const absl::StatusOr<int> added = matcher.AddKeyword(patterns.keyword(i));
    if (!added.ok()) {
      diagnostics->Error(absl::StrCat(path, ".keyword[", i, "]"), std::string(added.status().message()));
      continue;
    }
    owner.push_back(signal);
  }
}

void CompileExamples(const policy::Examples& examples, const std::string& path, CompiledSignal* out,
                     Diagnostics* diagnostics) {
  out->embedding_model = examples.embedding_model();
  if (examples.example().empty()) {
    diagnostics->Error(path, "has no examples; expected example { phrase: \"...\" embedding: ... }");
    return;
  }
  out->dimensions = examples.example(0).embedding_size();
  for (int i = 0; i < examples.example_size(); ++i) {
    const auto& embedding = examples.example(i).embedding();
    const std::string at = absl::StrCat(path, ".example[", i, "]");
    if (embedding.empty()) {
      diagnostics->Error(at, "has no embedding; expected embedding: [ ... ], a list of numbers");
      continue;
    }
    if (embedding.size() != out->dimensions) {
      diagnostics->Error(at, absl::StrCat("has an embedding of ", embedding.size(), " numbers; expected ",
                                          out->dimensions, " as the first has"));
      continue;
    }
    double square = 0;
    for (const float x : embedding) square += double{x} * x;
    if (!(square > 0) || !std::isfinite(square)) {
      diagnostics->Error(at, "has an embedding without a direction; expected finite numbers, not all 0");
      continue;
    }
    const double length = std::sqrt(square);
    for (const float x : embedding) out->examples.push_back(static_cast<float>(x / length));
  }
}

std::string PathOf(const std::string& file, const CompileOptions& options) {
  return file.starts_with('/') || options.directory.empty() ? file
                                                            : absl::StrCat(options.directory, "/", file);
}

void CompileOutcomes(const policy::Outcomes& outcomes, const std::string& path, const CompileOptions& options,
                     CompiledSignal* out, Diagnostics* diagnostics) {
  OutcomeNeighbours::Options settings;
  settings.embedding_model = outcomes.embedding_model();
  settings.candidate = outcomes.candidate();
  if (outcomes.neighbours() != 0) settings.neighbours = outcomes.neighbours();
  if (outcomes.least_neighbours() != 0) settings.least_neighbours = outcomes.least_neighbours();
  if (outcomes.least_similarity() != 0) settings.least_similarity = outcomes.least_similarity();
  if (outcomes.confidence() != 0) settings.confidence = outcomes.confidence();
  auto neighbours = OutcomeNeighbours::Load(PathOf(outcomes.file(), options), settings);
  if (neighbours.ok()) {
    out->outcomes = *std::move(neighbours);
  } else {
    diagnostics->Error(path, std::string(neighbours.status().message()));
  }
}

void CompileField(const std::string& name, const std::string& path, CompiledSignal* out,
                  Diagnostics* diagnostics) {
  std::vector<std::string> names;
  for (const NamedField& known : AllFields()) {
    if (known.name == name) out->field = known.field;
    names.emplace_back(known.name);
  }
  if (name == "script") out->values = Scripts();
  if (name == "language") out->values = Languages();
  if (out->field == nullptr) {
    diagnostics->Error(path, absl::StrCat("a request has no text field \"", name, "\"", Defined(names)));
  }
}

void CompileSignal(const policy::Signal& signal, int index, const CompileOptions& options,
                   CompiledPolicy* compiled, Diagnostics* diagnostics) {
  CompiledSignal& out = compiled->signals[index];
  const std::string path = absl::StrCat("signals[", index, "]");
  switch (signal.kind_case()) {
    case policy::Signal::kPatterns:
      out.kind = SignalKind::kPatterns;
      CompilePatterns(signal.patterns(), index, path + ".patterns", compiled, diagnostics);
      break;
    case policy::Signal::kMeasure:
      out.kind = SignalKind::kMeasure;
      out.measure = signal.measure();
      if (signal.measure() == policy::MEASURE_UNSPECIFIED) {
        diagnostics->Error(path + ".measure", "measures nothing; expected INPUT_TOKENS, for instance");
      }
      break;
    case policy::Signal::kField:
      out.kind = SignalKind::kField;
      CompileField(signal.field(), path + ".field", &out, diagnostics);
      break;
    case policy::Signal::kMetadata:
      out.kind = SignalKind::kMetadata;
      out.metadata_key = signal.metadata();
      if (signal.metadata().empty()) diagnostics->Error(path + ".metadata", "names no key");
      break;
    case policy::Signal::kScorerFile: {
      out.kind = SignalKind::kScorer;
      auto scorer = Scorer::Load(PathOf(signal.scorer_file(), options));
      if (scorer.ok()) {
        out.scorer = *std::move(scorer);
      } else {
        // The first of its mistakes tells enough: a file of another kind has one a line.
        const std::string why(scorer.status().message());
        diagnostics->Error(path + ".scorer_file", absl::StrCat(why.substr(0, why.find('\n')),
                                                               "; expected what `purser fit` writes"));
      }
      break;
    }
    case policy::Signal::kExamples:
      out.kind = SignalKind::kExamples;
      CompileExamples(signal.examples(), path + ".examples", &out, diagnostics);
      break;
    case policy::Signal::kOutcomes:
      out.kind = SignalKind::kOutcomes;
      CompileOutcomes(signal.outcomes(), path + ".outcomes", options, &out, diagnostics);
      break;
    case policy::Signal::KIND_NOT_SET:
      diagnostics->Error(path,
                         "reads nothing; expected one of: patterns, measure, field, metadata, scorer_file, "
                         "examples, outcomes");
      break;
  }
}

}  // namespace

int TextNumber(std::string_view text, const std::string& path, CompiledSignal* signal,
               Diagnostics* diagnostics) {
  if (text.empty()) return 0;
  if (!signal->values.empty() &&
      std::find(signal->values.begin(), signal->values.end(), text) == signal->values.end()) {
    const std::vector<std::string> values(signal->values.begin(), signal->values.end());
    diagnostics->Warning(path,
                         absl::StrCat("is never \"", absl::string_view(text.data(), text.size()),
                                      "\"; expected one of: \"", absl::StrJoin(values, "\", \""), "\""));
  }
  const int next = static_cast<int>(signal->texts.size()) + 2;
  return signal->texts.emplace(std::string(text), next).first->second;
}

void CompileSignals(const CompileOptions& options, CompiledPolicy* out, Diagnostics* diagnostics) {
  const policy::Policy& policy = out->policy;
  out->signals.resize(policy.signals_size());
  for (int i = 0; i < policy.signals_size(); ++i) {
    const std::string& name = policy.signals(i).name();
    if (name.empty()) diagnostics->Error(absl::StrCat("signals[", i, "]"), "the signal has no name");
    if (!out->signal_index.emplace(name, i).second) {
      diagnostics->Error(absl::StrCat("signals[", i, "]"),
                         absl::StrCat("a second signal named \"", name, "\""));
    }
    CompileSignal(policy.signals(i), i, options, out, diagnostics);
  }
  for (PatternMatcher& matcher : out->matchers) {
    const absl::Status status = matcher.Compile();
    if (!status.ok()) diagnostics->Error("signals", std::string(status.message()));
  }
}

}  // namespace purser::routing
