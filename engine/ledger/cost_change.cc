#include "engine/ledger/cost_change.h"

#include <cmath>
#include <set>

#include "absl/hash/hash.h"
#include "absl/strings/string_view.h"

namespace purser::ledger {
namespace {

double Ratio(int64_t part, int64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

template <typename Map>
const typename Map::mapped_type* FindIn(const Map& map, const std::string& key) {
  const auto found = map.find(key);
  return found == map.end() ? nullptr : &found->second;
}

template <typename Map>
typename Map::mapped_type& In(Map& map, std::string_view key) {
  const auto found = map.find(key);
  return found != map.end() ? found->second : map[std::string(key)];
}

}  // namespace

void CostShape::Add(const Entry& entry) {
  const RecordView& record = entry.record;
  const int sign = entry.sign;
  cost_nanos_ += sign * record.cost_nanos;
  if (entry.adjustment) {
    adjusted_nanos_ += sign * record.cost_nanos;
    return;
  }
  Class& sums = In(classes_, !record.request_class.empty() ? record.request_class : record.use_case);
  calls_ += sign;
  sums.calls += sign;
  if (record.task.empty()) {
    sums.calls_without_task += sign;
  } else {
    sums.tasks.insert(absl::HashOf(absl::string_view(record.tenant.data(), record.tenant.size()),
                                   absl::string_view(record.task.data(), record.task.size())));
  }
  if (record.cache_hit != CACHE_NONE && record.cost_nanos == 0) {
    sums.hits += sign;
    return;
  }
  Model& model = In(sums.models, record.model);
  model.calls += sign;
  int64_t rest = record.cost_nanos;
  for (const LineItemView& item : record.line_items) {
    Meter& meter = In(model.meters, item.meter);
    meter.quantity += sign * item.quantity;
    meter.cost_nanos += sign * item.cost_nanos;
    rest -= item.cost_nanos;
  }
  // Cost that no line item explains is one unit per call.
  if (rest != 0 || record.line_items.empty()) {
    Meter& meter = In(model.meters, "call");
    meter.quantity += sign;
    meter.cost_nanos += sign * rest;
  }
}

int64_t CostShape::tasks() const {
  int64_t tasks = 0;
  for (const auto& [name, sums] : classes_) tasks += sums.task_count();
  return tasks;
}

// What the calls would cost with the first `exchanged` factors as in `to` and the others as in `from`.
class Counterfactual {
 public:
  Counterfactual(const CostShape& from, const CostShape& to) : from_(from), to_(to) {
    for (const auto& [name, sums] : from.classes_) classes_.insert(name);
    for (const auto& [name, sums] : to.classes_) classes_.insert(name);
  }

  double Cost(int exchanged) const {
    const double tasks = static_cast<double>(exchanged >= kVolume ? to_.tasks() : from_.tasks());
    double cost = static_cast<double>(exchanged > kPrice ? to_.adjusted_nanos_ : from_.adjusted_nanos_);
    for (const std::string& name : classes_) {
      const CostShape::Class* from = FindIn(from_.classes_, name);
      const CostShape::Class* to = FindIn(to_.classes_, name);
      const CostShape& mix_of = exchanged >= kMix ? to_ : from_;
      const CostShape::Class* in_mix = exchanged >= kMix ? to : from;
      if (in_mix == nullptr) continue;
      // Of a class that only one of them has there are only that one's values.
      if (from == nullptr) from = to;
      if (to == nullptr) to = from;
      cost += tasks * Ratio(in_mix->task_count(), mix_of.tasks()) * PerTask(*from, *to, exchanged);
    }
    return cost;
  }

  // In the order of exchange.
  enum Factor { kVolume = 1, kMix, kLoopLength, kCache, kModel, kTokens, kPrice, kAdjustments };

 private:
  static double PerTask(const CostShape::Class& from, const CostShape::Class& to, int exchanged) {
    const CostShape::Class& loop = exchanged >= kLoopLength ? to : from;
    const CostShape::Class& cache = exchanged >= kCache ? to : from;
    const CostShape::Class& models = exchanged >= kModel ? to : from;
    const int64_t served = models.calls - models.hits;
    double per_served = 0;
    for (const auto& [name, model] : models.models) {
      const CostShape::Model* model_from = FindIn(from.models, name);
      const CostShape::Model* model_to = FindIn(to.models, name);
      if (model_from == nullptr) model_from = model_to;
      if (model_to == nullptr) model_to = model_from;
      per_served += Ratio(model.calls, served) * PerCall(*model_from, *model_to, exchanged);
    }
    return Ratio(loop.calls, loop.task_count()) * (1 - Ratio(cache.hits, cache.calls)) * per_served;
  }

  static double PerCall(const CostShape::Model& from, const CostShape::Model& to, int exchanged) {
    const CostShape::Model& tokens = exchanged >= kTokens ? to : from;
    double cost = 0;
    for (const auto& [name, meter] : tokens.meters) {
      const CostShape::Meter* price = FindIn((exchanged >= kPrice ? to : from).meters, name);
      if (price == nullptr || price->quantity == 0) price = &meter;
      cost += Ratio(meter.quantity, tokens.calls) * Ratio(price->cost_nanos, price->quantity);
    }
    return cost;
  }

  const CostShape& from_;
  const CostShape& to_;
  std::set<std::string> classes_;
};

CostChange CostChange::Between(const CostShape& from, const CostShape& to) {
  CostChange change;
  change.from_nanos = from.cost_nanos();
  change.to_nanos = to.cost_nanos();
  const Counterfactual counterfactual(from, to);
  int64_t* const parts[] = {&change.volume_nanos, &change.mix_nanos,     &change.loop_length_nanos,
                            &change.cache_nanos,  &change.model_nanos,   &change.tokens_nanos,
                            &change.price_nanos,  &change.adjusted_nanos};
  // Whole nano-dollars at every step, the exact costs at both ends: the differences add up exactly.
  int64_t before = change.from_nanos;
  for (int factor = Counterfactual::kVolume; factor <= Counterfactual::kAdjustments; ++factor) {
    const int64_t after = factor == Counterfactual::kAdjustments
                              ? change.to_nanos
                              : static_cast<int64_t>(std::llround(counterfactual.Cost(factor)));
    *parts[factor - 1] = after - before;
    before = after;
  }
  return change;
}

std::vector<CostChange::Part> CostChange::Parts() const {
  return {{"volume", volume_nanos},
          {"mix", mix_nanos},
          {"loop length", loop_length_nanos},
          {"cache", cache_nanos},
          {"model", model_nanos},
          {"tokens", tokens_nanos},
          {"price", price_nanos},
          {"adjustments", adjusted_nanos}};
}

}  // namespace purser::ledger
