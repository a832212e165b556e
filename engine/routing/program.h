#ifndef PURSER_ENGINE_ROUTING_PROGRAM_H_
#define PURSER_ENGINE_ROUTING_PROGRAM_H_

#include <purser/request.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "engine/routing/features.h"
#include "engine/routing/verdict.h"
#include "policies/diagnostics.h"
#include "purser/policy.pb.h"

namespace purser::routing {

// What the price books know about a candidate. What the policy itself says of it (capabilities, lacks,
// context_window
// ...) goes before this; a Program applies it.
struct CandidateFacts {
  bool priced = true;
  uint32_t capabilities = 0;      // Need bits.
  int64_t context_window = 0;     // 0: not known, no gate.
  int64_t max_output_tokens = 0;  // 0: not known, no gate.
  std::string_view provider;      // For Select.providers where the policy names none. Copied.
};

struct CompileOptions {
  // Where a signal's scorer_file is looked for. Empty: the working directory.
  std::string directory;
};

struct ChoiceSettings;
struct CompiledPolicy;

// The routing of a policy, compiled: signals, scores, gates and rules as flat tables. Immutable and
// thread-safe; made off the hot path and shared.
//
//   Diagnostics diagnostics = ReadTextproto(path, &policy);
//   std::shared_ptr<const Program> program = Program::Compile(policy, facts, {}, &diagnostics);
//   if (program == nullptr) ...  // diagnostics.ToStatus() says why, every mistake in one round
//
//   Features features;  // one of each per thread
//   Verdict verdict;
//   program->Read(request, context, &features);
//   program->Evaluate(request, context, features, &verdict);
//   // verdict.candidates: price them, then Choose() (choice.h)
class Program {
 public:
  // Adds mistakes and lints of signals, scores, rules and routing to `diagnostics`, which came from
  // ParseTextproto, and keeps its file name and positions for explanations. `facts` are by candidate; empty:
  // not looked up, and every candidate counts as priced. Null if there are errors.
  static std::shared_ptr<const Program> Compile(const policy::Policy& policy,
                                                std::span<const CandidateFacts> facts,
                                                const CompileOptions& options, Diagnostics* diagnostics);
  ~Program();

  // Reads every signal that a rule or score uses. Texts are read once, up to routing.read_bytes of each part,
  // whatever the number of patterns. Cannot fail; allocates only while `features` grows.
  void Read(const Request& request, const Context& context, Features* features) const;

  // By name; -1: the policy has none of this name.
  int SignalIndex(std::string_view name) const;

  // Scores, gates and rules. `features` must have been filled by this program. Cannot fail; allocates only
  // while `verdict` grows.
  void Evaluate(const Request& request, const Context& context, const Features& features,
                Verdict* verdict) const;

  // The first class whose use cases or features name the request's; -1: none.
  int RequestClassOf(const Request& request) const;

  int candidates() const;
  std::string_view candidate_name(int candidate) const;
  int quality(int candidate) const;
  // The message of a refusal: the rule's or the score's, or that no candidate is left.
  std::string RefusalMessage(const Verdict& verdict) const;

  // How Choose() (choice.h) orders what passes.
  const ChoiceSettings& choice_settings() const;

  // For the parts of routing that read the tables (explain.h).
  const CompiledPolicy& compiled() const { return *compiled_; }

 private:
  explicit Program(std::unique_ptr<const CompiledPolicy> compiled);

  std::unique_ptr<const CompiledPolicy> compiled_;
};

}  // namespace purser::routing

#endif  // PURSER_ENGINE_ROUTING_PROGRAM_H_
