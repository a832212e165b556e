// Program::Evaluate: gates, scores, rules.

#include <algorithm>
#include <limits>

#include "engine/base/region.h"
#include "engine/routing/compiled_policy.h"
#include "engine/routing/program.h"
#include "engine/routing/term.h"

namespace purser::routing {
namespace {

constexpr uint16_t kUnpreferred = 0xFFFF;

const CandidateSet& SetNamed(const absl::flat_hash_map<std::string, CandidateSet>& sets,
                             std::string_view name) {
  static constexpr CandidateSet kNone;
  const auto found = sets.find(absl::string_view(name.data(), name.size()));
  return found == sets.end() ? kNone : found->second;
}

// Those that run in `region` or in a part of it.
CandidateSet InRegion(const CompiledPolicy& compiled, std::string_view region) {
  CandidateSet found;
  for (const auto& [name, candidates] : compiled.in_region) {
    if (IsInRegion(name, region)) found = found | candidates;
  }
  return found;
}

// The first gate that each candidate fails; those that fail none.
CandidateSet PassGates(const CompiledPolicy& compiled, const Request& request, const Context& context,
                       Verdict* verdict) {
  std::copy(compiled.standing.begin(), compiled.standing.end(), verdict->reasons.begin());
  const CandidateSet all = compiled.standing_candidates;
  const CandidateSet in_region = request.region.empty() ? all : InRegion(compiled, request.region);
  const CandidateSet cleared =
      request.data_policy.empty() ? all : SetNamed(compiled.cleared_for, request.data_policy);
  const int64_t output = std::max<int64_t>(request.max_output_tokens, 1);
  const bool own_counts = !context.candidate_input_tokens.empty();
  CandidateSet passed;
  all.ForEach([&](int i) {
    RejectReason& reason = verdict->reasons[i];
    const int64_t input = own_counts ? context.candidate_input_tokens[i] : context.input_tokens;
    const uint32_t missing = request.needs & ~compiled.capabilities[i];
    if (context.unhealthy.Has(i)) {
      reason.reject = Reject::kUnhealthy;
    } else if (input > compiled.context_window[i] - output) {
      reason.reject = Reject::kContextWindow;
    } else if (request.max_output_tokens > compiled.max_output[i]) {
      reason.reject = Reject::kMaxOutput;
    } else if (missing != 0) {
      reason.reject = Reject::kLacksCapability;
      reason.missing = missing;
    } else if (!in_region.Has(i)) {
      reason.reject = Reject::kRegion;
    } else if (!cleared.Has(i)) {
      reason.reject = Reject::kDataPolicy;
    } else {
      passed.Add(i);
    }
  });
  return passed;
}

ScoreValue Sum(const CompiledScore& score, const double* values) {
  ScoreValue result;
  result.sum = score.base;
  result.no_signal = true;
  for (const CompiledTerm& term : score.terms) {
    const double contribution = Contribution(term, values[term.slot]);
    result.sum += contribution;
    result.no_signal &= term.background || contribution == 0;
  }
  if (result.no_signal) {
    result.band = static_cast<int16_t>(score.no_signal_band);
    return result;
  }
  for (size_t b = 0; b < score.bands.size(); ++b) {
    if (result.sum >= score.bands[b].from && result.sum < score.bands[b].to)
      result.band = static_cast<int16_t>(b);
  }
  return result;
}

// The rules, applied in order to what the gates left.
class Narrowing {
 public:
  Narrowing(const CompiledPolicy& compiled, CandidateSet passed, Verdict* verdict)
      : compiled_(compiled), verdict_(*verdict), left_(passed), left_by_lists_(passed) {}

  // False: no later rule is tried.
  bool Apply(const Effect& effect) {
    verdict_.rules.push_back(effect.rule);
    if (effect.refuses) {
      verdict_.refusal = Refusal::kRule;
      verdict_.refusing = effect.rule;
      return false;
    }
    if (effect.narrows) {
      const CandidateSet next = left_ & effect.kept & effect.kept_quality;
      if (effect.yields && next.empty()) {
        verdict_.stepped_aside.push_back(effect.rule);
        return true;
      }
      Narrow(effect, next);
    }
    if (effect.prefers) {
      effect.preferred.ForEach([&](int i) {
        if (verdict_.preference[i] == kUnpreferred) verdict_.preference[i] = ranks_;
      });
      ++ranks_;
    }
    if (effect.latency_limit_ms > 0 &&
        (verdict_.latency_limit_ms == 0 || effect.latency_limit_ms < verdict_.latency_limit_ms)) {
      verdict_.latency_limit_ms = effect.latency_limit_ms;
    }
    return !effect.stops;
  }

