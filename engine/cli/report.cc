// purser report LEDGER: what the calls of a ledger cost, by any dimensions.

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "engine/base/new_file.h"
#include "engine/cli/report_findings.h"
#include "engine/cli/report_text.h"
#include "engine/cli/table.h"
#include "engine/cli/verbs.h"
#include "engine/economics/findings.h"
#include "engine/economics/percent.h"
#include "engine/economics/report_page.h"
#include "engine/ledger/record_json.h"
#include "engine/ledger/record_reader.h"
#include "engine/ledger/rollup.h"
#include "policies/amount.h"
#include "policies/decimal.h"

namespace purser::cli {
namespace {

using ledger::Dimension;
using ledger::Rollup;
using ledger::Totals;

constexpr size_t kWidth = 100;

struct ReportOptions {
  std::string ledger;
  std::string by;
  std::string economics, html;
  bool json = false;
  bool csv = false;
  size_t top = 10;
};

// What is reported: the ledger added up by each of several lists of dimensions.
struct ReportData {
  std::vector<Rollup> rollups;
  Totals total;
  std::string first_day, last_day;
  economics::Span span;
  ledger::LogScanner::End end;
};

// Shows how far reading has come, on a terminal and only if it takes long.
class Progress {
 public:
  ~Progress() {
    if (shown_) std::fprintf(stderr, "\r%60s\r", "");
  }
  void Tick(const ledger::LogScanner& scanner) {
    if (++ticks_ % 262144 != 0 || !isatty(STDERR_FILENO) || scanner.total_bytes() <= (256u << 20)) return;
    shown_ = true;
    const double share =
        static_cast<double>(scanner.bytes_read()) / static_cast<double>(scanner.total_bytes());
    const int full = std::min(40, static_cast<int>(share * 40));  // Compressed files are read as more.
    std::fprintf(stderr, "\rreading [%-40s] %3.0f %%", std::string(static_cast<size_t>(full), '#').c_str(),
                 std::min(100.0, share * 100));
  }

