#include "engine/learning/observed_calls.h"

#include <map>
#include <string_view>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace purser::learning {
namespace {

struct Seen {
  double good = 0;
  int calls = 0;

  double Mean() const { return good / calls; }
};

// One prompt's calls, by model.
struct OfPrompt {
  Seen weak;
  Seen strong;

  bool both() const { return weak.calls > 0 && strong.calls > 0; }
};

}  // namespace

absl::StatusOr<ObservedLabels> LabelsOf(std::span<const ObservedCall> calls) {
  std::map<std::string_view, OfPrompt> prompts;
  for (const ObservedCall& call : calls) {
    OfPrompt& prompt = prompts[call.prompt];
    Seen& seen = call.strong ? prompt.strong : prompt.weak;
    seen.good += call.good;
    ++seen.calls;
  }
  ObservedLabels observed;
  double good = 0;
  double strong = 0;
  for (const auto& [text, prompt] : prompts) {
    if (prompt.both()) {
      ++observed.of_both;
      continue;
    }
    ++observed.of_one;
    good += prompt.strong.calls > 0 ? prompt.strong.Mean() : prompt.weak.Mean();
    strong += prompt.strong.calls > 0 ? 1 : 0;
  }
  const double count = static_cast<double>(observed.of_one);
  const double mean = count > 0 ? good / count : 0;
  const double share = count > 0 ? strong / count : 0;
  observed.strong_share = share;
  if (observed.of_one > 0 && (strong == 0 || strong == count) && observed.of_both == 0) {
    return absl::FailedPreconditionError(absl::StrCat("only the ", strong == 0 ? "weak" : "strong",
                                                      " model's outcomes are known, of ", observed.of_one,
                                                      " prompts; expected outcomes of both"));
  }
  // With pairs at hand, prompts of one model alone cannot be weighed if the other never stood alone.
  const bool use_single = strong > 0 && strong < count;
  if (!use_single) observed.of_one = 0;
  for (const auto& [text, prompt] : prompts) {
    Labelled label;
    label.prompt = std::string(text);
    if (prompt.both()) {
      label.strong = prompt.strong.Mean();
      label.weak = prompt.weak.Mean();
    } else if (!use_single) {
      continue;
    } else {
      label.strong = prompt.strong.calls > 0 ? mean + (prompt.strong.Mean() - mean) / share : mean;
      label.weak = prompt.weak.calls > 0 ? mean + (prompt.weak.Mean() - mean) / (1 - share) : mean;
    }
    observed.labels.push_back(std::move(label));
  }
  return observed;
}

}  // namespace purser::learning
