// Every sequence of up to a given number of operations over two accounts and two holds.

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/budget/accounts.h"
#include "policies/textproto.h"
#include "tests/sim/simulation.h"

namespace purser::budget {
namespace {

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kStart = 1'700'000'000 * kSecond;
constexpr int64_t kWide = 9, kNarrow = 7;

// Two accounts per session: hold 0 draws on both, as hold 1 does.
constexpr char kPolicy[] = R"(
  budgets { name: "wide" scope: SESSION usd: "0.000000009" }
  budgets { name: "narrow" key: "{tenant}/{session}" usd: "0.000000007" }
  budget_settings { hold_expires_after: "10s" dispatch_expires_after: "10s" presumed_final_after: "10s" })";

constexpr std::array<int64_t, 2> kAmount = {4, 5};

// What a hold of the model is worth to both accounts.
struct ModelHold {
  enum { kNone, kHeld, kDispatched, kPresumed } phase = kNone;
  int64_t held = 0, booked = 0, expires_at = 0;
  int64_t Rest() const { return phase == kNone ? 0 : std::max<int64_t>(0, held - booked); }
};

struct Model {
  std::array<ModelHold, 2> hold;
  int64_t settled = 0;
  int64_t now = kStart;

  int64_t Used() const { return settled + hold[0].Rest() + hold[1].Rest(); }
};

enum Operation { kHold, kDispatch, kSettle, kSettleMore, kSettlePart, kVoid, kPerHold };
constexpr int kTick = 2 * kPerHold;
constexpr int kOperations = kTick + 1;

class Sequences {
 public:
  Sequences() {
    policy::Policy policy;
    Diagnostics diagnostics = ParseTextproto(kPolicy, "policy", &policy);
    plan_ = Plan::Compile(policy, &diagnostics);
    if (!diagnostics.ok()) std::abort();
    accounts_.Register(&plan_);
  }

  SimulationResult TryAll(int length) {
    std::vector<int> sequence(length, 0);
    do {
      Try(&sequence);
    } while (result_.violation.empty() && Next(&sequence));
    return result_;
  }

 private:
  static bool Next(std::vector<int>* sequence) {
    for (size_t i = sequence->size(); i-- > 0;) {
      if (++(*sequence)[i] < kOperations) return true;
      (*sequence)[i] = 0;
    }
    return false;
  }

  // After an operation that changes nothing, what follows has been tried without it: the sequence is cut off
  // there, and moved to the last of those that begin like it.
  void Try(std::vector<int>* sequence) {
    ++result_.operations;
    model_ = Model();
    ticket_ = {};
    // A new session for each sequence, so that it starts with accounts of its own.
    session_ = absl::StrCat(result_.operations);
    for (size_t i = 0; i < sequence->size(); ++i) {
      const int operation = (*sequence)[i];
      changed_ = true;
      std::string wrong = operation == kTick ? Tick() : Apply(operation / kPerHold, operation % kPerHold);
      if (wrong.empty()) wrong = Compare();
      if (!wrong.empty()) {
        result_.violation = "sequence";
        for (size_t j = 0; j <= i; ++j) absl::StrAppend(&result_.violation, " ", (*sequence)[j]);
        absl::StrAppend(&result_.violation, ": ", wrong);
        return;
      }
      if (changed_) continue;
      std::fill(sequence->begin() + static_cast<long>(i) + 1, sequence->end(), kOperations - 1);
      break;
    }
    for (const Ticket ticket : ticket_) accounts_.Void(plan_, ticket, model_.now);
    accounts_.EndSession(plan_, "", session_, model_.now);
    if (accounts_.account_count() != 0) result_.violation = "an ended session was not forgotten";
  }

  Scope MakeScope() const {
    Scope scope;
    scope.session = session_;
    return scope;
  }

