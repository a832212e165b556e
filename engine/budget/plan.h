#ifndef PURSER_ENGINE_BUDGET_PLAN_H_
#define PURSER_ENGINE_BUDGET_PLAN_H_

#include <purser/dimensions.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "engine/budget/amounts.h"
#include "engine/budget/window.h"
#include "policies/diagnostics.h"
#include "purser/policy.pb.h"

namespace purser::budget {

// The values of a request that keys of accounts are made of. Opaque bytes of any content and length; empty:
// not known. Views: they have to live as long as the call that they are passed to.
struct Scope : Dimensions {
  // Of the candidate at hand.
  std::string_view provider = {};
  std::string_view model = {};
};

// What keys and filters of budgets name: the rows of kRequestDimensions, then the candidate's two. Those that
// code asks for have a name here.
enum class Field : uint8_t {
  kTenant = RowOf(&Dimensions::tenant),
  kCustomer = RowOf(&Dimensions::customer),
  kTeam = RowOf(&Dimensions::team),
  kFeature = RowOf(&Dimensions::feature),
  kSession = RowOf(&Dimensions::session),
  kTask = RowOf(&Dimensions::task),
  kProvider = kRequestDimensionCount,
  kModel,
};
inline constexpr size_t kFields = kRequestDimensionCount + 2;

// The members of Scope that the fields stand for, in their order.
inline constexpr std::array<std::string_view Scope::*, kFields> kScopeMembers = [] {
  std::array<std::string_view Scope::*, kFields> members{};
  for (size_t row = 0; row < kRequestDimensionCount; ++row) members[row] = kRequestDimensions[row].member;
  members[static_cast<size_t>(Field::kProvider)] = &Scope::provider;
  members[static_cast<size_t>(Field::kModel)] = &Scope::model;
  return members;
}();
inline std::string_view ValueOf(const Scope& scope, Field field) {
  return scope.*kScopeMembers[static_cast<size_t>(field)];
}

// At most this many budgets in a policy, so that a set of them is a 64-bit mask (bit = index).
inline constexpr int kMaxBudgets = 40;
// Fields in one key.
inline constexpr int kMaxKeyFields = 8;
// The deepest task tree.
inline constexpr int kMaxTaskDepth = 16;

// One budget of the policy, ready to be applied.
struct Budget {
  std::string name;
  std::vector<Field> key;      // Empty: one account for everything.
  bool per_task = false;       // Key is [tenant, task]: applies to the task and to each of its ancestors.
  bool per_session = false;    // Key is [tenant, session].
  bool per_candidate = false;  // The key or the filter reads the provider or the model.
  bool required = false;

  struct Filter {
    Field field;
    std::vector<std::string> values;
  };
  std::vector<Filter> only_for;  // All must match.

  Amounts limits = Amounts::Unlimited();
  // What holds may fill: `limits` less the reserve of a budget that holds a quantile.
  Amounts hold_limits = Amounts::Unlimited();
  // The dimensions that have a limit.
  std::array<Dimension, kDimensions> limited = {};
  int limited_count = 0;
  WindowSpec window;
  uint16_t window_fingerprint = 0;
  std::vector<double> warn_at;  // Ascending.
  // For each of these: whoever has committed less than this in every dimension is not past it.
  std::vector<Amounts> warn_from;
  absl::InlinedVector<policy::Budget::ShortAction, 6> when_short;  // Ends with DENY or WARN_ONLY.
  double quantile = 0;                                             // 0: holds the worst case.
  int64_t forget_after_nanos = kUnlimited;

  // Set by Accounts::Register.
  uint16_t id = 0;
};

struct LoopGuards {
  int64_t max_steps = 0;
  int32_t max_depth = kMaxTaskDepth;
  int64_t max_wall_nanos = 0;
  int32_t max_retries = 0;
  int32_t max_repeats = 0;
  double cost_factor = 5;
  bool flag_only = false;
  bool flag_cost_only = true;
};

struct Lifetimes {
  int64_t hold_nanos = 0;
  int64_t dispatch_nanos = 0;
  int64_t presumed_nanos = 0;
  int64_t task_nanos = 0;
  int64_t session_nanos = 0;
  int64_t ended_nanos = 0;
};

// The budgets of one policy, compiled. Immutable once registered with an Accounts; share it among threads as
// const.
class Plan {
 public:
  // Reads policy.budgets, budget_settings and loop_guards. Every mistake becomes a diagnostic at its field
  // ("budgets[1].usd"); then the result is of no use. Lints are warnings: a customer budget nobody can hit,
  // two budgets that say the same ...
  static Plan Compile(const policy::Policy& policy, Diagnostics* diagnostics);

  // The same with only those of its budgets that have one of these names. To be registered anew.
  Plan Only(const std::vector<std::string_view>& names) const;

  const std::vector<Budget>& budgets() const { return budgets_; }
  const LoopGuards& guards() const { return guards_; }
  const Lifetimes& lifetimes() const { return lifetimes_; }
  // Whether tasks are followed: some budget is per task, or the policy has loop guards.
  bool follows_tasks() const { return follows_tasks_; }
  // Budgets whose first way out is WARN_ONLY: waive these from the start (Call::waived).
  uint64_t waived_from_start() const { return waived_from_start_; }
  // The largest quantile that a budget holds; 0: every hold is the worst case and Call::likely is not read.
  double hold_quantile() const { return hold_quantile_; }

  // The budget with this Accounts-wide id; null if this policy has none of that name.
  const Budget* FindById(uint16_t id) const {
    return id < index_by_id_.size() && index_by_id_[id] >= 0 ? &budgets_[index_by_id_[id]] : nullptr;
  }
  int IndexOf(const Budget& budget) const { return static_cast<int>(&budget - budgets_.data()); }

 private:
  friend class Accounts;
  friend class PlanCompiler;

  std::vector<Budget> budgets_;
  LoopGuards guards_;
  Lifetimes lifetimes_;
  bool follows_tasks_ = false;
  uint64_t waived_from_start_ = 0;
  double hold_quantile_ = 0;
  std::vector<int16_t> index_by_id_;
};

}  // namespace purser::budget

#endif  // PURSER_ENGINE_BUDGET_PLAN_H_
