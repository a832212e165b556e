#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/routing/compiler.h"

namespace purser::routing {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// The values that a slot may still have, on one way through the tests: lo <= value < hi, perhaps integers
// only.
struct Domain {
  double lo = -kInfinity;
  double hi = kInfinity;
  bool integers = false;

  bool empty() const {
    if (!(lo < hi)) return true;
    return integers && std::isfinite(lo) && std::ceil(lo) >= hi;
  }
};

Domain DomainOf(const CompiledSignal& signal, int patterns) {
  constexpr Domain kCount{0, kInfinity, true};
  switch (signal.kind) {
    case SignalKind::kPatterns:
      return {0, patterns + 1.0, true};
    case SignalKind::kField:
    case SignalKind::kMetadata:
      return kCount;
    case SignalKind::kScorer:
      return {};
    case SignalKind::kExamples:
    case SignalKind::kOutcomes:
      return {-1, std::nextafter(1.0, 2.0), false};
    case SignalKind::kMeasure:
      break;
  }
  switch (signal.measure) {
    case policy::WORD_LENGTH:
      return {0, kInfinity, false};
    case policy::NON_LATIN_SHARE:
    case policy::CACHED_SHARE:
      return {0, std::nextafter(1.0, 2.0), false};
    case policy::BUDGET_HEADROOM:
      return {};  // The engine's; a caller may pass what it likes.
    case policy::STRUCTURED_ANSWER:
    case policy::FILES:
      return {0, 2, true};
    case policy::HOUR:
      return {0, 24, true};
    case policy::WEEKDAY:
      return {1, 8, true};
    default:
      return kCount;
  }
}

// What a term can add at least and at most.
Domain RangeOf(const CompiledTerm& term, const Domain& of_signal) {
  const auto shaped = [&](double value) {
    double x = std::max(value - term.over, 0.0);
    if (term.equals >= 0) return value > 0 ? 1.0 : 0.0;
    if (term.shape == policy::Term::LOG) return std::log1p(x);
    if (term.shape == policy::Term::PRESENT) return x > 0 ? 1.0 : 0.0;
    return x;
  };
  const double top = of_signal.integers ? of_signal.hi - 1 : of_signal.hi;
  const double a =
      std::clamp(term.weight == 0 ? 0 : term.weight * shaped(of_signal.lo), -term.most, term.most);
  const double b = std::clamp(term.weight == 0 ? 0 : term.weight * shaped(top), -term.most, term.most);
  return {std::min(a, b), std::max(a, b), false};
}

// Follows the ways through compiled conditions, keeping what each test says of its slot, and tells whether
// any way reaches an end. What no way reaches cannot happen; the reverse is not certain (signals depend on
// each other).
class Paths {
 public:
  explicit Paths(const CompiledPolicy& compiled) : compiled_(compiled), domains_(compiled.values()) {
    std::vector<int> patterns(compiled.signals.size(), 0);
    for (const auto& owners : compiled.pattern_signal) {
      for (const int signal : owners) ++patterns[signal];
    }
    for (size_t i = 0; i < compiled.signals.size(); ++i)
      domains_[i] = DomainOf(compiled.signals[i], patterns[i]);
    for (size_t s = 0; s < compiled.scores.size(); ++s) {
      const int score = static_cast<int>(s);
      Domain sum{compiled.scores[s].base, compiled.scores[s].base, false};
      for (const CompiledTerm& term : compiled.scores[s].terms) {
        const Domain range = RangeOf(term, domains_[term.slot]);
        sum.lo += range.lo;
        sum.hi += range.hi;
      }
      // Sums are rounded on the way.
      sum.lo -= 1e-9;
      sum.hi += 1e-9;
      domains_[compiled.SumSlot(score)] = sum;
      domains_[compiled.BandSlot(score)] = {-1, static_cast<double>(compiled.scores[s].bands.size()), true};
      domains_[compiled.NoSignalSlot(score)] = {0, 2, true};
    }
    domains_[compiled.ClassSlot()] = {-1, static_cast<double>(compiled.policy.request_classes_size()), true};
  }

  const Domain& domain(int slot) const { return domains_[slot]; }

  // Can the condition at `entry` end with `end` (kHolds or kFails)? True if it is too large to tell.
  bool CanEnd(int32_t entry, int32_t end) { return CanBoth(entry, end, kHolds, kHolds); }

  // Can the condition at `first` end with `first_end` while the one at `second` ends with `second_end`?
  bool CanBoth(int32_t first, int32_t first_end, int32_t second, int32_t second_end) {
    steps_ = 0;
    return Walk(first, first_end, second, second_end);
  }

 private:
  static constexpr int kMaxSteps = 2'000;

  bool Walk(int32_t at, int32_t wanted, int32_t then, int32_t then_wanted) {
    if (++steps_ > kMaxSteps) return true;
    if (at < 0) {
      if (at != wanted) return false;
      if (then < 0) return then == then_wanted;
      return Walk(then, then_wanted, then_wanted, then_wanted);
    }
    const Test& test = compiled_.tests[at];
    Domain& domain = domains_[test.slot];
    const Domain before = domain;
    const auto possible = [&](double lo, double hi, int32_t next) {
      domain.lo = std::max(before.lo, lo);
      domain.hi = std::min(before.hi, hi);
      const bool reached = !domain.empty() && Walk(next, wanted, then, then_wanted);
      domain = before;
      return reached;
    };
    return possible(test.lo, test.hi, test.if_true) || possible(-kInfinity, test.lo, test.if_false) ||
           possible(test.hi, kInfinity, test.if_false);
  }

