// purser demo: a bundled working day of model calls through a bundled policy, on one screen.

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "engine/cli/demo_files.h"
#include "engine/cli/replay_run.h"
#include "engine/cli/table.h"
#include "engine/cli/trace_file.h"
#include "engine/cli/verbs.h"
#include "engine/economics/percent.h"
#include "policies/amount.h"
#include "policies/decimal.h"

namespace purser::cli {
namespace {

// A ledger that lives as long as the demo.
class TemporaryLedger {
 public:
  TemporaryLedger() {
    std::string path = (std::filesystem::temp_directory_path() / "purser-demo-XXXXXX").string();
    if (::mkdtemp(path.data()) == nullptr)
      Fail("demo", absl::StrCat("cannot make ", path, "; set TMPDIR to a folder that can be written"));
    path_ = path;
  }
  ~TemporaryLedger() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// "gpt-5-nano 64, gpt-5 2", most first.
std::string WhereTo(const std::map<std::string, int64_t>& candidates) {
  std::vector<std::pair<int64_t, std::string>> sorted;
  for (const auto& [name, calls] : candidates) sorted.emplace_back(-calls, name);
  std::sort(sorted.begin(), sorted.end());
  std::vector<std::string> parts;
  for (const auto& [calls, name] : sorted) parts.push_back(absl::StrCat(name, " ", -calls));
  return absl::StrJoin(parts, ", ");
}

void Print(const ReplayTotals& totals) {
  using Align = Table::Align;
  Table features({{"feature"},
                  {"calls", Align::kRight},
                  {"cached", Align::kRight},
                  {"refused", Align::kRight},
                  {"served by"},
                  {"cost", Align::kRight},
                  {"always gpt-5", Align::kRight}});
  for (const auto& [name, row] : totals.features) {
    features.AddRow({name, WithCommas(row.calls), WithCommas(row.answered), WithCommas(row.refused),
                     WhereTo(row.candidates), FormatUsdRounded(row.cost_nanos, 4),
                     FormatUsdRounded(row.traced_nanos, 4)});
  }
  features.AddRow({"total", WithCommas(totals.calls),
                   WithCommas(totals.answered_exact + totals.answered_semantic), WithCommas(totals.refused),
                   "", FormatUsdRounded(totals.cost_nanos, 4), FormatUsdRounded(totals.traced_nanos, 4)});
  std::printf("%s\n", features.ToString().c_str());

  std::printf(
      "  Saved %s of %s (%s): the cheapest model that the rules find good enough, and %lld answers from the\n"
      "  cache (%lld the same request, %lld one that means the same). Refused calls count as no saving.\n\n",
      FormatUsdRounded(totals.traced_nanos - totals.cost_nanos, 4).c_str(),
      FormatUsdRounded(totals.traced_nanos, 4).c_str(),
      economics::PercentOf(totals.traced_nanos - totals.cost_nanos, totals.traced_nanos, 0).c_str(),
      static_cast<long long>(totals.answered_exact + totals.answered_semantic),
      static_cast<long long>(totals.answered_exact), static_cast<long long>(totals.answered_semantic));

  for (const ReplayTotals::RefusedCall& refused : totals.first_refused) {
    std::printf("  Stopped %s: %s\n", (refused.task.empty() ? refused.request_id : refused.task).c_str(),
                refused.reason.c_str());
  }
  std::printf(
      "\n  A decision, its hold and its settlement took %.1f us (median; %.1f us p99), ledger on disk "
      "included.\n",
      static_cast<double>(Quantile(totals.overhead_nanos, 0.5)) / 1000,
      static_cast<double>(Quantile(totals.overhead_nanos, 0.99)) / 1000);
}

void Demo(const std::string& keep) {
  const absl::StatusOr<std::vector<TracedCall>> trace = ParseTrace(kDemoTrace, "demo_trace.jsonl");
  if (!trace.ok()) Fail("demo", std::string(trace.status().message()));
  const TemporaryLedger temporary;
  ManualClock clock(trace->front().time_nanos);
  Options options;
  options.keep_cache = false;
  options.source.policy_text = std::string(kDemoPolicy);
  options.ledger_dir = keep.empty() ? temporary.path() : keep;
  options.clock = &clock;
  const absl::StatusOr<std::unique_ptr<Engine>> engine = Engine::Open(options);
  if (!engine.ok()) Fail("demo", std::string(engine.status().message()));
  std::printf(
      "A working day of a small company: %s model calls that all asked for gpt-5, replayed through\n"
      "policies/examples/agents.textproto at the list prices of the bundled book.\n\n",
      WithCommas(static_cast<int64_t>(trace->size())).c_str());
  const absl::StatusOr<ReplayTotals> totals = RunReplay(*trace, {}, engine->get(), &clock);
  if (!totals.ok()) Fail("demo", std::string(totals.status().message()));
  Print(*totals);
  if (keep.empty()) {
    std::printf("\n  Next: purser demo --ledger /tmp/demo-ledger && purser report /tmp/demo-ledger\n");
  } else {
    std::printf("\n  Next: purser report %s\n", keep.c_str());
  }
}

}  // namespace

void AddDemoVerb(Verb app) {
  auto keep = std::make_shared<std::string>();
  Verb verb = app.AddVerb("demo", "Replay a bundled day of model calls through a bundled policy");
  verb.Add("--ledger", keep.get(), "Directory to keep the ledger in (default: none is kept)");
  verb.Footer("Example: purser demo");
  verb.Run([keep] { Demo(*keep); });
}

}  // namespace purser::cli
