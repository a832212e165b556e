// purser diff LEDGER --by DIM A B: what a unit costs in B against A, and why; for a build to stop on.

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>

#include "absl/strings/str_format.h"
#include "engine/cli/report_text.h"
#include "engine/cli/table.h"
#include "engine/cli/verbs.h"
#include "engine/ledger/cost_change.h"
#include "engine/ledger/dimension.h"
#include "engine/ledger/record_json.h"
#include "policies/amount.h"
#include "policies/decimal.h"

namespace purser::cli {
namespace {

struct DiffOptions {
  std::string ledger, by = "release", from, to;
  double threshold_percent = 10;
  bool json = false;
};

int64_t PerTask(const ledger::CostShape& shape) {
  const int64_t tasks = shape.tasks();
  return tasks == 0 ? 0 : shape.cost_nanos() / tasks;
}

const char* Explain(const std::string& part) {
  if (part == "volume") return "more or fewer tasks";
  if (part == "mix") return "of other request classes";
  if (part == "loop length") return "more or fewer calls per task";
  if (part == "cache") return "the cache answers fewer or more calls";
  if (part == "model") return "other models serve them";
  if (part == "tokens") return "more or fewer tokens per call";
  if (part == "adjustments") return "corrections that were booked";
  return "other prices per token";
}

void Diff(const DiffOptions& options) {
  const auto by = ledger::ParseDimension(options.by);
  if (!by.ok()) Fail("diff", "--by: " + std::string(by.status().message()));
  auto reader = ledger::RecordReader::Open(options.ledger);
  if (!reader.ok()) Fail("diff", std::string(reader.status().message()));
  ledger::CostShape from, to;
  ledger::Entry entry;
  while (true) {
    const absl::StatusOr<bool> more = (*reader)->Next(&entry);
    if (!more.ok()) Fail("diff", std::string(more.status().message()));
    if (!*more) break;
    ledger::KeyBuffer buffer;
    const std::string_view key = KeyOf(entry.record, *by, buffer);
    if (key == options.from) from.Add(entry);
    if (key == options.to) to.Add(entry);
  }
  for (const auto& [shape, name] : {std::pair(&from, &options.from), std::pair(&to, &options.to)}) {
    if (shape->calls() == 0) {
      Fail("diff", "no call has " + options.by + " \"" + *name + "\"; `purser report " + options.ledger +
                       " --by " + options.by + "` lists those that there are");
    }
  }
  const ledger::CostChange change = ledger::CostChange::Between(from, to);
  const int64_t unit_from = PerTask(from), unit_to = PerTask(to);
  const double percent =
      unit_from == 0 ? 0 : 100.0 * static_cast<double>(unit_to - unit_from) / static_cast<double>(unit_from);
  const bool too_dear = unit_to > unit_from && (unit_from == 0 || percent > options.threshold_percent);
  if (options.json) {
    nlohmann::ordered_json json = {{"by", options.by},
                                   {"from", options.from},
                                   {"to", options.to},
                                   {"from_usd", FormatUsd(change.from_nanos)},
                                   {"to_usd", FormatUsd(change.to_nanos)},
                                   {"from_tasks", from.tasks()},
                                   {"to_tasks", to.tasks()},
                                   {"from_per_task_usd", FormatUsd(unit_from)},
                                   {"to_per_task_usd", FormatUsd(unit_to)},
                                   {"per_task_change_percent", percent},
                                   {"above_threshold", too_dear}};
    for (const auto& part : change.Parts()) json["parts"][part.name] = FormatUsd(part.nanos);
    std::printf("%s\n", ledger::JsonLine(json).c_str());
  } else {
    const int decimals = DecimalsFor(std::max(change.from_nanos, change.to_nanos));
    Table sums({{options.by},
                {"tasks", Table::Align::kRight},
                {"calls", Table::Align::kRight},
                {"cost", Table::Align::kRight},
                {"per task", Table::Align::kRight}});
    for (const auto& [shape, name] : {std::pair(&from, &options.from), std::pair(&to, &options.to)}) {
      sums.AddRow({Printable(*name), WithCommas(shape->tasks()), WithCommas(shape->calls()),
                   FormatUsdRounded(shape->cost_nanos(), decimals),
                   FormatUsdRounded(PerTask(*shape), DecimalsFor(unit_from))});
    }
    std::printf("%s\n", sums.ToString("").c_str());
    Table parts({{"Why"}, {"change", Table::Align::kRight}, {""}});
    for (const auto& part : change.Parts()) {
      parts.AddRow({part.name, FormatUsdRounded(part.nanos, decimals), Explain(part.name)});
    }
    parts.AddRow({"total", FormatUsdRounded(change.to_nanos - change.from_nanos, decimals), ""});
    std::printf("%s\n", parts.ToString("").c_str());
    std::printf(
        "A task costs %+.1f %%%s\n", percent,
        too_dear
            ? absl::StrFormat(": more than the %.0f %% that are allowed", options.threshold_percent).c_str()
            : "");
  }
  if (too_dear) Leave(1);
}

}  // namespace

void AddDiffVerb(Verb app) {
  auto options = std::make_shared<DiffOptions>();
  Verb verb = app.AddVerb("diff", "Say why cost moved between two releases, days or months");
  verb.Add("LEDGER", &options->ledger, "Ledger directory").Required();
  verb.Add("--by", &options->by, "Dimension whose two values are compared (default release)");
  verb.Add("A", &options->from, "Its value before").Required();
  verb.Add("B", &options->to, "Its value after").Required();
  verb.Add("--threshold", &options->threshold_percent,
           "Exit with 1 if a task costs this many percent more (default 10)");
  verb.AddFlag("--json", &options->json, "One JSON object; amounts are exact");
  verb.Footer("Example: purser diff runs/ledger --by release v41 v42 --threshold 30");
  verb.Run([options] { Diff(*options); });
}

}  // namespace purser::cli
