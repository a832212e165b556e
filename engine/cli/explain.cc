// purser explain: the whole reasoning for one request.

#include <purser/purser.h>

#include <cstdio>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "engine/cli/ledger_copy.h"
#include "engine/cli/request_file.h"
#include "engine/cli/verbs.h"

namespace purser::cli {
namespace {

struct ExplainArguments {
  std::string policy;
  std::vector<std::string> prices;
  std::string request;
  std::string ledger;
};

void Explain(const ExplainArguments& arguments) {
  const absl::StatusOr<std::unique_ptr<RequestFile>> file = RequestFile::Read(arguments.request);
  if (!file.ok()) Fail("explain", std::string(file.status().message()));
  for (const std::string& note : (*file)->notes())
    std::fprintf(stderr, "purser explain: %s: %s\n", arguments.request.c_str(), note.c_str());
  Options options;
  options.keep_cache = false;
  options.source.policy_file = arguments.policy;
  options.source.price_books = arguments.prices;
  std::unique_ptr<LedgerCopy> copy;  // Outlives the engine.
  if (!arguments.ledger.empty()) {
    absl::StatusOr<std::unique_ptr<LedgerCopy>> made = LedgerCopy::Of(arguments.ledger);
    if (!made.ok()) Fail("explain", std::string(made.status().message()));
    copy = *std::move(made);
    options.ledger_dir = copy->directory();
  }
  const absl::StatusOr<std::unique_ptr<Engine>> engine = Engine::Open(options);
  if (!engine.ok()) Fail("explain", std::string(engine.status().message()));
  std::printf("%s", (*engine)->Explain((*file)->request()).text.c_str());
}

}  // namespace

void AddExplainVerb(Verb app) {
  auto arguments = std::make_shared<ExplainArguments>();
  Verb verb = app.AddVerb("explain", "Show the whole reasoning for one request");
  verb.Add("--policy", &arguments->policy, "Policy file, protobuf text").Required();
  verb.Add("--prices", &arguments->prices, "Price books; later ones override (default: the bundled one)")
      .TakesMany();
  verb.Add("--request", &arguments->request, "One request as JSON, in the fields of policies/trace.proto")
      .Required();
  verb.Add("--ledger", &arguments->ledger,
           "Ledger whose accounts the budgets have; it may be in use and is only read (a copy is made)");
  verb.Footer(
      "Example: echo '{\"tenant\":\"acme\",\"messages\":[{\"role\":\"user\",\"content\":\"Prove it.\"}]}' > "
      "r.json &&\n"
      "         purser explain --policy policies/examples/agents.textproto --request r.json");
  verb.Run([arguments] { Explain(*arguments); });
}

}  // namespace purser::cli
