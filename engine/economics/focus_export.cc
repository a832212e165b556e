#include <purser/dimensions.h>

#include <array>
#include <cstdlib>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "engine/base/new_file.h"
#include "engine/economics/decimal_text.h"
#include "engine/economics/record_export.h"
#include "engine/ledger/record_json.h"
#include "engine/ledger/record_reader.h"
#include "nlohmann/json.hpp"

namespace purser::economics {
namespace {

constexpr std::array kColumns = {"BilledCost",         "BillingAccountId",
                                 "BillingAccountName", "BillingCurrency",
                                 "BillingPeriodEnd",   "BillingPeriodStart",
                                 "ChargeCategory",     "ChargeClass",
                                 "ChargeDescription",  "ChargeFrequency",
                                 "ChargePeriodEnd",    "ChargePeriodStart",
                                 "ConsumedQuantity",   "ConsumedUnit",
                                 "ContractedCost",     "ContractedUnitPrice",
                                 "EffectiveCost",      "InvoiceIssuerName",
                                 "ListCost",           "ListUnitPrice",
                                 "PricingCategory",    "PricingQuantity",
                                 "PricingUnit",        "ProviderName",
                                 "PublisherName",      "RegionId",
                                 "ResourceId",         "ServiceCategory",
                                 "ServiceName",        "SkuId",
                                 "SkuPriceId",         "Tags"};

// RFC 4180.
void AppendField(std::string_view text, std::string* line) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) {
    line->append(text);
    return;
  }
  *line += '"';
  for (const char c : text) {
    if (c == '"') *line += '"';
    *line += c;
  }
  *line += '"';
}

std::string TimeText(absl::Time time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", time, absl::UTCTimeZone());
}

std::string_view UnitOf(std::string_view meter) {
  if (meter.find("token") != std::string_view::npos || meter == "input" || meter == "output" ||
      meter.starts_with("cache")) {
    return "Tokens";
  }
  if (meter.find("second") != std::string_view::npos) return "Seconds";
  if (meter.find("image") != std::string_view::npos) return "Images";
  return "Requests";
}

class FocusRows {
 public:
  explicit FocusRows(NewFile* file) : file_(*file) {
    std::string line;
    for (const char* column : kColumns) absl::StrAppend(&line, line.empty() ? "" : ",", column);
    file_.Write(line + "\n");
  }

  void Add(const ledger::Entry& entry) {
    const ledger::RecordView& record = entry.record;
    if (entry.adjustment) {
      ledger::LineItemView item;
      item.meter = "adjustment";
      item.quantity = 1;
      item.cost_nanos = record.cost_nanos;
      return AddItem(record, item, 1, true);
    }
    int64_t itemized = 0;
    for (const ledger::LineItemView& item : record.line_items) {
      itemized += item.cost_nanos;
      if (item.cost_nanos != 0 || item.quantity != 0) AddItem(record, item, entry.sign, entry.sign < 0);
    }
    if (itemized == record.cost_nanos) return;
    // Presumed spend has no items.
    ledger::LineItemView rest;
    rest.meter = "inference";
    rest.quantity = 1;
    rest.cost_nanos = record.cost_nanos - itemized;
    AddItem(record, rest, entry.sign, entry.sign < 0);
  }

  int64_t rows() const { return rows_; }

 private:
  void AddItem(const ledger::RecordView& record, const ledger::LineItemView& item, int sign,
               bool correction) {
    // What has no rate is one request at its cost.
    const auto power = PowerOfTen(item.price_unit == 0 ? 1 : item.price_unit);
    const bool rated = item.price_nanos != 0 && power.has_value();
    const __int128 quantity = rated ? item.quantity : 1;
    const __int128 price = rated ? item.price_nanos : item.cost_nanos;
    const int digits = 9 + (rated ? *power : 0);
    const std::string unit_price = DecimalText(price, digits);
    const std::string listed = DecimalText(sign * quantity * price, digits);
    const std::string booked = DecimalText(sign * item.cost_nanos, 9);
    const std::string pricing_quantity = DecimalText(sign * quantity, 0);
    const std::string_view unit = rated ? UnitOf(item.meter) : std::string_view("Requests");
    const absl::Time time = absl::FromUnixNanos(record.time_nanos);
    const absl::CivilMonth month(absl::ToCivilMonth(time, absl::UTCTimeZone()));
    const std::string from = TimeText(time);
    const absl::Time second_end = absl::FromUnixSeconds(absl::ToUnixSeconds(time) + 1);
    const std::string sku(absl::StrCat(View(record.model), "/", View(item.meter)));
    nlohmann::ordered_json tags = nlohmann::ordered_json::object();
    const auto tag = [&tags](const char* name, std::string_view value) {
      if (!value.empty()) tags[name] = std::string(value);
    };
    for (const RequestDimension& dimension : kRequestDimensions) {
      // The tenant is the billing account.
      if (dimension.member != &Dimensions::tenant) tag(dimension.name.data(), record.*dimension.member);
    }
    for (const ledger::OwnDimensionView& own : record.own_dimensions)
      tag(("own." + std::string(own.name)).c_str(), own.value);
    tag("request_class", record.request_class);
    tag("request_id", record.request_id);

    line_.clear();
    const auto put = [this](std::string_view text) {
      if (!line_.empty()) line_ += ',';
      AppendField(text, &line_);
    };
    put(booked);
    put(record.tenant.empty() ? "default" : record.tenant);
    line_ += ",";  // BillingAccountName
    put("USD");
    put(TimeText(absl::FromCivil(month + 1, absl::UTCTimeZone())));
    put(TimeText(absl::FromCivil(month, absl::UTCTimeZone())));
    put(correction && item.meter == "adjustment" ? "Adjustment" : "Usage");
    put(correction ? "Correction" : "");
    put(absl::StrCat(View(record.model), " ", View(item.meter)));
    put("Usage-Based");
    put(TimeText(second_end));
    put(from);
    put(pricing_quantity);
    put(unit);
    put(listed);
    put(unit_price);
    put(booked);
    put(record.provider);
    put(listed);
    put(unit_price);
    put("Standard");
    put(pricing_quantity);
    put(unit);
    put(record.provider);
    put(record.provider);
    put(record.region);
    put(record.model);
    put("AI and Machine Learning");
    put("Generative AI");
    put(sku);
    put(absl::StrCat(
        sku, "/", record.service_tier.empty() ? absl::string_view("standard") : View(record.service_tier)));
    put(tags.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
    line_ += '\n';
    file_.Write(line_);
    ++rows_;
  }

  static absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

  NewFile& file_;
  std::string line_;
  int64_t rows_ = 0;
};

}  // namespace

absl::StatusOr<int64_t> ExportFocus(const std::string& ledger, const std::string& path) {
  auto reader = ledger::RecordReader::Open(ledger);
  if (!reader.ok()) return reader.status();
  auto file = NewFile::Create(path, false);
  if (!file.ok()) return file.status();
  FocusRows rows(&*file);
  ledger::Entry entry;
  while (true) {
    const absl::StatusOr<bool> more = (*reader)->Next(&entry);
    if (!more.ok()) return more.status();
    if (!*more) break;
    rows.Add(entry);
  }
  if (const absl::Status finished = file->Finish(); !finished.ok()) return finished;
  return rows.rows();
}

}  // namespace purser::economics
