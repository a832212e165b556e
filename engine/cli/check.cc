// purser check POLICY: every error and lint with file:line:column.

#include <purser/policy_source.h>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "engine/cli/verbs.h"

namespace purser::cli {
namespace {

struct CheckArguments {
  std::string policy;
  std::vector<std::string> prices;
};

std::string Count(int count, const char* what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

void Check(const CheckArguments& arguments) {
  int errors = 0;
  int warnings = 0;
  for (const PolicyFinding& finding :
       CheckPolicy({.policy_file = arguments.policy, .price_books = arguments.prices})) {
    std::printf("%s\n", finding.ToString().c_str());
    ++(finding.severity == PolicyFinding::Severity::kError ? errors : warnings);
  }
  std::printf("%s: %s, %s\n", arguments.policy.c_str(), Count(errors, "error").c_str(),
              Count(warnings, "warning").c_str());
  if (errors > 0) Leave(1);
}

}  // namespace

void AddCheckVerb(Verb app) {
  auto arguments = std::make_shared<CheckArguments>();
  Verb verb = app.AddVerb("check", "Show every mistake in a policy");
  verb.Add("POLICY", &arguments->policy, "Policy file, protobuf text").Required();
  verb.Add("--prices", &arguments->prices, "Price books; later ones override (default: the bundled one)")
      .TakesMany();
  verb.Footer("Example: purser check policies/examples/agents.textproto");
  verb.Run([arguments] { Check(*arguments); });
}

}  // namespace purser::cli
