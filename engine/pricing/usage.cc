#include <purser/usage.h>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"

namespace purser {
namespace {

struct TierName {
  absl::string_view name;
  ServiceTier tier;
};

// OpenAI: auto, default, flex, priority, scale, batch. Anthropic: standard, priority, batch. Vertex:
// ON_DEMAND, ON_DEMAND_FLEX, ON_DEMAND_PRIORITY, PROVISIONED_THROUGHPUT. Bedrock: default, flex, priority,
// reserved. Groq: on_demand, flex, performance.
constexpr TierName kTierNames[] = {
    {"standard", ServiceTier::kStandard},
    {"default", ServiceTier::kStandard},
    {"auto", ServiceTier::kStandard},
    {"on_demand", ServiceTier::kStandard},
    {"on-demand", ServiceTier::kStandard},
    {"batch", ServiceTier::kBatch},
    {"batches", ServiceTier::kBatch},
    {"flex", ServiceTier::kFlex},
    {"on_demand_flex", ServiceTier::kFlex},
    {"priority", ServiceTier::kPriority},
    {"on_demand_priority", ServiceTier::kPriority},
    {"fast", ServiceTier::kFast},
    {"scale", ServiceTier::kScale},
};

}  // namespace

ServiceTier ParseServiceTier(std::string_view name) {
  for (const TierName& known : kTierNames) {
    if (absl::EqualsIgnoreCase(known.name, absl::string_view(name.data(), name.size()))) return known.tier;
  }
  return ServiceTier::kUnstated;
}

std::string_view NameOf(ServiceTier tier) {
  switch (tier) {
    case ServiceTier::kUnstated:
      return "";
    case ServiceTier::kStandard:
      return "standard";
    case ServiceTier::kBatch:
      return "batch";
    case ServiceTier::kFlex:
      return "flex";
    case ServiceTier::kPriority:
      return "priority";
    case ServiceTier::kFast:
      return "fast";
    case ServiceTier::kScale:
      return "scale";
  }
  return "";
}

}  // namespace purser
