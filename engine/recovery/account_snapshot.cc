#include "engine/recovery/account_snapshot.h"

#include <utility>

#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/wire_format_lite.h"
#include "purser/snapshot.pb.h"

namespace purser {
namespace {

using AmountsField = google::protobuf::RepeatedField<int64_t>;

void WriteAmounts(const budget::Amounts& amounts, AmountsField* field) {
  field->Assign(amounts.of.begin(), amounts.of.end());
}

bool ReadAmounts(const AmountsField& field, budget::Amounts* amounts) {
  if (field.size() != budget::kDimensions) return false;
  for (int i = 0; i < budget::kDimensions; ++i) amounts->of[i] = field[i];
  return true;
}

void WriteAccount(const budget::AccountState& state, ledger::Snapshot::Account* account) {
  account->set_budget(state.budget);
  account->set_key(state.key);
  account->set_digested(state.digested);
  account->set_ended(state.ended);
  account->set_overrun(state.overrun);
  account->set_warned(state.warned);
  account->set_window(state.window);
  account->set_begin_nanos(state.begin_nanos);
  account->set_end_nanos(state.end_nanos);
  account->set_last_use_nanos(state.last_use_nanos);
  WriteAmounts(state.settled, account->mutable_settled());
  for (const auto& top_up : state.top_ups) {
    ledger::Snapshot::TopUp* written = account->add_top_ups();
    WriteAmounts(top_up.amounts, written->mutable_amounts());
    written->set_expires_at_nanos(top_up.expires_at_nanos);
  }
  for (const auto& slice : state.slices) {
    ledger::Snapshot::Slice* written = account->add_slices();
    written->set_index(slice.index);
    WriteAmounts(slice.settled, written->mutable_settled());
  }
  account->set_presumed_since_nanos(state.presumed_since_nanos);
  account->set_has_parent(state.has_parent);
  account->set_own_steps(state.own_steps);
  account->set_parent_key(state.parent_key);
  account->set_parent_digested(state.parent_digested);
  account->set_started_nanos(state.started_nanos);
  for (const auto& repeat : state.repeats) {
    ledger::Snapshot::Repeat* written = account->add_repeats();
    written->set_fingerprint(repeat.fingerprint);
    written->set_count(repeat.count);
  }
}

bool ReadAccount(const ledger::Snapshot::Account& account, budget::AccountState* state) {
  state->budget = account.budget();
  state->key = account.key();
  state->digested = account.digested();
  state->ended = account.ended();
  state->overrun = account.overrun();
  state->warned = static_cast<uint8_t>(account.warned());
  state->window = static_cast<uint16_t>(account.window());
  state->begin_nanos = account.begin_nanos();
  state->end_nanos = account.end_nanos();
  state->last_use_nanos = account.last_use_nanos();
  bool ok = ReadAmounts(account.settled(), &state->settled);
  for (const auto& top_up : account.top_ups()) {
    ok &= ReadAmounts(top_up.amounts(), &state->top_ups.emplace_back().amounts);
    state->top_ups.back().expires_at_nanos = top_up.expires_at_nanos();
  }
  for (const auto& slice : account.slices()) {
    ok &= ReadAmounts(slice.settled(), &state->slices.emplace_back().settled);
    state->slices.back().index = slice.index();
  }
  state->presumed_since_nanos = account.presumed_since_nanos();
  state->has_parent = account.has_parent();
  state->own_steps = account.own_steps();
  state->parent_key = account.parent_key();
  state->parent_digested = account.parent_digested();
  state->started_nanos = account.started_nanos();
  for (const auto& repeat : account.repeats())
    state->repeats.push_back({repeat.fingerprint(), repeat.count()});
  return ok;
}

void WriteHold(const budget::HoldState& state, ledger::Snapshot::Hold* hold) {
  hold->set_ticket(state.ticket);
  hold->set_phase(static_cast<uint32_t>(state.phase));
  hold->set_expires_at_nanos(state.expires_at_nanos);
  hold->set_presumed_at_nanos(state.presumed_at_nanos);
  hold->set_booked_at_nanos(state.booked_at_nanos);
  hold->set_fingerprint(state.fingerprint);
  WriteAmounts(state.worst, hold->mutable_worst());
  WriteAmounts(state.likely, hold->mutable_likely());
  WriteAmounts(state.booked, hold->mutable_booked());
  for (const auto& leg : state.legs) {
    ledger::Snapshot::Leg* written = hold->add_legs();
    written->set_budget(leg.budget);
    written->set_key(leg.key);
    written->set_digested(leg.digested);
    written->set_likely(leg.likely);
    written->set_waived(leg.waived);
  }
}

bool ReadHold(const ledger::Snapshot::Hold& hold, budget::HoldState* state) {
  state->ticket = hold.ticket();
  state->phase = static_cast<budget::HoldPhase>(hold.phase());
  state->expires_at_nanos = hold.expires_at_nanos();
  state->presumed_at_nanos = hold.presumed_at_nanos();
  state->booked_at_nanos = hold.booked_at_nanos();
  state->fingerprint = hold.fingerprint();
  for (const auto& leg : hold.legs()) {
    state->legs.push_back({leg.budget(), leg.key(), leg.digested(), leg.likely(), leg.waived()});
  }
  return ReadAmounts(hold.worst(), &state->worst) && ReadAmounts(hold.likely(), &state->likely) &&
         ReadAmounts(hold.booked(), &state->booked);
}

// Repeated fields of concatenated messages are concatenated, so that a snapshot of millions of accounts is
// written and read one account at a time.
class Writer {
 public:
  template <typename Fill>
  void Add(const Fill& fill) {
    part_.Clear();
    fill(&part_);
    part_.AppendToString(&bytes_);
  }
  std::string Take() { return std::move(bytes_); }

