// purser eval --data D.jsonl: how well a scorer, or a policy's score, tells which prompts need the strong
// model.

#include <cmath>
#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/cli/default_policy_file.h"
#include "engine/cli/verbs.h"
#include "engine/learning/quality_metrics.h"
#include "engine/routing/program.h"
#include "engine/routing/scorer.h"
#include "nlohmann/json.hpp"
#include "policies/textproto.h"

namespace purser::cli {
namespace {

using learning::Labelled;
using learning::RoutingQuality;

struct EvalCommand {
  std::string data;
  std::string scorer;
  std::string policy;
  std::string score = "complexity";
  std::string scores_out;
  double weak_cost = 0.1;
  bool json = false;
};

struct Scored {
  std::string by;
  std::vector<double> scores;
  int no_signal = -1;  // How many prompts showed none; -1: a learned scorer does not tell.
};

Scored ScoreWithScorer(const std::string& path, const std::vector<Labelled>& data) {
  const auto scorer = routing::Scorer::Load(path);
  if (!scorer.ok()) Fail("eval", std::string(scorer.status().message()));
  Scored scored;
  scored.by = path;
  for (const Labelled& labelled : data) scored.scores.push_back((*scorer)->Score(labelled.prompt));
  return scored;
}

int ScoreIndex(const policy::Policy& policy, const std::string& name) {
  for (int i = 0; i < policy.scores_size(); ++i) {
    if (policy.scores(i).name() == name) return i;
  }
  std::string defined;
  for (const policy::Score& score : policy.scores())
    absl::StrAppend(&defined, defined.empty() ? "" : ", ", "\"", score.name(), "\"");
  Fail("eval", absl::StrCat("the policy has no score \"", name, "\"; ",
                            defined.empty() ? "it has none" : "name one with --score: " + defined));
}

Scored ScoreWithPolicy(const EvalCommand& command, const std::vector<Labelled>& data) {
  policy::Policy policy;
  Diagnostics diagnostics = command.policy.empty()
                                ? ParseTextproto(kDefaultPolicy, "the bundled default policy", &policy)
                                : ReadTextproto(command.policy, &policy);
  routing::CompileOptions options;
  const size_t slash = command.policy.rfind('/');
  if (slash != std::string::npos) options.directory = command.policy.substr(0, slash);
  const auto program =
      diagnostics.ok() ? routing::Program::Compile(policy, {}, options, &diagnostics) : nullptr;
  if (program == nullptr) Fail("eval", std::string(diagnostics.ToStatus().message()));
  const int score = ScoreIndex(policy, command.score);
  Scored scored;
  scored.by = absl::StrCat("score \"", command.score, "\" of ",
                           command.policy.empty() ? "the bundled default policy" : command.policy);
  scored.no_signal = 0;
  routing::Features features;
  routing::Verdict verdict;
  for (const Labelled& labelled : data) {
    const Message message{Role::kUser, labelled.prompt};
    Request request;
    request.messages = {&message, 1};
    const routing::Context context;
    program->Read(request, context, &features);
    program->Evaluate(request, context, features, &verdict);
    scored.scores.push_back(verdict.scores[score].sum);
    scored.no_signal += verdict.scores[score].no_signal ? 1 : 0;
  }
  return scored;
}

// Of the cost of sending all to the strong model.
double CostAt(const EvalCommand& command, double strong_share) {
  return strong_share + (1 - strong_share) * command.weak_cost;
}

// Four decimals: more would be noise.
double Rounded(double x) { return std::round(x * 1e4) / 1e4; }

nlohmann::ordered_json ToJson(const EvalCommand& command, const RoutingQuality& quality) {
  return {{"apgr", Rounded(quality.apgr)},
          {"cpt50", Rounded(quality.cpt50)},
          {"cpt80", Rounded(quality.cpt80)},
          {"cost_at_equal_quality", Rounded(CostAt(command, quality.strong_share_at_equal_quality))}};
}

void PrintRow(const EvalCommand& command, const char* name, const RoutingQuality& quality) {
  std::printf("%-14s %8.4f %8.1f%% %8.1f%% %12.1f%%\n", name, quality.apgr, 100 * quality.cpt50,
              100 * quality.cpt80, 100 * CostAt(command, quality.strong_share_at_equal_quality));
}

void WriteScores(const std::string& path, const std::vector<double>& scores) {
  std::ofstream out(path);
  for (const double score : scores) out << nlohmann::json{{"score", score}}.dump() << '\n';
  out.close();
  if (!out) Fail("eval", absl::StrCat(path, ": cannot be written; is there such a folder, and space?"));
}

void RunEval(const EvalCommand& command) {
  const absl::StatusOr<std::vector<Labelled>> data = learning::ReadLabelled(command.data);
  if (!data.ok()) Fail("eval", std::string(data.status().message()));
  const Scored scored =
      command.scorer.empty() ? ScoreWithPolicy(command, *data) : ScoreWithScorer(command.scorer, *data);
  if (!command.scores_out.empty()) WriteScores(command.scores_out, scored.scores);

  const absl::StatusOr<RoutingQuality> quality = MeasureRouting(scored.scores, *data);
  if (!quality.ok()) Fail("eval", absl::StrCat(command.data, ": ", quality.status().message()));
  struct Baseline {
    const char* name;
    const char* key;
    RoutingQuality quality;
  };
  const Baseline baselines[] = {
      {"length only", "length_only", *MeasureRouting(learning::LengthScores(*data), *data)},
      {"random", "random", *MeasureRouting(learning::RandomScores(*data, 1), *data)},
      {"constant", "constant", *MeasureRouting(learning::ConstantScores(*data), *data)},
  };
  const double strong = learning::MeanStrong(*data);
  const double weak = learning::MeanWeak(*data);
  const double no_signal_share =
      scored.no_signal < 0 ? -1 : static_cast<double>(scored.no_signal) / static_cast<double>(data->size());
  if (command.json) {
    nlohmann::ordered_json out = ToJson(command, *quality);
    for (const Baseline& baseline : baselines)
      out["baselines"][baseline.key] = ToJson(command, baseline.quality);
    out["prompts"] = data->size();
    out["strong_accuracy"] = Rounded(strong);
    out["weak_accuracy"] = Rounded(weak);
    if (no_signal_share >= 0) out["no_signal_share"] = Rounded(no_signal_share);
    out["scored_by"] = scored.by;
    std::printf("%s\n", out.dump().c_str());
    return;
  }
  std::printf("%zu prompts, scored by %s\n", data->size(), scored.by.c_str());
  std::printf("strong model alone %.1f%% right, weak model alone %.1f%%\n\n", 100 * strong, 100 * weak);
  std::printf("%-14s %8s %9s %9s %13s\n", "", "APGR", "CPT(50)", "CPT(80)", "equal quality");
  PrintRow(command, "this", *quality);
  for (const Baseline& baseline : baselines) PrintRow(command, baseline.name, baseline.quality);
  std::printf(
      "\nAPGR: share of the gap between the models that is recovered, mean over all shares of strong calls.\n"
      "CPT(x): share of calls that have to go to the strong model to recover x%% of the gap.\n"
      "equal quality: cost for the strong model's accuracy, of sending it everything (a weak call costs %g "
      "of a strong "
      "one).\n",
      command.weak_cost);
  if (no_signal_share >= 0)
    std::printf("No signal was seen in %.1f%% of the prompts.\n", 100 * no_signal_share);
}

}  // namespace

void AddEvalVerb(Verb app) {
  auto command = std::make_shared<EvalCommand>();
  Verb verb = app.AddVerb("eval", "Measure how well prompts that need the strong model are told");
  verb.Add("--data", &command->data, "Lines of {\"prompt\", \"strong\", \"weak\"}").Required();
  verb.Add("--scorer", &command->scorer, "Scorer written by purser fit; default: a policy's score");
  verb.Add("--policy", &command->policy, "Policy whose score is measured; default: the bundled one");
  verb.Add("--score", &command->score, "Which score of the policy").ShowDefault();
  verb.Add("--scores", &command->scores_out, "Write {\"score\": ...} per prompt, in order, to this file");
  verb.Add("--weak-cost", &command->weak_cost, "Cost of a weak call, of a strong one")
      .Between(0.0, 1.0)
      .ShowDefault();
  verb.AddFlag("--json", &command->json, "One JSON object");
  verb.Footer("Example: purser eval --data labelled.jsonl --scorer scorer.textproto --json");
  verb.Run([command] { RunEval(*command); });
}

}  // namespace purser::cli
