#ifndef PURSER_ENGINE_CLI_VERBS_H_
#define PURSER_ENGINE_CLI_VERBS_H_

#include "engine/cli/verb.h"

namespace purser::cli {

// One file per verb. Each adds its verb with options, help, an example that runs, and what it does.
void AddDemoVerb(Verb app);
void AddCheckVerb(Verb app);
void AddExplainVerb(Verb app);
void AddReplayVerb(Verb app);
void AddPricesVerb(Verb app);
void AddCostVerb(Verb app);
void AddTokensVerb(Verb app);
void AddBudgetsVerb(Verb app);
void AddReportVerb(Verb app);
void AddDiffVerb(Verb app);
void AddReconcileVerb(Verb app);
void AddLedgerVerb(Verb app);
void AddFitVerb(Verb app);
void AddEvalVerb(Verb app);
void AddCacheEvalVerb(Verb app);

}  // namespace purser::cli

#endif  // PURSER_ENGINE_CLI_VERBS_H_
