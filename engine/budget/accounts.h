#ifndef PURSER_ENGINE_BUDGET_ACCOUNTS_H_
#define PURSER_ENGINE_BUDGET_ACCOUNTS_H_

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "engine/budget/amounts.h"
#include "engine/budget/key.h"
#include "engine/budget/plan.h"
#include "engine/budget/state.h"

namespace purser::budget {

// Accounts: what has been spent and what is set aside, per budget and key, in memory.
//
//   Plan plan = Plan::Compile(policy, &diagnostics);
//   Accounts accounts({});
//   accounts.Register(&plan);
//
//   HoldResult hold = accounts.Hold(plan, call, now);          // before the model call
//   if (hold.status != HoldStatus::kHeld) ... hold.shortage says which account, of what, until when
//   if (!accounts.MarkDispatched(hold.ticket, now)) ...        // it expired meanwhile: do not send
//   accounts.Settle(plan, hold.ticket, realized, true, now);   // or Void(): nothing was sent
//
// What it promises
//   - settled + held + presumed <= limit in each account at every moment, under any concurrency. Exceptions,
//     each flagged: a charge that settles above its hold is booked in full and blocks new holds until there
//     is room again; a limit that was lowered, or a top-up that ran out, blocks new holds until there is
//     room; budgets waived by Call::waived; budgets that hold a quantile and whose reserve did not suffice.
//   - A hold is taken in all of the call's accounts or in none. Accounts are updated one by one and no lock
//     is held across two of them, so another thread may see part of a hold that is about to be rolled back.
//     For that reason a call that does not fit is tried a second time before it is refused.
//   - A hold that is not dispatched is released when it expires. A dispatched one is presumed spent then: it
//     counts in full until it is settled, or for good (Plan::lifetimes).
//   - Booking is idempotent: a ticket that was closed by a final Settle, a Void or its expiry is unknown
//     from then on, and never stands for another hold.
//   - No account is shared by two keys. Keys of up to 48 bytes are stored and compared in full; of longer
//     ones the first 16 bytes and the SHA-256 of the whole. The parts of a key are length-prefixed: ("ab",
//     "c") and ("a", "bc") are two accounts. The hash that places accounts in the table is keyed with a
//     random secret; ids that collide on purpose could at worst cost time, not correctness.
//
// Windows
//   - A charge belongs to the window in which it is settled. Open holds count in whichever window is
//     current, so that a hold taken on the 31st and settled on the 1st is held in both months and spent in
//     the second.
//   - What is presumed spent belongs to the window in which it was presumed. Settling it later corrects that
//     window; if that window has closed, the accounts are not changed (it was counted there in full).
//   - A stream that turns out to have cost less than it had settled in part gets the difference back in
//     lifetime windows, and in a calendar window if all of it was settled there; in others what was settled
//     stays.
//   - An account's time never runs backwards: a window once begun is not left for an earlier one, and while
//     the clock reads earlier than that, charges are booked in the newest window known. (A clock that jumped
//     ahead by a month therefore began that month's budget; it does not begin a second time.)
//   - Rolling: see kRollingSlices. Refilling: only what is settled or presumed drains, and what was presumed
//     is not given back when it settles lower, since it has been draining.
//
// Tasks
//   - A task's parent is fixed by the first call that names one; a call on behalf of a task draws on the
//     accounts of the task and of every ancestor. Calls held before a task's parent was known do not count
//     for that parent. A refused call leaves nothing behind, not even its parent's name. A parent that would
//     close a circle, or a tree deeper than kMaxTaskDepth, is refused.
//   - Nothing is lost by forgetting an ended task: all it spent is in the accounts of its ancestors, its
//     session, its customer already. Accounts with open or presumed holds, or with living children, are not
//     forgotten. An ended id that calls again is refused while it is remembered (for
//     budget_settings.ended_remembered, or until 65,536 others have ended); after that it starts over, below
//     the same ancestors' caps.
//
// Memory: at most 200 bytes per idle account (key and table included), 500 per followed task, 600 per open
// hold; about 2 KB more per account with a rolling window. Freed accounts are used again; memory is returned
// to the system only by the destructor. After warm-up nothing is allocated by Hold, Settle and what lies
// between.
//
// Thread safety: every method may be called by any number of threads at the same time, except Import* (before
// anything else) and Export* (while nothing else runs). Time is an argument; nothing here reads a clock, a
// file or an environment variable, and nothing can fail for want of them.

// The handle of a hold. 0: none. Unique over the process's life, and over restarts if Options::incarnation
// is.
using Ticket = uint64_t;

// For arrays beside the tickets: dense, reused when the ticket is closed, below Options::max_open_holds.
inline constexpr int kTicketSlotBits = 20;
constexpr uint32_t SlotOf(Ticket ticket) {
  return static_cast<uint32_t>(ticket & ((1u << kTicketSlotBits) - 1));
}

constexpr uint32_t IncarnationOf(Ticket ticket) {
  return static_cast<uint32_t>(ticket >> kTicketSlotBits) & 0xfff;
}

// A call that wants to be paid for.
struct Call {
  Scope scope;
  // What is set aside: the worst case for most budgets, the quantile for those that say so.
  Amounts worst;
  Amounts likely;  // Read only if plan.hold_quantile() > 0.
  // Budgets (by index) whose limits do not stop this call; it is booked in them all the same.
  uint64_t waived = 0;