 private:
  bool shown_ = false;
  uint64_t ticks_ = 0;
};

ReportData ReadReportData(const ReportOptions& options,
                          const std::vector<std::vector<Dimension>>& breakdowns) {
  auto reader = ledger::RecordReader::Open(options.ledger);
  if (!reader.ok()) Fail("report", std::string(reader.status().message()));
  (*reader)->LeaveOutLists();
  ReportData data;
  for (const auto& by : breakdowns) data.rollups.emplace_back(by);
  ledger::Entry entry;
  Progress progress;
  while (true) {
    const absl::StatusOr<bool> more = (*reader)->Next(&entry);
    if (!more.ok()) Fail("report", std::string(more.status().message()));
    if (!*more) break;
    for (Rollup& rollup : data.rollups) rollup.Add(entry);
    data.span.Add(entry.record.time_nanos);
    progress.Tick((*reader)->scanner());
  }
  data.end = (*reader)->scanner().end();
  data.total = data.rollups.front().total();
  if (data.total.overflowed) Fail("report", "the amounts add up to more than int64 nano-dollars can hold");
  if (!data.span.empty()) {
    ledger::KeyBuffer buffer;
    ledger::RecordView record;
    record.time_nanos = data.span.first_nanos;
    data.first_day = std::string(KeyOf(record, Dimension::kDay, buffer));
    record.time_nanos = data.span.last_nanos;
    data.last_day = std::string(KeyOf(record, Dimension::kDay, buffer));
  }
  return data;
}

// ---- For people.

std::string PerCall(int64_t nanos, int64_t count) {
  if (count == 0) return "-";
  const int64_t each = nanos / count;
  return FormatUsdRounded(each, DecimalsFor(each));
}

std::string Levers(const Totals& total, int decimals) {
  std::string text;
  const auto add = [&](const char* name, int64_t nanos) {
    if (nanos != 0)
      absl::StrAppend(&text, text.empty() ? "" : ", ", name, " ", FormatUsdRounded(nanos, decimals));
  };
  add("routing", total.saved_routing_nanos);
  add("cache", total.saved_cache_nanos);
  add("prompt cache", total.saved_prompt_cache_nanos);
  add("shorter answers", total.saved_clamp_nanos);
  add("batch", total.saved_batch_nanos);
  return text;
}

void PrintFact(const char* name, const std::string& value, const std::string& more) {
  std::printf("  %-8s %16s   %s\n", name, value.c_str(), more.c_str());
}

void PrintSummary(const ReportOptions& options, const ReportData& data) {
  const Totals& total = data.total;
  if (total.calls == 0 && total.cost_nanos == 0) {
    std::printf("%s: no settled calls yet\n", options.ledger.c_str());
    return;
  }
  std::printf("%s: %s calls, %s\n\n", options.ledger.c_str(), WithCommas(total.calls).c_str(),
              data.first_day == data.last_day ? data.first_day.c_str()
                                              : (data.first_day + " to " + data.last_day).c_str());
  const int decimals = DecimalsFor(std::max(total.cost_nanos, total.default_cost_nanos));
  PrintFact("Cost", FormatUsdRounded(total.cost_nanos, decimals),
            PerCall(total.cost_nanos, total.calls) + " per call");
  if (total.default_cost_nanos != 0) {
    const int64_t saved = total.default_cost_nanos - total.cost_nanos;
    PrintFact("Saved", FormatUsdRounded(saved, decimals),
              economics::PercentOf(saved, total.default_cost_nanos) + " of " +
                  FormatUsdRounded(total.default_cost_nanos, decimals) +
                  ", what the models asked for would cost");
    if (const std::string levers = Levers(total, decimals); !levers.empty())
      PrintFact("", "", "by " + levers);
  }
  if (total.best_constant_nanos > total.cost_against_constant_nanos) {
    const int64_t saved = total.best_constant_nanos - total.cost_against_constant_nanos;
    PrintFact("", FormatUsdRounded(saved, decimals),
              economics::PercentOf(saved, total.best_constant_nanos) + " of " +
                  FormatUsdRounded(total.best_constant_nanos, decimals) +
                  ", what the best single model would cost");
  }
  PrintFact("Tokens", ShortNumber(total.input_tokens) + " in",
            ShortNumber(total.output_tokens) + " out" +
                (total.cached_input_tokens > 0
                     ? ", " + economics::PercentOf(total.cached_input_tokens, total.input_tokens) +
                           " of the input cached"
                     : ""));
  if (total.exact_hits + total.semantic_hits > 0) {
    PrintFact("Cache", economics::PercentOf(total.exact_hits + total.semantic_hits, total.calls),
              "of calls answered: " + WithCommas(total.exact_hits) + " exact, " +
                  WithCommas(total.semantic_hits) + " semantic");
  }
  if (total.calls_with_revenue > 0) {
    PrintFact("Revenue", FormatUsdRounded(total.revenue_nanos, decimals),
              "margin " + FormatUsdRounded(total.revenue_nanos - total.cost_nanos, decimals) + " (" +
                  economics::PercentOf(total.revenue_nanos - total.cost_nanos, total.revenue_nanos) + ")");
  }
  std::string odd;
  const auto add = [&](int64_t count, const char* what) {
    if (count > 0) absl::StrAppend(&odd, odd.empty() ? "" : ", ", WithCommas(count), " ", what);
  };
  add(total.failed_calls, "failed");
  add(total.usage_unknown, "with unknown usage");
  add(total.overruns, "above their hold");
  add(total.presumed, "presumed spent");
  if (!odd.empty()) PrintFact("Note", "", odd);
}

std::string Bar(int64_t part, int64_t whole) {
  static constexpr const char* kEighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  if (whole <= 0 || part <= 0) return "";
  const int eighths = static_cast<int>(static_cast<double>(part) / static_cast<double>(whole) * 64 + 0.5);
  std::string bar;
  for (int i = 0; i < eighths / 8; ++i) bar += "█";
  return bar + kEighths[eighths % 8];
}

// Columns that say the same in every row are left out.
std::vector<bool> ColumnsThatDiffer(const std::vector<Rollup::Row>& rows, const Rollup& rollup,
                                    const std::vector<Dimension>& asked) {
  std::vector<bool> shown;
  for (size_t i = 0; i < rollup.columns().size(); ++i) {
    const bool was_asked = std::find(asked.begin(), asked.end(), rollup.columns()[i]) != asked.end();
    shown.push_back(was_asked || std::any_of(rows.begin(), rows.end(), [&](const Rollup::Row& row) {
                      return row.values[i] != rows[0].values[i];
                    }));
  }
  return shown;
}

void PrintBreakdown(const Rollup& rollup, const std::vector<Dimension>& asked, size_t top) {
  const std::vector<Rollup::Row> rows = rollup.Rows();
  if (rows.empty()) return;
  // A dimension that no call has is not worth a table.
  if (rows.size() == 1 && rows[0].values.back().empty() && asked.size() == 1) return;
  const std::vector<bool> shown = ColumnsThatDiffer(rows, rollup, asked);
  std::vector<std::string> headers;
  for (size_t i = 0; i < shown.size(); ++i) {
    if (shown[i])
      headers.push_back((headers.empty() ? "By " : "") + std::string(NameOf(rollup.columns()[i])));
  }
  const size_t left = headers.size();
  const int64_t largest =
      std::max_element(rows.begin(), rows.end(), [](const Rollup::Row& a, const Rollup::Row& b) {
        return a.totals.cost_nanos < b.totals.cost_nanos;
      })->totals.cost_nanos;
  const int decimals = DecimalsFor(largest);
  // Where something was earned, what is left of it matters more than the tokens.
  const Totals total = rollup.total();
  const bool earned = total.calls_with_revenue > 0;
  for (const char* name :
       {"calls", earned ? "revenue" : "in", earned ? "margin" : "out", "per call", "cost", "share"}) {
    headers.push_back(name);
  }
  headers.push_back("");  // The bar's.
  std::vector<std::vector<std::string>> cells_of_rows = {headers};
  const auto add = [&](std::vector<std::string> cells, const Totals& totals, bool bar) {
    cells.push_back(WithCommas(totals.calls));
    if (earned) {
      cells.push_back(FormatUsdRounded(totals.revenue_nanos, 2));
      cells.push_back(FormatUsdRounded(totals.revenue_nanos - totals.cost_nanos, 2));
    } else {
      cells.push_back(ShortNumber(totals.input_tokens));
      cells.push_back(ShortNumber(totals.output_tokens));
    }
    cells.push_back(PerCall(totals.cost_nanos, totals.calls));
    cells.push_back(FormatUsdRounded(totals.cost_nanos, decimals));
    cells.push_back(economics::PercentOf(totals.cost_nanos, total.cost_nanos));
    cells.push_back(bar ? Bar(totals.cost_nanos, total.cost_nanos) : "");
    cells_of_rows.push_back(std::move(cells));
  };
  // A line more than asked for is better than a line that says "1 more".
  const size_t count = rows.size() <= top + 1 ? rows.size() : top;
  for (size_t r = 0; r < count; ++r) {
    std::vector<std::string> cells;
    for (size_t i = 0; i < shown.size(); ++i) {
      if (shown[i]) cells.push_back(Printable(rows[r].values[i]));
    }
    add(std::move(cells), rows[r].totals, true);
  }
  if (count < rows.size()) {
    Totals rest;
    for (size_t r = count; r < rows.size(); ++r) rest.Add(rows[r].totals);
    std::vector<std::string> cells(left);
    cells[0] = absl::StrCat("(", WithCommas(static_cast<int64_t>(rows.size() - count)), " more)");
    add(std::move(cells), rest, false);
  }
  CutToWidth(left, kWidth, &cells_of_rows);
  std::vector<Table::Column> columns;
  for (size_t i = 0; i < headers.size(); ++i) {
    const bool is_text = i < left || i + 1 == headers.size();
    columns.push_back({cells_of_rows[0][i], is_text ? Table::Align::kLeft : Table::Align::kRight});
  }
  Table table(columns);
  for (size_t r = 1; r < cells_of_rows.size(); ++r) table.AddRow(cells_of_rows[r]);
  std::printf("\n%s", table.ToString("").c_str());
}

// ---- For programs.

// What is told of a row, amounts in dollars.
struct Sum {
  const char* name;
  int64_t value;
  bool is_usd;

