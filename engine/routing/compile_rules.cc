#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/routing/compiler.h"

namespace purser::routing {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr int kMaxRules = 30'000;  // Their index is an int16_t in RejectReason.

struct Interval {
  double lo;
  double hi;
};

double JustAbove(double x) { return std::nextafter(x, kInfinity); }

// Turns conditions into tests. Each emission is told where to go on when what it emits holds and when not,
// and returns where to begin.
class ConditionCompiler {
 public:
  ConditionCompiler(CompiledPolicy* out, Diagnostics* diagnostics) : out_(*out), diagnostics_(*diagnostics) {}

  int32_t Emit(const policy::Condition& condition, const std::string& path, int32_t if_true,
               int32_t if_false) {
    const bool kinds[] = {!condition.all().empty(),   !condition.any().empty(),
                          condition.has_not_(),       !condition.signal().empty(),
                          !condition.score().empty(), !condition.request_class().empty()};
    const auto stated = std::count(std::begin(kinds), std::end(kinds), true);
    if (stated > 1) {
      diagnostics_.Error(
          path, "says several things at once; expected one of all, any, not, signal, score, request_class");
      return if_false;
    }
    CheckStray(condition, path);
    if (kinds[0]) return EmitAll(condition, path, if_true, if_false);
    if (kinds[1]) return EmitAny(condition, path, if_true, if_false);
    if (kinds[2]) return Emit(condition.not_(), path + ".not", if_false, if_true);
    if (kinds[3]) return EmitSignal(condition, path, if_true, if_false);
    if (kinds[4]) return EmitScore(condition, path, if_true, if_false);
    if (kinds[5]) return EmitClass(condition, path, if_true, if_false);
    return if_true;
  }

 private:
  static bool Compares(const policy::Condition& condition) {
    return condition.has_at_least() || condition.has_above() || condition.has_at_most() ||
           condition.has_below();
  }

  // What belongs to another kind of condition.
  void CheckStray(const policy::Condition& condition, const std::string& path) {
    const bool signal = !condition.signal().empty();
    const bool score = !condition.score().empty();
    if (Compares(condition) && !signal && !score) {
      diagnostics_.Error(path, "compares nothing; expected a signal or a score beside the bounds");
    }
    if (!condition.one_of().empty() && !signal) {
      diagnostics_.Error(path, "one_of belongs to a signal that is a text");
    }
    if ((!condition.band().empty() || condition.no_signal()) && !score) {
      diagnostics_.Error(path, "band and no_signal belong to a score");
    }
  }

  int32_t Push(int slot, Interval interval, int32_t if_true, int32_t if_false) {
    out_.tests.push_back({slot, if_true, if_false, interval.lo, interval.hi});
    return static_cast<int32_t>(out_.tests.size()) - 1;
  }

  // The slot's number is one of `numbers`.
  int32_t PushOneOf(int slot, const std::vector<int>& numbers, int32_t if_true, int32_t if_false) {
    int32_t begin = if_false;
    for (auto number = numbers.rbegin(); number != numbers.rend(); ++number) {
      begin = Push(slot, {static_cast<double>(*number), *number + 1.0}, if_true, begin);
    }
    return begin;
  }

  int32_t EmitAll(const policy::Condition& condition, const std::string& path, int32_t if_true,
                  int32_t if_false) {
    int32_t begin = if_true;
    for (int i = condition.all_size() - 1; i >= 0; --i) {
      begin = Emit(condition.all(i), absl::StrCat(path, ".all[", i, "]"), begin, if_false);
    }
    return begin;
  }

  int32_t EmitAny(const policy::Condition& condition, const std::string& path, int32_t if_true,
                  int32_t if_false) {
    int32_t begin = if_false;
    for (int i = condition.any_size() - 1; i >= 0; --i) {
      begin = Emit(condition.any(i), absl::StrCat(path, ".any[", i, "]"), if_true, begin);
    }
    return begin;
  }