  // For the loop guards; read only if the call names a task.
  uint64_t fingerprint = 0;       // Of the normalised request. 0: not known.
  int32_t attempt = 1;            // From 1.
  int64_t expected_nanos = 0;     // Expected cost of this call.
  int64_t single_shot_nanos = 0;  // What one plain completion of its class costs. 0: not known.
};

enum class HoldStatus : uint8_t {
  kHeld,
  kShort,           // `shortage` says where and of what.
  kGuard,           // A loop guard tripped: `guard`.
  kMissingValue,    // A budget is `required` and the call lacks a value of its key: shortage.budget.
  kEnded,           // The task or the session has ended.
  kBadParent,       // The task's parent would close a circle, or the tree is too deep.
  kTooManyHolds,    // Options::max_open_holds are open.
  kUnknownTicket,   // Extend, Rehold: closed before, expired, presumed spent, or never given out.
  kTooManyAccounts  // The call would draw on more than kMaxLegs accounts.
};
std::string_view HoldStatusName(HoldStatus status);

// The account that ran out.
struct Shortage {
  int budget = -1;  // Index in the plan.
  KeyBytes key;
  Dimension dimension = Dimension::kUsd;
  int64_t limit = 0;  // Top-ups included. Of a budget that holds a quantile: less its reserve.
  int64_t settled = 0;
  int64_t held = 0;
  int64_t presumed = 0;
  int64_t asked = 0;
  int64_t resets_at_nanos = kForever;  // When a window begins or a slice is freed. kForever: never.
  bool overrun = false;                // A charge above its hold took the account past its limit.
};

enum class Guard : uint8_t { kSteps, kDepth, kWallTime, kRetries, kRepeats, kCost };
inline constexpr int kGuards = 6;
std::string_view GuardName(Guard guard);  // "max_steps" ...: the fields of LoopGuards in a policy.

// What a loop guard saw. Steps, levels, nanoseconds, attempts, repetitions, nano-dollars.
struct GuardTrip {
  Guard guard = Guard::kSteps;
  int64_t limit = 0;
  int64_t value = 0;
};

// A level of Budget.warn_at that this call took an account past: once per window.
struct LevelCrossed {
  float level = 0;
  uint8_t budget = 0;
  Dimension dimension = Dimension::kUsd;
};

struct HoldResult {
  HoldStatus status = HoldStatus::kHeld;
  Ticket ticket = 0;
  Shortage shortage;
  GuardTrip guard;
  // Guards that only flag: bit = Guard.
  uint8_t guards_flagged = 0;
  // Budgets that were waived and have no room: bit = index.
  uint64_t over_waived = 0;
  int levels_crossed = 0;
  std::array<LevelCrossed, 8> levels;
};

enum class SettleStatus : uint8_t {
  kSettled,
  kUnknownTicket,  // Closed before, expired, or never given out: nothing was booked.
};

struct SettleResult {
  SettleStatus status = SettleStatus::kUnknownTicket;
  bool exceeded_hold = false;  // It cost more than was held for it.
  bool was_presumed = false;
  // Budgets (by index) whose account is past its limit now, because this charge exceeded its hold.
  uint64_t overrun = 0;
};

struct ProgressResult {
  bool known = false;
  // Output tokens of the hold that are left. 0: extend, or stop the stream now.
  int64_t output_tokens_left = 0;
};

// What a call with these values could still take from one account or, the smallest of all, from its budgets.
struct Headroom {
  Amounts left = Amounts::Unlimited();  // Negative: the account is past its limit.
};

struct AccountView {
  int budget = 0;
  int level = 0;  // 0: the task itself, 1: its parent ... 0 for every other budget.
  KeyBytes key;
  bool exists = false;  // False: nobody has drawn on it yet.
  Amounts limits;       // Top-ups included.
  Amounts settled, held, presumed;
  int64_t resets_at_nanos = kForever;
  bool overrun = false;
};

struct ExpireResult {
  int64_t released = 0;        // Undispatched holds.
  int64_t presumed = 0;        // Dispatched holds, presumed spent from now on.
  int64_t presumed_final = 0;  // Presumed holds that were booked for good.
  int64_t forgotten = 0;       // Accounts.
};

// A hold that is about to leave its phase because its time is over.
struct ExpiringHold {
  Ticket ticket = 0;
  HoldPhase phase = HoldPhase::kHeld;  // The one that it leaves.
  // What the accounts count for it, settled parts included; where budgets hold a quantile, what those do.
  Amounts counted;
};
// Asked before each; false: not yet, it is asked again next time. The hold is locked meanwhile: no method of
// these accounts may be called.
using BeforeExpiry = std::function<bool(const ExpiringHold&)>;

// The largest number of accounts that one call may draw on.
inline constexpr int kMaxLegs = 64;

class Accounts {
 public:
  struct Options {
    uint32_t max_open_holds = 1u << kTicketSlotBits;
    // One more each time the accounts are rebuilt after a restart, so that a ticket of an earlier run never
    // stands for a hold of this one. 12 bits are used.
    uint32_t incarnation = 0;
    // Of the hash that places accounts. 0: random.
    uint64_t seed = 0;
  };