  std::string ToString() const { return is_usd ? FormatUsd(value) : absl::StrCat(value); }
};
auto SumsOf(const Totals& totals) {
  return std::array{Sum{"calls", totals.calls, false},
                    Sum{"input_tokens", totals.input_tokens, false},
                    Sum{"cached_input_tokens", totals.cached_input_tokens, false},
                    Sum{"output_tokens", totals.output_tokens, false},
                    Sum{"reasoning_tokens", totals.reasoning_tokens, false},
                    Sum{"cost_usd", totals.cost_nanos, true},
                    Sum{"estimated_usd", totals.estimated_nanos, true},
                    Sum{"default_cost_usd", totals.default_cost_nanos, true},
                    Sum{"best_constant_usd", totals.best_constant_nanos, true},
                    Sum{"saved_routing_usd", totals.saved_routing_nanos, true},
                    Sum{"saved_cache_usd", totals.saved_cache_nanos, true},
                    Sum{"saved_prompt_cache_usd", totals.saved_prompt_cache_nanos, true},
                    Sum{"saved_clamp_usd", totals.saved_clamp_nanos, true},
                    Sum{"saved_batch_usd", totals.saved_batch_nanos, true},
                    Sum{"revenue_usd", totals.revenue_nanos, true},
                    Sum{"calls_with_revenue", totals.calls_with_revenue, false},
                    Sum{"exact_hits", totals.exact_hits, false},
                    Sum{"semantic_hits", totals.semantic_hits, false},
                    Sum{"failed_calls", totals.failed_calls, false},
                    Sum{"usage_unknown", totals.usage_unknown, false},
                    Sum{"overruns", totals.overruns, false},
                    Sum{"presumed", totals.presumed, false}};
}

// `object` with the sums after its own fields.
std::string JsonLineWith(const nlohmann::ordered_json& object, const Totals& totals) {
  std::string line = ledger::JsonLine(object);
  line.pop_back();
  for (const Sum& sum : SumsOf(totals)) {
    const char* quote = sum.is_usd ? "\"" : "";
    absl::StrAppend(&line, ",\"", sum.name, "\":", quote, sum.ToString(), quote);
  }
  return line + "}";
}

std::string NamesOf(const std::vector<Dimension>& by) {
  std::string names;
  for (Dimension dimension : by)
    absl::StrAppend(&names, names.empty() ? "" : ",", std::string(NameOf(dimension)));
  return names;
}

void PrintJson(const ReportData& data, const std::vector<std::vector<Dimension>>& breakdowns) {
  for (size_t i = 0; i < breakdowns.size(); ++i) {
    const Rollup& rollup = data.rollups[i];
    for (const Rollup::Row& row : rollup.Rows()) {
      nlohmann::ordered_json json = {{"by", NamesOf(breakdowns[i])}};
      for (size_t c = 0; c < row.values.size(); ++c)
        json[std::string(NameOf(rollup.columns()[c]))] = row.values[c];
      std::printf("%s\n", JsonLineWith(json, row.totals).c_str());
    }
  }
  nlohmann::ordered_json json = {{"by", "total"}, {"from", data.first_day}, {"to", data.last_day}};
  std::printf("%s\n", JsonLineWith(json, data.total).c_str());
}

// RFC 4180: quoted where it must be.
std::string CsvField(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

void PrintCsv(const ReportData& data, const std::vector<std::vector<Dimension>>& breakdowns) {
  for (size_t i = 0; i < breakdowns.size(); ++i) {
    const Rollup& rollup = data.rollups[i];
    if (i > 0) std::printf("\n");
    std::string header;
    for (Dimension column : rollup.columns()) absl::StrAppend(&header, std::string(NameOf(column)), ",");
    for (const Sum& sum : SumsOf(Totals())) absl::StrAppend(&header, sum.name, ",");
    header.pop_back();
    std::printf("%s\n", header.c_str());
    for (const Rollup::Row& row : rollup.Rows()) {
      std::string line;
      for (const std::string& value : row.values) absl::StrAppend(&line, CsvField(value), ",");
      for (const Sum& sum : SumsOf(row.totals)) absl::StrAppend(&line, sum.ToString(), ",");
      line.pop_back();
      std::printf("%s\n", line.c_str());
    }
  }
}

void WritePage(const ReportOptions& options, const ReportData& data, const economics::Findings* findings) {
  if (findings == nullptr)
    Fail("report", options.ledger + " has no settled calls yet: there is nothing to show");
  const std::string page = economics::ReportPage(
      *findings, {.title = options.ledger, .from = data.first_day, .to = data.last_day});
  auto file = NewFile::Create(options.html, /*replace=*/true);
  if (!file.ok()) Fail("report", std::string(file.status().message()));
  file->Write(page);
  if (const absl::Status status = file->Finish(); !status.ok()) Fail("report", std::string(status.message()));
  std::printf("%s: %s bytes, all in one file\n", options.html.c_str(),
              WithCommas(static_cast<int64_t>(page.size())).c_str());
}

void Report(const ReportOptions& options) {
  std::vector<std::vector<Dimension>> breakdowns = {
      {Dimension::kModel},        {Dimension::kCustomer},     {Dimension::kTask}, {Dimension::kFeature},
      {Dimension::kRequestClass}, {Dimension::kCustomerTier}, {Dimension::kDay}};
  if (!options.by.empty()) {
    const auto by = ledger::ParseDimensions(options.by);
    if (!by.ok()) Fail("report", "--by: " + std::string(by.status().message()));
    breakdowns = {*by};
  }
  economics::Economics economics;
  if (!options.economics.empty()) {
    auto loaded = economics::Economics::Load(options.economics);
    if (!loaded.ok()) Fail("report", std::string(loaded.status().message()));
    economics = *std::move(loaded);
  }
  const ReportData data = ReadReportData(options, breakdowns);
  if (options.csv) return PrintCsv(data, breakdowns);
  if (!options.by.empty() && options.json) return PrintJson(data, breakdowns);
  std::unique_ptr<economics::Findings> findings;
  if ((options.by.empty() || !options.html.empty()) && data.total.calls > 0) {
    Progress progress;
    auto found =
        economics::FindFindings(options.ledger, data.span, std::move(economics),
                                [&progress](const ledger::LogScanner& scanner) { progress.Tick(scanner); });
    if (!found.ok()) Fail("report", std::string(found.status().message()));
    findings = *std::move(found);
  }
  if (!options.html.empty()) return WritePage(options, data, findings.get());
  if (options.json) {
    PrintJson(data, breakdowns);
    if (findings != nullptr) PrintFindingsJson(*findings);
    return;
  }
  PrintSummary(options, data);
  for (size_t i = 0; i < breakdowns.size(); ++i) PrintBreakdown(data.rollups[i], breakdowns[i], options.top);
  if (findings != nullptr) PrintFindings(*findings, options.top);
  if (data.end.torn_bytes > 0) {
    std::printf("\n%s bytes at the end were lost to a power failure; `purser ledger verify %s` says more.\n",
                WithCommas(static_cast<int64_t>(data.end.torn_bytes)).c_str(), options.ledger.c_str());
  }
}

}  // namespace

void AddReportVerb(Verb app) {
  auto options = std::make_shared<ReportOptions>();
  Verb verb = app.AddVerb("report", "Show what calls cost: by model, customer, task, feature, day");
  verb.Add("LEDGER", &options->ledger, "Ledger directory").Required();
  verb.Add("--by", &options->by, "Dimensions to break down by, separated by commas");
  Option json = verb.AddFlag("--json", &options->json, "One JSON object per row; amounts are exact");
  Option csv =
      verb.AddFlag("--csv", &options->csv, "Comma-separated values; amounts are exact").Excludes(json);
  verb.Add("--html", &options->html, "Write one self-contained page with charts to this file")
      .Excludes(json)
      .Excludes(csv);
  verb.Add("--economics", &options->economics,
           "What customers pay, fixed costs, cost objectives (policies/economics.proto)");
  verb.Add("--top", &options->top, "Rows per table (default 10)");
  std::string dimensions;
  for (Dimension dimension : ledger::AllDimensions()) {
    absl::StrAppend(&dimensions, dimensions.empty() ? "" : ", ", std::string(NameOf(dimension)));
  }
  verb.Footer("Dimensions: " + dimensions +
              "\nExample: purser report runs/ledger --by customer,model,day --csv");
  verb.Run([options] { Report(*options); });
}

}  // namespace purser::cli