  Interval IntervalOf(const policy::Condition& condition, const std::string& path) {
    if (condition.has_at_least() && condition.has_above()) {
      diagnostics_.Error(path, "says at_least and above; expected one of them");
    }
    if (condition.has_at_most() && condition.has_below()) {
      diagnostics_.Error(path, "says at_most and below; expected one of them");
    }
    for (const double bound :
         {condition.at_least(), condition.above(), condition.at_most(), condition.below()}) {
      if (!std::isfinite(bound)) diagnostics_.Error(path, "its bounds must be finite");
    }
    Interval interval{-kInfinity, kInfinity};
    if (condition.has_at_least()) interval.lo = condition.at_least();
    if (condition.has_above()) interval.lo = JustAbove(condition.above());
    if (condition.has_below()) interval.hi = condition.below();
    if (condition.has_at_most()) interval.hi = JustAbove(condition.at_most());
    if (!(interval.lo < interval.hi)) diagnostics_.Error(path, "no number lies between these bounds");
    return interval;
  }

  int32_t EmitSignal(const policy::Condition& condition, const std::string& path, int32_t if_true,
                     int32_t if_false) {
    const auto found = out_.signal_index.find(condition.signal());
    if (found == out_.signal_index.end()) {
      std::vector<std::string> names;
      for (const policy::Signal& signal : out_.policy.signals()) names.push_back(signal.name());
      diagnostics_.Error(path + ".signal",
                         absl::StrCat("no signal is named \"", condition.signal(), "\"", Defined(names)));
      return if_false;
    }
    CompiledSignal& signal = out_.signals[found->second];
    signal.used = true;
    if (signal.is_text()) {
      if (Compares(condition)) {
        diagnostics_.Error(path,
                           absl::StrCat("\"", condition.signal(), "\" is a text; expected one_of: \"...\""));
      }
      if (condition.one_of().empty()) return Push(found->second, {1, kInfinity}, if_true, if_false);
      std::vector<int> numbers;
      for (int i = 0; i < condition.one_of_size(); ++i) {
        numbers.push_back(
            TextNumber(condition.one_of(i), absl::StrCat(path, ".one_of[", i, "]"), &signal, &diagnostics_));
      }
      return PushOneOf(found->second, numbers, if_true, if_false);
    }
    if (!condition.one_of().empty()) {
      diagnostics_.Error(path, absl::StrCat("\"", condition.signal(),
                                            "\" is a number; expected at_least, above, at_most or below"));
    }
    const Interval interval =
        Compares(condition) ? IntervalOf(condition, path) : Interval{JustAbove(0), kInfinity};
    return Push(found->second, interval, if_true, if_false);
  }

  int32_t EmitScore(const policy::Condition& condition, const std::string& path, int32_t if_true,
                    int32_t if_false) {
    int score = 0;
    std::vector<std::string> names;
    for (const policy::Score& known : out_.policy.scores()) names.push_back(known.name());
    while (score < static_cast<int>(names.size()) && names[score] != condition.score()) ++score;
    if (score == static_cast<int>(names.size())) {
      diagnostics_.Error(path + ".score",
                         absl::StrCat("no score is named \"", condition.score(), "\"", Defined(names)));
      return if_false;
    }
    const int forms =
        (Compares(condition) ? 1 : 0) + (condition.band().empty() ? 0 : 1) + (condition.no_signal() ? 1 : 0);
    if (forms != 1) {
      diagnostics_.Error(
          path, absl::StrCat("says ", forms == 0 ? "nothing" : "several things", " about the score \"",
                             condition.score(), "\"; expected bounds, band: \"...\" or no_signal: true"));
      return if_false;
    }
    if (condition.no_signal()) return Push(out_.NoSignalSlot(score), {1, 2}, if_true, if_false);
    if (Compares(condition)) return Push(out_.SumSlot(score), IntervalOf(condition, path), if_true, if_false);
    return PushOneOf(out_.BandSlot(score), Bands(condition, score, path), if_true, if_false);
  }

  std::vector<int> Bands(const policy::Condition& condition, int score, const std::string& path) {
    std::vector<int> numbers;
    const auto& bands = out_.policy.scores(score).bands();
    for (int i = 0; i < condition.band_size(); ++i) {
      const auto found = std::find_if(bands.begin(), bands.end(), [&](const policy::Band& band) {
        return band.name() == condition.band(i);
      });
      if (found != bands.end()) {
        numbers.push_back(static_cast<int>(found - bands.begin()));
        continue;
      }
      std::vector<std::string> names;
      for (const policy::Band& band : bands) names.push_back(band.name());
      diagnostics_.Error(absl::StrCat(path, ".band[", i, "]"),
                         absl::StrCat("the score \"", condition.score(), "\" has no band \"",
                                      condition.band(i), "\"", Defined(names)));
    }
    return numbers;
  }