  explicit Accounts(const Options& options);
  ~Accounts();
  Accounts(const Accounts&) = delete;
  Accounts& operator=(const Accounts&) = delete;

  // Makes the plan known: accounts are kept by budget name, so that those of an earlier plan go on under a
  // budget of the same name, whatever its limits are now. Call once per plan, before it is used or shared.
  void Register(Plan* plan);

  // ---- The life of a hold ----

  HoldResult Hold(const Plan& plan, const Call& call, int64_t now_nanos);

  // The request is about to be sent. False: the ticket is unknown, by expiry most likely; do not send.
  bool MarkDispatched(const Plan& plan, Ticket ticket, int64_t now_nanos);

  // Books what the call cost. `total` is the whole cost so far, not what was added since: a stream may
  // settle several times (`final` false; the hold's time to expire starts over), a lost or repeated partial
  // settlement does no harm, one that is lower than what was booked is ignored. The final one says what it
  // really was, gives back the rest, and closes the ticket.
  SettleResult Settle(const Plan& plan, Ticket ticket, const Amounts& total, bool final, int64_t now_nanos);

  // Nothing was sent: gives everything back, what was partly settled excepted, and closes the ticket. False:
  // unknown ticket.
  bool Void(const Plan& plan, Ticket ticket, int64_t now_nanos);

  // A stream is at this many output tokens. Changes nothing.
  ProgressResult Progress(Ticket ticket, int64_t output_tokens) const;

  // Sets aside more for the same call, in all of its accounts or in none; then the hold is as it was. Its
  // time to expire starts over.
  HoldResult Extend(const Plan& plan, Ticket ticket, const Amounts& more, int64_t now_nanos);

  // Failover: makes the hold one for `call` (another candidate), undispatched again. Accounts of both calls
  // are charged the difference only, so that unused money is neither counted twice nor offered to others in
  // between. Not held: the old hold stands. The ticket stays the same. Loop guards are not asked again. What
  // was settled in part stays spent; totals of later settlements count from zero.
  HoldResult Rehold(const Plan& plan, Ticket ticket, const Call& call, int64_t now_nanos);

