#include "engine/cli/ledger_calls.h"

#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/cli/lines_by_request.h"
#include "engine/cli/outcome_value.h"
#include "engine/ledger/record_reader.h"
#include "engine/routing/choice.h"
#include "engine/routing/program.h"
#include "policies/textproto.h"

namespace purser::cli {
namespace {

absl::StatusOr<std::shared_ptr<const routing::Program>> ReadExploring(const std::string& path) {
  policy::Policy policy;
  Diagnostics diagnostics = ReadTextproto(path, &policy);
  routing::CompileOptions options;
  if (const size_t slash = path.rfind('/'); slash != std::string::npos)
    options.directory = path.substr(0, slash);
  auto program = diagnostics.ok() ? routing::Program::Compile(policy, {}, options, &diagnostics) : nullptr;
  if (program == nullptr) return diagnostics.ToStatus();
  if (!(program->choice_settings().exploration_share > 0)) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": the policy does not explore; expected routing { exploration { share: ... } }"));
  }
  return program;
}

bool Names(const ledger::RecordView& record, const std::string& name) {
  return record.candidate == name || record.model == name;
}

}  // namespace

absl::StatusOr<LedgerCalls> ReadLedgerCalls(const LedgerCallsSource& source) {
  const absl::StatusOr<LinesByRequest> prompts =
      ReadLinesByRequest(source.prompts, "prompt", nlohmann::json::value_t::string);
  if (!prompts.ok()) return prompts.status();
  std::shared_ptr<const routing::Program> exploring;
  if (!source.explored_by.empty()) {
    absl::StatusOr<std::shared_ptr<const routing::Program>> read = ReadExploring(source.explored_by);
    if (!read.ok()) return read.status();
    exploring = *std::move(read);
  }
  absl::StatusOr<std::unique_ptr<ledger::RecordReader>> reader = ledger::RecordReader::Open(source.ledger);
  if (!reader.ok()) return reader.status();
  (*reader)->LeaveOutLists();

  LedgerCalls read;
  ledger::Entry entry;
  while (true) {
    const absl::StatusOr<bool> more = (*reader)->Next(&entry);
    if (!more.ok()) return more.status();
    if (!*more) break;
    const ledger::RecordView& record = entry.record;
    const bool strong = Names(record, source.strong);
    if (entry.adjustment || entry.sign < 0 || record.cache_hit != ledger::CACHE_NONE) continue;
    if (!strong && !Names(record, source.weak)) continue;
    const std::optional<double> good = ReportedOutcome(record);
    const auto prompt = prompts->find(std::string(record.request_id));
    if (!good) {
      ++read.without_outcome;
    } else if (record.attempt > 1 || (record.flags & ledger::FAILED_OVER) != 0) {
      ++read.not_chosen;
    } else if (exploring != nullptr && !routing::Explores(exploring->choice_settings(), record.request_id)) {
      ++read.not_explored;
    } else if (prompt == prompts->end()) {
      ++read.without_prompt;
    } else {
      read.calls.push_back({prompt->second["prompt"].get<std::string>(), strong, *good});
    }
  }
  return read;
}

}  // namespace purser::cli
