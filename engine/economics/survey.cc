#include "engine/economics/survey.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "engine/ledger/dimension.h"
#include "xxhash.h"

namespace purser::economics {
namespace {

int64_t FloorDivide(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

// Length first, so that no two pairs make one key.
std::string PairKey(std::string_view tenant, std::string_view id) {
  return absl::StrCat(tenant.size(), ":", absl::string_view(tenant.data(), tenant.size()),
                      absl::string_view(id.data(), id.size()));
}

}  // namespace

void Span::Add(int64_t time_nanos) {
  first_nanos = std::min(first_nanos, time_nanos);
  last_nanos = std::max(last_nanos, time_nanos);
}

double Span::months() const {
  if (empty()) return 0;
  constexpr double kDaysPerMonth = 30.436875;  // 365.2425 / 12
  return static_cast<double>(last_nanos - first_nanos) / static_cast<double>(kNanosPerDay) / kDaysPerMonth;
}

void Flow::Add(const ledger::Entry& entry) {
  if (!entry.adjustment) calls += entry.sign;
  cost_nanos += entry.sign * entry.record.cost_nanos;
  revenue_nanos += entry.sign * entry.record.revenue_nanos.value_or(0);
}

Survey::Survey(const Economics& economics, const Span& span)
    : economics_(economics),
      span_(span),
      middle_nanos_(span.empty() ? 0 : span.first_nanos + (span.last_nanos - span.first_nanos) / 2) {}

int16_t Survey::ClassIndex(const std::string& name) {
  const auto [at, is_new] = class_index_.try_emplace(name, static_cast<int16_t>(class_names_.size()));
  if (is_new) class_names_.push_back(name);
  return at->second;
}

void Survey::Add(const ledger::Entry& entry) {
  total_.Add(entry);
  const ledger::RecordView& record = entry.record;
  const int64_t day = FloorDivide(record.time_nanos, kNanosPerDay);
  days_[day].Add(entry);
  Half& half = halves_[record.time_nanos > middle_nanos_ ? 1 : 0];
  half.flow.Add(entry);
  if (entry.adjustment) return;  // It tells no dimensions.

  const std::string name(record.request_class.empty() ? record.use_case : record.request_class);
  classes_[name].Add(entry);
  if (record.cost_nanos != 0) {
    model_days_[std::string(record.model)][day] += entry.sign * record.cost_nanos;
  }
  class_hours_[name][FloorDivide(record.time_nanos, kNanosPerHour)].Add(entry);
  half.classes[name].Add(entry);
  half.shapes[name].Add(entry);
  half.hits += record.cache_hit != ledger::CACHE_NONE ? entry.sign : 0;
  if (record.estimated_nanos > 0) {
    half.estimated_nanos += entry.sign * record.estimated_nanos;
    half.cost_of_estimated_nanos += entry.sign * record.cost_nanos;
  }
  if (!record.customer.empty()) {
    std::string key = PairKey(record.tenant, record.customer);
    half.customers.insert(key);
    ledger::KeyBuffer buffer;
    const std::string_view month = KeyOf(record, ledger::Dimension::kMonth, buffer);
    CustomerMonth& customer = months_[std::string(month)][std::move(key)];
    customer.flow.Add(entry);
    if (!record.customer_tier.empty()) customer.tier = record.customer_tier;
  }
  if (!record.task.empty()) {
    Task& task = tasks_[PairKey(record.tenant, record.task)];
    if (task.request_class < 0) task.request_class = ClassIndex(name);
    task.calls += entry.sign;
    task.cost_nanos += entry.sign * record.cost_nanos;
  }
  if (!record.session.empty()) {
    sessions_.insert(XXH3_64bits_withSeed(record.session.data(), record.session.size(),
                                          XXH3_64bits(record.tenant.data(), record.tenant.size())));
  }
  if (const Economics::RequestClass* terms = economics_.ClassOf(name);
      terms != nullptr && terms->slo_nanos.has_value()) {
    Window& window = windows_[name][FloorDivide(record.time_nanos, kWindowNanos)];
    window.calls += entry.sign;
    if (record.cost_nanos > *terms->slo_nanos) window.over += entry.sign;
  }
}

std::string Survey::Shown(const std::string& key) {
  const size_t colon = key.find(':');
  const size_t tenant = static_cast<size_t>(std::atoll(key.substr(0, colon).c_str()));
  if (tenant == 0) return key.substr(colon + 1);
  return absl::StrCat(key.substr(colon + 1, tenant), "/", key.substr(colon + 1 + tenant));
}

}  // namespace purser::economics
