#ifndef PURSER_ENGINE_ROUTING_COMPILED_POLICY_H_
#define PURSER_ENGINE_ROUTING_COMPILED_POLICY_H_

#include <purser/request.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "engine/routing/candidate_set.h"
#include "engine/routing/choice.h"
#include "engine/routing/outcome_neighbours.h"
#include "engine/routing/pattern_matcher.h"
#include "engine/routing/scorer.h"
#include "engine/routing/verdict.h"
#include "policies/diagnostics.h"
#include "purser/policy.pb.h"

namespace purser::routing {

// The tables that a policy's routing is compiled into. Private to routing: program.h is the way in.
//
// Everything that a condition can test is a number in one array of values, and every test is an interval:
//
//   slot 0 ... S-1    the signals; a text signal's number identifies its text
//   then per score    its sum, its band's index (-1: none), 1 if it saw no signal
//   then              the request class's index (-1: none)
//
// A condition becomes a chain of tests, each of which says where to go on when it holds and when it does not.

// lo <= values[slot] < hi
struct Test {
  int32_t slot;
  int32_t if_true;  // The next test; or kHolds, kFails.
  int32_t if_false;
  double lo;
  double hi;
};
inline constexpr int32_t kHolds = -1;
inline constexpr int32_t kFails = -2;

enum class SignalKind : uint8_t { kPatterns, kMeasure, kField, kMetadata, kScorer, kExamples, kOutcomes };

// Reads a text of a request: a field of it, or what its last user turn is written in. By name in
// routing.proto.
using TextField = std::string_view (*)(const Request&);

struct CompiledSignal {
  SignalKind kind = SignalKind::kMeasure;
  bool used = false;  // By a score or a rule: others are not read.
  policy::Measure measure = policy::MEASURE_UNSPECIFIED;
  TextField field = nullptr;
  std::span<const std::string_view> values;  // All texts that the field may have; empty: any.
  std::string metadata_key;
  // Texts that the policy compares it with -> their number, from 2.
  absl::flat_hash_map<std::string, int> texts;
  std::shared_ptr<const Scorer> scorer;
  std::shared_ptr<const OutcomeNeighbours> outcomes;
  std::string embedding_model;
  int dimensions = 0;
  std::vector<float> examples;  // Unit vectors, one after the other.

  bool is_text() const { return kind == SignalKind::kField || kind == SignalKind::kMetadata; }
};

struct CompiledTerm {
  int32_t slot;
  policy::Term::Shape shape;
  bool background;
  double weight;
  double over;
  double most;    // Infinity: unbounded.
  double equals;  // The text's number; negative: any.
};

struct CompiledBand {
  double from;
  double to;
};

struct CompiledScore {
  double base = 0;
  std::vector<CompiledTerm> terms;
  std::vector<CompiledBand> bands;
  int no_signal_band = -1;  // -1: refuses.
};

// What a rule does when it holds.
struct Effect {
  int32_t rule = 0;  // Index in the policy.
  bool narrows = false;
  bool refuses = false;
  bool stops = false;
  bool yields = false;
  bool prefers = false;
  bool bounds_quality = false;
  int min_quality = 0;
  int max_quality = 0;
  int32_t latency_limit_ms = 0;
  CandidateSet kept;          // By lists alone.
  CandidateSet kept_quality;  // By quality bounds alone.
  CandidateSet only;          // All, if the rule has none.
  CandidateSet preferred;
};

struct CompiledPolicy {
  policy::Policy policy;
  std::string file;
  SourceMap source;

  // Candidates.
  int candidates = 0;
  std::vector<std::string> names;
  std::vector<std::string> providers;
  std::vector<int32_t> quality;
  std::vector<uint32_t> capabilities;
  std::vector<int64_t> context_window;  // INT64_MAX: no gate.
  std::vector<int64_t> max_output;
  std::vector<RejectReason> standing;                           // Rejects that hold for every request.
  CandidateSet standing_candidates;                             // Those without one.
  std::vector<std::pair<std::string, CandidateSet>> in_region;  // By the regions that the policy names.
  absl::flat_hash_map<std::string, CandidateSet> cleared_for;

  // Signals.
  std::vector<CompiledSignal> signals;
  absl::flat_hash_map<std::string, int> signal_index;
  PatternMatcher
      matchers[policy::TextPart_ARRAYSIZE];  // Pattern i of a part counts for pattern_signal[part][i].
  std::vector<int> pattern_signal[policy::TextPart_ARRAYSIZE];
  bool reads_text_measures = false;
  int read_bytes = 0;

  // Scores and rules.
  std::vector<CompiledScore> scores;
  std::vector<Test> tests;
  std::vector<int32_t> entries;  // The first test of each rule, in the order tried; kHolds: always.
  std::vector<Effect> effects;   // In the same order.
  bool best_left_if_none = false;

  // Request classes by use case and by feature; the lowest index wins.
  absl::flat_hash_map<std::string, int> class_of_use_case;
  absl::flat_hash_map<std::string, int> class_of_feature;

  ChoiceSettings choice;

  int SumSlot(int score) const { return static_cast<int>(signals.size()) + 3 * score; }
  int BandSlot(int score) const { return SumSlot(score) + 1; }
  int NoSignalSlot(int score) const { return SumSlot(score) + 2; }
  int ClassSlot() const { return SumSlot(static_cast<int>(scores.size())); }
  int values() const { return ClassSlot() + 1; }
};

}  // namespace purser::routing

#endif  // PURSER_ENGINE_ROUTING_COMPILED_POLICY_H_