  // Releases and presumes what has expired, books old presumed holds for good, ends idle tasks and sessions,
  // forgets idle accounts. Looks at every open hold and at up to `max_accounts` accounts, going on where the
  // last call stopped.
  ExpireResult Expire(const Plan& plan, int64_t now_nanos, int64_t max_accounts = 20'000,
                      const BeforeExpiry& before = nullptr);

  // ---- Without a hold ----

  // Books a charge that has no (open) hold: replayed from the log, reported late, or never asked for.
  // Returns the budgets whose account is past its limit now.
  uint64_t Charge(const Plan& plan, const Scope& scope, const Amounts& total, int64_t now_nanos);

  // Raises the limits of one account until `expires_at_nanos`; 0: until its next window begins (of a lifetime
  // window: for good). FAILED_PRECONDITION: the scope lacks a value of the key, or 4 top-ups are active.
  // NOT_FOUND: no such budget.
  absl::Status TopUp(const Plan& plan, std::string_view budget, const Scope& scope, const Amounts& amounts,
                     int64_t expires_at_nanos, int64_t now_nanos);

  void EndTask(const Plan& plan, std::string_view tenant, std::string_view task, int64_t now_nanos);
  void EndSession(const Plan& plan, std::string_view tenant, std::string_view session, int64_t now_nanos);

  // ---- Looking ----

  // The least that is left over all accounts of such a call, waived budgets left out. Does not allocate,
  // creates nothing.
  Headroom HeadroomOf(const Plan& plan, const Scope& scope, uint64_t waived, int64_t now_nanos) const;
  // Each of them, in the plan's order.
  std::vector<AccountView> Inspect(const Plan& plan, const Scope& scope, int64_t now_nanos) const;

  int64_t account_count() const;
  int64_t open_holds() const;
  // Bytes that accounts, tables and holds take up.
  int64_t memory_bytes() const;

  // ---- Snapshots and replay ----
  //
  // Rebuilding: Import the accounts and then the holds of a snapshot, then replay what the log has after it,
  // each event with the time it had then: a dispatch as ReplayDispatch, its settlement as Settle (of an
  // unknown ticket: as Charge), a void as Void, top-ups and ends as they were called; at last Expire().
  // Undispatched holds need no place in the log: nothing was sent for them. Replaying does not check limits.
  //
  // A snapshot has to be taken while nothing else runs. To take one beside a running engine, rebuild a second
  // Accounts from the last snapshot and the log, and export that.

  void ExportAccounts(const std::function<void(const AccountState&)>& visit) const;
  void ExportHolds(const std::function<void(const HoldState&)>& visit) const;

  void ExportEnded(const std::function<void(const EndedState&)>& visit) const;

  void ImportEnded(const EndedState& state);
  // INVALID_ARGUMENT: not what an export produced.
  absl::Status ImportAccount(const AccountState& state);
  absl::Status ImportHold(const Plan& plan, const HoldState& state);

  // A hold of `call` was dispatched under this ticket: takes it, whether there is room or not. If the ticket
  // is open (it was dispatched before, and then for another candidate), the hold becomes one for `call`.
  // INVALID_ARGUMENT: not a ticket, or its slot is taken by a later one. FAILED_PRECONDITION: it is presumed
  // spent.
  absl::Status ReplayDispatch(const Plan& plan, Ticket ticket, const Call& call, int64_t now_nanos);

  // The dispatched hold was presumed spent at this time. False: not an open ticket, or presumed before.
  bool ReplayPresumed(const Plan& plan, Ticket ticket, int64_t now_nanos);
  // What was presumed spent was booked for good at this time; the ticket is closed. False: not an open
  // ticket.
  bool ReplayPresumedFinal(const Plan& plan, Ticket ticket, int64_t now_nanos);
  // The open ticket that has the same slot as this one, if it is another; 0: none.
  Ticket OpenInSlotOf(Ticket ticket) const;

  // The same as Options::incarnation, for a caller who learns it from the log. After the replay, before the
  // first Hold.
  void StartIncarnation(uint32_t incarnation);
  uint32_t incarnation() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace purser::budget

#endif  // PURSER_ENGINE_BUDGET_ACCOUNTS_H_
