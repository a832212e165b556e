#ifndef PURSER_ENGINE_PRICING_TABLES_IMPORT_H_
#define PURSER_ENGINE_PRICING_TABLES_IMPORT_H_

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/pricing/tables/json_tree.h"
#include "purser/pricing.pb.h"

namespace purser::pricing {

// Public price tables to price books. Numbers are taken as they are written, digit by digit; every row of the
// table is in the book or named in the report, with the reason.

struct ImportOptions {
  bool allow_suspicious = false;  // Keep rows whose prices look like slips; they are reported all the same.
  std::string source_name;        // Of the table, for the book's provenance.
  std::string source_url;
  std::string source_date;
};

struct ImportReport {
  enum class Fate { kKept, kLeftOut };
  struct Row {
    std::string name;  // "openai/gpt-4o"
    Fate fate;
    std::string reason;
  };
  int read = 0;
  int imported = 0;
  std::vector<Row> rows;        // Left out, or kept with something to say.
  std::set<std::string> names;  // Of what was imported: a row that is there again is left out.

  void LeaveOut(std::string name, std::string reason) {
    rows.push_back({std::move(name), Fate::kLeftOut, std::move(reason)});
  }
  void Note(std::string name, std::string reason) {
    rows.push_back({std::move(name), Fate::kKept, std::move(reason)});
  }
};

// genai-prices' data.json: providers with their models, match rules, dated and tiered prices, and extractors
// of usage. INVALID_ARGUMENT: not such a table.
absl::StatusOr<prices::PriceBook> ImportGenaiPrices(std::string_view json, const ImportOptions& options,
                                                    ImportReport* report);

// The rates under one `prices` object in genai-prices' keys ("input_mtok": 3). An error names the key.
absl::Status AddGenaiRates(const JsonTree& rates, prices::Sheet* sheet);

// LiteLLM's model_prices_and_context_window.json. INVALID_ARGUMENT: not such a table.
absl::StatusOr<prices::PriceBook> ImportLiteLlm(std::string_view json, const ImportOptions& options,
                                                ImportReport* report);

// The rates of one row in LiteLLM's keys ("input_cost_per_token": 3e-06), as sheets and uplifts of `model`,
// whose provider is set. `name` is for the report.
absl::Status AddLiteLlmRates(const JsonTree& row, const std::string& name, bool allow_suspicious,
                             prices::Model* model, ImportReport* report);

// The book as protobuf text, a line per provider and model.
std::string WriteBook(const prices::PriceBook& book);

// Shared by the importers: adds the model to the book unless it cannot be compiled or looks like a slip.
void AddImported(prices::Model model, const std::string& name, const ImportOptions& options,
                 prices::PriceBook* book, ImportReport* report);
// The same for a provider.
void AddImported(prices::Provider provider, prices::PriceBook* book, ImportReport* report);
// 16 hex digits.
std::string ContentHash(std::string_view content);
// One decimal as written, per `per` units, as a rate's or tier's price. `shift`: written per 10^shift times
// less.
absl::Status SetPrice(const JsonTree& number, int shift, std::string* usd, bool* free);

}  // namespace purser::pricing

#endif  // PURSER_ENGINE_PRICING_TABLES_IMPORT_H_