  int32_t EmitClass(const policy::Condition& condition, const std::string& path, int32_t if_true,
                    int32_t if_false) {
    std::vector<std::string> names;
    for (int i = 0; i < out_.policy.request_classes_size(); ++i) {
      names.push_back(out_.policy.request_classes(i).name());
      if (names.back() == condition.request_class()) {
        return Push(out_.ClassSlot(), {static_cast<double>(i), i + 1.0}, if_true, if_false);
      }
    }
    diagnostics_.Error(
        path + ".request_class",
        absl::StrCat("no request class is named \"", condition.request_class(), "\"", Defined(names)));
    return if_false;
  }

  CompiledPolicy& out_;
  Diagnostics& diagnostics_;
};

Effect CompileEffect(const policy::Rule& rule, int index, const CompiledPolicy& compiled,
                     Diagnostics* diagnostics) {
  const std::string path = absl::StrCat("rules[", index, "]");
  const CandidateSet all = CandidateSet::FirstN(compiled.candidates);
  Effect effect;
  effect.rule = index;
  effect.min_quality = rule.has_min_quality() ? rule.min_quality() : std::numeric_limits<int>::min();
  effect.max_quality = rule.has_max_quality() ? rule.max_quality() : std::numeric_limits<int>::max();
  effect.bounds_quality = rule.has_min_quality() || rule.has_max_quality();
  effect.latency_limit_ms = rule.latency_limit_ms();
  effect.refuses = !rule.refuse().empty();
  effect.stops = rule.stop();
  effect.yields = rule.yield_if_none();
  effect.only = rule.has_only() ? Resolve(rule.only(), compiled, path + ".only", diagnostics) : all;
  effect.kept = effect.only;
  if (rule.has_deny())
    effect.kept = effect.kept.Without(Resolve(rule.deny(), compiled, path + ".deny", diagnostics));
  if (rule.has_prefer()) effect.preferred = Resolve(rule.prefer(), compiled, path + ".prefer", diagnostics);
  effect.prefers = rule.has_prefer();
  for (int i = 0; i < compiled.candidates; ++i) {
    const int quality = compiled.quality[i];
    if (quality >= effect.min_quality && quality <= effect.max_quality) effect.kept_quality.Add(i);
  }
  effect.narrows = rule.has_only() || rule.has_deny() || effect.bounds_quality;
  if (rule.latency_limit_ms() < 0)
    diagnostics->Error(path + ".latency_limit_ms", "is negative; expected at least 0");
  if (effect.min_quality > effect.max_quality) diagnostics->Error(path, "min_quality is above max_quality");
  if (!effect.narrows && !effect.prefers && !effect.refuses && !effect.stops &&
      effect.latency_limit_ms == 0) {
    diagnostics->Warning(path, absl::StrCat("the rule \"", rule.name(), "\" does nothing when it holds"));
  }
  return effect;
}

}  // namespace

void CompileRules(CompiledPolicy* out, Diagnostics* diagnostics) {
  const policy::Policy& policy = out->policy;
  if (policy.rules_size() > kMaxRules) {
    diagnostics->Error("", absl::StrCat(policy.rules_size(), " rules; expected at most ", kMaxRules));
    return;
  }
  out->best_left_if_none = policy.routing().if_none() == policy::Routing::BEST_LEFT;
  std::vector<int> order(policy.rules_size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](int a, int b) { return policy.rules(a).priority() > policy.rules(b).priority(); });
  absl::flat_hash_map<std::string, int> first_with_name;
  for (int i = 0; i < policy.rules_size(); ++i) {
    const std::string path = absl::StrCat("rules[", i, "]");
    const std::string& name = policy.rules(i).name();
    if (name.empty()) diagnostics->Error(path, "the rule has no name; expected one: explanations show it");
    if (!name.empty() && !first_with_name.emplace(name, i).second) {
      diagnostics->Error(path, absl::StrCat("a second rule named \"", name, "\""));
    }
  }
  ConditionCompiler conditions(out, diagnostics);
  for (const int index : order) {
    out->entries.push_back(
        conditions.Emit(policy.rules(index).when(), absl::StrCat("rules[", index, "].when"), kHolds, kFails));
    out->effects.push_back(CompileEffect(policy.rules(index), index, *out, diagnostics));
  }
}

}  // namespace purser::routing
