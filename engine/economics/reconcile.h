#ifndef PURSER_ENGINE_ECONOMICS_RECONCILE_H_
#define PURSER_ENGINE_ECONOMICS_RECONCILE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/ledger/record_reader.h"

namespace purser::economics {

// A provider's account of what was used, held against the ledger by day (UTC) and model.

enum class InvoiceFormat {
  // The usage export's CSV: start_time or start_time_iso, model, num_model_requests, input_tokens,
  // output_tokens; amount_value where the costs are in it.
  kOpenAi,
  // The console's usage report: usage_date_utc, model_version, usage_input_tokens_no_cache,
  // usage_input_tokens_cache_write_5m and _1h, usage_input_tokens_cache_read, usage_output_tokens; cost_usd
  // where there is one.
  kAnthropic,
  // FOCUS: ChargePeriodStart, ResourceId (or ServiceName), BilledCost; ConsumedUnit "Tokens" with
  // ConsumedQuantity where the rows are of tokens.
  kFocus,
};

struct InvoiceKey {
  std::string day;  // "2026-03-02"
  std::string model;
  auto operator<=>(const InvoiceKey&) const = default;
};

// What one side says of a day and model. Absent: it does not say.
struct Used {
  std::optional<int64_t> calls;
  std::optional<int64_t> tokens;  // Input, cached and written included, and output.
  std::optional<int64_t> cost_nanos;
};
using Invoice = std::map<InvoiceKey, Used>;

// Amounts are dollars because the file says so: by its column of currencies (amount_currency, currency,
// BillingCurrency) or the name of its column of costs (cost_usd). `currency` ("USD") is what the caller
// states where the file says nothing. A day and model with an empty cell of cost has no cost here.
// INVALID_ARGUMENT names the missing column, the line and field that cannot be read, or the currency that is
// not dollars: nothing is converted here.
absl::StatusOr<Invoice> ReadInvoice(std::string_view text, InvoiceFormat format,
                                    std::string_view currency = "");

struct ReconcileOptions {
  std::string provider;           // Only the ledger's calls to it. Empty: all.
  double tolerance_share = 0.01;  // Differences up to this count as matched.
  // The name that a model's rows stand under, of the bill and of the ledger: "gpt-4o-2024-08-06" -> "gpt-4o".
  // Empty: every name stands for itself.
  std::function<std::string(std::string_view model)> name_of = nullptr;
};

struct ReconcileRow {
  enum class State {
    kMatched,
    kDiffers,
    kNotInLedger,   // Billed, but not booked: calls that went around Purser, perhaps.
    kNotInInvoice,  // Booked, but not billed.
  };
  InvoiceKey key;
  State state = State::kMatched;
  Used invoice, ledger;
  int64_t presumed_nanos = 0;  // Of the ledger's cost: presumed spent, not settled.
  // What has to be added to the books so that they say what was billed; 0 where the invoice states no cost or
  // the costs are equal.
  int64_t correction_nanos = 0;
  // How much of presumed_nanos the provider did not bill.
  int64_t presumed_not_billed_nanos() const;
};

// Whether the corrections of these rows can be booked. FAILED_PRECONDITION, naming the days and models, if
// nothing was billed that the books know, a model stands on one side only (it may have another name on the
// other), or a row of the bill states no amount: a correction would then take real spending out of the books
// or count it twice.
absl::Status MayBook(const std::vector<ReconcileRow>& rows);

// Not thread-safe. Only days that the invoice covers, from its first to its last, are held against it.
class Reconciliation {
 public:
  Reconciliation(Invoice invoice, ReconcileOptions options);

  void Add(const ledger::Entry& entry);
  // By day and model.
  std::vector<ReconcileRow> Rows() const;

  // The request id that corrections of a day and model are booked under, so that they are found again: a
  // second run says what is left to correct.
  static std::string CorrectionId(const InvoiceKey& key);

 private:
  struct Booked {
    int64_t calls = 0, tokens = 0, cost_nanos = 0, presumed_nanos = 0;
  };
  std::string NameOfModel(std::string_view model) const;

  Invoice invoice_;
  const ReconcileOptions options_;
  std::string first_day_, last_day_;
  std::map<InvoiceKey, Booked> booked_;
};

const char* NameOf(ReconcileRow::State state);  // "not in ledger"

}  // namespace purser::economics

#endif  // PURSER_ENGINE_ECONOMICS_RECONCILE_H_
