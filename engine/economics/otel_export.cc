#include <purser/dimensions.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "engine/base/new_file.h"
#include "engine/economics/decimal_text.h"
#include "engine/economics/record_export.h"
#include "engine/ledger/record_json.h"
#include "engine/ledger/record_reader.h"
#include "nlohmann/json.hpp"

namespace purser::economics {
namespace {

using Json = nlohmann::ordered_json;

const char* NameOf(ledger::CacheHit hit) {
  return hit == ledger::CACHE_EXACT ? "exact" : hit == ledger::CACHE_SEMANTIC ? "semantic" : "none";
}

std::string AttributeOf(const RequestDimension& dimension) {
  return dimension.otel_attribute.empty() ? "purser." + std::string(dimension.name)
                                          : std::string(dimension.otel_attribute);
}

Json AttributesOf(const ledger::Entry& entry) {
  const ledger::RecordView& record = entry.record;
  Json to = Json::object();
  const auto text = [&to](const char* name, std::string_view value) {
    if (!value.empty()) to[name] = std::string(value);
  };
  const auto number = [&to](const char* name, int64_t value) {
    if (value != 0) to[name] = value;
  };
  const auto usd = [&](const char* name, int64_t nanos) {
    if (nanos != 0) to[name] = DecimalText(static_cast<__int128>(entry.sign) * nanos, 9);
  };
  to["gen_ai.operation.name"] = "chat";
  text("gen_ai.provider.name", record.provider);
  text("gen_ai.request.model", record.model_asked.empty() ? record.model : record.model_asked);
  text("gen_ai.response.model", record.model);
  to["gen_ai.usage.input_tokens"] = record.input_tokens;
  to["gen_ai.usage.output_tokens"] = record.output_tokens;
  number("gen_ai.usage.cache_read.input_tokens", record.cached_input_tokens);
  number("gen_ai.usage.cache_creation.input_tokens", record.cache_write_tokens);
  number("gen_ai.usage.reasoning.output_tokens", record.reasoning_tokens);
  if (record.outcome == ledger::ERRORED) to["error.type"] = "provider_error";
  if (record.outcome == ledger::TIMED_OUT) to["error.type"] = "timeout";
  text("cloud.region", record.region);
  text("purser.request.id", record.request_id);
  for (const RequestDimension& dimension : kRequestDimensions)
    text(AttributeOf(dimension).c_str(), record.*dimension.member);
  for (const ledger::OwnDimensionView& own : record.own_dimensions)
    text(("purser.own." + std::string(own.name)).c_str(), own.value);
  text("purser.request_class", record.request_class);
  number("purser.step", record.step);
  text("purser.service_tier", record.service_tier);
  if (record.cache_hit != ledger::CACHE_NONE) {
    to["purser.cache.hit"] = NameOf(record.cache_hit);
    if (record.cache_hit == ledger::CACHE_SEMANTIC) to["purser.cache.similarity"] = record.similarity;
  }
  to["purser.cost.usd"] = DecimalText(static_cast<__int128>(entry.sign) * record.cost_nanos, 9);
  usd("purser.cost.expected_usd", record.estimated_nanos);
  usd("purser.cost.held_usd", record.held_nanos);
  usd("purser.cost.default_usd", record.default_cost_nanos);
  if (record.revenue_nanos)
    to["purser.revenue.usd"] = DecimalText(static_cast<__int128>(entry.sign) * *record.revenue_nanos, 9);
  if (record.quality) to["purser.quality"] = *record.quality;
  number("purser.first_token_us", record.first_token_us);
  if (entry.sign < 0 || entry.adjustment) to["purser.correction"] = true;
  return to;
}

}  // namespace

absl::StatusOr<int64_t> ExportOpenTelemetry(const std::string& ledger, const std::string& path) {
  auto reader = ledger::RecordReader::Open(ledger);
  if (!reader.ok()) return reader.status();
  auto file = NewFile::Create(path, false);
  if (!file.ok()) return file.status();
  ledger::Entry entry;
  int64_t rows = 0;
  while (true) {
    const absl::StatusOr<bool> more = (*reader)->Next(&entry);
    if (!more.ok()) return more.status();
    if (!*more) break;
    const ledger::RecordView& record = entry.record;
    const int64_t end =
        record.latency_us > 0 ? record.time_nanos + record.latency_us * 1000 : record.time_nanos;
    // As OTLP's JSON has them, 64-bit times are strings.
    const Json line = {
        {"name", absl::StrCat("chat ", absl::string_view(record.model.data(), record.model.size()))},
        {"startTimeUnixNano", absl::StrCat(record.time_nanos)},
        {"endTimeUnixNano", absl::StrCat(end)},
        {"attributes", AttributesOf(entry)}};
    file->Write(ledger::JsonLine(line) + "\n");
    ++rows;
  }
  if (const absl::Status finished = file->Finish(); !finished.ok()) return finished;
  return rows;
}

}  // namespace purser::economics