  const CompiledPolicy& compiled_;
  std::vector<Domain> domains_;
  int steps_ = 0;
};

void LintUnused(const CompiledPolicy& compiled, Diagnostics* diagnostics) {
  for (size_t i = 0; i < compiled.signals.size(); ++i) {
    if (compiled.signals[i].used) continue;
    diagnostics->Warning(absl::StrCat("signals[", i, "]"),
                         absl::StrCat("no score and no rule uses the signal \"",
                                      compiled.policy.signals(static_cast<int>(i)).name(), "\""));
  }
  for (size_t s = 0; s < compiled.scores.size(); ++s) {
    const int first = compiled.SumSlot(static_cast<int>(s));
    const bool tested = std::any_of(compiled.tests.begin(), compiled.tests.end(), [&](const Test& test) {
      return test.slot >= first && test.slot < first + 3;
    });
    if (tested) continue;
    diagnostics->Warning(
        absl::StrCat("scores[", s, "]"),
        absl::StrCat("no rule uses the score \"", compiled.policy.scores(static_cast<int>(s)).name(), "\""));
  }
}

void LintBands(const CompiledPolicy& compiled, const Paths& paths, Diagnostics* diagnostics) {
  for (size_t s = 0; s < compiled.scores.size(); ++s) {
    const Domain& sum = paths.domain(compiled.SumSlot(static_cast<int>(s)));
    for (size_t b = 0; b < compiled.scores[s].bands.size(); ++b) {
      const CompiledBand& band = compiled.scores[s].bands[b];
      if (band.from <= sum.hi && band.to > sum.lo) continue;
      diagnostics->Warning(absl::StrCat("scores[", s, "].bands[", b, "]"),
                           absl::StrCat("the score lies between ", sum.lo + 1e-9, " and ", sum.hi - 1e-9,
                                        ": it never reaches this band"));
    }
  }
}

// Of the candidates that the policy's own lists and prices leave.
void LintEmptied(const CompiledPolicy& compiled, const Effect& effect, Diagnostics* diagnostics) {
  const CandidateSet& standing = compiled.standing_candidates;
  const policy::Rule& rule = compiled.policy.rules(effect.rule);
  if (!effect.narrows || standing.empty() || !(standing & effect.kept & effect.kept_quality).empty()) return;
  const std::string path = absl::StrCat("rules[", effect.rule, "]");
  if ((standing & effect.kept_quality).empty()) {
    diagnostics->Warning(
        path, absl::StrCat("no candidate has the quality that the rule \"", rule.name(), "\" asks for"));
  } else {
    diagnostics->Warning(path, absl::StrCat("the rule \"", rule.name(), "\" leaves no candidate",
                                            effect.yields ? ": it always steps aside"
                                                          : "; expected refuse: \"...\" if that is meant"));
  }
}

// Only rules that end the round can hide later ones: the rest add to each other.
void LintShadows(const CompiledPolicy& compiled, Paths* paths, Diagnostics* diagnostics) {
  constexpr size_t kMaxEnding = 200;
  std::vector<size_t> ending;
  for (size_t i = 0; i < compiled.effects.size(); ++i) {
    const Effect& effect = compiled.effects[i];
    const std::string path = absl::StrCat("rules[", effect.rule, "]");
    const policy::Rule& rule = compiled.policy.rules(effect.rule);
    LintEmptied(compiled, effect, diagnostics);
    if (!paths->CanEnd(compiled.entries[i], kHolds)) {
      diagnostics->Warning(path, absl::StrCat("the rule \"", rule.name(), "\" can never hold"));
      continue;
    }
    if (rule.has_when() && !paths->CanEnd(compiled.entries[i], kFails)) {
      diagnostics->Warning(path + ".when",
                           absl::StrCat("the rule \"", rule.name(),
                                        "\" always holds; leave the condition out if that is meant"));
    }
    for (const size_t earlier : ending) {
      if (paths->CanBoth(compiled.entries[i], kHolds, compiled.entries[earlier], kFails)) continue;
      diagnostics->Warning(
          path, absl::StrCat("the rule \"", rule.name(), "\" is never reached: whenever it holds, \"",
                             compiled.policy.rules(compiled.effects[earlier].rule).name(),
                             "\" has ended the round before it"));
      break;
    }
    // A rule that may step aside does not always end the round.
    if ((effect.refuses || (effect.stops && !effect.yields)) && ending.size() < kMaxEnding)
      ending.push_back(i);
  }
}

}  // namespace

void Lint(const CompiledPolicy& compiled, Diagnostics* diagnostics) {
  Paths paths(compiled);
  LintUnused(compiled, diagnostics);
  LintBands(compiled, paths, diagnostics);
  LintShadows(compiled, &paths, diagnostics);
}

}  // namespace purser::routing
