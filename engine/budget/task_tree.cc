#include "engine/budget/task_tree.h"

#include <algorithm>

namespace purser::budget {
namespace {

bool Contains(const TaskChain& chain, AccountRef ref) {
  return std::find(chain.ref.begin(), chain.ref.begin() + chain.size, ref) != chain.ref.begin() + chain.size;
}

}  // namespace

TaskChain ChainOf(const AccountTable& table, AccountRef task) {
  TaskChain chain;
  while (task != kNoAccount && chain.size < kMaxTaskDepth) {
    chain.ref[chain.size++] = task;
    task = table.At(task).task->parent.load(std::memory_order_acquire);
  }
  chain.cut_off = task != kNoAccount;
  return chain;
}

HoldStatus LinkToParent(AccountStore& store, AccountRef child, std::string_view tenant,
                        std::string_view parent, bool create_ended, const Lifetimes& lifetimes,
                        int64_t now_nanos) {
  const KeyBytes key = MakeTaskKey(tenant, parent);
  bool has_ended = false;
  const AccountTable::Found found = store.table.FindOrCreate(kTaskAccount, key, [&] {
    has_ended = store.ended.Contains(EndedKind::kTask, key, now_nanos, lifetimes.ended_nanos);
    return create_ended || !has_ended;
  });
  if (found.account == nullptr) return HoldStatus::kEnded;
  if (has_ended) found.account->ended = true;
  if (found.created) Touch(*found.account, nullptr, now_nanos);
  if (found.account->ended && !create_ended) {
    found.account->lock.unlock();
    return HoldStatus::kEnded;
  }
  ++found.account->pins;  // By the child.
  found.account->lock.unlock();

  HoldStatus status = HoldStatus::kHeld;
  bool linked = false;
  {
    // One at a time, so that two links made at once cannot close a circle.
    const std::lock_guard<std::mutex> lock(store.linking);
    std::atomic<AccountRef>& link = store.table.At(child).task->parent;
    const TaskChain above = ChainOf(store.table, found.ref);
    if (link.load(std::memory_order_relaxed) == kNoAccount) {
      if (Contains(above, child) || above.size + 1 > kMaxTaskDepth) {
        status = HoldStatus::kBadParent;
      } else {
        link.store(found.ref, std::memory_order_release);
        linked = true;
      }
    }
  }
  if (!linked) {
    found.account->lock.lock();
    store.UnpinAndUnlock(*found.account, found.ref);
  }
  return status;
}

}  // namespace purser::budget
