#include "engine/routing/program.h"

#include "absl/strings/str_cat.h"
#include "engine/routing/compiler.h"

namespace purser::routing {

std::shared_ptr<const Program> Program::Compile(const policy::Policy& policy,
                                                std::span<const CandidateFacts> facts,
                                                const CompileOptions& options, Diagnostics* diagnostics) {
  auto compiled = std::make_unique<CompiledPolicy>();
  compiled->policy = policy;
  compiled->file = diagnostics->file();
  compiled->source = diagnostics->source();
  if (!facts.empty() && static_cast<int>(facts.size()) != policy.candidates_size()) {
    diagnostics->Error("", absl::StrCat("facts of ", facts.size(), " candidates were passed for ",
                                        policy.candidates_size()));
    return nullptr;
  }
  CompileCandidates(facts, compiled.get(), diagnostics);
  CompileSignals(options, compiled.get(), diagnostics);
  CompileScores(compiled.get(), diagnostics);
  CompileRules(compiled.get(), diagnostics);
  if (!diagnostics->ok()) return nullptr;
  for (const CompiledSignal& signal : compiled->signals) {
    compiled->reads_text_measures |= signal.used && signal.kind == SignalKind::kMeasure &&
                                     signal.measure >= policy::TEXT_BYTES &&
                                     signal.measure < policy::INPUT_TOKENS;
  }
  Lint(*compiled, diagnostics);
  return std::shared_ptr<const Program>(new Program(std::move(compiled)));
}

Program::Program(std::unique_ptr<const CompiledPolicy> compiled) : compiled_(std::move(compiled)) {}
Program::~Program() = default;

int Program::SignalIndex(std::string_view name) const {
  const auto found = compiled_->signal_index.find(absl::string_view(name.data(), name.size()));
  return found == compiled_->signal_index.end() ? -1 : found->second;
}

int Program::RequestClassOf(const Request& request) const {
  const auto of = [](const absl::flat_hash_map<std::string, int>& classes, std::string_view name) {
    if (classes.empty() || name.empty()) return -1;
    const auto found = classes.find(absl::string_view(name.data(), name.size()));
    return found == classes.end() ? -1 : found->second;
  };
  const int by_use_case = of(compiled_->class_of_use_case, request.use_case);
  const int by_feature = of(compiled_->class_of_feature, request.feature);
  if (by_use_case < 0 || by_feature < 0) return std::max(by_use_case, by_feature);
  return std::min(by_use_case, by_feature);
}

int Program::candidates() const { return compiled_->candidates; }
std::string_view Program::candidate_name(int candidate) const { return compiled_->names[candidate]; }
int Program::quality(int candidate) const { return compiled_->quality[candidate]; }
const ChoiceSettings& Program::choice_settings() const { return compiled_->choice; }

std::string Program::RefusalMessage(const Verdict& verdict) const {
  switch (verdict.refusal) {
    case Refusal::kNone:
      return "";
    case Refusal::kNoCandidate:
      return "no candidate passes the policy's gates and rules for this request";
    case Refusal::kRule:
      return compiled_->policy.rules(verdict.refusing).refuse();
    case Refusal::kNoSignal:
      return compiled_->policy.scores(verdict.refusing).on_no_signal().refuse();
  }
  return "";
}

std::string_view RejectName(Reject reject) {
  switch (reject) {
    case Reject::kNone:
      return "passes";
    case Reject::kNotAllowed:
      return "not on the allow list";
    case Reject::kDenied:
      return "on the deny list";
    case Reject::kUnpriced:
      return "no price is known for this request at this time";
    case Reject::kUnhealthy:
      return "not healthy";
    case Reject::kContextWindow:
      return "context window";
    case Reject::kMaxOutput:
      return "max output";
    case Reject::kLacksCapability:
      return "lacks a capability";
    case Reject::kRegion:
      return "region";
    case Reject::kDataPolicy:
      return "data policy";
    case Reject::kRuleMinQuality:
      return "quality below a rule's minimum";
    case Reject::kRuleMaxQuality:
      return "quality above a rule's maximum";
    case Reject::kRuleOnly:
      return "not among a rule's only";
    case Reject::kRuleDeny:
      return "denied by a rule";
    case Reject::kLatency:
      return "slower than the latency limit";
    case Reject::kToolLoop:
      return "lower quality inside a tool loop";
  }
  return "unknown";
}

}  // namespace purser::routing
