#include "engine/pricing/tables/import.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "engine/pricing/model_compiler.h"
#include "engine/pricing/name_match.h"
#include "engine/pricing/price_book.h"
#include "engine/pricing/tables/price_sanity.h"
#include "google/protobuf/text_format.h"
#include "policies/decimal.h"
#include "xxhash.h"

namespace purser::pricing {

std::string ContentHash(std::string_view content) {
  return absl::StrCat(absl::Hex(XXH3_64bits(content.data(), content.size()), absl::kZeroPad16));
}

absl::Status SetPrice(const JsonTree& number, int shift, std::string* usd, bool* free) {
  const auto decimal = number.is_number() || number.is_string() ? ParseDecimal(number.text) : std::nullopt;
  if (!decimal) return absl::InvalidArgumentError(absl::StrCat("\"", number.text, "\" is not a price"));
  if (decimal->negative()) return absl::InvalidArgumentError(absl::StrCat(number.text, " is negative"));
  if (decimal->zero()) {
    *free = true;
  } else {
    *usd = ToPlainString(*decimal, shift);
  }
  return absl::OkStatus();
}

void AddImported(prices::Model model, const std::string& name, const ImportOptions& options,
                 prices::PriceBook* book, ImportReport* report) {
  if (const auto compiled = CompileModel(model); !compiled.ok()) {
    report->LeaveOut(name, std::string(compiled.status().message()));
    return;
  }
  Diagnostics diagnostics;
  NameMatch::Compile(model.match(), "match", &diagnostics);
  if (!diagnostics.ok()) {
    report->LeaveOut(name, std::string(diagnostics.ToStatus().message()));
    return;
  }
  if (!report->names.insert(absl::StrCat(model.provider(), "/", model.id())).second) {
    report->LeaveOut(name, "there already: an earlier row has this name");
    return;
  }
  const std::vector<std::string> suspicions = SuspiciousPrices(model);
  if (!suspicions.empty()) {
    const std::string reason = absl::StrCat("suspicious: ", absl::StrJoin(suspicions, "; "));
    if (!options.allow_suspicious) {
      report->LeaveOut(name, reason);
      return;
    }
    report->Note(name, reason);
  }
  ++report->imported;
  *book->add_models() = std::move(model);
}

void AddImported(prices::Provider provider, prices::PriceBook* book, ImportReport* report) {
  const std::string name = absl::StrCat("provider ", provider.id());
  if (!report->names.insert(name).second) {
    report->LeaveOut(name, "there already");
    return;
  }
  prices::PriceBook alone;
  *alone.add_providers() = provider;
  if (const auto loaded = PriceBook::Parse(WriteBook(alone)); !loaded.ok()) {
    report->LeaveOut(name, std::string(loaded.status().message()));
    return;
  }
  *book->add_providers() = std::move(provider);
}

std::string WriteBook(const prices::PriceBook& book) {
  google::protobuf::TextFormat::Printer printer;
  printer.SetSingleLineMode(true);
  printer.SetUseUtf8StringEscaping(true);
  std::string text =
      "# A price book of Purser (policies/pricing.proto), written by `purser prices import`.\n";
  const auto write = [&](const char* field, const google::protobuf::Message& message) {
    std::string line;
    printer.PrintToString(message, &line);
    while (!line.empty() && line.back() == ' ') line.pop_back();
    absl::StrAppend(&text, field, " { ", line, " }\n");
  };
  const auto write_string = [&](const char* field, const std::string& value) {
    if (!value.empty()) absl::StrAppend(&text, field, ": \"", value, "\"\n");
  };
  write_string("name", book.name());
  write_string("description", book.description());
  for (const auto& source : book.sources()) write("sources", source);
  for (const auto& provider : book.providers()) write("providers", provider);
  for (const auto& model : book.models()) write("models", model);
  return text;
}

}  // namespace purser::pricing
