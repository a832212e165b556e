#include "tests/support/sample_records.h"

#include "absl/strings/str_cat.h"

namespace purser::ledger {
namespace {

struct SampleModel {
  const char* provider;
  const char* name;
  int64_t input_nanos, output_nanos;  // Per token.
};
constexpr SampleModel kModels[] = {
    {"openai", "gpt-4o", 2500, 10000},
    {"openai", "gpt-4o-mini", 150, 600},
    {"anthropic", "claude-sonnet", 3000, 15000},
    {"anthropic", "claude-haiku", 800, 4000},
};
constexpr const char* kTenants[] = {"acme", "globex"};
constexpr const char* kTiers[] = {"free", "pro", "enterprise"};
constexpr const char* kFeatures[] = {"chat", "search", "summaries", "agent"};
constexpr const char* kReleases[] = {"v41", "v42"};

LineItemView Line(const char* meter, int64_t quantity, int64_t price_per_token) {
  LineItemView item;
  item.category = INFERENCE;
  item.meter = meter;
  item.quantity = quantity;
  item.price_nanos = price_per_token * 1'000'000;
  item.price_unit = 1'000'000;
  item.cost_nanos = quantity * price_per_token;
  return item;
}

}  // namespace

const RecordView& SampleRecords::Next() {
  RecordView& record = record_;
  record = RecordView{};
  ++count_;
  time_nanos_ += static_cast<int64_t>(Below(2'000'000'000));
  const uint64_t task = count_ / 6;
  const uint64_t spread = task * 0x9e3779b97f4a7c15 >> 40;
  const uint64_t customer = spread % 400 * (spread % 7) / 7;  // The lower ones more often.
  request_id_ = absl::StrCat("req-", absl::Hex(random_(), absl::kZeroPad16));
  customer_ = absl::StrCat("customer-", customer);
  task_ = absl::StrCat("task-", task);
  session_ = absl::StrCat("session-", task / 2);
  record.request_id = request_id_;
  record.ticket = count_;
  record.time_nanos = time_nanos_;
  record.settled_nanos = time_nanos_ + 1'500'000'000;
  record.tenant = kTenants[customer % 2];
  record.customer = customer_;
  record.customer_tier = kTiers[customer % 3];
  record.team = "platform";
  const uint64_t feature = task % 4;
  record.feature = kFeatures[feature];
  record.use_case = feature == 3 ? "plan" : "reply";
  record.request_class = record.feature;
  record.session = session_;
  record.task = task_;
  record.step = static_cast<int32_t>(count_ % 6 + 1);
  record.attempt = 1;
  record.release = kReleases[(count_ >> 12) & 1];
  record.policy_revision = 0x5eed;
  record.price_revision = 0xb00c;

  const SampleModel& asked = kModels[feature == 3 ? 2 : 0];
  const SampleModel& model = kModels[Below(4)];
  record.model_asked = asked.name;
  record.provider = model.provider;
  record.model = record.candidate = model.name;
  record.input_tokens = 200 + static_cast<int64_t>(Below(4000));
  record.output_tokens = 20 + static_cast<int64_t>(Below(600));
  record.estimated_input_tokens = record.input_tokens;
  record.estimated_output_tokens = 300;
  record.default_cost_nanos =
      record.input_tokens * asked.input_nanos + record.output_tokens * asked.output_nanos;
  record.latency_us = 300'000 + static_cast<int64_t>(Below(3'000'000));
  record.first_token_us = record.latency_us / 4;
  record.outcome = Below(50) == 0 ? ERRORED : SUCCEEDED;
  if (record.customer_tier != "free") record.revenue_nanos = 20'000'000;
  if (Below(10) == 0) {
    record.cache_hit = Below(2) == 0 ? CACHE_EXACT : CACHE_SEMANTIC;
    record.similarity = record.cache_hit == CACHE_SEMANTIC ? 0.97f : 0;
    record.saved_cache_nanos = record.default_cost_nanos;
    return record;
  }
  record.line_items.push_back(Line("input", record.input_tokens, model.input_nanos));
  record.line_items.push_back(Line("output", record.output_tokens, model.output_nanos));
  for (const LineItemView& item : record.line_items) record.cost_nanos += item.cost_nanos;
  record.estimated_nanos = record.input_tokens * model.input_nanos + 300 * model.output_nanos;
  record.held_nanos = record.input_tokens * model.input_nanos + 800 * model.output_nanos;
  record.saved_routing_nanos = record.default_cost_nanos - record.cost_nanos;
  return record;
}

}  // namespace purser::ledger
