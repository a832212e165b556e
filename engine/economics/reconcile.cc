#include "engine/economics/reconcile.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "engine/economics/csv.h"
#include "engine/ledger/dimension.h"
#include "policies/amount.h"

namespace purser::economics {
namespace {

constexpr std::string_view kCorrectionPrefix = "reconcile:";

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

// Reads named fields of a CSV's rows; the first mistake is kept.
class Fields {
 public:
  explicit Fields(const Csv& csv) : csv_(csv) {}

  // The column of the first of `names` that there is.
  std::optional<size_t> Any(const std::vector<std::string>& names) const {
    for (const std::string& name : names) {
      if (const auto column = csv_.ColumnOf(name)) return column;
    }
    return std::nullopt;
  }
  std::optional<size_t> Needed(const std::vector<std::string>& names) {
    const auto column = Any(names);
    if (!column && status_.ok()) {
      status_ = absl::InvalidArgumentError(absl::StrCat("expected a column ", absl::StrJoin(names, " or "),
                                                        "; there are ", absl::StrJoin(csv_.header(), ", ")));
    }
    return column;
  }

  int64_t Number(size_t row, size_t column) {
    const std::string& text = csv_.rows()[row][column];
    if (text.empty()) return 0;
    int64_t number = 0;
    if (absl::SimpleAtoi(text, &number) && number >= 0) return number;
    double real = 0;  // Some exports write whole numbers as "12.0".
    if (absl::SimpleAtod(text, &real) && real >= 0 && real < 9e15 && real == std::floor(real)) {
      return static_cast<int64_t>(real);
    }
    RejectCell(row, column, "expected a count");
    return 0;
  }
  int64_t Usd(size_t row, size_t column) {
    const std::string& text = csv_.rows()[row][column];
    if (text.empty()) return 0;
    // Exports carry more digits than a nano-dollar: what is finer is dropped, half away from zero.
    if (const absl::StatusOr<int64_t> exact = ParseUsd(text); exact.ok()) return *exact;
    double real = 0;
    if (absl::SimpleAtod(text, &real) && std::abs(real) < 9e9) return std::llround(real * 1e9);
    RejectCell(row, column, "expected an amount of dollars");
    return 0;
  }
  // "2026-03-02" of a date, a time, or seconds since 1970.
  std::string Day(size_t row, size_t column) {
    const std::string& text = csv_.rows()[row][column];
    int64_t seconds = 0;
    if (absl::SimpleAtoi(text, &seconds)) {
      return absl::FormatTime("%Y-%m-%d", absl::FromUnixSeconds(seconds), absl::UTCTimeZone());
    }
    absl::Time time;
    std::string why;
    const std::string day = text.substr(0, 10);
    if (!absl::ParseTime("%Y-%m-%d", day, &time, &why))
      RejectCell(row, column, "expected a date such as 2026-03-02");
    return day;
  }

  const absl::Status& status() const { return status_; }

 private:
  void RejectCell(size_t row, size_t column, const char* expected) {
    if (!status_.ok()) return;
    status_ = absl::InvalidArgumentError(absl::StrCat("line ", csv_.LineOf(row), ", ", csv_.header()[column],
                                                      ": ", expected, ", not \"",
                                                      csv_.rows()[row][column].substr(0, 80), "\""));
  }

