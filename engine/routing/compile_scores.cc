#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "engine/routing/compiler.h"

namespace purser::routing {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Whether the caller's text alone can make the signal as large as it likes.
bool IsUnbounded(const CompiledSignal& signal) {
  if (signal.kind != SignalKind::kMeasure) return false;
  switch (signal.measure) {
    case policy::WORD_LENGTH:
    case policy::NON_LATIN_SHARE:
    case policy::STRUCTURED_ANSWER:
    case policy::CACHED_SHARE:
    case policy::MAX_OUTPUT_TOKENS:
    case policy::TOOLS_OFFERED:
    case policy::IMAGES:
    case policy::TASK_STEP:
    case policy::TASK_DEPTH:
    case policy::ATTEMPT:
    case policy::BUDGET_HEADROOM:
    case policy::HOUR:
    case policy::WEEKDAY:
      return false;
    default:
      return true;
  }
}

CompiledTerm CompileTerm(const policy::Term& term, const std::string& path, CompiledPolicy* compiled,
                         Diagnostics* diagnostics) {
  CompiledTerm out{};
  out.shape = term.shape();
  out.background = term.background();
  out.weight = term.weight();
  out.over = term.over();
  out.most = term.has_most() ? term.most() : kInfinity;
  out.equals = -1;
  if (!std::isfinite(term.weight()) || !std::isfinite(term.over())) {
    diagnostics->Error(path, "its weight and `over` must be finite");
  }
  if (term.weight() == 0) diagnostics->Warning(path, "has no weight: it never adds anything");
  if (!(out.most >= 0)) diagnostics->Error(path + ".most", "is negative; expected at least 0");
  const auto found = compiled->signal_index.find(term.signal());
  if (found == compiled->signal_index.end()) {
    std::vector<std::string> names;
    for (const policy::Signal& signal : compiled->policy.signals()) names.push_back(signal.name());
    diagnostics->Error(path + ".signal",
                       absl::StrCat("no signal is named \"", term.signal(), "\"", Defined(names)));
    return out;
  }
  out.slot = found->second;
  CompiledSignal& signal = compiled->signals[out.slot];
  signal.used = true;
  if (signal.is_text()) {
    if (term.equals().empty()) {
      diagnostics->Error(path, absl::StrCat("\"", term.signal(), "\" is a text; expected equals: \"...\""));
    }
    out.equals = TextNumber(term.equals(), path + ".equals", &signal, diagnostics);
  } else if (!term.equals().empty()) {
    diagnostics->Error(path + ".equals", absl::StrCat("\"", term.signal(), "\" is a number, not a text"));
  } else if (out.most == kInfinity && term.shape() != policy::Term::PRESENT && IsUnbounded(signal)) {
    diagnostics->Error(
        path, absl::StrCat("the caller's text can make \"", term.signal(),
                           "\" as large as it likes; expected most: ..., the most that the term adds"));
  }
  return out;
}

void CompileBands(const policy::Score& score, const std::string& path, CompiledScore* out,
                  Diagnostics* diagnostics) {
  for (int i = 0; i < score.bands_size(); ++i) {
    const policy::Band& band = score.bands(i);
    const std::string at = absl::StrCat(path, ".bands[", i, "]");
    const bool last = i + 1 == score.bands_size();
    const bool next_says = !last && score.bands(i + 1).has_from();
    CompiledBand compiled;
    compiled.from = band.has_from() ? band.from() : i > 0 ? out->bands.back().to : -kInfinity;
    compiled.to = band.has_to() ? band.to() : next_says ? score.bands(i + 1).from() : kInfinity;
    if (band.name().empty()) diagnostics->Error(at, "the band has no name");
    for (int j = 0; j < i; ++j) {
      if (score.bands(j).name() == band.name())
        diagnostics->Error(at, absl::StrCat("a second band named \"", band.name(), "\""));
    }
    if (!(compiled.from < compiled.to)) {
      diagnostics->Error(at, absl::StrCat("the band \"", band.name(), "\" is empty: from ", compiled.from,
                                          " to ", compiled.to));
    }
    if (i > 0 && compiled.from < out->bands.back().to) {
      diagnostics->Error(at, absl::StrCat("the band \"", band.name(), "\" starts at ", compiled.from,
                                          ", inside the one before it; expected from: ... at or above ",
                                          out->bands.back().to));
    } else if (i > 0 && compiled.from > out->bands.back().to) {
      diagnostics->Warning(at, absl::StrCat("no band covers ", out->bands.back().to, " to ", compiled.from));
    }
    out->bands.push_back(compiled);
  }
  if (!out->bands.empty() && out->bands.front().from != -kInfinity) {
    diagnostics->Warning(path + ".bands[0]",
                         absl::StrCat("no band covers what is below ", out->bands.front().from));
  }
  if (!out->bands.empty() && out->bands.back().to != kInfinity) {
    diagnostics->Warning(absl::StrCat(path, ".bands[", score.bands_size() - 1, "]"),
                         absl::StrCat("no band covers ", out->bands.back().to, " and above"));
  }
}

void CompileNoSignal(const policy::Score& score, const std::string& path, CompiledScore* out,
                     Diagnostics* diagnostics) {
  switch (score.on_no_signal().kind_case()) {
    case policy::OnNoSignal::kBand:
      for (int i = 0; i < score.bands_size(); ++i) {
        if (score.bands(i).name() == score.on_no_signal().band()) out->no_signal_band = i;
      }
      if (out->no_signal_band < 0) {
        std::vector<std::string> names;
        for (const policy::Band& band : score.bands()) names.push_back(band.name());
        diagnostics->Error(
            path + ".on_no_signal.band",
            absl::StrCat("no band is named \"", score.on_no_signal().band(), "\"", Defined(names)));
      }
      break;
    case policy::OnNoSignal::kRefuse:
      break;
    case policy::OnNoSignal::KIND_NOT_SET:
      diagnostics->Error(
          path, absl::StrCat("the score \"", score.name(),
                             "\" does not say what to do when it sees nothing; expected on_no_signal "
                             "{ band: \"...\" } or { refuse: \"...\" }"));
      break;
  }
}

}  // namespace

void CompileScores(CompiledPolicy* out, Diagnostics* diagnostics) {
  const policy::Policy& policy = out->policy;
  for (int i = 0; i < policy.scores_size(); ++i) {
    const policy::Score& score = policy.scores(i);
    const std::string path = absl::StrCat("scores[", i, "]");
    if (score.name().empty()) diagnostics->Error(path, "the score has no name");
    for (int j = 0; j < i; ++j) {
      if (policy.scores(j).name() == score.name())
        diagnostics->Error(path, absl::StrCat("a second score named \"", score.name(), "\""));
    }
    CompiledScore compiled;
    compiled.base = score.base();
    if (!std::isfinite(score.base())) diagnostics->Error(path + ".base", "must be finite");
    bool any_signal = false;
    for (int t = 0; t < score.terms_size(); ++t) {
      compiled.terms.push_back(
          CompileTerm(score.terms(t), absl::StrCat(path, ".terms[", t, "]"), out, diagnostics));
      any_signal |= !score.terms(t).background();
    }
    if (!any_signal) {
      diagnostics->Error(path, "every term is background: the score could never see a signal");
    }
    CompileBands(score, path, &compiled, diagnostics);
    CompileNoSignal(score, path, &compiled, diagnostics);
    out->scores.push_back(std::move(compiled));
  }
}

}  // namespace purser::routing