 private:
  ledger::Snapshot part_;
  std::string bytes_;
};

// Whatever follows the accounts, holds and ended ids is small and read as one message.
class Reader {
 public:
  Reader(std::string_view bytes, const budget::Plan& plan, budget::Accounts* accounts,
         OpenDispatches* dispatches)
      : bytes_(bytes), plan_(plan), accounts_(*accounts), dispatches_(dispatches) {}

  absl::Status Run(ledger::Snapshot* rest) {
    google::protobuf::io::CodedInputStream input(reinterpret_cast<const uint8_t*>(bytes_.data()),
                                                 static_cast<int>(bytes_.size()));
    std::string rest_bytes;
    while (true) {
      const int field_begin = input.CurrentPosition();
      const uint32_t tag = input.ReadTag();
      if (tag == 0) break;
      const int number = WireFormatLite::GetTagFieldNumber(tag);
      std::string_view body;
      if (number == Snapshot::kAccountsFieldNumber || number == Snapshot::kHoldsFieldNumber ||
          number == Snapshot::kEndedFieldNumber) {
        if (!ReadBytes(&input, &body)) return Malformed();
        if (const absl::Status status = Import(number, body); !status.ok()) return status;
      } else {
        if (!WireFormatLite::SkipField(&input, tag)) return Malformed();
        rest_bytes += bytes_.substr(field_begin, input.CurrentPosition() - field_begin);
      }
    }
    if (!input.ConsumedEntireMessage() || !rest->ParseFromString(rest_bytes)) return Malformed();
    return absl::OkStatus();
  }

 private:
  using Snapshot = ledger::Snapshot;
  using WireFormatLite = google::protobuf::internal::WireFormatLite;

  static absl::Status Malformed() { return absl::DataLossError("the ledger's snapshot cannot be decoded"); }

  bool ReadBytes(google::protobuf::io::CodedInputStream* input, std::string_view* body) const {
    uint32_t size = 0;
    if (!input->ReadVarint32(&size)) return false;
    const auto begin = static_cast<size_t>(input->CurrentPosition());
    if (size > bytes_.size() - begin) return false;
    *body = bytes_.substr(begin, size);
    return input->Skip(static_cast<int>(size));
  }

