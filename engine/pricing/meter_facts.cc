#include "engine/pricing/meter_facts.h"

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"

namespace purser {

std::string_view NameOf(Meter meter) { return pricing::FactsOf(meter).name; }

std::optional<Meter> FindMeter(std::string_view name) {
  static const auto* const kByName = [] {
    auto* by_name = new absl::flat_hash_map<absl::string_view, Meter>();
    for (int i = 0; i < kMeterCount; ++i) {
      by_name->emplace(
          absl::string_view(pricing::kMeterFacts[i].name.data(), pricing::kMeterFacts[i].name.size()),
          static_cast<Meter>(i));
    }
    return by_name;
  }();
  const auto it = kByName->find(absl::string_view(name.data(), name.size()));
  if (it == kByName->end()) return std::nullopt;
  return it->second;
}

}  // namespace purser

namespace purser::pricing {

MeterSet IncludedIn(Meter outer) {
  static constexpr auto kIncluded = [] {
    std::array<MeterSet, kMeterCount> included;
    for (int o = 0; o < kMeterCount; ++o) {
      for (int i = 0; i < kMeterCount; ++i) {
        if (o != i && Includes(static_cast<Meter>(o), static_cast<Meter>(i))) {
          included[o].Add(static_cast<Meter>(i));
        }
      }
    }
    return included;
  }();
  return kIncluded[static_cast<int>(outer)];
}

}  // namespace purser::pricing