  void Finish() {
    if (verdict_.refusal != Refusal::kNone) return;
    if (left_.empty() && compiled_.best_left_if_none) TakeBestLeft();
    if (left_.empty()) verdict_.refusal = Refusal::kNoCandidate;
    verdict_.candidates = left_;
  }

 private:
  void Narrow(const Effect& effect, const CandidateSet& next) {
    left_.Without(next).ForEach([&](int i) {
      RejectReason& reason = verdict_.reasons[i];
      reason.rule = static_cast<int16_t>(effect.rule);
      reason.reject = !effect.only.Has(i)                         ? Reject::kRuleOnly
                      : !effect.kept.Has(i)                       ? Reject::kRuleDeny
                      : compiled_.quality[i] < effect.min_quality ? Reject::kRuleMinQuality
                                                                  : Reject::kRuleMaxQuality;
    });
    left_ = next;
    left_by_lists_ = left_by_lists_ & effect.kept;
    verdict_.min_quality = std::max(verdict_.min_quality, effect.min_quality);
    verdict_.max_quality = std::min(verdict_.max_quality, effect.max_quality);
  }

  void TakeBestLeft() {
    int best = std::numeric_limits<int>::min();
    left_by_lists_.ForEach([&](int i) { best = std::max(best, compiled_.quality[i]); });
    left_by_lists_.ForEach([&](int i) {
      if (compiled_.quality[i] != best) return;
      left_.Add(i);
      verdict_.reasons[i] = RejectReason();
    });
    verdict_.quality_dropped = !left_.empty();
  }

  const CompiledPolicy& compiled_;
  Verdict& verdict_;
  CandidateSet left_;
  CandidateSet left_by_lists_;  // As if no rule bounded the quality.
  uint16_t ranks_ = 0;
};

bool Holds(const CompiledPolicy& compiled, int32_t at, const double* values) {
  const Test* tests = compiled.tests.data();
  while (at >= 0) {
    const Test& test = tests[at];
    const double value = values[test.slot];
    at = value >= test.lo && value < test.hi ? test.if_true : test.if_false;
  }
  return at == kHolds;
}

}  // namespace

void Program::Evaluate(const Request& request, const Context& context, const Features& features,
                       Verdict* verdict) const {
  const CompiledPolicy& compiled = *compiled_;
  verdict->candidates = CandidateSet();
  verdict->refusal = Refusal::kNone;
  verdict->refusing = -1;
  verdict->request_class = RequestClassOf(request);
  verdict->min_quality = std::numeric_limits<int>::min();
  verdict->max_quality = std::numeric_limits<int>::max();
  verdict->quality_dropped = false;
  verdict->latency_limit_ms = request.latency_limit_ms;
  verdict->scores.resize(compiled.scores.size());
  verdict->rules.clear();
  verdict->rules.reserve(compiled.entries.size());
  verdict->stepped_aside.clear();
  verdict->stepped_aside.reserve(compiled.entries.size());
  std::fill_n(verdict->preference.begin(), compiled.candidates, kUnpreferred);

  const CandidateSet passed = PassGates(compiled, request, context, verdict);

  std::vector<double>& values = verdict->values;
  values.resize(compiled.values());
  std::copy_n(features.numbers_.begin(), compiled.signals.size(), values.begin());
  for (size_t s = 0; s < compiled.scores.size(); ++s) {
    const int score = static_cast<int>(s);
    ScoreValue& value = verdict->scores[s] = Sum(compiled.scores[s], values.data());
    values[compiled.SumSlot(score)] = value.sum;
    values[compiled.BandSlot(score)] = value.band;
    values[compiled.NoSignalSlot(score)] = value.no_signal ? 1 : 0;
    if (value.no_signal && value.band < 0 && verdict->refusal == Refusal::kNone) {
      verdict->refusal = Refusal::kNoSignal;
      verdict->refusing = score;
    }
  }
  values[compiled.ClassSlot()] = verdict->request_class;

  size_t tried = 0;
  if (verdict->refusal == Refusal::kNone) {
    Narrowing narrowing(compiled, passed, verdict);
    while (tried < compiled.entries.size()) {
      const size_t at = tried++;
      if (Holds(compiled, compiled.entries[at], values.data()) && !narrowing.Apply(compiled.effects[at]))
        break;
    }
    narrowing.Finish();
  }
  verdict->rules_tried = static_cast<int>(tried);
}

}  // namespace purser::routing
