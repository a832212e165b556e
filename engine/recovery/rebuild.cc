#include "engine/recovery/rebuild.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/name_hash.h"
#include "engine/base/prefixed_bytes.h"
#include "engine/ledger/record.h"
#include "engine/revision/request_fields.h"

namespace purser {
namespace {

absl::Status Undecodable(const ledger::Frame& frame) {
  return absl::DataLossError(
      absl::StrCat("frame ", frame.sequence, " of type ", frame.type, " cannot be decoded"));
}

template <typename View>
absl::Status Decode(const ledger::Frame& frame, View* view) {
  return ledger::Decode(frame.payload, view) ? absl::OkStatus() : Undecodable(frame);
}

// Of what a record charges, the part that the accounts had not counted before.
budget::Amounts NotCounted(const ledger::RecordView& record, const budget::Amounts& charge) {
  if (record.counted_nanos == 0 && record.counted_tokens == 0) return charge;
  budget::Amounts counted =
      budget::Amounts::Call(record.counted_nanos, record.counted_tokens, record.counted_output_tokens);
  return Beyond(charge, counted);
}

}  // namespace

std::string BudgetNames(const budget::Plan& plan) {
  std::string names;
  AppendPart<uint32_t>("", &names);
  for (const budget::Budget& budget : plan.budgets()) AppendPart<uint32_t>(budget.name, &names);
  return names;
}

void Rebuilder::CountBudgets(uint64_t policy_revision, std::string budgets) {
  const bool same = !loaded_.empty() && budgets == counts_.budgets;
  if (same && loaded_.back().policy_revision == policy_revision) return;
  Loaded loaded{.policy_revision = policy_revision, .plan = same ? loaded_.back().plan : nullptr};
  counts_.budgets = std::move(budgets);
  std::string_view rest = counts_.budgets;
  if (!same && !rest.empty() && !count_all_) {
    std::vector<std::string_view> names;
    std::string_view name;
    while (TakePart<uint32_t>(&rest, &name)) names.push_back(name);
    auto only = std::make_shared<budget::Plan>(plan_.Only(names));
    accounts_.Register(only.get());
    loaded.plan = std::move(only);
  }
  loaded_.push_back(std::move(loaded));
}

const budget::Plan& Rebuilder::PlanUnder(uint64_t policy_revision) const {
  if (loaded_.empty()) return plan_;
  // Nearly always the last one; a call that was under way when the policy changed has one before.
  const Loaded* under = &loaded_.back();
  if (under->policy_revision != policy_revision) {
    for (auto loaded = loaded_.rbegin(); loaded != loaded_.rend(); ++loaded) {
      if (loaded->policy_revision != policy_revision) continue;
      under = &*loaded;
      break;
    }
  }
  return under->plan != nullptr ? *under->plan : plan_;
}

int64_t Rebuilder::Believed(int64_t time_nanos) const {
  return latest_nanos_ == 0 || time_nanos <= latest_nanos_ ? time_nanos : counts_.newest_nanos;
}

absl::Status Rebuilder::ApplyPolicyLoaded(const ledger::Frame& frame) {
  ledger::PolicyLoadedView loaded;
  if (const absl::Status decoded = Decode(frame, &loaded); !decoded.ok()) return decoded;
  ++counts_.loads;
  CountBudgets(loaded.policy_revision, std::string(loaded.budgets));
  return absl::OkStatus();
}

void Rebuilder::NoteConflict(const ledger::Frame& frame, std::string_view what) {
  if (conflicts_++ == 0) first_conflict_ = absl::StrCat("frame ", frame.sequence, ": ", std::string(what));
}

// The hold stays open: the call may still settle.
void Rebuilder::ApplyPresumed(const ledger::Frame& frame, const ledger::RecordView& record) {
  if (accounts_.ReplayPresumed(plan_, record.ticket, record.settled_nanos) || open_.contains(record.ticket))
    return;
  // Its dispatch was not written (the policy serves unrecorded): the record says as much.
  const budget::Plan& plan = PlanUnder(record.policy_revision);
  budget::Call call;
  call.scope = ScopeOfView(record);
  call.worst = call.likely =
      budget::Amounts::Call(record.cost_nanos, record.input_tokens + record.output_tokens,
                            record.output_tokens, StepsOf(record.attempt));
  call.attempt = std::max(record.attempt, 1);
  if (accounts_.ReplayDispatch(plan, record.ticket, call, record.settled_nanos).ok()) {
    accounts_.ReplayPresumed(plan_, record.ticket, record.settled_nanos);
    return;
  }
  accounts_.Charge(plan, call.scope, call.worst, record.settled_nanos);
  NoteConflict(frame, absl::StrCat("call ", record.ticket,
                                   " is presumed spent, but its place is taken; it is counted as spent"));
}

absl::Status Rebuilder::ApplyRecord(const ledger::Frame& frame) {
  ledger::RecordView record;
  if (!ledger::DecodeWithoutLists(frame.payload, &record)) return Undecodable(frame);
  record.settled_nanos = Believed(record.settled_nanos);
  counts_.newest_nanos = std::max(counts_.newest_nanos, record.settled_nanos);
  if ((record.flags & ledger::PRESUMED) != 0) {
    ApplyPresumed(frame, record);
    return absl::OkStatus();
  }
  ++counts_.records;
  if (record.cache_hit != ledger::CACHE_NONE) return absl::OkStatus();  // No model was called.
  open_.erase(record.ticket);
  const budget::Amounts charge =
      budget::Amounts::Call(record.cost_nanos, record.input_tokens + record.output_tokens,
                            record.output_tokens, StepsOf(record.attempt));
  const bool given_up = (record.flags & ledger::PARTIAL) != 0;
  if (given_up && record.cost_nanos == 0 && record.input_tokens + record.output_tokens == 0) {
    // Only the books had it: what was presumed spent was not.
    accounts_.Void(plan_, record.ticket, record.settled_nanos);
    return absl::OkStatus();
  }
  const budget::SettleResult settled =
      accounts_.Settle(plan_, record.ticket, charge, true, record.settled_nanos);
  if (settled.status == budget::SettleStatus::kUnknownTicket) {
    const budget::Amounts rest = NotCounted(record, charge);
    if (rest != budget::Amounts{})
      accounts_.Charge(PlanUnder(record.policy_revision), ScopeOfView(record), rest, record.settled_nanos);
  }
  if (!given_up && (record.flags & ledger::USAGE_UNKNOWN) == 0) {
    outputs_.Observe(
        {HashModel(record.provider, record.model), HashName(record.request_class), HashName(record.feature)},
        record.output_tokens);
  }
  return absl::OkStatus();
}

absl::Status Rebuilder::ApplyDispatched(const ledger::Frame& frame) {
  ledger::DispatchedView dispatched;
  if (const absl::Status decoded = Decode(frame, &dispatched); !decoded.ok()) return decoded;
  dispatched.time_nanos = Believed(dispatched.time_nanos);
  counts_.newest_nanos = std::max(counts_.newest_nanos, dispatched.time_nanos);
  const budget::Plan& plan = PlanUnder(dispatched.policy_revision);
  budget::Call call;
  call.scope = ScopeOfView(dispatched);
  call.worst = budget::Amounts::Call(dispatched.held_nanos,
                                     dispatched.held_input_tokens + dispatched.held_output_tokens,
                                     dispatched.held_output_tokens, StepsOf(dispatched.attempt));
  call.likely = call.worst;
  call.attempt = std::max(dispatched.attempt, 1);
  open_[dispatched.ticket] = std::string(frame.payload);
  const auto replay = [&] {
    return accounts_.ReplayDispatch(plan, dispatched.ticket, call, dispatched.time_nanos);
  };
  absl::Status replayed = replay();
  if (replayed.ok()) return replayed;
  // Logs of versions up to 0.1.0 say nothing of an expiry that freed the ticket's slot.
  accounts_.Expire(plan_, dispatched.time_nanos, 0);
  replayed = replay();
  if (replayed.ok()) return replayed;
  // Two calls cannot have had one slot at the same time: the end of the earlier one is missing. It may have
  // been billed.
  if (const budget::Ticket earlier = accounts_.OpenInSlotOf(dispatched.ticket); earlier != 0) {
    accounts_.ReplayPresumedFinal(plan_, earlier, dispatched.time_nanos);
    open_.erase(earlier);
    NoteConflict(frame, absl::StrCat("call ", dispatched.ticket, " was dispatched in the place of call ",
                                     earlier, ", which never ended; that one is counted as spent"));
    replayed = replay();
    if (replayed.ok()) return replayed;
  }
  open_.erase(dispatched.ticket);
  accounts_.Charge(plan, call.scope, call.worst, dispatched.time_nanos);
  NoteConflict(frame, absl::StrCat(std::string(replayed.message()), "; it is counted as spent"));
  return absl::OkStatus();
}

absl::Status Rebuilder::ApplyToppedUp(const ledger::Frame& frame) {
  ledger::ToppedUpView topped_up;
  if (const absl::Status decoded = Decode(frame, &topped_up); !decoded.ok()) return decoded;
  budget::Scope scope;
  if (!DecodeScope(topped_up.key, &scope)) {
    return absl::DataLossError(absl::StrCat("frame ", frame.sequence, ": the top-up names no account"));
  }
  budget::Amounts amounts;
  amounts[budget::Dimension::kUsd] = topped_up.amount_nanos;
  amounts[budget::Dimension::kTokens] = topped_up.tokens;
  const absl::Status done = accounts_.TopUp(plan_, std::string(topped_up.budget), scope, amounts,
                                            topped_up.until_nanos, topped_up.time_nanos);
  // A budget that this policy no longer has is not topped up.
  return absl::IsNotFound(done) || absl::IsFailedPrecondition(done) ? absl::OkStatus() : done;
}

absl::Status Rebuilder::Apply(const ledger::Frame& frame) {
  if (frame.type == 0) {
    const absl::Status read = ReadSnapshot(frame.payload, plan_, &accounts_, &outputs_, &counts_, &open_);
    if (read.ok()) CountBudgets(/*policy_revision=*/0, counts_.budgets);
    return read;
  }
  ++frames_;
  switch (frame.type) {
    case ledger::RECORD:
      return ApplyRecord(frame);
    case ledger::DISPATCHED:
      return ApplyDispatched(frame);
    case ledger::TOPPED_UP:
      return ApplyToppedUp(frame);
    case ledger::VOIDED: {
      ledger::VoidedView voided;
      const absl::Status decoded = Decode(frame, &voided);
      if (decoded.ok()) accounts_.Void(plan_, voided.ticket, voided.time_nanos);
      open_.erase(voided.ticket);
      return decoded;
    }
    case ledger::PRESUMED_FINAL: {
      ledger::PresumedFinalView final;
      const absl::Status decoded = Decode(frame, &final);
      if (decoded.ok()) accounts_.ReplayPresumedFinal(plan_, final.ticket, Believed(final.time_nanos));
      open_.erase(final.ticket);
      return decoded;
    }
    case ledger::TASK_ENDED: {
      ledger::TaskEndedView ended;
      const absl::Status decoded = Decode(frame, &ended);
      if (decoded.ok()) accounts_.EndTask(plan_, ended.tenant, ended.task, ended.time_nanos);
      return decoded;
    }
    case ledger::SESSION_ENDED: {
      ledger::SessionEndedView ended;
      const absl::Status decoded = Decode(frame, &ended);
      if (decoded.ok()) accounts_.EndSession(plan_, ended.tenant, ended.session, ended.time_nanos);
      return decoded;
    }
    case ledger::POLICY_LOADED:
      return ApplyPolicyLoaded(frame);
    default:
      return absl::OkStatus();
  }
}

}  // namespace purser
