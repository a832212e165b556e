#ifndef PURSER_ENGINE_ECONOMICS_RED_FLAGS_H_
#define PURSER_ENGINE_ECONOMICS_RED_FLAGS_H_

#include <string>
#include <vector>

#include "engine/economics/survey.h"

namespace purser::economics {

// Something that a person should look at, and what says so.
struct RedFlag {
  enum class Kind {
    kCostOutgrowsRevenue,  // Per customer.
    kFreeTierShare,
    kAgentMultiple,        // Tasks far more expensive than a single completion.
    kClassTurnedNegative,  // A class earned in the earlier half and loses in the later one.
    kSpendWithoutUse,      // Daily spend does not follow daily calls.
    kEstimateDrift,
    kHitRateFalling,
  };
  Kind kind;
  std::string what;      // One line: "free tiers are 34.0 % of spend (flagged above 10 %)".
  std::string evidence;  // The numbers behind it.
};

const char* NameOf(RedFlag::Kind kind);  // "free-tier-share"

// All that are raised, by the economics' thresholds. What is compared over time is the earlier half of the
// ledger's span against the later one; a comparison needs kMinCalls in both halves.
inline constexpr int64_t kMinCalls = 50;
std::vector<RedFlag> RedFlags(const Survey& survey);

}  // namespace purser::economics

#endif  // PURSER_ENGINE_ECONOMICS_RED_FLAGS_H_
