// purser check POLICY: every error and lint with file:line:column.

#include "policies/check.h"

#include <cstdio>
#include <memory>
#include <string>

#include "engine/cli/verbs.h"
#include "policies/textproto.h"

namespace purser::cli {
namespace {

struct CheckOptions {
  std::string policy;
};

void Check(const CheckOptions& options) {
  policy::Policy policy;
  Diagnostics diagnostics = ReadTextproto(options.policy, &policy);
  CheckPolicy(policy, &diagnostics);
  for (const Diagnostic& diagnostic : diagnostics.Sorted())
    std::printf("%s\n", diagnostic.ToString().c_str());
  std::printf("%s: %d errors, %d warnings\n", options.policy.c_str(), diagnostics.errors(),
              diagnostics.warnings());
  if (!diagnostics.ok()) throw CLI::RuntimeError(1);
}

}  // namespace

void AddCheckVerb(CLI::App& app) {
  auto options = std::make_shared<CheckOptions>();
  CLI::App* verb = app.add_subcommand("check", "Show every mistake in a policy");
  verb->add_option("POLICY", options->policy, "Policy file, protobuf text")->required();
  verb->footer("Example: purser check policies/examples/agents.textproto");
  verb->callback([options] { Check(*options); });
}

}  // namespace purser::cli
