#ifndef PURSER_ENGINE_BUDGET_RESERVATION_H_
#define PURSER_ENGINE_BUDGET_RESERVATION_H_

#include <array>

#include "engine/budget/account_store.h"
#include "engine/budget/task_tree.h"

namespace purser::budget {

// Whether this budget is for such calls.
bool Applies(const Budget& budget, const Scope& scope);
// Whether the call has all values that the budget's key needs. The tenant may be left out.
bool HasKey(const Budget& budget, const Scope& scope);

// All about an account that is short, except the budget's index. The caller holds the account's lock.
Shortage DescribeShortage(Account& account, const Budget& budget, Dimension dimension, const Amounts& asked,
                          int64_t now_nanos);

// Sets a call's amounts aside in all of its accounts, or in none. Lives on the stack of one call; accounts
// are locked one at a time.
class Reservation {
 public:
  enum class Mode { kAsk, kForce };

  // `replaced`: the open hold that this one will take the place of: only what the call needs beyond it is set
  // aside (in accounts of both). Forced: limits, guards and ends are not asked.
  Reservation(AccountStore& store, const Plan& plan, const Call& call, Mode mode, const OpenHold* replaced,
              int64_t now_nanos)
      : store_(store), plan_(plan), call_(call), mode_(mode), replaced_(replaced), now_(now_nanos) {}

  // Fills status, shortage, guards and levels. If it does not end with kHeld, nothing has changed.
  void Run(HoldResult* result);
  // Takes everything back.
  void Undo();

  // Makes the (locked) hold one for what was reserved.
  void Open(OpenHold* hold, HoldPhase phase, int64_t expires_at_nanos) const;

  int legs() const { return legs_; }
  const Leg& leg(int i) const { return leg_[i]; }

  // What the call sets aside in such a leg.
  const Amounts& AmountOf(const Leg& leg) const { return leg.likely ? call_.likely : call_.worst; }

 private:
  // How a leg was reserved, so that it can be undone. Without initial values: there are 64, of which few are
  // used.
  struct Trace {
    std::array<int64_t, kDimensions> asked;
    bool created;
    uint8_t warned_before, warned_after;
  };

  bool AddTasks();
  bool AddOwnTask(AccountRef* own);
  bool AddBudget(int index);
  bool AddAccount(int index, const KeyBytes& key, uint64_t key_hash);
  bool Fail(HoldStatus status);
  Amounts Asked(const Leg& leg) const;
  bool IsReplaced(AccountRef ref) const;
  void Keep(const Leg& leg, const Amounts& asked, bool created);
  static bool MayCrossLevel(const Account& account, const Budget& budget);
  void NoteLevels(Account& account, int index);

  AccountStore& store_;
  const Plan& plan_;
  const Call& call_;
  const Mode mode_;
  const OpenHold* const replaced_;
  const int64_t now_;
  HoldResult* result_ = nullptr;

  int legs_ = 0;
  std::array<Leg, kMaxLegs> leg_;
  std::array<Trace, kMaxLegs> trace_;
  TaskChain chain_;
  KeyBytes own_key_;  // Of the call's task, if tasks are followed.
  uint64_t own_key_hash_ = 0;
  bool counted_ = false;  // The call was counted as the task's.
};

}  // namespace purser::budget

#endif  // PURSER_ENGINE_BUDGET_RESERVATION_H_
