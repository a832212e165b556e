// purser reconcile LEDGER --openai|--anthropic|--focus FILE: the provider's bill against the books.

#include "engine/economics/reconcile.h"

#include <algorithm>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "engine/cli/report_text.h"
#include "engine/cli/table.h"
#include "engine/cli/verbs.h"
#include "engine/ledger/log.h"
#include "engine/ledger/record_json.h"
#include "engine/pricing/price_book.h"
#include "policies/amount.h"
#include "policies/read_file.h"

namespace purser::cli {
namespace {

using economics::InvoiceFormat;
using economics::ReconcileRow;

struct ReconcileCommand {
  std::string ledger, openai, anthropic, focus, provider, currency;
  std::vector<std::string> prices, models;
  double tolerance_percent = 1;
  bool json = false;
  bool all = false;
  bool book = false;
  bool write = false;
};

// What names stand for the same model: what --model says, then what the price books resolve.
std::function<std::string(std::string_view)> NamesOf(const ReconcileCommand& command,
                                                     const std::string& provider) {
  std::map<std::string, std::string, std::less<>> stated;
  for (const std::string& pair : command.models) {
    const size_t equals = pair.find('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == pair.size())
      Fail("reconcile",
           "--model: expected BILLED=BOOKED, such as gpt-4o-2024-08-06=gpt-4o, not \"" + pair + "\"");
    stated[pair.substr(0, equals)] = pair.substr(equals + 1);
  }
  std::shared_ptr<const pricing::PriceBook> book;
  if (!command.prices.empty()) {
    auto loaded = pricing::PriceBook::Load(command.prices);
    if (!loaded.ok()) Fail("reconcile", std::string(loaded.status().message()));
    book = *std::move(loaded);
  }
  return [stated = std::move(stated), book = std::move(book), provider](std::string_view model) {
    const auto found = stated.find(model);
    const std::string name = found == stated.end() ? std::string(model) : found->second;
    if (book == nullptr) return name;
    const auto prices = book->Resolve(name, provider);
    return prices.ok() ? std::string((*prices)->id) : name;
  };
}

std::string ReadOrFail(const std::string& path) {
  absl::StatusOr<std::string> text = ReadWholeFile(path);
  if (!text.ok()) Fail("reconcile", absl::StrCat(path, " ", text.status().message()));
  return *std::move(text);
}

std::vector<ReconcileRow> Compare(const ReconcileCommand& command, const std::string& file,
                                  InvoiceFormat format) {
  auto invoice = economics::ReadInvoice(ReadOrFail(file), format, command.currency);
  if (!invoice.ok()) Fail("reconcile", file + ": " + std::string(invoice.status().message()));
  std::string provider = command.provider;
  if (provider.empty() && format == InvoiceFormat::kOpenAi) provider = "openai";
  if (provider.empty() && format == InvoiceFormat::kAnthropic) provider = "anthropic";
  economics::Reconciliation reconciliation(*std::move(invoice),
                                           {.provider = provider,
                                            .tolerance_share = command.tolerance_percent / 100,
                                            .name_of = NamesOf(command, provider)});
  auto reader = ledger::RecordReader::Open(command.ledger);
  if (!reader.ok()) Fail("reconcile", std::string(reader.status().message()));
  ledger::Entry entry;
  while (true) {
    const absl::StatusOr<bool> more = (*reader)->Next(&entry);
    if (!more.ok()) Fail("reconcile", std::string(more.status().message()));
    if (!*more) return reconciliation.Rows();
    reconciliation.Add(entry);
  }
}

// A correction belongs to the day that it corrects.
int64_t LastMomentOf(const std::string& day) {
  absl::Time begin;
  std::string why;
  if (!absl::ParseTime("%Y-%m-%d", day, &begin, &why)) Fail("reconcile", day + " is not a date");
  return absl::ToUnixNanos(begin + absl::Hours(24)) - 1;
}

// One Adjusted event per day and model, so that the books say what was billed. All of them carry one name, by
// which `purser ledger undo` finds them.
int64_t Book(const ReconcileCommand& command, const std::string& file, const std::string& corrections,
             const std::vector<ReconcileRow>& rows) {
  auto log = ledger::Log::Open(command.ledger, {}, nullptr);
  if (!log.ok()) Fail("reconcile", std::string(log.status().message()));
  ledger::Encoder encode;
  const std::string reason = absl::StrCat(corrections, " invoice ", file);
  int64_t booked = 0;
  for (const ReconcileRow& row : rows) {
    if (row.correction_nanos == 0) continue;
    const std::string id = economics::Reconciliation::CorrectionId(row.key);
    ledger::AdjustedView adjusted;
    adjusted.request_id = id;
    adjusted.delta_nanos = row.correction_nanos;
    adjusted.reason = reason;
    adjusted.time_nanos = LastMomentOf(row.key.day);
    if ((*log)->Append(ledger::ADJUSTED, encode(adjusted)) == 0)
      Fail("reconcile", std::string((*log)->status().message()));
    ++booked;
  }
  if (const absl::Status synced = (*log)->Sync(); !synced.ok())
    Fail("reconcile", std::string(synced.message()));
  return booked;
}

std::string CountOr(const std::optional<int64_t>& count) { return count ? ShortNumber(*count) : "-"; }
std::string UsdOr(const std::optional<int64_t>& nanos) { return nanos ? FormatUsdForReading(*nanos) : "-"; }

void Print(const std::vector<ReconcileRow>& rows, bool all) {
  Table table({{"day"},
               {"model"},
               {"billed calls", Table::Align::kRight},
               {"booked", Table::Align::kRight},
               {"tokens", Table::Align::kRight},
               {"booked", Table::Align::kRight},
               {"billed", Table::Align::kRight},
               {"booked", Table::Align::kRight},
               {""}});
  int64_t matched = 0, differing = 0, missing = 0, not_billed = 0, correction = 0, presumed = 0, freed = 0;
  for (const ReconcileRow& row : rows) {
    matched += row.state == ReconcileRow::State::kMatched;
    differing += row.state == ReconcileRow::State::kDiffers;
    missing += row.state == ReconcileRow::State::kNotInLedger;
    not_billed += row.state == ReconcileRow::State::kNotInInvoice;
    correction += row.correction_nanos;
    presumed += row.presumed_nanos;
    freed += row.presumed_not_billed_nanos();
    if (!all && row.state == ReconcileRow::State::kMatched) continue;
    table.AddRow({row.key.day, Printable(row.key.model), CountOr(row.invoice.calls),
                  CountOr(row.ledger.calls), CountOr(row.invoice.tokens), CountOr(row.ledger.tokens),
                  UsdOr(row.invoice.cost_nanos), UsdOr(row.ledger.cost_nanos), NameOf(row.state)});
  }
  if (all || differing + missing + not_billed > 0) std::printf("%s\n", table.ToString("").c_str());
  std::printf(
      "%lld days and models matched, %lld differ, %lld are not in the ledger, %lld not in the invoice\n",
      static_cast<long long>(matched), static_cast<long long>(differing), static_cast<long long>(missing),
      static_cast<long long>(not_billed));
  if (presumed != 0) {
    std::printf("presumed spend %s, of which %s was not billed\n", FormatUsdForReading(presumed).c_str(),
                FormatUsdForReading(freed).c_str());
  }
  if (correction != 0) std::printf("billed less booked: %s\n", FormatUsdForReading(correction).c_str());
}

void PrintJson(const std::vector<ReconcileRow>& rows) {
  for (const ReconcileRow& row : rows) {
    nlohmann::ordered_json json = {
        {"day", row.key.day}, {"model", row.key.model}, {"state", NameOf(row.state)}};
    const auto put = [&json](const std::string& side, const economics::Used& used) {
      if (used.calls) json[side + "_calls"] = *used.calls;
      if (used.tokens) json[side + "_tokens"] = *used.tokens;
      if (used.cost_nanos) json[side + "_usd"] = FormatUsd(*used.cost_nanos);
    };
    put("billed", row.invoice);
    put("booked", row.ledger);
    json["presumed_usd"] = FormatUsd(row.presumed_nanos);
    json["presumed_not_billed_usd"] = FormatUsd(row.presumed_not_billed_nanos());
    json["correction_usd"] = FormatUsd(row.correction_nanos);
    std::printf("%s\n", ledger::JsonLine(json).c_str());
  }
}

void Reconcile(const ReconcileCommand& command) {
  const std::string& file = !command.openai.empty()      ? command.openai
                            : !command.anthropic.empty() ? command.anthropic
                                                         : command.focus;
  if (file.empty()) Fail("reconcile", "name the provider's file: --openai, --anthropic or --focus FILE");
  const InvoiceFormat format = !command.openai.empty()      ? InvoiceFormat::kOpenAi
                               : !command.anthropic.empty() ? InvoiceFormat::kAnthropic
                                                            : InvoiceFormat::kFocus;
  const std::vector<ReconcileRow> rows = Compare(command, file, format);
  if (command.json) {
    PrintJson(rows);
  } else {
    Print(rows, command.all);
  }
  if (!command.book) return;
  if (const absl::Status may = economics::MayBook(rows); !may.ok())
    Fail("reconcile", absl::StrCat("nothing is booked: ", file, ": ", may.message()));
  const auto corrections = std::count_if(rows.begin(), rows.end(),
                                         [](const ReconcileRow& row) { return row.correction_nanos != 0; });
  if (!command.write) {
    std::fprintf(stderr, "%lld corrections would be booked; nothing was written. Add --write to book them.\n",
                 static_cast<long long>(corrections));
    return;
  }
  const std::string name =
      "reconcile-" + absl::FormatTime("%Y%m%dT%H%M%E6SZ", absl::Now(), absl::UTCTimeZone());
  const int64_t booked = Book(command, file, name, rows);
  std::fprintf(stderr, "%lld corrections booked; `purser ledger undo %s %s` takes them back\n",
               static_cast<long long>(booked), command.ledger.c_str(), name.c_str());
}

}  // namespace

void AddReconcileVerb(Verb app) {
  auto command = std::make_shared<ReconcileCommand>();
  Verb verb = app.AddVerb("reconcile", "Hold a provider's bill against the ledger, by day and model");
  verb.Add("LEDGER", &command->ledger, "Ledger directory").Required();
  Option openai = verb.Add("--openai", &command->openai, "OpenAI's usage or costs export, CSV");
  Option anthropic = verb.Add("--anthropic", &command->anthropic, "Anthropic's usage report, CSV");
  Option focus = verb.Add("--focus", &command->focus, "A bill in FOCUS, CSV");
  openai.Excludes(anthropic).Excludes(focus);
  anthropic.Excludes(focus);
  verb.Add("--provider", &command->provider, "Only the ledger's calls to this provider");
  verb.Add("--tolerance", &command->tolerance_percent, "Per cent that still count as matched (default 1)");
  verb.AddFlag("--all", &command->all, "Show what matched, too");
  verb.AddFlag("--json", &command->json, "One JSON object per day and model; amounts are exact");
  verb.Add("--prices", &command->prices, "Price books that say which names are the same model").TakesMany();
  verb.Add("--model", &command->models, "BILLED=BOOKED: two names of the same model; may be repeated");
  verb.Add("--currency", &command->currency, "USD, where the bill does not say that its amounts are dollars");
  Option book =
      verb.AddFlag("--book", &command->book,
                   "Say which corrections would make the books say what was billed; writes nothing");
  verb.AddFlag("--write", &command->write, "With --book: book the corrections").Needs(book);
  verb.Footer("Example: purser reconcile runs/ledger --openai usage-march.csv");
  verb.Run([command] { Reconcile(*command); });
}

}  // namespace purser::cli
