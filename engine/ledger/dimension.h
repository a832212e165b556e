#ifndef PURSER_ENGINE_LEDGER_DIMENSION_H_
#define PURSER_ENGINE_LEDGER_DIMENSION_H_

#include <purser/dimensions.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/ledger/record.h"

namespace purser::ledger {

// What the books can be broken down by: a request's dimensions, which are the rows of kRequestDimensions
// (those that code asks for have a name here), what else a record says, and from kFirstOwn on the callers'
// own dimensions, a number for each name that this process has parsed.
enum class Dimension : uint16_t {
  kTenant = RowOf(&Dimensions::tenant),
  kCustomer = RowOf(&Dimensions::customer),
  kCustomerTier = RowOf(&Dimensions::customer_tier),
  kTeam = RowOf(&Dimensions::team),
  kFeature = RowOf(&Dimensions::feature),
  kSession = RowOf(&Dimensions::session),
  kTask = RowOf(&Dimensions::task),
  kRelease = RowOf(&Dimensions::release),
  kRequestClass = kRequestDimensionCount,
  kRegion,
  kProvider,
  kModel,
  kModelAsked,
  kCandidate,
  kServiceTier,
  kCacheHit,
  kOutcome,
  kStep,
  kPolicy,
  kPrices,
  kHour,
  kDay,
  kWeek,
  kMonth,
  kFirstOwn = 1024,
};
inline constexpr size_t kMaxOwnNames = 1024;

// Whether its values are spans of time.
inline bool IsOfTime(Dimension dimension) {
  return dimension >= Dimension::kHour && dimension <= Dimension::kMonth;
}

// All of them but the callers' own, in the order in which help lists them.
const std::vector<Dimension>& AllDimensions();
// "customer_tier". Static.
std::string_view NameOf(Dimension dimension);
// "own.NAME" is a caller's own dimension. INVALID_ARGUMENT names the dimensions that exist;
// RESOURCE_EXHAUSTED: more than kMaxOwnNames own ones. Thread-safe, as is everything here that takes a
// Dimension.
absl::StatusOr<Dimension> ParseDimension(std::string_view name);
// A comma-separated list.
absl::StatusOr<std::vector<Dimension>> ParseDimensions(std::string_view names);

// Ids of these belong to a tenant: the same id of two tenants is two things, and never added up as one.
bool IsWithinTenant(Dimension dimension);

// Where KeyOf may put a text that it makes.
using KeyBuffer = char[24];

// A record's value of a dimension: "" if it has none. Points into the record or into `buffer`. Days are
// "2026-03-02", weeks "2026-W10" (ISO 8601), months "2026-03", hours "2026-03-02T08", all UTC, by time_nanos.
std::string_view KeyOf(const RecordView& record, Dimension dimension, KeyBuffer& buffer);

// A key of several values: each after its length, so that no two lists of values share one.
void AppendToKey(std::string_view value, std::string* key);
std::vector<std::string> ValuesOfKey(std::string_view key);

}  // namespace purser::ledger

#endif  // PURSER_ENGINE_LEDGER_DIMENSION_H_
