// The `purser` command.

#include <purser/version.h>

#include <cstdio>
#include <string>

#include "CLI/CLI.hpp"
#include "engine/cli/verbs.h"

namespace {

bool HasVerb(const CLI::App& app, const std::string& name) {
  for (const CLI::App* verb : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (verb->get_name() == name) return true;
  }
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Purser prices every model call before it is made, and keeps the books after it.", "purser");
  app.set_version_flag("--version", "purser " + std::string(purser::kVersion), "Print the version and exit");
  app.require_subcommand(1);
  app.footer("`purser VERB --help` shows a verb's options and an example.");
  app.get_formatter()->column_width(34);
  const purser::cli::Verb command(&app);
  purser::cli::AddDemoVerb(command);
  purser::cli::AddCheckVerb(command);
  purser::cli::AddExplainVerb(command);
  purser::cli::AddReplayVerb(command);
  purser::cli::AddPricesVerb(command);
  purser::cli::AddCostVerb(command);
  purser::cli::AddTokensVerb(command);
  purser::cli::AddBudgetsVerb(command);
  purser::cli::AddReportVerb(command);
  purser::cli::AddDiffVerb(command);
  purser::cli::AddReconcileVerb(command);
  purser::cli::AddLedgerVerb(command);
  purser::cli::AddFitVerb(command);
  purser::cli::AddEvalVerb(command);
  purser::cli::AddCacheEvalVerb(command);
  if (argc > 1 && argv[1][0] != '-' && !HasVerb(app, argv[1])) {
    std::fprintf(stderr, "purser: unknown verb \"%s\"; purser --help lists them\n", argv[1]);
    return 2;
  }
  CLI11_PARSE(app, argc, argv);
  return 0;
}
