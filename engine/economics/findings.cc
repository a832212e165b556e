#include "engine/economics/findings.h"

#include <algorithm>
#include <utility>

namespace purser::economics {
namespace {

template <typename Visit>
absl::Status ForEachEntry(const std::string& ledger, const Tick& tick, Visit visit) {
  auto reader = ledger::RecordReader::Open(ledger);
  if (!reader.ok()) return reader.status();
  ledger::Entry entry;
  while (true) {
    const absl::StatusOr<bool> more = (*reader)->Next(&entry);
    if (!more.ok()) return more.status();
    if (!*more) return absl::OkStatus();
    visit(entry);
    if (tick) tick((*reader)->scanner());
  }
}

}  // namespace

bool Findings::earns() const {
  return std::any_of(classes.begin(), classes.end(), [](const ClassMargin& one) { return one.earns; });
}

absl::StatusOr<std::unique_ptr<Findings>> FindFindings(const std::string& ledger, const Span& span,
                                                       Economics economics, const Tick& tick) {
  auto found = std::make_unique<Findings>();
  found->economics = std::move(economics);
  found->survey = std::make_unique<Survey>(found->economics, span);
  Survey& survey = *found->survey;
  absl::Status read =
      ForEachEntry(ledger, tick, [&survey](const ledger::Entry& entry) { survey.Add(entry); });
  if (!read.ok()) return read;
  found->units = UnitCostsOf(survey);
  found->classes = ClassMargins(survey);
  found->tiers = TierMonths(survey);
  found->tasks = TaskMultiples(survey);
  found->slos = CostSlos(survey);
  found->forecast = ForecastMonth(survey);
  found->flags = RedFlags(survey);
  found->anomalies = FindAnomalies(survey);
  if (found->anomalies.empty()) return found;
  AnomalyCauses causes(survey, std::move(found->anomalies));
  read = ForEachEntry(ledger, tick, [&causes](const ledger::Entry& entry) { causes.Add(entry); });
  if (!read.ok()) return read;
  found->anomalies = causes.Take();
  return found;
}

}  // namespace purser::economics
