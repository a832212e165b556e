#ifndef PURSER_ENGINE_DIMENSIONS_H_
#define PURSER_ENGINE_DIMENSIONS_H_

#include <cstddef>
#include <iterator>
#include <string_view>

namespace purser {

// The dimensions of a request: whose it is and what it is for. Budgets are kept by them, rules and caches
// tell requests apart by them, records are booked with them and reports broken down by them.
//
// This is their one home. A struct that has dimensions derives from Dimensions, and whatever treats each of
// them alike iterates over kRequestDimensions. To add one: a member, a row, and its fields in
// purser/record.proto and purser/trace.proto. docs/add-a-dimension.md goes through it.

// The longest value of a dimension; Request says what becomes of a longer one.
inline constexpr size_t kMaxDimensionBytes = 1024;

// Everything is a view of opaque bytes, of any content and of at most kMaxDimensionBytes. Empty: not known,
// or does not apply.
struct Dimensions {
  std::string_view tenant{};
  std::string_view customer{};
  std::string_view customer_tier{};  // "free", "pro", "enterprise" ...
  std::string_view team{};
  std::string_view feature{};
  std::string_view use_case{};
  std::string_view session{};
  std::string_view task{};
  std::string_view parent_task{};  // Of a sub-agent's task: the task that started it.
  std::string_view release{};      // Code or prompt version.
  std::string_view environment{};  // "production", "staging" ...
};

// One of them, and where it may stand.
struct RequestDimension {
  // The same everywhere: in policies, traces, reports, dumps and exports. Zero-terminated.
  std::string_view name;
  std::string_view Dimensions::*member;
  // Its fields in the messages Record and Dispatched of purser/record.proto.
  int record_field;
  int dispatched_field;
  // A value means something only together with the tenant: reports never add up the same value of two
  // tenants.
  bool within_tenant = true;
  // Keys of budgets and their only_for may name it.
  bool in_budgets = true;
  // Templates of cache namespaces may name it.
  bool in_namespaces = true;
  // OpenTelemetry's name for it. Empty: "purser." and the name.
  std::string_view otel_attribute{};
};

// New rows come last: ledgers hold scopes in this order.
inline constexpr RequestDimension kRequestDimensions[] = {
    {.name = "tenant",
     .member = &Dimensions::tenant,
     .record_field = 3,
     .dispatched_field = 4,
     .within_tenant = false},
    {.name = "customer", .member = &Dimensions::customer, .record_field = 4, .dispatched_field = 5},
    {.name = "customer_tier",
     .member = &Dimensions::customer_tier,
     .record_field = 17,
     .dispatched_field = 16,
     .otel_attribute = "purser.customer.tier"},
    {.name = "team", .member = &Dimensions::team, .record_field = 18, .dispatched_field = 17},
    {.name = "feature", .member = &Dimensions::feature, .record_field = 5, .dispatched_field = 6},
    {.name = "use_case", .member = &Dimensions::use_case, .record_field = 6, .dispatched_field = 7},
    {.name = "session",
     .member = &Dimensions::session,
     .record_field = 7,
     .dispatched_field = 8,
     .otel_attribute = "gen_ai.conversation.id"},
    {.name = "task", .member = &Dimensions::task, .record_field = 8, .dispatched_field = 9},
    {.name = "parent_task",
     .member = &Dimensions::parent_task,
     .record_field = 20,
     .dispatched_field = 18,
     .in_budgets = false,
     .in_namespaces = false},
    {.name = "release",
     .member = &Dimensions::release,
     .record_field = 21,
     .dispatched_field = 19,
     .within_tenant = false,
     .in_budgets = false,
     .otel_attribute = "service.version"},
    {.name = "environment",
     .member = &Dimensions::environment,
     .record_field = 53,
     .dispatched_field = 30,
     .within_tenant = false,
     .otel_attribute = "deployment.environment.name"},
};
inline constexpr size_t kRequestDimensionCount = std::size(kRequestDimensions);

// The row of a member.
constexpr size_t RowOf(std::string_view Dimensions::*member) {
  size_t row = 0;
  while (row < kRequestDimensionCount && kRequestDimensions[row].member != member) ++row;
  return row;
}

// A dimension of the caller's own, beside ours: an experiment, a cohort ... It stands in the ledger from the
// dispatch on, and is reported and exported as "own." and its name (`purser report --by own.experiment`).
// Budgets, rules and caches do not know it; what rules should read belongs in Request::metadata.
struct OwnDimension {
  std::string_view name{};
  std::string_view value{};
};
inline constexpr size_t kMaxOwnDimensions = 8;
inline constexpr size_t kMaxOwnValueBytes = 256;  // Of any content.
inline constexpr size_t kMaxOwnNameBytes = 64;

// 1 to 64 of a-z, 0-9, "_", "." and "-".
constexpr bool IsOwnDimensionName(std::string_view name) {
  for (const char c : name) {
    if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-')) return false;
  }
  return !name.empty() && name.size() <= kMaxOwnNameBytes;
}

// A member that no row describes would be read by nobody.
static_assert(sizeof(Dimensions) == kRequestDimensionCount * sizeof(std::string_view));

}  // namespace purser

#endif  // PURSER_ENGINE_DIMENSIONS_H_