  absl::Status Import(int number, std::string_view body) {
    const auto parse = [body](google::protobuf::Message* message) {
      return message->ParseFromArray(body.data(), static_cast<int>(body.size()));
    };
    if (number == Snapshot::kAccountsFieldNumber) {
      budget::AccountState state;
      if (!parse(&account_) || !ReadAccount(account_, &state))
        return absl::DataLossError("an account of the ledger's snapshot is not whole");
      return accounts_.ImportAccount(state);
    }
    if (number == Snapshot::kHoldsFieldNumber) {
      budget::HoldState state;
      if (!parse(&hold_) || !ReadHold(hold_, &state))
        return absl::DataLossError("a hold of the ledger's snapshot is not whole");
      if (dispatches_ != nullptr && !hold_.dispatched().empty())
        (*dispatches_)[state.ticket] = hold_.dispatched();
      return accounts_.ImportHold(plan_, state);
    }
    if (!parse(&ended_)) return Malformed();
    accounts_.ImportEnded({ended_.digest_high(), ended_.digest_low(), ended_.ended_nanos()});
    return absl::OkStatus();
  }

  const std::string_view bytes_;
  const budget::Plan& plan_;
  budget::Accounts& accounts_;
  OpenDispatches* const dispatches_;
  Snapshot::Account account_;
  Snapshot::Hold hold_;
  Snapshot::Ended ended_;
};

}  // namespace

std::string WriteSnapshot(const budget::Accounts& accounts, const estimates::OutputEstimator& outputs,
                          const SnapshotCounts& counts, const OpenDispatches& dispatches) {
  Writer writer;
  accounts.ExportAccounts([&](const budget::AccountState& state) {
    writer.Add([&](ledger::Snapshot* part) { WriteAccount(state, part->add_accounts()); });
  });
  accounts.ExportHolds([&](const budget::HoldState& state) {
    // An undispatched hold is of this process only: nothing was sent for it.
    if (state.phase == budget::HoldPhase::kHeld) return;
    const auto dispatched = dispatches.find(state.ticket);
    writer.Add([&](ledger::Snapshot* part) {
      ledger::Snapshot::Hold* hold = part->add_holds();
      WriteHold(state, hold);
      if (dispatched != dispatches.end()) hold->set_dispatched(dispatched->second);
    });
  });
  accounts.ExportEnded([&](const budget::EndedState& state) {
    writer.Add([&](ledger::Snapshot* part) {
      ledger::Snapshot::Ended* ended = part->add_ended();
      ended->set_digest_high(state.digest_high);
      ended->set_digest_low(state.digest_low);
      ended->set_ended_nanos(state.ended_nanos);
    });
  });
  writer.Add([&](ledger::Snapshot* part) {
    part->set_records(counts.records);
    part->set_loads(counts.loads);
    part->set_newest_nanos(counts.newest_nanos);
    part->set_budgets(counts.budgets);
    part->set_outputs(outputs.Save());
  });
  return writer.Take();
}

absl::Status ReadSnapshot(std::string_view bytes, const budget::Plan& plan, budget::Accounts* accounts,
                          estimates::OutputEstimator* outputs, SnapshotCounts* counts,
                          OpenDispatches* dispatches) {
  if (bytes.size() > kMaxSnapshotBytes) return absl::DataLossError("the ledger's snapshot is too large");
  ledger::Snapshot rest;
  if (const absl::Status status = Reader(bytes, plan, accounts, dispatches).Run(&rest); !status.ok())
    return status;
  counts->records = rest.records();
  counts->loads = rest.loads();
  counts->newest_nanos = rest.newest_nanos();
  counts->budgets = rest.budgets();
  return outputs->Load(rest.outputs());
}

}  // namespace purser
