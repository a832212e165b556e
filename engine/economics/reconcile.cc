#include "engine/economics/reconcile.h"

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <limits>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "engine/economics/csv.h"
#include "engine/ledger/dimension.h"
#include "policies/amount.h"
#include "policies/decimal.h"

namespace purser::economics {
namespace {

constexpr std::string_view kCorrectionPrefix = "reconcile:";

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

const std::string kNothing;
constexpr int64_t kMostOfACount = 9'000'000'000'000'000;

// value x 10^shift as a whole number, half away from zero; nothing beyond int64.
std::optional<int64_t> Scaled(const Decimal& value, int shift) {
  constexpr __int128 kMax = std::numeric_limits<int64_t>::max();
  __int128 whole = value.negative() ? -value.digits : value.digits;
  int exponent = value.exponent + shift;
  int last = 0;
  for (; exponent < 0 && (whole != 0 || last != 0); ++exponent) {
    last = static_cast<int>(whole % 10);
    whole /= 10;
  }
  for (; exponent > 0 && whole != 0 && whole <= kMax; --exponent) whole *= 10;
  if (last >= 5) ++whole;
  if (whole > kMax) return std::nullopt;
  return static_cast<int64_t>(value.negative() ? -whole : whole);
}

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
    // Some exports write whole numbers as "12.0": a decimal in lowest terms is whole if its exponent is not
    // negative.
    const std::optional<Decimal> count = ParseDecimal(text);
    if (count && !count->negative() && count->exponent >= 0) {
      if (const auto whole = Scaled(*count, 0); whole && *whole <= kMostOfACount) return *whole;
    }
    RejectCell(row, column, "expected a count, digits only");
    return 0;
  }
  int64_t Usd(size_t row, size_t column) {
    const std::string& text = csv_.rows()[row][column];
    if (const absl::StatusOr<int64_t> exact = ParseUsd(text); exact.ok()) return *exact;
    // Exports carry more digits than a nano-dollar: what is finer is dropped, half away from zero.
    if (const std::optional<Decimal> finer = ParseDecimal(text)) {
      if (const auto nanos = Scaled(*finer, 9)) return *nanos;
    }
    RejectCell(row, column, "expected an amount of dollars as digits with a point, such as 0.50");
    return 0;
  }
  // The cell says dollars, or, where it says nothing, `stated` does.
  void Dollars(size_t row, std::optional<size_t> column, std::string_view stated, const std::string& cost) {
    const std::string& text = column ? csv_.rows()[row][*column] : kNothing;
    if (absl::EqualsIgnoreCase(text.empty() ? View(stated) : absl::string_view(text), "usd")) return;
    if (!text.empty()) return RejectCell(row, *column, "expected USD; convert the amounts first");
    if (!status_.ok()) return;
    status_ = absl::InvalidArgumentError(
        absl::StrCat("line ", csv_.LineOf(row), ", ", cost, ": the currency is not stated; expected ",
                     column ? "USD in " + csv_.header()[*column] : "a column of currencies",
                     ", or state it with --currency USD"));
  }
  void Add(size_t row, size_t column, int64_t more, std::optional<int64_t>* sum) {
    int64_t total = 0;
    if (__builtin_add_overflow(sum->value_or(0), more, &total)) {
      return RejectCell(row, column,
                        "the sum of its day and model is beyond what a count or amount can hold");
    }
    *sum = total;
  }
  // "2026-03-02" of a date, a time, or seconds since 1970.
  std::string Day(size_t row, size_t column) {
    const std::string& text = csv_.rows()[row][column];
    // Of the years 2000 to 2100: "20260302" is a date without its dashes, and 13 digits are milliseconds.
    if (const std::optional<Decimal> number = ParseDecimal(text)) {
      const auto seconds = number->exponent >= 0 ? Scaled(*number, 0) : std::nullopt;
      if (seconds && *seconds >= 946'684'800 && *seconds < 4'102'444'800) {
        return absl::FormatTime("%Y-%m-%d", absl::FromUnixSeconds(*seconds), absl::UTCTimeZone());
      }
    }
    absl::Time time;
    std::string why;
    const std::string day = text.substr(0, 10);
    const bool ends = text.size() <= 10 || text[10] == 'T' || text[10] == ' ';
    if (!ends || !absl::ParseTime("%Y-%m-%d", day, &time, &why) ||
        absl::FormatTime("%Y-%m-%d", time, absl::UTCTimeZone()) != day) {
      RejectCell(row, column, "expected a date such as 2026-03-02");
    }
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

absl::StatusOr<Invoice> ReadInvoice(std::string_view text, InvoiceFormat format, std::string_view currency) {
  const absl::StatusOr<Csv> csv = Csv::Parse(text);
  if (!csv.ok()) return csv.status();
  Fields fields(*csv);
  const Columns names = ColumnsOf(format);
  const auto day = fields.Needed(names.day), model = fields.Needed(names.model);
  const auto calls = fields.Any(names.calls), cost = fields.Any(names.cost);
  const auto unit = format == InvoiceFormat::kFocus ? csv->ColumnOf("ConsumedUnit") : std::nullopt;
  const auto currencies = fields.Any({"amount_currency", "currency", "BillingCurrency"});
  const std::string cost_name = cost ? csv->header()[*cost] : "";
  if (currency.empty() && absl::EndsWithIgnoreCase(cost_name, "_usd")) currency = "USD";
  std::set<InvoiceKey> without_cost;
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
    if (calls) fields.Add(row, *calls, fields.Number(row, *calls), &used.calls);
    if (cost && csv->rows()[row][*cost].empty()) {
      without_cost.insert(key);
    } else if (cost) {
      fields.Dollars(row, currencies, currency, cost_name);
      fields.Add(row, *cost, fields.Usd(row, *cost), &used.cost_nanos);
    }
    const bool of_tokens = !unit || csv->rows()[row][*unit] == "Tokens";
    for (const size_t column : tokens) {
      if (of_tokens) fields.Add(row, column, fields.Number(row, column), &used.tokens);
    }
    if (!fields.status().ok()) return fields.status();
  }
  if (invoice.empty()) return absl::InvalidArgumentError("it has no row of a model");
  for (const InvoiceKey& key : without_cost) invoice[key].cost_nanos.reset();  // A part is not the cost.
  return invoice;
}

int64_t ReconcileRow::presumed_not_billed_nanos() const {
  return std::clamp<int64_t>(-correction_nanos, 0, presumed_nanos);
}

Reconciliation::Reconciliation(Invoice invoice, ReconcileOptions options) : options_(std::move(options)) {
  std::set<InvoiceKey> without_cost;
  for (const auto& [key, used] : invoice) {
    const InvoiceKey named = {key.day, NameOfModel(key.model)};
    Used& sum = invoice_[named];
    if (used.calls) sum.calls = sum.calls.value_or(0) + *used.calls;
    if (used.tokens) sum.tokens = sum.tokens.value_or(0) + *used.tokens;
    if (used.cost_nanos) sum.cost_nanos = sum.cost_nanos.value_or(0) + *used.cost_nanos;
    if (!used.cost_nanos) without_cost.insert(named);
  }
  for (const InvoiceKey& key : without_cost) invoice_[key].cost_nanos.reset();
  if (invoice_.empty()) return;
  first_day_ = invoice_.begin()->first.day;
  last_day_ = invoice_.rbegin()->first.day;
}

std::string Reconciliation::NameOfModel(std::string_view model) const {
  return options_.name_of ? options_.name_of(model) : std::string(model);
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
    key = {std::string(id.substr(0, 10)), NameOfModel(id.substr(11))};
  } else {
    if (!options_.provider.empty() && record.provider != options_.provider) return;
    if (record.cache_hit != ledger::CACHE_NONE) return;  // No provider saw it.
    ledger::KeyBuffer buffer;
    key = {std::string(KeyOf(record, ledger::Dimension::kDay, buffer)), NameOfModel(record.model)};
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

absl::Status MayBook(const std::vector<ReconcileRow>& rows) {
  std::set<std::string> billed, booked, without_amount;
  for (const ReconcileRow& row : rows) {
    const bool in_bill = row.state != ReconcileRow::State::kNotInInvoice;
    if (in_bill) billed.insert(row.key.model);
    if (in_bill && !row.invoice.cost_nanos)
      without_amount.insert(absl::StrCat(row.key.day, " ", row.key.model));
    // What is left of corrections that cancel out is no use of a model.
    if (row.ledger.calls.value_or(0) != 0 || row.ledger.cost_nanos.value_or(0) != 0)
      booked.insert(row.key.model);
  }
  std::vector<std::string> only_billed, only_booked;
  std::set_difference(billed.begin(), billed.end(), booked.begin(), booked.end(),
                      std::back_inserter(only_billed));
  std::set_difference(booked.begin(), booked.end(), billed.begin(), billed.end(),
                      std::back_inserter(only_booked));
  std::vector<std::string> why;
  if (!billed.empty() && only_billed.size() == billed.size()) {
    why.push_back("no model of the bill is in the ledger in these days");
  }
  if (!only_billed.empty())
    why.push_back("billed under a name that the ledger does not have: " + absl::StrJoin(only_billed, ", "));
  if (!only_booked.empty())
    why.push_back("booked but in no row of the bill: " + absl::StrJoin(only_booked, ", "));
  if (!without_amount.empty())
    why.push_back("the bill states no amount for " + absl::StrJoin(without_amount, ", "));
  if (why.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(absl::StrJoin(why, "; "),
                   "; say what is the same model with --prices BOOK or --model BILLED=BOOKED, and give a "
                   "bill with every amount"));
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
