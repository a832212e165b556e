#include "engine/ledger/record_json.h"

#include <string_view>
#include <utility>

#include "absl/strings/str_format.h"
#include "engine/ledger/dimension.h"
#include "policies/amount.h"

namespace purser::ledger {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::pair<RecordFlag, const char*> kFlagNames[] = {
    {USAGE_UNKNOWN, "usage_unknown"},
    {OVERRUN, "overrun"},
    {PRESUMED, "presumed"},
    {CLAMPED, "clamped"},
    {BATCHED, "batched"},
    {PARTIAL, "partial"},
    {LATE, "late"},
    {UNPRICED, "unpriced"},
    {OVER_BUDGET, "over_budget"},
    {FAILED_OVER, "failed_over"},
    {USAGE_ESTIMATED, "usage_estimated"},
};

std::string LowerName(const std::string& name) {
  std::string lower = name;
  for (char& c : lower) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  return lower;
}

void Put(Json& json, const char* name, std::string_view value) {
  if (!value.empty()) json[name] = std::string(value);
}
void PutNumber(Json& json, const char* name, int64_t value) {
  if (value != 0) json[name] = value;
}
void PutUsd(Json& json, const char* name, int64_t nanos) {
  if (nanos != 0) json[name] = FormatUsd(nanos);
}
void PutRevision(Json& json, const char* name, uint64_t revision) {
  if (revision != 0) json[name] = absl::StrFormat("%016x", revision);
}

Json LineItemToJson(const LineItemView& item) {
  Json json = {{"category", LowerName(LineCategory_Name(item.category))}};
  Put(json, "meter", item.meter);
  PutNumber(json, "quantity", item.quantity);
  if (item.price_nanos != 0) {
    json["price_usd"] = FormatUsd(item.price_nanos);
    json["per"] = item.price_unit > 0 ? item.price_unit : 1;
  }
  json["cost_usd"] = FormatUsd(item.cost_nanos);
  return json;
}

}  // namespace

std::string FormatTime(int64_t time_nanos) {
  KeyBuffer buffer;
  RecordView record;
  record.time_nanos = time_nanos;
  const std::string hour(KeyOf(record, Dimension::kHour, buffer));
  constexpr int64_t kHour = 3'600'000'000'000;
  const int64_t rest = ((time_nanos % kHour) + kHour) % kHour;
  std::string text = absl::StrFormat("%s:%02d:%02d", hour, rest / 60'000'000'000, rest / 1'000'000'000 % 60);
  const int64_t fraction = rest % 1'000'000'000;
  if (fraction % 1'000 != 0) {
    absl::StrAppendFormat(&text, ".%09d", fraction);
  } else if (fraction % 1'000'000 != 0) {
    absl::StrAppendFormat(&text, ".%06d", fraction / 1'000);
  } else if (fraction != 0) {
    absl::StrAppendFormat(&text, ".%03d", fraction / 1'000'000);
  }
  return text + "Z";
}

Json RecordToJson(const RecordView& record) {
  Json json;
  Put(json, "request_id", record.request_id);
  json["time"] = FormatTime(record.time_nanos);
  if (record.ticket != 0) json["ticket"] = record.ticket;
  for (const RequestDimension& dimension : kRequestDimensions)
    Put(json, dimension.name.data(), record.*dimension.member);
  for (const OwnDimensionView& own : record.own_dimensions)
    json["dimensions"][std::string(own.name)] = std::string(own.value);
  Put(json, "request_class", record.request_class);
  PutNumber(json, "step", record.step);
  PutNumber(json, "attempt", record.attempt);
  Put(json, "region", record.region);
  Put(json, "provider", record.provider);
  Put(json, "model", record.model);
  Put(json, "model_asked", record.model_asked);
  Put(json, "candidate", record.candidate);
  Put(json, "service_tier", record.service_tier);
  PutRevision(json, "policy_revision", record.policy_revision);
  PutRevision(json, "price_revision", record.price_revision);

  json["input_tokens"] = record.input_tokens;
  PutNumber(json, "cached_input_tokens", record.cached_input_tokens);
  PutNumber(json, "cache_write_tokens", record.cache_write_tokens);
  json["output_tokens"] = record.output_tokens;
  PutNumber(json, "reasoning_tokens", record.reasoning_tokens);
  for (const MeterCountView& meter : record.meters) json["meters"][std::string(meter.meter)] = meter.quantity;
  PutNumber(json, "estimated_input_tokens", record.estimated_input_tokens);
  PutNumber(json, "estimated_output_tokens", record.estimated_output_tokens);
  if (record.cache_hit != CACHE_NONE) {
    json["cache_hit"] = record.cache_hit == CACHE_EXACT ? "exact" : "semantic";
    if (record.similarity != 0) json["similarity"] = record.similarity;
  }

  json["cost_usd"] = FormatUsd(record.cost_nanos);
  PutUsd(json, "estimated_usd", record.estimated_nanos);
  PutUsd(json, "held_usd", record.held_nanos);
  for (const LineItemView& item : record.line_items) json["line_items"].push_back(LineItemToJson(item));
  PutUsd(json, "default_cost_usd", record.default_cost_nanos);
  PutUsd(json, "best_constant_usd", record.best_constant_nanos);
  PutUsd(json, "saved_routing_usd", record.saved_routing_nanos);
  PutUsd(json, "saved_cache_usd", record.saved_cache_nanos);
  PutUsd(json, "saved_prompt_cache_usd", record.saved_prompt_cache_nanos);
  PutUsd(json, "saved_clamp_usd", record.saved_clamp_nanos);
  PutUsd(json, "saved_batch_usd", record.saved_batch_nanos);

  if (record.settled_nanos != 0) json["settled"] = FormatTime(record.settled_nanos);
  PutNumber(json, "latency_us", record.latency_us);
  PutNumber(json, "first_token_us", record.first_token_us);
  for (const auto& [flag, name] : kFlagNames) {
    if (record.flags & flag) json["flags"].push_back(name);
  }
  if (record.outcome != OUTCOME_UNKNOWN) json["outcome"] = LowerName(Outcome_Name(record.outcome));
  if (record.quality) json["quality"] = *record.quality;
  if (record.revenue_nanos) json["revenue_usd"] = FormatUsd(*record.revenue_nanos);
  return json;
}

std::string JsonLine(const Json& object) {
  return object.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace purser::ledger
