// purser ledger verify|dump|export|undo|compact LEDGER: is it whole, and what is in it.

#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "engine/cli/outcome_export.h"
#include "engine/cli/table.h"
#include "engine/cli/verbs.h"
#include "engine/economics/record_export.h"
#include "engine/economics/sqlite_export.h"
#include "engine/ledger/compaction.h"
#include "engine/ledger/log.h"
#include "engine/ledger/log_replay.h"
#include "engine/ledger/log_scanner.h"
#include "engine/ledger/record_json.h"
#include "engine/ledger/record_reader.h"
#include "engine/recovery/journal.h"
#include "engine/recovery/rebuild.h"
#include "policies/amount.h"
#include "policies/decimal.h"
#include "policies/textproto.h"
#include "purser/record.pb.h"

namespace purser::cli {
namespace {

std::string PluralOf(int64_t count, const char* one, const char* many) {
  return WithCommas(count) + " " + (count == 1 ? one : many);
}

// What an opening would make of the frames: under the ledger's own policy, since it says when holds expire.
void VerifyAccounts(const std::string& directory) {
  policy::Policy policy;
  const std::string path = PolicyPathOf(directory);
  if (!std::filesystem::exists(path) || !ReadTextproto(path, &policy).ok()) policy.Clear();
  Diagnostics diagnostics;
  budget::Plan plan = budget::Plan::Compile(policy, &diagnostics);
  budget::Accounts accounts{budget::Accounts::Options{}};
  accounts.Register(&plan);
  estimates::OutputEstimator outputs(8);
  Rebuilder rebuilder(plan, &accounts, &outputs);
  const absl::StatusOr<ledger::Replayed> replayed =
      ledger::ReplayLedger(directory, {}, [&](const ledger::Frame& frame) { return rebuilder.Apply(frame); });
  if (!replayed.ok()) Fail("ledger verify", std::string(replayed.status().message()));
  if (rebuilder.conflicts() == 0) {
    std::printf("  no conflicts\n");
    return;
  }
  std::printf("  %s what came before; the first: %s\n",
              PluralOf(rebuilder.conflicts(), "frame contradicts", "frames contradict").c_str(),
              rebuilder.first_conflict().c_str());
}

void Verify(const std::string& directory) {
  auto scanner = ledger::LogScanner::Open(directory);
  if (!scanner.ok()) Fail("ledger verify", std::string(scanner.status().message()));
  std::map<uint32_t, int64_t> frames_by_type;
  int64_t presumed = 0;
  ledger::Frame frame;
  while (true) {
    const absl::StatusOr<bool> more = (*scanner)->Next(&frame);
    if (!more.ok()) {
      std::printf("%s good frames (%s records) come before the damage\n",
                  WithCommas(static_cast<int64_t>((*scanner)->end().frames)).c_str(),
                  WithCommas(frames_by_type[ledger::RECORD]).c_str());
      Fail("ledger verify", std::string(more.status().message()));
    }
    if (!*more) break;
    ++frames_by_type[frame.type];
    if (frame.type != ledger::RECORD) continue;
    ledger::RecordView record;
    if (!Decode(frame.payload, &record)) {
      Fail("ledger verify",
           absl::StrCat(directory, ": frame ", frame.sequence,
                        " is whole, but holds no valid record; it was not written by Purser"));
    }
    if (record.flags & ledger::PRESUMED) ++presumed;
  }
  const ledger::LogScanner::End& end = (*scanner)->end();
  std::printf("%s: good; %s in %s\n", directory.c_str(),
              PluralOf(static_cast<int64_t>(end.frames), "frame", "frames").c_str(),
              PluralOf(static_cast<int64_t>((*scanner)->segments()), "segment", "segments").c_str());
  std::printf("  %12s  settled calls%s\n", WithCommas(frames_by_type[ledger::RECORD]).c_str(),
              presumed > 0 ? (", " + WithCommas(presumed) + " of them presumed spent").c_str() : "");
  for (const auto& [type, count] : frames_by_type) {
    if (type == ledger::RECORD) continue;
    const std::string name = ledger::FrameType_IsValid(static_cast<int>(type))
                                 ? ledger::FrameType_Name(static_cast<ledger::FrameType>(type))
                                 : absl::StrCat("type ", type);
    std::printf("  %12s  %s\n", WithCommas(count).c_str(), name.c_str());
  }
  if (end.abandoned_frames > 0) {
    std::printf("  %s not finished by a writer that died (never acknowledged; skipped)\n",
                PluralOf(static_cast<int64_t>(end.abandoned_frames), "frame was", "frames were").c_str());
  }
  if (end.torn_bytes > 0) {
    std::printf(
        "  torn tail: %s after %08llu.log:%llu were being written when the power failed; the next writer "
        "cuts "
        "them off\n",
        PluralOf(static_cast<int64_t>(end.torn_bytes), "byte", "bytes").c_str(),
        static_cast<unsigned long long>(end.segment), static_cast<unsigned long long>(end.offset));
  } else {
    std::printf("  no torn tail\n");
  }
  VerifyAccounts(directory);
}

void Dump(const std::string& directory) {
  auto reader = ledger::RecordReader::Open(directory);
  if (!reader.ok()) Fail("ledger dump", std::string(reader.status().message()));
  ledger::Entry entry;
  while (true) {
    const absl::StatusOr<bool> more = (*reader)->Next(&entry);
    if (!more.ok()) Fail("ledger dump", std::string(more.status().message()));
    if (!*more) break;
    nlohmann::ordered_json json = ledger::RecordToJson(entry.record);
    if (entry.sign < 0) json["taken_back"] = true;
    if (entry.adjustment) json["adjustment"] = true;
    std::printf("%s\n", ledger::JsonLine(json).c_str());
  }
}

struct ExportOptions {
  std::string ledger, sqlite, focus, jsonl, outcomes, embeddings;
  bool line_items = false;
};

void ExportRows(const std::string& file, const absl::StatusOr<int64_t>& rows, const char* one,
                const char* many) {
  if (!rows.ok()) Fail("ledger export", std::string(rows.status().message()));
  std::printf("%s: %s\n", file.c_str(), PluralOf(*rows, one, many).c_str());
}

void WriteOutcomes(const ExportOptions& options) {
  const absl::StatusOr<OutcomeExport> exported =
      ExportOutcomes(options.ledger, options.embeddings, options.outcomes);
  if (!exported.ok()) Fail("ledger export", std::string(exported.status().message()));
  std::printf("%s: %s; left out: %s without outcome, %s without embedding\n", options.outcomes.c_str(),
              PluralOf(exported->written, "outcome", "outcomes").c_str(),
              WithCommas(exported->without_outcome).c_str(), WithCommas(exported->without_embedding).c_str());
}

void Export(const ExportOptions& options) {
  if (options.sqlite.empty() && options.focus.empty() && options.jsonl.empty() && options.outcomes.empty())
    Fail("ledger export", "say what to write: --sqlite FILE, --focus FILE, --jsonl FILE or --outcomes FILE");
  if (!options.focus.empty()) {
    ExportRows(options.focus, economics::ExportFocus(options.ledger, options.focus), "charge", "charges");
  }
  if (!options.jsonl.empty()) {
    ExportRows(options.jsonl, economics::ExportOpenTelemetry(options.ledger, options.jsonl), "call", "calls");
  }
  if (!options.outcomes.empty()) WriteOutcomes(options);
  if (options.sqlite.empty()) return;
  const auto rows =
      economics::ExportToSqlite(options.ledger, options.sqlite, {.line_items = options.line_items});
  if (!rows.ok()) Fail("ledger export", std::string(rows.status().message()));
  std::printf("%s: %s in table calls; ask it, for instance: sqlite3 -box %s 'SELECT * FROM cost_by_model'\n",
              options.sqlite.c_str(), PluralOf(*rows, "row", "rows").c_str(), options.sqlite.c_str());
}

struct CompactCommand {
  std::string ledger, drop_before;
};

void Compact(const CompactCommand& command) {
  ledger::CompactOptions options;
  if (!command.drop_before.empty()) {
    absl::Time time;
    std::string why;
    if (!absl::ParseTime("%Y-%m-%d", command.drop_before, &time, &why))
      Fail("ledger compact",
           "--drop-before: expected a date such as 2026-03-02, not \"" + command.drop_before + "\"");
    options.drop_before_nanos = absl::ToUnixNanos(time);
  }
  const auto done = ledger::Compact(command.ledger, options);
  if (!done.ok()) Fail("ledger compact", std::string(done.status().message()));
  std::printf("%s: compressed %s", command.ledger.c_str(),
              PluralOf(static_cast<int64_t>(done->segments_compressed), "segment", "segments").c_str());
  if (done->bytes_after > 0) {
    std::printf(", %s to %s bytes", WithCommas(static_cast<int64_t>(done->bytes_before)).c_str(),
                WithCommas(static_cast<int64_t>(done->bytes_after)).c_str());
  }
  if (!command.drop_before.empty()) {
    std::printf("; dropped %s",
                PluralOf(static_cast<int64_t>(done->segments_dropped), "segment", "segments").c_str());
    if (done->segments_kept_for_snapshot > 0)
      std::printf("; others are old enough, but no snapshot stands for them yet");
  }
  std::printf("\n");
}

struct UndoCommand {
  std::string ledger, corrections;
  bool write = false;
};

// Takes back the corrections that one `reconcile --book --write` booked: what is left of each is booked with
// the opposite sign. What was taken back already is not taken back again.
void Undo(const UndoCommand& command) {
  const auto fail = [](const absl::Status& status) { Fail("ledger undo", std::string(status.message())); };
  struct Left {
    int64_t nanos = 0, time_nanos = 0;
  };
  std::map<std::string, Left> left;
  const std::string booked = command.corrections + " ", undone = "undo " + command.corrections;
  auto scanner = ledger::LogScanner::Open(command.ledger);
  if (!scanner.ok()) fail(scanner.status());
  ledger::Frame frame;
  while (true) {
    const absl::StatusOr<bool> more = (*scanner)->Next(&frame);
    if (!more.ok()) fail(more.status());
    if (!*more) break;
    ledger::AdjustedView adjusted;
    if (frame.type != ledger::ADJUSTED || !Decode(frame.payload, &adjusted)) continue;
    if (!adjusted.reason.starts_with(booked) && adjusted.reason != undone) continue;
    Left& sum = left[std::string(adjusted.request_id)];
    sum.nanos += adjusted.delta_nanos;
    sum.time_nanos = adjusted.time_nanos;
  }
  if (left.empty()) {
    Fail("ledger undo", command.ledger + ": no corrections are named \"" + command.corrections +
                            "\"; `purser reconcile --book --write` said their name");
  }
  std::erase_if(left, [](const auto& one) { return one.second.nanos == 0; });
  for (const auto& [id, sum] : left) std::printf("%s  %s\n", id.c_str(), FormatUsd(-sum.nanos).c_str());
  if (left.empty()) {
    std::printf("%s is taken back already; nothing was written\n", command.corrections.c_str());
    return;
  }
  const std::string count = PluralOf(static_cast<int64_t>(left.size()), "correction", "corrections");
  if (!command.write) {
    std::printf("%s would be taken back; nothing was written. Add --write to do it.\n", count.c_str());
    return;
  }
  scanner->reset();
  auto log = ledger::Log::Open(command.ledger, {}, nullptr);
  if (!log.ok()) fail(log.status());
  ledger::Encoder encode;
  for (const auto& [id, sum] : left) {
    ledger::AdjustedView adjusted;
    adjusted.request_id = id;
    adjusted.delta_nanos = -sum.nanos;
    adjusted.reason = undone;
    adjusted.time_nanos = sum.time_nanos;
    if ((*log)->Append(ledger::ADJUSTED, encode(adjusted)) == 0) fail((*log)->status());
  }
  if (const absl::Status synced = (*log)->Sync(); !synced.ok()) fail(synced);
  std::printf("%s taken back\n", count.c_str());
}

}  // namespace

void AddLedgerVerb(Verb app) {
  Verb verb = app.AddVerb("ledger", "Check a ledger, or write out what it holds");
  auto directory = std::make_shared<std::string>();
  Verb verify = verb.AddVerb("verify", "Read every frame and say whether the ledger is whole");
  verify.Add("LEDGER", directory.get(), "Ledger directory").Required();
  verify.Footer("Example: purser ledger verify runs/ledger");
  verify.Run([directory] { Verify(*directory); });
  Verb dump = verb.AddVerb("dump", "Print one JSON object per record");
  dump.Add("LEDGER", directory.get(), "Ledger directory").Required();
  dump.Footer("Example: purser ledger dump runs/ledger | head");
  dump.Run([directory] { Dump(*directory); });
  auto options = std::make_shared<ExportOptions>();
  Verb exported = verb.AddVerb("export", "Write the books for SQL, FinOps tools or OpenTelemetry");
  exported.Add("LEDGER", &options->ledger, "Ledger directory").Required();
  exported.Add("--sqlite", &options->sqlite, "SQLite database to create");
  exported.Add("--focus", &options->focus, "CSV of FOCUS 1.2 to create");
  exported.Add("--jsonl", &options->jsonl,
               "JSON lines to create, named as OpenTelemetry's gen_ai conventions do");
  Option embeddings = exported.Add("--embeddings", &options->embeddings,
                                   "With --outcomes: lines of {\"request_id\", \"embedding\"}");
  exported
      .Add("--outcomes", &options->outcomes,
           "JSON lines to create, of how well each call was answered: for a policy's signal `outcomes`")
      .Needs(embeddings);
  exported.AddFlag("--line-items", &options->line_items, "A table of every line item, too");
  exported.Footer("Example: purser ledger export runs/ledger --sqlite books.sqlite");
  exported.Run([options] { Export(*options); });
  auto undoing = std::make_shared<UndoCommand>();
  Verb undo = verb.AddVerb("undo", "Take back the corrections that `purser reconcile` booked");
  undo.Add("LEDGER", &undoing->ledger, "Ledger directory").Required();
  undo.Add("NAME", &undoing->corrections, "The name that `purser reconcile --book --write` said").Required();
  undo.AddFlag("--write", &undoing->write, "Do it; without this, say what would be taken back");
  undo.Footer("Example: purser ledger undo runs/ledger reconcile-20260402T091500.000000Z --write");
  undo.Run([undoing] { Undo(*undoing); });
  auto compacting = std::make_shared<CompactCommand>();
  Verb compact = verb.AddVerb("compact", "Compress the closed segments of a ledger that no engine has open");
  compact.Add("LEDGER", &compacting->ledger, "Ledger directory").Required();
  compact.Add("--drop-before", &compacting->drop_before,
              "Also remove segments all of whose calls are older than this day (UTC), where a snapshot "
              "keeps what they did to budgets");
  compact.Footer("Example: purser ledger compact runs/ledger --drop-before 2026-01-01");
  compact.Run([compacting] { Compact(*compacting); });
}

}  // namespace purser::cli
