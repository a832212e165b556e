// purser cost: what calls cost, from providers' raw responses or normalised usage.

#include "engine/pricing/cost.h"

#include <chrono>
#include <cstdio>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "engine/cli/verbs.h"
#include "engine/pricing/model_compiler.h"
#include "engine/pricing/price_book.h"
#include "engine/pricing/tables/json_tree.h"
#include "engine/pricing/tables/stated_rates.h"
#include "engine/pricing/usage_block.h"
#include "nlohmann/json.hpp"
#include "simdjson.h"

namespace purser::cli {
namespace {

using pricing::Cost;
using pricing::CostState;
using pricing::ModelPrices;
using pricing::PriceBook;

struct CostOptions {
  std::vector<std::string> prices;
  bool items = false;
};

// One line of input, the blocks as they stand in the text: a response goes to the reader of usage byte for
// byte, which is why this is read with simdjson and not with nlohmann.
struct Case {
  std::string id;
  std::string provider;
  std::string model;
  std::string time;
  std::string api_flavor;
  std::string service_tier;
  std::string region;
  std::string rates_unit;  // "USD per token" or "USD per mtok", of rates that are named by meter only.
  std::string response;
  std::string usage;
  std::string rates;  // Stated with the case: then no book is asked.
};

absl::StatusOr<Case> ReadCase(simdjson::ondemand::parser* parser, const simdjson::padded_string& line) {
  const auto bad = [](simdjson::error_code error) {
    return absl::InvalidArgumentError(
        absl::StrCat("the case is not a JSON object: ", simdjson::error_message(error)));
  };
  simdjson::ondemand::document document;
  simdjson::ondemand::object object;
  if (auto error = parser->iterate(line).get(document)) return bad(error);
  if (auto error = document.get_object().get(object)) return bad(error);
  Case one;
  for (auto field : object) {
    std::string_view key;
    if (auto error = field.unescaped_key().get(key)) return bad(error);
    std::string* text = key == "id"             ? &one.id
                        : key == "provider"     ? &one.provider
                        : key == "model"        ? &one.model
                        : key == "time"         ? &one.time
                        : key == "request_time" ? &one.time
                        : key == "api_flavor"   ? &one.api_flavor
                        : key == "service_tier" ? &one.service_tier
                        : key == "region"       ? &one.region
                        : key == "prices_unit"  ? &one.rates_unit
                                                : nullptr;
    std::string* block = key == "response" || key == "raw_response" ? &one.response
                         : key == "usage"                           ? &one.usage
                         : key == "prices"                          ? &one.rates
                                                                    : nullptr;
    simdjson::ondemand::value value;
    if (auto error = field.value().get(value)) return bad(error);
    std::string_view found;
    bool null = false;
    if (auto error = value.is_null().get(null)) return bad(error);
    if (null) continue;
    if (text != nullptr) {
      if (value.get_string().get(found)) {
        return absl::InvalidArgumentError(
            absl::StrCat("\"", absl::string_view(key.data(), key.size()), "\" is not a string"));
      }
      *text = std::string(found);
    } else if (block != nullptr) {
      simdjson::ondemand::object inner;
      if (value.get_object().get(inner) || inner.raw_json().get(found)) {
        return absl::InvalidArgumentError(
            absl::StrCat("\"", absl::string_view(key.data(), key.size()), "\" is not a JSON object"));
      }
      *block = std::string(found);
    }
  }
  return one;
}

class Coster {
 public:
  explicit Coster(const PriceBook& book) : book_(book) {}

  absl::Status Price(const Case& one, std::string* model, Cost* cost);

 private:
  absl::StatusOr<const ModelPrices*> Resolve(const Case& one, const std::string& model);

