#ifndef PURSER_ENGINE_CLI_VERBS_H_
#define PURSER_ENGINE_CLI_VERBS_H_

#include "CLI/CLI.hpp"

namespace purser::cli {

// One file per verb. Each adds its subcommand with options, help and an example that runs, and a callback
// that does the work and ends by throwing CLI::RuntimeError(exit code) if it failed; Fail() prints why and
// does so.
void AddDemoVerb(CLI::App& app);
void AddCheckVerb(CLI::App& app);
void AddExplainVerb(CLI::App& app);
void AddReplayVerb(CLI::App& app);
void AddPricesVerb(CLI::App& app);
void AddCostVerb(CLI::App& app);
void AddTokensVerb(CLI::App& app);
void AddBudgetsVerb(CLI::App& app);
void AddReportVerb(CLI::App& app);
void AddDiffVerb(CLI::App& app);
void AddReconcileVerb(CLI::App& app);
void AddLedgerVerb(CLI::App& app);
void AddFitVerb(CLI::App& app);
void AddEvalVerb(CLI::App& app);
void AddCacheEvalVerb(CLI::App& app);

// Prints "purser VERB: message" to standard error and leaves with exit code 1. The message says what to do
// about it.
[[noreturn]] void Fail(std::string_view verb, std::string_view message);

}  // namespace purser::cli

#endif  // PURSER_ENGINE_CLI_VERBS_H_
