// Everything after dispatch: what a call used, what it cost, and how it is booked.

#include <purser/live_books.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/base/name_hash.h"
#include "engine/calls/engine_impl.h"
#include "engine/economics/live_books.h"
#include "engine/pricing/cost.h"
#include "engine/pricing/usage_block.h"
#include "engine/revision/request_fields.h"

namespace purser {

// One per thread, reused from call to call so that nothing is allocated.
struct SettleScratch {
  pricing::UsageReader reader;
  pricing::UsageBlock block;
  pricing::Cost cost;
  ledger::RecordView record;

  // The prices of the model that the last callers asked for, if it is not one of the policy's candidates.
  uint64_t asked_revision = 0;  // Revision::serial. 0: none.
  std::string asked_model;
  const pricing::ModelPrices* asked_prices = nullptr;
};

// What a call used and what that cost.
struct Realized {
  const Usage* usage = nullptr;  // Null: not known, or it cannot be priced.
  int64_t cost_nanos = 0;        // Without usage: the expected cost.
  int64_t input_nanos = 0;
  int64_t output_nanos = 0;
};

namespace {

SettleScratch& ThreadScratch() {
  thread_local SettleScratch scratch;
  return scratch;
}

// What the call used; null: not known.
const Usage* UsageOf(const PendingCall& call, const CallResult& result, SettleScratch* scratch) {
  if (result.usage != nullptr) return result.usage->empty() ? nullptr : result.usage;
  if (result.response_json.empty()) return nullptr;
  const Revision::Candidate& candidate = call.revision->candidates()[call.candidate];
  const absl::Status read = scratch->reader.Read(&call.revision->book(), candidate.provider,
                                                 result.api_flavor, result.response_json, &scratch->block);
  return read.ok() && !scratch->block.usage.empty() ? &scratch->block.usage : nullptr;
}

ledger::LineCategory CategoryOf(Meter meter) {
  switch (meter) {
    case Meter::kRerankSearches:
      return ledger::RERANK;
    case Meter::kVectorSearches:
    case Meter::kStorageSearches:
      return ledger::SEARCH;
    case Meter::kWebSearches:
    case Meter::kWebSearchesLow:
    case Meter::kWebSearchesMedium:
    case Meter::kWebSearchesHigh:
    case Meter::kSocialSearches:
    case Meter::kCodeExecutions:
    case Meter::kToolCalls:
      return ledger::TOOL;
    default:
      return ledger::INFERENCE;
  }
}

void DescribeCall(const PendingCall& call, const Request& request, ledger::RecordView* record) {
  const Revision::Candidate& candidate = call.revision->candidates()[call.candidate];
  DescribeRequest(request, record);
  record->request_class = call.revision->request_class(call.request_class).name;
  record->region = request.region;
  record->time_nanos = call.decided_nanos;
  record->provider = candidate.provider;
  record->model = candidate.model;
  record->candidate = candidate.name;
  record->policy_revision = call.revision->policy_hash();
  record->price_revision = call.revision->price_hash();
  record->estimated_nanos = call.expected_nanos;
  record->held_nanos = call.held_nanos;
  record->estimated_input_tokens = call.input_tokens;
  record->estimated_output_tokens = call.expected_output_tokens;
  if (call.clamped) record->flags |= ledger::CLAMPED;
  if (call.batch) record->flags |= ledger::BATCHED;
  if (call.failed_over) record->flags |= ledger::FAILED_OVER;
  if (call.over_budget) record->flags |= ledger::OVER_BUDGET;
}

void DescribeUsage(const Usage& usage, ledger::RecordView* record) {
  record->input_tokens = usage.input_tokens();
  record->output_tokens = usage.output_tokens();
  record->cached_input_tokens = usage.cache_read_tokens();
  record->cache_write_tokens = usage.cache_write_tokens();
  record->reasoning_tokens = usage.reasoning_tokens();
  record->service_tier = NameOf(usage.service_tier);
}

// Lines beyond what a record holds become one, so that the lines add up to what was booked.
void AddLine(const ledger::LineItemView& line, ledger::RecordView* record) {
  static constexpr std::string_view kFurther = "further";
  if (record->line_items.push_back(line)) return;
  ledger::LineItemView& last = record->line_items[record->line_items.size() - 1];
  if (last.meter != kFurther) {
    last = {.category = ledger::OTHER, .meter = kFurther, .quantity = 1, .cost_nanos = last.cost_nanos};
  }
  ++last.quantity;
  last.cost_nanos += line.cost_nanos;
}

void DescribeCost(const pricing::Cost& cost, ledger::RecordView* record) {
  for (const pricing::CostItem& item : cost.items()) {
    AddLine({.category = CategoryOf(item.meter),
             .meter = NameOf(item.meter),
             .quantity = item.units,
             .price_nanos = item.price.numerator,
             .price_unit = item.price.denominator,
             .cost_nanos = item.nanos},
            record);
  }
}

// The prices of the model that the caller would have used; null if nobody knows them.
const pricing::ModelPrices* PricesAsked(const Revision& revision, std::string_view model,
                                        SettleScratch* scratch) {
  if (model.empty()) return nullptr;
  for (const Revision::Candidate& candidate : revision.candidates()) {
    if (candidate.model == model || candidate.name == model) return candidate.prices;
  }
  if (scratch->asked_revision != revision.serial() || scratch->asked_model != model) {
    scratch->asked_revision = revision.serial();
    scratch->asked_model = model;
    scratch->asked_prices = revision.book().Resolve(model).value_or(nullptr);
  }
  return scratch->asked_prices;
}

// What the call would have cost with the model that was asked for, and which lever made the difference; and
// what with the best constant one.
void DescribeSavings(const PendingCall& call, const Request& request, const Usage& usage,
                     SettleScratch* scratch) {
  if (call.best_constant == call.candidate && !call.batch) {
    scratch->record.best_constant_nanos = scratch->record.cost_nanos;
  } else if (call.best_constant >= 0) {
    const Revision::Candidate& best = call.revision->candidates()[call.best_constant];
    pricing::Realize(*best.prices, usage, best.priced.service_tier, best.priced.RegionOf(request.region),
                     call.decided_nanos, &scratch->cost);
    if (scratch->cost.state == pricing::CostState::kPriced) {
      scratch->record.best_constant_nanos = scratch->cost.total_nanos;
    }
  }
  const pricing::ModelPrices* asked = PricesAsked(*call.revision, request.model, scratch);
  if (asked == nullptr) return;
  pricing::Realize(*asked, usage, ServiceTier::kUnstated, request.region, call.decided_nanos, &scratch->cost);
  if (scratch->cost.state != pricing::CostState::kPriced) return;
  ledger::RecordView& record = scratch->record;
  record.default_cost_nanos = scratch->cost.total_nanos;
  int64_t saved = record.default_cost_nanos - record.cost_nanos;
  if (call.batch) {
    // What the same model costs on its standard list is the batch list's part.
    const Revision::Candidate& candidate = call.revision->candidates()[call.candidate];
    pricing::Realize(*candidate.prices, usage, candidate.priced.service_tier,
                     candidate.priced.RegionOf(request.region), call.decided_nanos, &scratch->cost);
    if (scratch->cost.state == pricing::CostState::kPriced) {
      record.saved_batch_nanos = scratch->cost.total_nanos - record.cost_nanos;
      saved -= record.saved_batch_nanos;
    }
  }
  record.saved_routing_nanos = saved;
}

ledger::LineCategory CategoryOf(ExtraCost::Kind kind) {
  switch (kind) {
    case ExtraCost::Kind::kEmbedding:
      return ledger::EMBEDDING;
    case ExtraCost::Kind::kSearch:
      return ledger::SEARCH;
    case ExtraCost::Kind::kRerank:
      return ledger::RERANK;
    case ExtraCost::Kind::kTool:
      return ledger::TOOL;
    case ExtraCost::Kind::kOther:
      break;
  }
  return ledger::OTHER;
}

// Adds what else the inference cost to the record, line by line; returns the sum. What has no price is
// flagged.
int64_t BookExtras(const PendingCall& call, const CallResult& result, std::string_view region,
                   SettleScratch* scratch) {
  ledger::RecordView& record = scratch->record;
  int64_t sum = 0;
  for (const ExtraCost& extra : result.extras) {
    if (extra.usage == nullptr) {
      sum += extra.cost_nanos;
      AddLine({.category = CategoryOf(extra.kind),
               .meter = "stated",
               .quantity = 1,
               .cost_nanos = extra.cost_nanos},
              &record);
      continue;
    }
    const absl::StatusOr<const pricing::ModelPrices*> prices =
        call.revision->book().Resolve(extra.model, extra.provider);
    if (prices.ok()) {
      pricing::Realize(**prices, *extra.usage, ServiceTier::kUnstated, region, call.decided_nanos,
                       &scratch->cost);
    }
    if (!prices.ok() || scratch->cost.state != pricing::CostState::kPriced) {
      record.flags |= ledger::UNPRICED;
      continue;
    }
    sum += scratch->cost.total_nanos;
    for (const pricing::CostItem& item : scratch->cost.items()) {
      AddLine({.category = CategoryOf(extra.kind),
               .meter = NameOf(item.meter),
               .quantity = item.units,
               .price_nanos = item.price.numerator,
               .price_unit = item.price.denominator,
               .cost_nanos = item.nanos},
              &record);
    }
  }
  return sum;
}

ledger::Outcome OutcomeOf(const CallResult& result) {
  if (result.failed) return ledger::ERRORED;
  if (result.success < 0) return ledger::OUTCOME_UNKNOWN;
  return result.success > 0 ? ledger::SUCCEEDED : ledger::FAILED;
}

// The usage, its cost and the record's line items and flags for it.
Realized RealizeCost(const PendingCall& call, const Request& request, const CallResult& result,
                     SettleScratch* scratch) {
  const Revision::Candidate& candidate = call.revision->candidates()[call.candidate];
  const pricing::PricedCandidate& priced = call.batch ? candidate.batch : candidate.priced;
  Realized realized{.usage = UsageOf(call, result, scratch), .cost_nanos = call.expected_nanos};
  ledger::RecordView& record = scratch->record;
  if (realized.usage != nullptr && priced.prices != nullptr) {
    pricing::Realize(*priced.prices, *realized.usage, priced.service_tier, priced.RegionOf(request.region),
                     call.decided_nanos, &scratch->cost);
    const pricing::CostState state = scratch->cost.state;
    if (state == pricing::CostState::kPriced || state == pricing::CostState::kPartlyPriced) {
      realized.cost_nanos = scratch->cost.total_nanos;
      realized.input_nanos = scratch->cost.input_nanos;
      realized.output_nanos = scratch->cost.output_nanos;
      DescribeCost(scratch->cost, &record);
    } else {
      realized.usage = nullptr;  // It contradicts itself or cannot be priced: no better than unknown.
    }
    if (state != pricing::CostState::kPriced) record.flags |= ledger::UNPRICED;
  }
  if (priced.prices == nullptr) record.flags |= ledger::UNPRICED;
  return realized;
}

// Of a call that was presumed spent: nobody has said what it used.
void FillPresumed(const budget::ExpiringHold& hold, int64_t now, ledger::RecordView* record) {
  using budget::Dimension;
  record->ticket = hold.ticket;
  record->settled_nanos = now;
  record->cost_nanos = hold.counted[Dimension::kUsd];
  record->output_tokens = hold.counted[Dimension::kOutputTokens];
  record->input_tokens = std::max<int64_t>(hold.counted[Dimension::kTokens] - record->output_tokens, 0);
  record->flags |= ledger::PRESUMED | ledger::USAGE_UNKNOWN | ledger::USAGE_ESTIMATED;
}

// Completes the record of a call's final settlement, extras included. `realized` is of the inference alone.
void FillRecord(const PendingCall& call, const Request& request, Ticket ticket, const CallResult& result,
                const Realized& realized, int64_t now, SettleScratch* scratch) {
  ledger::RecordView& record = scratch->record;
  DescribeCall(call, request, &record);
  record.ticket = ticket;
  record.settled_nanos = now;
  record.latency_us = int64_t{result.latency_ms} * 1000;
  record.first_token_us = int64_t{result.time_to_first_token_ms} * 1000;
  record.outcome = OutcomeOf(result);
  record.cost_nanos = realized.cost_nanos;
  if (realized.usage != nullptr) {
    DescribeUsage(*realized.usage, &record);
    DescribeSavings(call, request, *realized.usage, scratch);
  } else {
    record.flags |= ledger::USAGE_UNKNOWN | ledger::USAGE_ESTIMATED;
    record.input_tokens = call.input_tokens;
    record.output_tokens = call.expected_output_tokens;
  }
  if (!result.extras.empty()) {
    const int64_t extra_nanos = BookExtras(call, result, request.region, scratch);
    record.cost_nanos += extra_nanos;
    record.default_cost_nanos += record.default_cost_nanos > 0 ? extra_nanos : 0;
  }
  if (record.cost_nanos > call.held_nanos) record.flags |= ledger::OVERRUN;
  if (call.presumed || now > call.expires_nanos) record.flags |= ledger::LATE;
  if (call.presumed_final) {
    record.counted_nanos = call.counted[budget::Dimension::kUsd];
    record.counted_tokens = call.counted[budget::Dimension::kTokens];
    record.counted_output_tokens = call.counted[budget::Dimension::kOutputTokens];
  }
  const int64_t stated_revenue = call.revision->request_class(call.request_class).revenue_nanos;
  if (result.revenue_nanos >= 0) {
    record.revenue_nanos = result.revenue_nanos;
  } else if (stated_revenue >= 0) {
    record.revenue_nanos = stated_revenue;
  }
}

}  // namespace

Settlement EngineImpl::Settle(Ticket ticket, const CallResult& result) {
  if (!own_.here()) [[unlikely]]
    return {.result = SettleResult::kForked};
  PendingCall* call = pending_.ClaimOpen(ticket);
  if (call == nullptr) {
    return {.result =
                pending_.WasSettled(ticket) ? SettleResult::kAlreadySettled : SettleResult::kUnknownTicket};
  }
  const Request request = call->request.View();
  // A replayed call settles at its own time, a live one now.
  const int64_t now =
      request.time_nanos != 0 ? request.time_nanos + int64_t{result.latency_ms} * 1'000'000 : ClockNow();
  SettleScratch& scratch = ThreadScratch();
  scratch.record = {};
  const Realized realized = RealizeCost(*call, request, result, &scratch);
  if (!result.final) return SettlePart(call, ticket, realized, now);
  FillRecord(*call, request, ticket, result, realized, now, &scratch);
  return Book(call, request, ticket, result, realized, now, &scratch);
}

Settlement EngineImpl::SettleByRequest(std::string_view tenant, std::string_view request_id,
                                       const CallResult& result) {
  if (!own_.here()) return {.result = SettleResult::kForked};
  constexpr Settlement kUnknown{.result = SettleResult::kUnknownTicket};
  Ticket ticket = 0;
  std::string bytes;
  ledger::DispatchedView dispatched;
  {
    const std::lock_guard<std::mutex> lock(restored_mutex_);
    int64_t first_nanos = 0;
    for (const auto& [open, payload] : restored_) {
      if (payload.empty() || !ledger::Decode(payload, &dispatched)) continue;
      if (dispatched.tenant != tenant || dispatched.request_id != request_id) continue;
      if (ticket != 0 && dispatched.time_nanos >= first_nanos) continue;
      ticket = open;
      first_nanos = dispatched.time_nanos;
    }
    if (ticket == 0) return kUnknown;
    // One thread settles it, and it does not expire meanwhile.
    bytes = std::exchange(restored_[ticket], {});
  }
  const auto done = [&] {
    const std::lock_guard<std::mutex> lock(restored_mutex_);
    restored_.erase(ticket);
  };
  const auto put_back = [&] {
    const std::lock_guard<std::mutex> lock(restored_mutex_);
    restored_[ticket] = bytes;
  };
  ledger::Decode(bytes, &dispatched);
  PendingCall call;
  call.revision = Current();
  call.candidate = -1;
  for (size_t i = 0; i < call.revision->candidates().size(); ++i) {
    if (call.revision->candidates()[i].name == dispatched.candidate) call.candidate = static_cast<int>(i);
  }
  if (call.candidate < 0) {
    put_back();
    return kUnknown;
  }
  std::vector<OwnDimension> own;
  for (const ledger::OwnDimensionView& dimension : dispatched.own_dimensions)
    own.push_back({dimension.name, dimension.value});
  Request asked;
  static_cast<Dimensions&>(asked) = dispatched;
  asked.id = dispatched.request_id;
  asked.model = dispatched.model_asked;
  asked.own_dimensions = own;
  asked.step = dispatched.step;
  asked.attempt = dispatched.attempt;
  call.request.Assign(asked);
  call.request_class = call.revision->FindRequestClass(dispatched.request_class);
  call.dispatched = call.presumed = true;
  call.decided_nanos = dispatched.time_nanos;
  call.expires_nanos = dispatched.expires_nanos;
  call.expected_nanos = dispatched.estimated_nanos;
  call.held_nanos = dispatched.held_nanos;
  call.held_output_tokens = dispatched.held_output_tokens;
  call.held_tokens = dispatched.held_input_tokens + dispatched.held_output_tokens;
  call.input_tokens = dispatched.held_input_tokens;
  call.expected_output_tokens = dispatched.held_output_tokens;

  const Request request = call.request.View();
  const int64_t now = ClockNow();
  SettleScratch& scratch = ThreadScratch();
  scratch.record = {};
  const Realized realized = RealizeCost(call, request, result, &scratch);
  FillRecord(call, request, ticket, result, realized, now, &scratch);
  const Settlement settlement = Book(&call, request, ticket, result, realized, now, &scratch);
  if (settlement.result == SettleResult::kNotBooked) {
    put_back();
  } else {
    done();
  }
  return settlement;
}

void EngineImpl::ChargeCall(const PendingCall& call, const Request& request, const budget::Amounts& amounts,
                            int64_t now) {
  const Revision::Candidate& candidate = call.revision->candidates()[call.candidate];
  budget::Scope scope = ScopeOf(request);
  scope.provider = candidate.provider;
  scope.model = candidate.model;
  accounts_->Charge(call.revision->plan(), scope, amounts, now);
}

// What a stream had used by then stays spent, and is in the books.
bool EngineImpl::LogAttemptEnd(PendingCall* call, Ticket ticket, bool failed, int64_t now) {
  if (call->part.any() || call->presumed) {
    const Request request = call->request.View();
    ledger::RecordView& record = ThreadScratch().record;
    record = {};
    DescribeCall(*call, request, &record);
    record.ticket = ticket;
    record.settled_nanos = now;
    record.outcome = failed ? ledger::ERRORED : ledger::STOPPED;
    record.cost_nanos = call->part.nanos;
    record.output_tokens = call->part.output_tokens;
    record.input_tokens = call->part.tokens - call->part.output_tokens;
    record.flags |= ledger::PARTIAL;
    if (call->presumed) record.flags |= ledger::LATE;
    if (journal_ != nullptr && journal_->Append(record) == 0) return false;
    if (options_.live_books != nullptr && call->part.any()) options_.live_books->books()->Add(record);
  } else if (call->dispatched && journal_ != nullptr) {
    ledger::VoidedView view;
    view.ticket = ticket;
    view.time_nanos = now;
    if (journal_->Append(view) == 0) return false;
  }
  call->dispatched = call->presumed = false;
  call->part = {};
  return true;
}

bool EngineImpl::LogPresumed(const PendingCall& call, const budget::ExpiringHold& hold, int64_t now) {
  if (journal_ == nullptr) return true;
  ledger::RecordView& record = ThreadScratch().record;
  record = {};
  DescribeCall(call, call.request.View(), &record);
  FillPresumed(hold, now, &record);
  return journal_->Append(record) != 0;
}

bool EngineImpl::LogPresumed(std::string_view bytes, const budget::ExpiringHold& hold, int64_t now) {
  ledger::DispatchedView dispatched;
  if (journal_ == nullptr || !ledger::Decode(bytes, &dispatched)) return true;
  ledger::RecordView& record = ThreadScratch().record;
  record = {};
  static_cast<Dimensions&>(record) = dispatched;
  for (const ledger::OwnDimensionView& own : dispatched.own_dimensions) record.own_dimensions.push_back(own);
  record.request_id = dispatched.request_id;
  record.time_nanos = dispatched.time_nanos;
  record.provider = dispatched.provider;
  record.model = dispatched.model;
  record.candidate = dispatched.candidate;
  record.model_asked = dispatched.model_asked;
  record.request_class = dispatched.request_class;
  record.step = dispatched.step;
  record.attempt = dispatched.attempt;
  record.policy_revision = dispatched.policy_revision;
  record.price_revision = dispatched.price_revision;
  record.estimated_nanos = dispatched.estimated_nanos;
  record.held_nanos = dispatched.held_nanos;
  FillPresumed(hold, now, &record);
  return journal_->Append(record) != 0;
}

// A stream goes on: its accounts count what it has used so far.
Settlement EngineImpl::SettlePart(PendingCall* call, Ticket ticket, const Realized& realized, int64_t now) {
  SettleResult result = SettleResult::kSettled;
  if (realized.usage != nullptr) {
    const int64_t output = realized.usage->output_tokens();
    const int64_t tokens = realized.usage->input_tokens() + output;
    const Request request = call->request.View();
    const budget::Amounts total =
        budget::Amounts::Call(realized.cost_nanos, tokens, output, StepsOf(request.attempt));
    // What is presumed spent stays as it was presumed until the call settles or is given up.
    budget::SettleResult settled;
    if (!call->presumed) settled = accounts_->Settle(call->revision->plan(), ticket, total, false, now);
    const PartialSpend before = call->part;
    call->part = {.nanos = std::max(before.nanos, realized.cost_nanos),
                  .tokens = std::max(before.tokens, tokens),
                  .output_tokens = std::max(before.output_tokens, output)};
    const auto grew = [](int64_t part, int64_t held, int64_t part_before) {
      return part > std::max(held, part_before);
    };
    const bool outgrew = grew(call->part.nanos, call->held_nanos, before.nanos) ||
                         grew(call->part.tokens, call->held_tokens, before.tokens) ||
                         grew(call->part.output_tokens, call->held_output_tokens, before.output_tokens);
    // The log has to say no less than what the accounts count by now, for a start after a crash.
    if (settled.status == budget::SettleStatus::kSettled && (outgrew || !call->dispatched)) {
      if (!LogDispatch(*call, request, ticket, now)) result = SettleResult::kNotRecorded;
      call->dispatched = true;
    }
  }
  pending_.Publish(call, ticket);
  return {.result = result,
          .cost_nanos = realized.cost_nanos,
          .input_nanos = realized.input_nanos,
          .output_nanos = realized.output_nanos,
          .usage_unknown = realized.usage == nullptr};
}

// The record goes to the ledger first, then to the accounts, then to what is learned.
Settlement EngineImpl::Book(PendingCall* call, const Request& request, Ticket ticket,
                            const CallResult& result, const Realized& realized, int64_t now,
                            SettleScratch* scratch) {
  const Revision& revision = *call->revision;
  const ledger::RecordView& record = scratch->record;
  Settlement settlement{.input_nanos = realized.input_nanos, .output_nanos = realized.output_nanos};
  const uint64_t sequence = journal_ != nullptr ? journal_->Append(record) : 0;
  const bool recorded = journal_ == nullptr || sequence != 0;
  if (!recorded && !revision.serves_unrecorded()) {
    pending_.Publish(call, ticket);
    settlement.result = SettleResult::kNotBooked;
    return settlement;
  }
  if (options_.live_books != nullptr) options_.live_books->books()->Add(record);
  const int64_t tokens = record.input_tokens + record.output_tokens;
  const budget::Amounts booked =
      budget::Amounts::Call(record.cost_nanos, tokens, record.output_tokens, StepsOf(request.attempt));
  const budget::SettleResult settled = accounts_->Settle(revision.plan(), ticket, booked, true, now);
  if (settled.status == budget::SettleStatus::kUnknownTicket) {
    // The hold expired before its dispatch was announced, or it was booked for good: the money is gone all
    // the same. Of what was booked for good only the rest is missing.
    budget::Amounts rest = booked;
    if (call->presumed_final) {
      rest = budget::Beyond(booked, call->counted);
      rest[budget::Dimension::kRequests] = rest[budget::Dimension::kSteps] = 0;
    }
    if (rest != budget::Amounts{}) ChargeCall(*call, request, rest, now);
  }
  Learn(*call, request, result, realized.usage, realized.cost_nanos, now);
  settlement.result = recorded ? SettleResult::kSettled : SettleResult::kNotRecorded;
  settlement.cost_nanos = record.cost_nanos;
  settlement.usage_unknown = realized.usage == nullptr;
  settlement.overrun = record.cost_nanos > call->held_nanos;
  pending_.Release(call, ticket, /*settled=*/true);
  if (options_.durability == Durability::kSync && sequence != 0) {
    if (!journal_->Sync(sequence).ok()) settlement.result = SettleResult::kNotSynced;
  }
  return settlement;
}

void EngineImpl::Learn(const PendingCall& call, const Request& request, const CallResult& result,
                       const Usage* usage, int64_t cost_nanos, int64_t now) {
  const Revision::Candidate& candidate = call.revision->candidates()[call.candidate];
  const Revision::RequestClass& request_class = call.revision->request_class(call.request_class);
  if (result.failed) {
    candidate.stats->CountFailure(now);
    return;
  }
  candidate.stats->CountSuccess();
  served_before_.Note(request, candidate.model_hash);
  if (result.latency_ms > 0) candidate.stats->latency_ms.Add(result.latency_ms);
  if (usage == nullptr) return;
  outputs_.Observe({candidate.model_hash, request_class.hash, HashName(request.feature)},
                   usage->output_tokens());
  if (call.uncorrected_input_tokens > 0) {
    candidate.stats->input.Observe(call.uncorrected_input_tokens,
                                   usage->input_tokens() - call.history_tokens);
  }
  if (request.task.empty()) request_class.stats->Observe(cost_nanos);
}

}  // namespace purser
