// The `purser` command.

#include <purser/version.h>

#include <cstdio>
#include <string>

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
  purser::cli::AddDemoVerb(app);
  purser::cli::AddCheckVerb(app);
  purser::cli::AddExplainVerb(app);
  purser::cli::AddReplayVerb(app);
  purser::cli::AddPricesVerb(app);
  purser::cli::AddCostVerb(app);
  purser::cli::AddTokensVerb(app);
  purser::cli::AddBudgetsVerb(app);
  purser::cli::AddReportVerb(app);
  purser::cli::AddDiffVerb(app);
  purser::cli::AddReconcileVerb(app);
  purser::cli::AddLedgerVerb(app);
  purser::cli::AddFitVerb(app);
  purser::cli::AddEvalVerb(app);
  purser::cli::AddCacheEvalVerb(app);
  if (argc > 1 && argv[1][0] != '-' && !HasVerb(app, argv[1])) {
    std::fprintf(stderr, "purser: unknown verb \"%s\"; purser --help lists them\n", argv[1]);
    return 2;
  }
  CLI11_PARSE(app, argc, argv);
  return 0;
}