  const PriceBook& book_;
  pricing::UsageReader reader_;
  pricing::UsageBlock block_;
  std::unique_ptr<ModelPrices> stated_;
  std::map<std::pair<std::string, std::string>, absl::StatusOr<const ModelPrices*>> resolved_;
};

absl::StatusOr<const ModelPrices*> Coster::Resolve(const Case& one, const std::string& model) {
  if (!one.rates.empty()) {
    const auto rates = pricing::ParseJsonTree(one.rates);
    if (!rates.ok()) return rates.status();
    const int64_t unit = one.rates_unit == "USD per token" ? 1 : 1'000'000;
    const auto stated_model = pricing::ModelFromStatedRates(*rates, one.provider, unit);
    if (!stated_model.ok()) return stated_model.status();
    auto compiled = pricing::CompileModel(*stated_model);
    if (!compiled.ok()) return compiled.status();
    stated_ = *std::move(compiled);
    return stated_.get();
  }
  const auto key = std::make_pair(one.provider, model);
  auto it = resolved_.find(key);
  if (it == resolved_.end()) it = resolved_.emplace(key, book_.Resolve(model, one.provider)).first;
  return it->second;
}

absl::Status Coster::Price(const Case& one, std::string* model, Cost* cost) {
  int64_t time_nanos = absl::ToUnixNanos(absl::Now());
  if (!one.time.empty()) {
    absl::Time time;
    std::string error;
    if (!absl::ParseTime(absl::RFC3339_full, one.time, &time, &error)) {
      return absl::InvalidArgumentError(absl::StrCat("time: ", error));
    }
    time_nanos = absl::ToUnixNanos(time);
  }
  absl::Status read;
  if (!one.response.empty()) {
    read = reader_.Read(&book_, one.provider, one.api_flavor, one.response, &block_);
    if (model->empty()) *model = block_.model;
  } else if (!one.usage.empty()) {
    read = reader_.ReadNormalised(one.usage, &block_.usage);
  } else {
    read = absl::InvalidArgumentError("no \"response\" and no \"usage\": the usage is unknown");
  }
  if (!read.ok()) return read;
  if (model->empty() && one.rates.empty())
    return absl::InvalidArgumentError("no model is named, in the case or in the response");
  const auto prices = Resolve(one, *model);
  if (!prices.ok()) return prices.status();
  pricing::Realize(**prices, block_.usage, ParseServiceTier(one.service_tier), one.region, time_nanos, cost);
  if (cost->state == CostState::kPriced || cost->state == CostState::kPartlyPriced) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat((*prices)->provider, "/", (*prices)->id, ": ", cost->Explain()));
}

nlohmann::ordered_json ItemsOf(const Cost& cost) {
  nlohmann::ordered_json items = nlohmann::ordered_json::array();
  for (const pricing::CostItem& item : cost.items()) {
    Cost one;
    one.Append(item);
    items.push_back({{"meter", std::string(NameOf(item.meter))},
                     {"units", item.units},
                     {"usd", pricing::ExactDecimals(one).total}});
  }
  return items;
}

// A response with a long answer is some hundred kilobytes.
constexpr size_t kMaxLineBytes = size_t{64} << 20;

// Messages quote what was given, which may be of any length.
std::string Shortened(std::string_view message) {
  constexpr size_t kMaxMessage = 1000;
  std::string text(message.substr(0, kMaxMessage));
  if (message.size() > kMaxMessage) text += " ...";
  return text;
}

void RunCost(const CostOptions& options) {
  if (options.prices.empty())
    std::fprintf(stderr, "purser cost: no --prices: only cases that state their rates are priced\n");
  const auto book = PriceBook::Load(options.prices);
  if (!book.ok()) Fail("cost", book.status().message().data());
  Coster coster(**book);
  simdjson::ondemand::parser parser;
  std::string line;
  Cost cost;
  const auto print = [](const nlohmann::ordered_json& out) {
    std::cout << out.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) << '\n';
  };
  const auto print_error = [&print](int64_t number, std::string_view why) {
    print({{"line", number}, {"error", Shortened(why)}});
  };
  std::ios::sync_with_stdio(false);
  for (int64_t number = 1; std::getline(std::cin, line); ++number) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    if (line.size() > kMaxLineBytes) {
      print_error(number,
                  absl::StrCat("the line has ", line.size(), " bytes; at most ", kMaxLineBytes, " are read"));
      continue;
    }
    const simdjson::padded_string padded(line);
    const auto one = ReadCase(&parser, padded);
    if (!one.ok()) {
      print_error(number, std::string(one.status().message()));
      continue;
    }
    nlohmann::ordered_json out;
    std::string model = one->model;
    cost.Clear();
    const absl::Status status = coster.Price(*one, &model, &cost);
    out["id"] = one->id;
    out["model"] = model;
    if (status.ok()) {
      const pricing::ExactCost exact = pricing::ExactDecimals(cost);
      out["cost_usd"] = exact.total;
      out["input_usd"] = exact.input;
      out["output_usd"] = exact.output;
      if (options.items) out["items"] = ItemsOf(cost);
      if (cost.state == CostState::kPartlyPriced) out["warning"] = cost.Explain();
    } else {
      out["error"] = Shortened(std::string(status.message()));
    }
    print(out);
  }
}

}  // namespace

void AddCostVerb(Verb app) {
  auto options = std::make_shared<CostOptions>();
  Verb verb = app.AddVerb("cost", "Price calls from their responses or usage, one JSON object per line");
  verb.Add("--prices", &options->prices, "Price book; later ones override earlier ones");
  verb.AddFlag("--items", &options->items, "Show the line items of each cost");
  verb.Footer(
      "Reads {\"id\", \"provider\", \"model\", \"time\"?, \"api_flavor\"?, \"service_tier\"?, \"region\"?, "
      "and\n"
      "\"response\": the provider's raw body, or \"usage\": {\"input_tokens\": 120, ...}}; \"prices\": {...} "
      "states\n"
      "rates of its own, in genai-prices' or LiteLLM's keys.\n"
      "Example: echo "
      "'{\"id\":\"1\",\"provider\":\"openai\",\"model\":\"gpt-4o\",\"usage\":{\"input_tokens\":1000}}' |\n"
      "         purser cost --prices policies/prices/well_known.textproto");
  verb.Run([options] { RunCost(*options); });
}

}  // namespace purser::cli
