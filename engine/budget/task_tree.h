#ifndef PURSER_ENGINE_BUDGET_TASK_TREE_H_
#define PURSER_ENGINE_BUDGET_TASK_TREE_H_

#include <array>

#include "engine/budget/account_store.h"

namespace purser::budget {

// A task and its ancestors, nearest first.
struct TaskChain {
  int size = 0;
  bool cut_off = false;  // There are more ancestors than that.
  std::array<AccountRef, kMaxTaskDepth> ref;
};

// Follows the parents of a task account upwards. The account has to be pinned or locked by the caller: then
// all of them stay where they are, since every parent is pinned by its child.
TaskChain ChainOf(const AccountTable& table, AccountRef task);

// Makes the task named `parent` the parent of the task account `child`, which the caller has pinned and not
// locked. Does nothing if it has a parent by then. `create_ended`: also if the parent has ended. kHeld: done;
// kEnded, kBadParent: not.
HoldStatus LinkToParent(AccountStore& store, AccountRef child, std::string_view tenant,
                        std::string_view parent, bool create_ended, const Lifetimes& lifetimes,
                        int64_t now_nanos);

}  // namespace purser::budget

#endif  // PURSER_ENGINE_BUDGET_TASK_TREE_H_
