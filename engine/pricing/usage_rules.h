#ifndef PURSER_ENGINE_PRICING_USAGE_RULES_H_
#define PURSER_ENGINE_PRICING_USAGE_RULES_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "engine/pricing/usage_block.h"
#include "policies/diagnostics.h"
#include "purser/pricing.pb.h"
#include "simdjson.h"

namespace purser::pricing {

// How the APIs of one provider state usage: the compiled UsageRules of a price book's provider. Immutable,
// thread-safe.
class UsageRules {
 public:
  static std::unique_ptr<UsageRules> Compile(const prices::Provider& provider, const std::string& path,
                                             Diagnostics* diagnostics);
  UsageRules();
  ~UsageRules();

  struct Flavor;
  // Null: this provider has no such API. Empty name: null.
  const Flavor* Find(std::string_view api_flavor) const;
  // The flavor whose required fields the response has, and the most of its others; null: none.
  const Flavor* Guess(simdjson::dom::element response) const;
  std::string FlavorNames() const;

  // Adds up what the response states. INVALID_ARGUMENT as UsageReader::Read.
  static absl::Status Apply(const Flavor& flavor, simdjson::dom::element response, UsageBlock* block);

 private:
  std::vector<std::unique_ptr<Flavor>> flavors_;
};

// Reads a count into `units` (microseconds for ..._seconds). INVALID_ARGUMENT, naming `shown`: not a number,
// negative, fractional where the meter counts whole units, beyond int64.
absl::Status ReadCount(simdjson::dom::element value, Meter meter, absl::string_view shown, int64_t* units);

// Those of the well-known providers, and of OpenAI-compatible servers for any other name.
const UsageRules& BuiltInUsageRules(std::string_view provider);

}  // namespace purser::pricing

#endif  // PURSER_ENGINE_PRICING_USAGE_RULES_H_
