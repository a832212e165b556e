#ifndef PURSER_ENGINE_LEARNING_OBSERVED_CALLS_H_
#define PURSER_ENGINE_LEARNING_OBSERVED_CALLS_H_

#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/learning/quality_metrics.h"

namespace purser::learning {

// A call that one of two models served, and how good its answer was: what a ledger tells, where nobody asked
// both models.
struct ObservedCall {
  std::string prompt;
  bool strong = false;  // Which of the two served it.
  double good = 0;      // 0 to 1.
};

struct ObservedLabels {
  std::vector<Labelled> labels;
  size_t of_both = 0;       // Prompts that both models were seen to answer; the labels are what was seen.
  size_t of_one = 0;        // Prompts that one was.
  double strong_share = 0;  // Of the calls among these that the strong model served.
};

// What training and measuring need, one label a prompt.
//
// Of a prompt that one model answered, the other's answer is not known. Where the model was drawn by chance,
// p the share of the strong one, the label
//   strong: m + (good - m) / p where the strong model served, else m
//   weak:   m + (good - m) / (1 - p) where the weak one did, else m
// with m the mean of all outcomes is right on average for every kind of prompt (Horvitz and Thompson's
// weights, 1952; m only steadies it), so that what is fitted to it, and measured by it, is right on average
// too. Where the model was chosen by the prompt, it is not: then only calls drawn to explore should be
// passed.
//
// FAILED_PRECONDITION: one of the models was never seen alone, nor with the other.
absl::StatusOr<ObservedLabels> LabelsOf(std::span<const ObservedCall> calls);

}  // namespace purser::learning

#endif  // PURSER_ENGINE_LEARNING_OBSERVED_CALLS_H_
