#ifndef PURSER_TESTS_SIM_AUDITOR_H_
#define PURSER_TESTS_SIM_AUDITOR_H_

#include <map>
#include <set>
#include <string>
#include <vector>

#include "engine/budget/accounts.h"
#include "tests/sim/audited_account.h"

namespace purser::budget {

// What Accounts ought to do, written down a second time: slowly, from the promises in accounts.h, with lists
// of entries instead of counters, and for one thread. Every operation answers what Accounts should have
// answered.
class Auditor {
 public:
  explicit Auditor(const Plan* plan) : plan_(plan) {}

  void UsePlan(const Plan* plan) { plan_ = plan; }

  // The status that a hold should end with; if kShort, `*short_budget` is where. `ticket` is what it really
  // got.
  HoldStatus ExpectHold(const Call& call, int64_t now, int* short_budget);
  void Held(Ticket ticket, const Call& call, int64_t now);

  bool MarkDispatched(Ticket ticket, int64_t now);
  bool Settle(Ticket ticket, const Amounts& total, bool final, int64_t now);
  bool Void(Ticket ticket, int64_t now);
  HoldStatus Extend(Ticket ticket, const Amounts& more, int64_t now);
  HoldStatus Rehold(Ticket ticket, const Call& call, int64_t now);
  void Charge(const Call& call, int64_t now);
  ExpireResult Expire(int64_t now);
  bool TopUp(int budget, const Scope& scope, const Amounts& amounts, int64_t expires_at, int64_t now);
  void EndTask(std::string_view tenant, std::string_view task, int64_t now);
  void EndSession(std::string_view tenant, std::string_view session, int64_t now);
  // Everything that was not dispatched is gone, and so is the memory of what has ended.
  void Crash();

  // Compares every account that this scope reaches. Empty: they agree.
  std::string Compare(const Accounts& accounts, const Scope& scope, int64_t now);
  // Checks that nothing was lost or booked twice, from the totals alone. `all`: a budget for everything,
  // lifetime.
  std::string CompareTotals(const Accounts& accounts, int all, int64_t now);

  // Limits were lowered or topped up for a while: accounts may be past them.
  void LimitsChange() { limits_fixed_ = false; }

 private:
  using AccountKey = std::pair<int, std::string>;  // Budget and key, readable.
  struct Hold {
    HoldPhase phase = HoldPhase::kHeld;
    int64_t expires_at = 0;
    int64_t presumed_at = 0;
    int64_t booked_at = 0;
    Amounts amounts, booked;
    uint64_t waived = 0;
    std::vector<AccountKey> legs;
    std::vector<std::string> tasks;  // The call's task first, then its ancestors.
  };
  struct Task {
    std::string parent;
    bool ended = false;
  };

  static std::string TaskName(std::string_view tenant, std::string_view task);
  std::string KeyOf(const ::purser::budget::Budget& budget, const Scope& scope) const;
  std::vector<std::string> ChainOf(const std::string& task) const;
  bool IsPinned(const AccountKey& key) const;
  bool TaskIsPinned(const std::string& task) const;
  HoldStatus LinkTask(const Call& call, bool force, int64_t now);
  std::vector<AccountKey> Legs(const Call& call) const;
  AuditedAccount& Touch(const AccountKey& key, int64_t now);
  Amounts HeldIn(const AccountKey& key) const;
  bool IsShort(const AccountKey& key, const Amounts& asked, int64_t now);
  void Close(std::map<Ticket, Hold>::iterator hold);
  bool IsRemembered(int64_t ended, int64_t now) const;
  void ForgetEnded();
  HoldStatus Ask(const Call& call, const Hold* replaced, int64_t now, int* short_budget);

  const Plan* plan_;
  std::map<AccountKey, AuditedAccount> accounts_;
  std::map<std::string, Task> tasks_;
  std::map<Ticket, Hold> holds_;
  std::map<std::string, int64_t> ended_tasks_, ended_sessions_;
  int64_t newest_end_ = 0;  // A clock that is set back brings nothing back.
  bool limits_fixed_ = true;
  Amounts booked_;  // By all calls ever.
};

}  // namespace purser::budget

#endif  // PURSER_TESTS_SIM_AUDITOR_H_
