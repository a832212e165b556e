// purser fit --data D.jsonl --out SCORER.textproto: learns a scorer from labelled prompts, or from a ledger
// whose calls had outcomes.

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/cli/ledger_calls.h"
#include "engine/cli/verbs.h"
#include "engine/learning/observed_calls.h"
#include "engine/learning/quality_metrics.h"
#include "engine/learning/traffic_kinds.h"
#include "engine/learning/training.h"
#include "engine/routing/scorer.h"
#include "google/protobuf/text_format.h"

namespace purser::cli {
namespace {

struct FitCommand {
  std::vector<std::string> data;
  LedgerCallsSource ledger;
  std::string out;
  int hold_out = 0;
  size_t labels = 0;
  learning::FitOptions options;
};

std::vector<learning::Labelled> ReadFromLedger(const LedgerCallsSource& source) {
  const absl::StatusOr<LedgerCalls> read = ReadLedgerCalls(source);
  if (!read.ok()) Fail("fit", std::string(read.status().message()));
  std::printf("%zu calls of %s and %s with an outcome and a prompt; left out: ", read->calls.size(),
              source.strong.c_str(), source.weak.c_str());
  std::printf(
      "%lld without outcome, %lld without prompt, %lld retried or failed over, %lld not drawn to explore\n",
      static_cast<long long>(read->without_outcome), static_cast<long long>(read->without_prompt),
      static_cast<long long>(read->not_chosen), static_cast<long long>(read->not_explored));
  absl::StatusOr<learning::ObservedLabels> observed = learning::LabelsOf(read->calls);
  if (!observed.ok()) Fail("fit", absl::StrCat(source.ledger, ": ", observed.status().message()));
  std::printf("%zu prompts that both answered, %zu that one did", observed->of_both, observed->of_one);
  if (observed->of_one > 0) {
    std::printf(
        " (%s %.1f%%), weighed as if %s", source.strong.c_str(), 100 * observed->strong_share,
        source.explored_by.empty() ? "the prompt had no say in which; see --explored-by" : "drawn by chance");
  }
  std::printf("\n");
  return std::move(observed->labels);
}

std::vector<learning::Traffic> ReadTraffic(const FitCommand& command) {
  std::vector<learning::Traffic> traffic;
  for (const std::string& path : command.data) {
    absl::StatusOr<std::vector<learning::Labelled>> data = learning::ReadLabelled(path);
    if (!data.ok()) Fail("fit", std::string(data.status().message()));
    traffic.push_back({path, *std::move(data)});
  }
  if (!command.ledger.ledger.empty())
    traffic.push_back({command.ledger.ledger, ReadFromLedger(command.ledger)});
  std::erase_if(traffic, [](const learning::Traffic& one) { return one.prompts.empty(); });
  if (traffic.empty())
    Fail("fit", "there is nothing to learn from; expected --data, or --ledger with --prompts");
  return traffic;
}

learning::Traffic Pooled(const std::vector<learning::Traffic>& traffic) {
  learning::Traffic pooled;
  for (const learning::Traffic& one : traffic) {
    absl::StrAppend(&pooled.name, pooled.name.empty() ? "" : ", ", one.name);
    pooled.prompts.insert(pooled.prompts.end(), one.prompts.begin(), one.prompts.end());
  }
  return pooled;
}

// The kinds of traffic to fit a scorer to each; one, if the sources are few or look alike.
std::vector<learning::Traffic> KindsOf(std::vector<learning::Traffic> traffic, const FitCommand& command) {
  if (traffic.size() == 1) return traffic;
  const bool can_be = traffic.size() <= routing::Scorer::kMaxKinds &&
                      std::all_of(traffic.begin(), traffic.end(), [](const learning::Traffic& one) {
                        return one.prompts.size() >= learning::kMinPrompts;
                      });
  if (can_be) {
    const double recognised = learning::ShareRecognised(traffic, command.options.seed);
    if (recognised >= learning::kMinShareRecognised) {
      std::printf(
          "%zu kinds of traffic, told by their words in %.1f%% of prompts not fitted on: each has a scorer "
          "of "
          "its own\n\n",
          traffic.size(), 100 * recognised);
      return traffic;
    }
    std::printf(
        "The %zu sources look alike (told by their words in %.1f%% of prompts): one scorer is for all\n\n",
        traffic.size(), 100 * recognised);
  } else {
    std::printf(
        "One scorer is for all %zu sources; a scorer each needs at least %zu prompts in each, and at most %d "
        "sources\n\n",
        traffic.size(), learning::kMinPrompts, routing::Scorer::kMaxKinds);
  }
  return {Pooled(traffic)};
}

void PrintRow(const char* name, const learning::Spread& spread) {
  std::printf("  %-12s %6.4f ± %.4f\n", name, spread.mean, spread.deviation);
}

void Print(const learning::FitReport& report) {
  PrintRow("scorer", report.scorer);
  PrintRow("length only", report.length_only);
  PrintRow("random", report.random);
  PrintRow("constant", {report.constant, 0});
  std::printf(
      "On other prompts, as many and of the same kind, each may differ by %.4f (one standard error).\n",
      report.standard_error);
  const learning::Settings& chosen = report.chosen;
  std::printf("Best of %d settings that are blended: penalty %g, words %g, trigrams %g, structure scale %g",
              report.blended, chosen.penalty, chosen.family_share[learning::kWords],
              chosen.family_share[learning::kTrigrams], chosen.structure_scale);
  if (chosen.group_share > 0) std::printf(", %g of each label from its subject", chosen.group_share);
  std::printf("\n");
}

void Write(const routing::LearnedScorer& scorer, const std::string& path) {
  std::string text;
  google::protobuf::TextFormat::PrintToString(scorer, &text);
  std::ofstream out(path, std::ios::binary);
  out << "# Written by `purser fit`. A policy reads it with signals { name: \"...\" scorer_file: \"...\" }.\n"
      << text;
  out.close();
  if (!out) Fail("fit", absl::StrCat(path, ": cannot be written; is there such a folder, and space?"));
}

// Nothing is written: how good a scorer fitted like this is.
void HoldOut(const FitCommand& command, const learning::Traffic& traffic) {
  const auto report = learning::HoldOut(traffic.prompts, command.options, command.hold_out, command.labels);
  if (!report.ok()) Fail("fit", absl::StrCat(traffic.name, ": ", report.status().message()));
  std::printf(
      "%s: APGR on %zu prompts held out from everything, after fitting on the other %zu; mean and spread "
      "over "
      "%d random draws:\n",
      traffic.name.c_str(), report->prompts, traffic.prompts.size() - report->prompts, report->trials);
  Print(*report);
}

routing::LearnedScorer Fit(const FitCommand& command, const learning::Traffic& traffic) {
  absl::StatusOr<learning::Fitted> fitted = learning::FitScorer(traffic.prompts, command.options);
  if (!fitted.ok()) Fail("fit", absl::StrCat(traffic.name, ": ", fitted.status().message()));
  std::printf(
      "%s: %zu prompts; APGR on those that were not fitted on, mean and spread over %d deals into folds:\n",
      traffic.name.c_str(), fitted->report.prompts, fitted->report.trials);
  Print(fitted->report);
  if (!fitted->report.Wins()) {
    Fail("fit",
         absl::StrCat("nothing was written: for ", traffic.name,
                      " the scorer loses to a router that needs no learning. More labelled prompts, or "
                      "prompts more like each other, may help"));
  }
  return std::move(fitted->scorer);
}

void RunFit(const FitCommand& command) {
  const std::vector<learning::Traffic> kinds = KindsOf(ReadTraffic(command), command);
  if (command.hold_out > 0) {
    for (const learning::Traffic& kind : kinds) HoldOut(command, kind);
    return;
  }
  if (command.out.empty())
    Fail("fit", "says nowhere where to write the scorer; expected --out, or --hold-out");
  std::vector<routing::LearnedScorer> scorers;
  for (const learning::Traffic& kind : kinds) scorers.push_back(Fit(command, kind));
  Write(scorers.size() == 1 ? scorers[0] : learning::CombineScorers(kinds, scorers), command.out);
  std::printf("Wrote %s\n", command.out.c_str());
}

}  // namespace

void AddFitVerb(Verb app) {
  auto command = std::make_shared<FitCommand>();
  Verb verb = app.AddVerb("fit", "Learn which prompts need the strong model");
  verb.Add("--data", &command->data,
           "Lines of {\"prompt\", \"strong\", \"weak\", \"subject\"?}; repeated, a file for each "
           "kind of traffic");
  Option ledger =
      verb.Add("--ledger", &command->ledger.ledger, "Ledger whose calls were settled with their success");
  Option prompts =
      verb.Add("--prompts", &command->ledger.prompts, "With --ledger: lines of {\"request_id\", \"prompt\"}");
  Option strong = verb.Add("--strong", &command->ledger.strong, "With --ledger: the strong candidate");
  Option weak = verb.Add("--weak", &command->ledger.weak, "With --ledger: the weak candidate");
  ledger.Needs(prompts).Needs(strong).Needs(weak);
  verb.Add("--explored-by", &command->ledger.explored_by,
           "With --ledger: only calls whose candidate this policy drew (routing.exploration). Without it the "
           "model that served a call is taken to have nothing to do with its prompt")
      .Needs(ledger);
  verb.Add("--out", &command->out, "Scorer to write, protobuf text");
  verb.Add("--seed", &command->options.seed, "Deals prompts out to folds").ShowDefault();
  verb.Add("--folds", &command->options.folds, "Of cross-validation").ShowDefault();
  Option hold_out =
      verb.Add("--hold-out", &command->hold_out,
               "Write nothing; this often, fit on prompts drawn at random and measure on the others");
  verb.Add("--labels", &command->labels, "With --hold-out: how many prompts to fit on; default: half")
      .Needs(hold_out);
  verb.Footer(
      "\"strong\" and \"weak\": whether, or how well from 0 to 1, the strong and the weak model answered.\n"
      "Several files (or a ledger beside them) whose prompts can be told apart get a scorer each, in one "
      "file.\n"
      "Writes nothing if the scorer does not beat random, length-only and constant routers on prompts it was "
      "not\n"
      "fitted on.\n"
      "Example: purser fit --data labelled.jsonl --out scorer.textproto\n"
      "Example: purser fit --ledger books --prompts prompts.jsonl --strong large --weak small \\\n"
      "             --explored-by policy.textproto --out scorer.textproto");
  verb.Run([command] { RunFit(*command); });
}

}  // namespace purser::cli
