#include "engine/budget/loop_guard.h"

namespace purser::budget {
namespace {

int32_t TimesSeen(const TaskState& task, uint64_t fingerprint) {
  for (const TaskState::Repeat& repeat : task.repeats) {
    if (repeat.fingerprint == fingerprint) return repeat.count;
  }
  return 0;
}

// One guard after the other; the first that refuses decides.
class Asker {
 public:
  explicit Asker(GuardVerdict* verdict) : verdict_(*verdict) {}

  void Ask(Guard guard, bool flag_only, int64_t limit, int64_t value) {
    if (verdict_.refused || value <= limit) return;
    if (flag_only) {
      verdict_.flagged |= static_cast<uint8_t>(1u << static_cast<int>(guard));
    } else {
      verdict_.refused = true;
      verdict_.trip = {guard, limit, value};
    }
  }

 private:
  GuardVerdict& verdict_;
};

}  // namespace

std::string_view GuardName(Guard guard) {
  static constexpr std::string_view kNames[kGuards] = {"max_steps",   "max_depth",   "max_wall_time",
                                                       "max_retries", "max_repeats", "cost_factor"};
  return kNames[static_cast<int>(guard)];
}

GuardVerdict AskGuards(const LoopGuards& guards, const Account& account, int depth, const Call& call,
                       int64_t now_nanos) {
  const TaskState& task = *account.task;
  GuardVerdict verdict;
  Asker asker(&verdict);
  asker.Ask(Guard::kDepth, guards.flag_only, guards.max_depth, depth);
  if (guards.max_steps > 0) {
    asker.Ask(Guard::kSteps, guards.flag_only, guards.max_steps,
              AddSaturating(task.own_steps, call.worst[Dimension::kSteps]));
  }
  if (guards.max_wall_nanos > 0 && task.started_nanos != 0)
    asker.Ask(Guard::kWallTime, guards.flag_only, guards.max_wall_nanos, now_nanos - task.started_nanos);
  if (guards.max_retries > 0)
    asker.Ask(Guard::kRetries, guards.flag_only, guards.max_retries, call.attempt - 1);
  if (guards.max_repeats > 0 && call.fingerprint != 0 && call.attempt <= 1) {
    asker.Ask(Guard::kRepeats, guards.flag_only, guards.max_repeats, TimesSeen(task, call.fingerprint) + 1);
  }
  if (call.single_shot_nanos > 0) {
    const double most = guards.cost_factor * static_cast<double>(call.single_shot_nanos);
    const int64_t limit = most < 9e18 ? static_cast<int64_t>(most) : kUnlimited;
    asker.Ask(Guard::kCost, guards.flag_only || guards.flag_cost_only, limit,
              AddSaturating(Committed(account, Dimension::kUsd), call.expected_nanos));
  }
  return verdict;
}

void CountCall(TaskState& task, const Amounts& amounts, uint64_t fingerprint, int32_t attempt,
               int64_t now_nanos) {
  if (task.started_nanos == 0) task.started_nanos = now_nanos;
  task.own_steps = AddSaturating(task.own_steps, amounts[Dimension::kSteps]);
  if (fingerprint == 0 || attempt > 1) return;
  for (TaskState::Repeat& repeat : task.repeats) {
    if (repeat.fingerprint == fingerprint) {
      ++repeat.count;
      return;
    }
  }
  task.repeats[task.next_repeat] = {fingerprint, 1};
  task.next_repeat = (task.next_repeat + 1) % TaskState::kRepeats;
}

void UncountCall(TaskState& task, const Amounts& amounts, uint64_t fingerprint) {
  task.own_steps = std::max<int64_t>(0, task.own_steps - amounts[Dimension::kSteps]);
  if (fingerprint == 0) return;
  for (TaskState::Repeat& repeat : task.repeats) {
    if (repeat.fingerprint == fingerprint && repeat.count > 0) --repeat.count;
  }
}

}  // namespace purser::budget