  const Csv& csv_;
  absl::Status status_;
};

void AddTo(std::optional<int64_t>* sum, int64_t more) { *sum = sum->value_or(0) + more; }

struct Columns {
  std::vector<std::string> day, model, calls, cost;
  std::vector<std::string> tokens;  // All of those that there are.
  bool needs_tokens = true;
};

Columns ColumnsOf(InvoiceFormat format) {
  switch (format) {
    case InvoiceFormat::kOpenAi:
      return {{"start_time_iso", "start_time", "date"}, {"model", "line_item"},
              {"num_model_requests", "n_requests"},     {"amount_value", "cost_usd", "amount"},
              {"input_tokens", "output_tokens"},        false};
    case InvoiceFormat::kAnthropic:
      return {{"usage_date_utc", "date", "starting_at"},
              {"model_version", "model"},
              {"request_count", "requests"},
              {"cost_usd", "amount_usd", "amount"},
              {"usage_input_tokens_no_cache", "usage_input_tokens_cache_write_5m",
               "usage_input_tokens_cache_write_1h", "usage_input_tokens_cache_read", "usage_output_tokens",
               "uncached_input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens",
               "output_tokens"},
              true};
    case InvoiceFormat::kFocus:
      return {{"ChargePeriodStart"}, {"ResourceId", "ServiceName"}, {},
              {"BilledCost"},        {"ConsumedQuantity"},          false};
  }
  return {};
}

bool Near(const std::optional<int64_t>& invoice, const std::optional<int64_t>& ledger, double share) {
  if (!invoice || !ledger) return true;
  const auto most = static_cast<double>(std::max(std::abs(*invoice), std::abs(*ledger)));
  return std::abs(static_cast<double>(*invoice - *ledger)) <= share * most;
}

}  // namespace

absl::StatusOr<Invoice> ReadInvoice(std::string_view text, InvoiceFormat format) {
  const absl::StatusOr<Csv> csv = Csv::Parse(text);
  if (!csv.ok()) return csv.status();
  Fields fields(*csv);
  const Columns names = ColumnsOf(format);
  const auto day = fields.Needed(names.day), model = fields.Needed(names.model);
  const auto calls = fields.Any(names.calls), cost = fields.Any(names.cost);
  const auto unit = format == InvoiceFormat::kFocus ? csv->ColumnOf("ConsumedUnit") : std::nullopt;
  std::vector<size_t> tokens;
  for (const std::string& name : names.tokens) {
    if (const auto column = csv->ColumnOf(name)) tokens.push_back(*column);
  }
  if (fields.status().ok() && tokens.empty() && !cost) {
    return absl::InvalidArgumentError(absl::StrCat("expected columns of tokens (",
                                                   absl::StrJoin(names.tokens, ", "), ") or of cost (",
                                                   absl::StrJoin(names.cost, ", "), ")"));
  }
  if (!fields.status().ok()) return fields.status();
  Invoice invoice;
  for (size_t row = 0; row < csv->rows().size(); ++row) {
    const InvoiceKey key = {fields.Day(row, *day), csv->rows()[row][*model]};
    if (key.model.empty()) continue;  // Totals, and what is not of a model.
    Used& used = invoice[key];
    if (calls) AddTo(&used.calls, fields.Number(row, *calls));
    if (cost) AddTo(&used.cost_nanos, fields.Usd(row, *cost));
    const bool of_tokens = !unit || csv->rows()[row][*unit] == "Tokens";
    for (const size_t column : tokens) {
      if (of_tokens) AddTo(&used.tokens, fields.Number(row, column));
    }
    if (!fields.status().ok()) return fields.status();
  }
  if (invoice.empty()) return absl::InvalidArgumentError("it has no row of a model");
  return invoice;
}

int64_t ReconcileRow::presumed_not_billed_nanos() const {
  return std::clamp<int64_t>(-correction_nanos, 0, presumed_nanos);
}

Reconciliation::Reconciliation(Invoice invoice, ReconcileOptions options)
    : invoice_(std::move(invoice)), options_(std::move(options)) {
  if (invoice_.empty()) return;
  first_day_ = invoice_.begin()->first.day;
  last_day_ = invoice_.rbegin()->first.day;
}

std::string Reconciliation::CorrectionId(const InvoiceKey& key) {
  return absl::StrCat(View(kCorrectionPrefix), key.day, ":", key.model);
}

void Reconciliation::Add(const ledger::Entry& entry) {
  const ledger::RecordView& record = entry.record;
  InvoiceKey key;
  if (entry.adjustment) {
    std::string_view id = record.request_id;
    if (!id.starts_with(kCorrectionPrefix)) return;
    id.remove_prefix(kCorrectionPrefix.size());
    if (id.size() < 11) return;
    key = {std::string(id.substr(0, 10)), std::string(id.substr(11))};
  } else {
    if (!options_.provider.empty() && record.provider != options_.provider) return;
    if (record.cache_hit != ledger::CACHE_NONE) return;  // No provider saw it.
    ledger::KeyBuffer buffer;
    key = {std::string(KeyOf(record, ledger::Dimension::kDay, buffer)), std::string(record.model)};
  }
  if (key.day < first_day_ || key.day > last_day_) return;
  Booked& booked = booked_[key];
  booked.cost_nanos += entry.sign * record.cost_nanos;
  if (entry.adjustment) return;
  booked.calls += entry.sign;
  booked.tokens += entry.sign * (record.input_tokens + record.output_tokens);
  if ((record.flags & ledger::PRESUMED) != 0) booked.presumed_nanos += entry.sign * record.cost_nanos;
}

std::vector<ReconcileRow> Reconciliation::Rows() const {
  std::map<InvoiceKey, ReconcileRow> rows;
  for (const auto& [key, used] : invoice_) {
    rows[key].invoice = used;
    rows[key].state = ReconcileRow::State::kNotInLedger;
  }
  for (const auto& [key, booked] : booked_) {
    ReconcileRow& row = rows[key];
    row.ledger = {booked.calls, booked.tokens, booked.cost_nanos};
    row.presumed_nanos = booked.presumed_nanos;
    const bool billed = invoice_.contains(key);
    if (!billed) {
      row.state = ReconcileRow::State::kNotInInvoice;
    } else {
      const double share = options_.tolerance_share;
      const bool near = Near(row.invoice.calls, row.ledger.calls, share) &&
                        Near(row.invoice.tokens, row.ledger.tokens, share) &&
                        Near(row.invoice.cost_nanos, row.ledger.cost_nanos, share);
      row.state = near ? ReconcileRow::State::kMatched : ReconcileRow::State::kDiffers;
    }
  }
  std::vector<ReconcileRow> sorted;
  for (auto& [key, row] : rows) {
    row.key = key;
    const bool states_cost = row.invoice.cost_nanos.has_value();
    const bool not_billed = row.state == ReconcileRow::State::kNotInInvoice;
    if (states_cost || not_billed) {
      row.correction_nanos = row.invoice.cost_nanos.value_or(0) - row.ledger.cost_nanos.value_or(0);
    }
    sorted.push_back(std::move(row));
  }
  return sorted;
}

const char* NameOf(ReconcileRow::State state) {
  switch (state) {
    case ReconcileRow::State::kMatched:
      return "matched";
    case ReconcileRow::State::kDiffers:
      return "differs";
    case ReconcileRow::State::kNotInLedger:
      return "not in ledger";
    case ReconcileRow::State::kNotInInvoice:
      return "not in invoice";
  }
  return "";
}

}  // namespace purser::economics