  std::string Apply(int h, int operation) {
    ModelHold& hold = model_.hold[h];
    switch (operation) {
      case kHold: {
        if (hold.phase != ModelHold::kNone) {  // One ticket per name is enough.
          changed_ = false;
          return "";
        }
        Call call;
        call.scope = MakeScope();
        call.worst = Amounts::Call(kAmount[h], 0, 0);
        const HoldResult result = accounts_.Hold(plan_, call, model_.now);
        const bool fits = model_.Used() + kAmount[h] <= kNarrow;
        changed_ = fits;
        if ((result.status == HoldStatus::kHeld) != fits) return "hold: wrong answer";
        if (fits) {
          hold = {ModelHold::kHeld, kAmount[h], 0, model_.now + 10 * kSecond};
          ticket_[h] = result.ticket;
        }
        return "";
      }
      case kDispatch: {
        const bool open = hold.phase == ModelHold::kHeld || hold.phase == ModelHold::kDispatched;
        changed_ = open;
        if (open) {
          hold.phase = ModelHold::kDispatched;
          hold.expires_at = model_.now + 10 * kSecond;
        }
        return accounts_.MarkDispatched(plan_, ticket_[h], model_.now) == open ? ""
                                                                               : "dispatch: wrong answer";
      }
      case kSettle:
        return Settle(h, 2, true);
      case kSettleMore:
        return Settle(h, 6, true);
      case kSettlePart:
        return Settle(h, 3, false);
      default: {
        const bool open = hold.phase != ModelHold::kNone;
        changed_ = open;
        hold = ModelHold();
        return accounts_.Void(plan_, ticket_[h], model_.now) == open ? "" : "void: wrong answer";
      }
    }
  }

  std::string Settle(int h, int64_t total, bool final) {
    ModelHold& hold = model_.hold[h];
    const bool open = hold.phase != ModelHold::kNone;
    changed_ = open;
    if (open) {
      const int64_t booked = final ? total : std::max(total, hold.booked);
      model_.settled += booked - hold.booked;
      hold.booked = booked;
      if (final) {
        hold = ModelHold();
      } else if (hold.phase != ModelHold::kPresumed) {
        hold.phase = ModelHold::kDispatched;
        hold.expires_at = model_.now + 10 * kSecond;
      }
    }
    const SettleResult result =
        accounts_.Settle(plan_, ticket_[h], Amounts::Call(total, 0, 0), final, model_.now);
    return (result.status == SettleStatus::kSettled) == open ? "" : "settle: wrong answer";
  }

  // To just before the first hold expires, then to that moment; with none open, a second.
  std::string Tick() {
    int64_t next = model_.now + kSecond;
    for (const ModelHold& hold : model_.hold) {
      if (hold.phase != ModelHold::kNone) next = std::max(model_.now, hold.expires_at - 1);
    }
    changed_ = model_.hold[0].phase != ModelHold::kNone || model_.hold[1].phase != ModelHold::kNone;
    for (const int64_t at : {next, next + 1}) {
      model_.now = at;
      for (ModelHold& hold : model_.hold) {
        if (hold.phase == ModelHold::kNone || hold.expires_at > at) continue;
        if (hold.phase == ModelHold::kDispatched) {
          hold.phase = ModelHold::kPresumed;
          hold.expires_at = at + 10 * kSecond;
        } else {
          if (hold.phase == ModelHold::kPresumed) model_.settled += hold.Rest();
          hold = ModelHold();
        }
      }
      accounts_.Expire(plan_, at, 0);
      if (const std::string difference = Compare(); !difference.empty()) return difference;
    }
    return "";
  }

  std::string Compare() const {
    int64_t held = 0, presumed = 0;
    for (const ModelHold& hold : model_.hold)
      (hold.phase == ModelHold::kPresumed ? presumed : held) += hold.Rest();
    const Headroom room = accounts_.HeadroomOf(plan_, MakeScope(), 0, model_.now);
    if (room.left[Dimension::kUsd] != kNarrow - model_.Used()) {
      return absl::StrCat(room.left[Dimension::kUsd], " left, expected ", kNarrow - model_.Used(),
                          " (settled ", model_.settled, ", held ", held, ", presumed ", presumed, ")");
    }
    const Headroom wide = accounts_.HeadroomOf(plan_, MakeScope(), 2, model_.now);
    if (wide.left[Dimension::kUsd] != kWide - model_.Used()) return "the two accounts differ";
    return "";
  }

  Accounts accounts_{Accounts::Options{.max_open_holds = 256}};
  Plan plan_;
  Model model_;
  std::array<Ticket, 2> ticket_ = {};
  std::string session_;
  bool changed_ = true;  // By the latest operation.
  SimulationResult result_;
};

}  // namespace

SimulationResult TryEverySequence(int length) { return Sequences().TryAll(length); }

}  // namespace purser::budget
