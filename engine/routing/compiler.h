#ifndef PURSER_ENGINE_ROUTING_COMPILER_H_
#define PURSER_ENGINE_ROUTING_COMPILER_H_

#include <span>
#include <string>
#include <string_view>

#include "engine/routing/compiled_policy.h"
#include "engine/routing/program.h"
#include "policies/diagnostics.h"

namespace purser::routing {

// The parts of Program::Compile, in the order in which they run. Each reports every mistake it finds and
// leaves tables that the next can work with. Private to routing.

// Policy, place of the text, candidates with what gates them, request classes, settings of the choice.
void CompileCandidates(std::span<const CandidateFacts> facts, CompiledPolicy* out, Diagnostics* diagnostics);

void CompileSignals(const CompileOptions& options, CompiledPolicy* out, Diagnostics* diagnostics);

void CompileScores(CompiledPolicy* out, Diagnostics* diagnostics);

// Rules in the order in which they are tried, their conditions as tests.
void CompileRules(CompiledPolicy* out, Diagnostics* diagnostics);

// Warnings about what is well formed but cannot be meant. Needs tables without errors.
void Lint(const CompiledPolicy& compiled, Diagnostics* diagnostics);

// Shared by the parts.

// The candidates that a Select means. Names, labels and providers that no candidate has are errors at `path`.
CandidateSet Resolve(const policy::Select& select, const CompiledPolicy& compiled, const std::string& path,
                     Diagnostics* diagnostics);

// "; defined are: \"a\", \"b\"" or "; none is defined".
std::string Defined(std::span<const std::string> names);

// The number of `text` among those that the policy compares the text signal with; a new one if it is new. A
// text that the signal never has is warned of at `path`.
int TextNumber(std::string_view text, const std::string& path, CompiledSignal* signal,
               Diagnostics* diagnostics);

}  // namespace purser::routing

#endif  // PURSER_ENGINE_ROUTING_COMPILER_H_
