#ifndef PURSER_ENGINE_PRICING_PRICE_BOOK_H_
#define PURSER_ENGINE_PRICING_PRICE_BOOK_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/pricing/model_prices.h"
#include "policies/diagnostics.h"

namespace purser::pricing {

class UsageRules;  // usage_rules.h

// Where prices came from.
struct PriceSource {
  std::string name;  // "LiteLLM model_prices_and_context_window.json"
  std::string url;
  std::string date;          // Of the prices: "2026-07-24"
  std::string content_hash;  // Of what was imported.
};

// What models cost: an immutable, compiled set of price lists. Load once, resolve each candidate once when
// the policy is compiled, quote many times.
//
//   absl::StatusOr<std::shared_ptr<const PriceBook>> book = PriceBook::Load({"well_known.textproto"});
//   absl::StatusOr<const ModelPrices*> prices = (*book)->Resolve("gpt-4o", "openai");
//
// Thread-safe: nothing changes after loading. ModelPrices pointers are good as long as the book lives.
class PriceBook {
 public:
  // Files in protobuf text (policies/pricing.proto). A later file overrides an earlier one: a model of the
  // same provider and id replaces, whole; so does a provider of the same id. All mistakes of all files are
  // added to `diagnostics`, one Diagnostics per file with mistakes or warnings; null if any is an error.
  static std::shared_ptr<const PriceBook> Load(const std::vector<std::string>& paths,
                                               std::vector<Diagnostics>* diagnostics);
  // The same; INVALID_ARGUMENT lists every mistake with file:line:column.
  static absl::StatusOr<std::shared_ptr<const PriceBook>> Load(const std::vector<std::string>& paths);

  struct Text {
    std::string name;  // Shown in messages.
    std::string text;
  };
  static std::shared_ptr<const PriceBook> Parse(std::span<const Text> texts,
                                                std::vector<Diagnostics>* diagnostics);
  static absl::StatusOr<std::shared_ptr<const PriceBook>> Parse(std::string_view text);

  ~PriceBook();
  PriceBook(const PriceBook&) = delete;
  PriceBook& operator=(const PriceBook&) = delete;

  // The prices of `model` at `provider`, which may be empty, one of the provider's other names or the
  // URL of its endpoint. The name is
  // looked for exactly, then through aliases and the books' match rules, then with a date "-20260115" written
  // as "-2026-01-15", then at the providers that the provider falls back on.
  //
  // NOT_FOUND names what is missing: the provider, or the model at that provider. INVALID_ARGUMENT: no
  // provider was given and several sell a model of this name; the message lists them.
  absl::StatusOr<const ModelPrices*> Resolve(std::string_view model, std::string_view provider = {}) const;

  // The book's id of `provider`, or of the one that `model` implies by its name; empty: none.
  std::string_view ResolveProvider(std::string_view provider, std::string_view model = {}) const;

  // How `provider` states usage in its responses; null: the book does not say (usage_block.h has what is
  // built in).
  const UsageRules* usage_rules(std::string_view provider) const;

  // Where the numbers came from, in the order of the files.
  const std::vector<PriceSource>& sources() const { return sources_; }
  // Of the content of all files in their order; recorded with every call. 16 hex digits.
  const std::string& revision() const { return revision_; }

  size_t size() const { return models_.size(); }
  const std::vector<std::unique_ptr<ModelPrices>>& models() const { return models_; }

 private:
  friend class PriceBookCompiler;
  struct Index;
  PriceBook();

  std::vector<std::unique_ptr<ModelPrices>> models_;
  std::vector<PriceSource> sources_;
  std::string revision_;
  std::unique_ptr<Index> index_;
};

}  // namespace purser::pricing

#endif  // PURSER_ENGINE_PRICING_PRICE_BOOK_H_
