// The `purser` command.

#include "engine/cli/verbs.h"

int main(int argc, char** argv) {
  CLI::App app("Purser prices every model call before it is made, and keeps the books after it.", "purser");
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
  purser::cli::AddLedgerVerb(app);
  purser::cli::AddFitVerb(app);
  purser::cli::AddEvalVerb(app);
  purser::cli::AddCacheEvalVerb(app);
  CLI11_PARSE(app, argc, argv);
  return 0;
}
