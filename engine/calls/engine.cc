// The life of the engine, and its small methods.

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "engine/base/saturating.h"
#include "engine/calls/engine_impl.h"
#include "engine/calls/open_engine.h"
#include "engine/calls/rank.h"
#include "engine/calls/request_limits.h"
#include "engine/pricing/quote.h"
#include "engine/revision/request_fields.h"

namespace purser {
namespace {

// Reading this many frames takes about as long as writing and reading a snapshot.
constexpr int64_t kFramesWorthASnapshot = 50'000;
constexpr int64_t kAccountsPerSweep = 20'000;

absl::Status AllErrors(const std::vector<Diagnostics>& diagnostics) {
  std::vector<std::string> lines;
  for (const Diagnostics& of_file : diagnostics) {
    if (!of_file.ok()) lines.push_back(std::string(of_file.ToStatus().message()));
  }
  return absl::InvalidArgumentError(absl::StrJoin(lines, "\n"));
}

// A clock that reads so much later than at its last reading is wrong, unless it was before kClocksAreSet:
// then it had not been set.
constexpr int64_t kMostJumpNanos = int64_t{366} * 86'400 * 1'000'000'000;
constexpr int64_t kClocksAreSet = 1'577'836'800'000'000'000;  // 2020.

// Null, with every mistake in `*error`: the policy does not load.
std::shared_ptr<Revision> CompilePolicy(const PolicySource& source, const Clock& clock, absl::Status* error) {
  std::vector<Diagnostics> diagnostics;
  std::shared_ptr<Revision> revision = Revision::Compile(source, clock.NowNanos(), &diagnostics);
  if (revision == nullptr) *error = AllErrors(diagnostics);
  return revision;
}

// The candidates of a revision without a price at a time.
std::vector<std::string> UnpricedAt(const Revision& revision, int64_t now) {
  std::vector<std::string> unpriced;
  pricing::QuoteInput input;
  input.input_tokens = input.most_input_tokens = input.most_output_tokens = 1;
  input.time_nanos = now;
  for (const Revision::Candidate& candidate : revision.candidates()) {
    if (candidate.prices == nullptr || !pricing::MakeQuote(candidate.priced, input).priced)
      unpriced.push_back(candidate.name);
  }
  return unpriced;
}

double PricedShare(const Revision& revision, size_t unpriced) {
  const size_t all = revision.candidates().size();
  return all == 0 ? 1 : static_cast<double>(all - unpriced) / static_cast<double>(all);
}

// That a policy with its books does not take out of service what serves by `serving`.
absl::Status CheckPriced(const Revision& serving, const Revision& next, double least, int64_t now) {
  if (next.policy().routing().allow_unpriced()) return absl::OkStatus();
  std::vector<std::string> unpriced = UnpricedAt(next, now);
  const size_t count = unpriced.size();
  const double share = PricedShare(next, count);
  if (share >= least || share >= PricedShare(serving, UnpricedAt(serving, now).size()))
    return absl::OkStatus();
  if (count > 5) unpriced.resize(5);
  return absl::InvalidArgumentError(
      absl::StrCat("only ", next.candidates().size() - count, " of ", next.candidates().size(),
                   " candidates would be priced, less than the share of ", least,
                   " that Options::least_priced_share asks for; the books have no price for ",
                   absl::StrJoin(unpriced, ", "), count > 5 ? ", ..." : "",
                   ". The policy before goes on. Check the books, or set the share lower"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Engine>> Engine::Open(const Options& options) {
  return OpenEngine(options, nullptr);
}

absl::StatusOr<std::unique_ptr<Engine>> OpenEngine(const Options& options, ledger::FileSystem* ledger_files) {
  auto engine = std::make_unique<EngineImpl>(options, ledger_files);
  if (const absl::Status started = engine->Start(); !started.ok()) return started;
  return engine;
}

EngineImpl::EngineImpl(const Options& options, ledger::FileSystem* ledger_files)
    : options_(options),
      ledger_files_(ledger_files),
      clock_(options.clock != nullptr ? options.clock : &system_clock_) {}

int64_t EngineImpl::ClockNow() const {
  const int64_t reading = clock_->NowNanos();
  const int64_t last = last_reading_.load(std::memory_order_relaxed);
  // Near it, nothing is stored that other threads would have to fetch.
  if (static_cast<uint64_t>(reading - last) < 1'000'000'000) return reading;
  // What is done at a time that is years ahead would count there: windows that end are not opened again.
  if (last >= kClocksAreSet && reading - last > kMostJumpNanos) return last;
  last_reading_.store(reading, std::memory_order_relaxed);
  return reading;
}

absl::Status EngineImpl::CheckTime(const Request& request) const {
  if (request.time_nanos == 0 || TimeCanBe(request)) return absl::OkStatus();
  const auto text = [](int64_t nanos) {
    return absl::FormatTime(absl::RFC3339_sec, absl::FromUnixNanos(nanos), absl::UTCTimeZone());
  };
  return absl::InvalidArgumentError(absl::StrCat("Request::time_nanos says that it is ",
                                                 text(request.time_nanos), ", and the engine's clock reads ",
                                                 text(ClockNow()),
                                                 "; expected nanoseconds since 1970, at most a day ahead of "
                                                 "the clock. Leave it 0 for the clock's time"));
}

EngineState EngineImpl::StateFor(const budget::Plan& plan) {
  return {.outputs = outputs_, .served_before = served_before_, .accounts = *accounts_, .plan = plan};
}

// What can fail comes first, what others can see last: until the frame is in the log, nothing has changed
// that anybody could meet, now or after a restart; from then on nothing can fail.
absl::Status EngineImpl::Adopt(std::shared_ptr<Revision> revision) {
  const int64_t now = ClockNow();
  const std::shared_ptr<const Revision> previous = Current();
  accounts_->Register(revision->mutable_plan());
  revision->Attach(&model_stats_, &class_stats_);
  const absl::Status cached = revision->PrepareCache(
      previous.get(), options_.keep_cache ? Revision::CacheUse::kServing : Revision::CacheUse::kTrial,
      options_.embedder, now);
  if (!cached.ok()) return cached;
  if (const absl::Status logged = LogLoaded(*revision, now); !logged.ok()) {
    Revision::GiveUpCache(previous.get());
    return logged;
  }
  revision->ServeCache(previous.get(), now);
  if (previous == nullptr) recovered_.cache_refused = revision->cache_warning();
  const std::lock_guard<std::mutex> lock(revision_mutex_);
  revision_ = std::move(revision);
  current_.store(revision_.get(), std::memory_order_release);
  return absl::OkStatus();
}

absl::Status EngineImpl::LogLoaded(const Revision& revision, int64_t now) {
  if (journal_ == nullptr) return absl::OkStatus();
  ledger::PolicyLoadedView loaded;
  loaded.name = revision.policy().name();
  loaded.policy_revision = revision.policy_hash();
  loaded.price_revision = revision.price_hash();
  loaded.purser_version = kVersion;
  loaded.time_nanos = now;
  const std::string budgets = BudgetNames(revision.plan());
  loaded.budgets = budgets;
  absl::Status kept = journal_->PreparePolicy(revision.policy());
  if (kept.ok() && journal_->Append(loaded) == 0) kept = journal_->status();
  if (!kept.ok() && !revision.serves_unrecorded()) {
    journal_->GiveUpPolicy();
    return kept;
  }
  journal_->KeepPolicy();
  return absl::OkStatus();
}

absl::Status EngineImpl::Start() {
  absl::Status error;
  std::shared_ptr<Revision> revision = CompilePolicy(options_.source, *clock_, &error);
  if (revision == nullptr) return error;
  if (options_.ledger_dir.empty()) {
    accounts_ = std::make_unique<budget::Accounts>(budget::Accounts::Options{});
    return Adopt(std::move(revision));
  }

  accounts_ = std::make_unique<budget::Accounts>(budget::Accounts::Options{});
  accounts_->Register(revision->mutable_plan());
  Rebuilder rebuilder(revision->plan(), accounts_.get(), &outputs_);
  rebuilder.BelieveTimesUpTo(AddSaturating(ClockNow(), kMostAheadNanos));
  // The host may change its working directory.
  const std::string directory = ledger_files_ == nullptr
                                    ? std::filesystem::absolute(options_.ledger_dir).string()
                                    : options_.ledger_dir;
  absl::StatusOr<std::unique_ptr<Journal>> journal = Journal::Open(
      directory, ledger_files_, clock_, [&](const ledger::Frame& frame) { return rebuilder.Apply(frame); });
  if (!journal.ok()) return journal.status();
  const SnapshotCounts& counts = rebuilder.counts();
  accounts_->StartIncarnation(counts.loads);  // Tells this run's tickets from those of earlier ones.
  journal_ = *std::move(journal);
  recovered_.records = counts.records;
  recovered_.torn_bytes = static_cast<int64_t>(journal_->recovery().torn_bytes);
  recovered_.presumed = accounts_->open_holds();
  recovered_.conflicts = rebuilder.conflicts();
  recovered_.first_conflict = rebuilder.first_conflict();
  restored_ = rebuilder.TakeOpenDispatches();
  // A clock that reads years after the last entry may be wrong just now: Maintain will see.
  const int64_t newest = counts.newest_nanos;
  const int64_t now = ClockNow();
  if (newest == 0 || now - newest <= kMostJumpNanos) {
    accounts_->Expire(revision->plan(), now, kAccountsPerSweep,
                      [&](const budget::ExpiringHold& hold) { return LogExpiry(hold, now); });
  }
  // So that a process that is killed again and again does not read the same frames again and again. Without a
  // snapshot the next start reads them: no reason not to start.
  uint64_t kept_through = journal_->recovery().snapshot_sequence;
  if (rebuilder.frames() > kFramesWorthASnapshot &&
      journal_
          ->WriteSnapshot(journal_->last_sequence(), WriteSnapshot(*accounts_, outputs_, counts, restored_))
          .ok()) {
    kept_through = journal_->last_sequence();
  }
  if (const absl::Status adopted = Adopt(std::move(revision)); !adopted.ok()) return adopted;
  snapshots_ = std::make_unique<SnapshotKeeper>(
      journal_.get(), SnapshotKeeper::Options{.kept_through = kept_through,
                                              .frames_between = options_.frames_between_snapshots,
                                              .current_revision = [this] { return Current(); }});
  return absl::OkStatus();
}

EngineImpl::~EngineImpl() {
  if (!own_.here()) {
    // The threads that these would join are not there, and the files are the parent's. What is let go here
    // ends with the child.
    (void)snapshots_.release();
    (void)journal_.release();
    (void)accounts_.release();
    (void)new std::shared_ptr<const Revision>(std::move(revision_));
    return;
  }
  // Its log holds all but what verified mode has learned. A cache that cannot be kept costs money, not
  // correctness.
  if (revision_ != nullptr && revision_->cache() != nullptr) {
    (void)revision_->cache()->Keep(ClockNow());
    // A Decision may outlive this engine, and with it the revision.
    revision_->cache()->StopKeeping();
  }
  if (snapshots_ == nullptr) return;
  const auto frames = static_cast<int64_t>(journal_->last_sequence() - snapshots_->kept_through());
  if (frames > kFramesWorthASnapshot) (void)snapshots_->Keep();
}

const Revision& EngineImpl::Pin(Decision* decision) {
  // The decision's own reference keeps its revision alive: if that is still the current one, no shared
  // counter has to be touched, and threads do not meet.
  const Revision* current = current_.load(std::memory_order_acquire);
  if (decision->policy.revision().get() != current) {
    const std::lock_guard<std::mutex> lock(revision_mutex_);
    decision->policy = LoadedPolicy(revision_);
  }
  return *decision->policy.revision();
}

absl::Status EngineImpl::Reload(const PolicySource& source) {
  if (!own_.here()) return Forked();
  const std::lock_guard<std::mutex> one_at_a_time(reload_mutex_);
  absl::Status error;
  std::shared_ptr<Revision> revision = CompilePolicy(source, *clock_, &error);
  if (revision == nullptr) return error;
  if (absl::Status priced = CheckPriced(*Current(), *revision, options_.least_priced_share, ClockNow());
      !priced.ok()) {
    return priced;
  }
  return Adopt(std::move(revision));
}

absl::StatusOr<LoadedPolicy> EngineImpl::LoadShadowPolicy(const PolicySource& source) {
  if (!own_.here()) return Forked();
  absl::Status error;
  std::shared_ptr<Revision> shadow = CompilePolicy(source, *clock_, &error);
  if (shadow == nullptr) return error;
  shadow->Attach(&model_stats_, &class_stats_);
  return LoadedPolicy(std::move(shadow));
}

// What the log has to say of a call that is, or may be, under way: enough to presume it spent. False: it did
// not take it, and the call must not go on.
bool EngineImpl::LogDispatch(const PendingCall& call, const Request& request, Ticket ticket, int64_t now) {
  if (journal_ == nullptr) return true;
  const Revision& revision = *call.revision;
  const Revision::Candidate& candidate = revision.candidates()[call.candidate];
  ledger::DispatchedView view;
  DescribeRequest(request, &view);
  view.ticket = ticket;
  view.time_nanos = now;
  view.provider = candidate.provider;
  view.model = candidate.model;
  view.candidate = candidate.name;
  view.request_class = revision.request_class(call.request_class).name;
  // What a stream has settled in part may be more than was held for it.
  view.held_nanos = std::max(call.held_nanos, call.part.nanos);
  view.held_output_tokens = std::max(call.held_output_tokens, call.part.output_tokens);
  view.held_input_tokens =
      std::max<int64_t>(std::max(call.held_tokens, call.part.tokens) - view.held_output_tokens, 0);
  view.expires_nanos = call.expires_nanos;
  view.estimated_nanos = call.expected_nanos;
  view.policy_revision = revision.policy_hash();
  view.price_revision = revision.price_hash();
  return journal_->Append(view) != 0 || revision.serves_unrecorded();
}

bool EngineImpl::MarkDispatched(Ticket ticket) {
  if (!own_.here()) return false;
  PendingCall* call = pending_.ClaimOpen(ticket);
  if (call == nullptr) return false;
  const Revision& revision = *call->revision;
  const Request request = call->request.View();
  const int64_t now = Now(request);
  const bool dispatched = accounts_->MarkDispatched(revision.plan(), ticket, now);
  if (dispatched && !LogDispatch(*call, request, ticket, now)) {
    if (call->dispatched) {
      // It was announced before, and may have been sent then.
      pending_.Publish(call, ticket);
      return false;
    }
    // What could be billed and not be found again must not be sent.
    accounts_->Void(revision.plan(), ticket, now);
    pending_.Release(call, ticket, /*settled=*/false);
    return false;
  }
  call->dispatched = call->dispatched || dispatched;
  pending_.Publish(call, ticket);
  return dispatched;
}

bool EngineImpl::Void(Ticket ticket) {
  if (!own_.here()) return false;
  PendingCall* call = pending_.ClaimOpen(ticket);
  if (call == nullptr) return false;
  if (call->presumed_final) {  // Too late: it has been booked.
    pending_.Release(call, ticket, /*settled=*/false);
    return false;
  }
  const Request request = call->request.View();
  const int64_t now = Now(request);
  const PartialSpend part = call->part;
  if (!LogAttemptEnd(call, ticket, /*failed=*/false, now) && !call->revision->serves_unrecorded()) {
    pending_.Publish(call, ticket);
    return false;
  }
  const budget::Plan& plan = call->revision->plan();
  bool voided = true;
  if (part.any()) {
    const budget::Amounts spent =
        budget::Amounts::Call(part.nanos, part.tokens, part.output_tokens, StepsOf(request.attempt));
    const budget::SettleResult settled = accounts_->Settle(plan, ticket, spent, true, now);
    if (settled.status == budget::SettleStatus::kUnknownTicket) ChargeCall(*call, request, spent, now);
  } else {
    voided = accounts_->Void(plan, ticket, now);
  }
  pending_.Release(call, ticket, /*settled=*/false);
  return voided;
}

int64_t EngineImpl::Progress(Ticket ticket, int64_t output_tokens) const {
  if (!own_.here()) return -1;
  const budget::ProgressResult progress = accounts_->Progress(ticket, output_tokens);
  return progress.known ? progress.output_tokens_left : -1;
}

bool EngineImpl::Extend(Ticket ticket, int64_t more_output_tokens) {
  if (!own_.here()) return false;
  PendingCall* call = more_output_tokens > 0 ? pending_.ClaimOpen(ticket) : nullptr;
  if (call == nullptr) return false;
  const Revision& revision = *call->revision;
  const Revision::Candidate& candidate = revision.candidates()[call->candidate];
  const int64_t now = Now(call->request.View());
  // The whole call, as it was quoted and with more output.
  pricing::QuoteInput input = call->quoted;
  input.region = call->request.View().region;
  input.most_output_tokens = AddSaturating(call->held_output_tokens, more_output_tokens);
  const pricing::Quote quote = pricing::MakeQuote(call->batch ? candidate.batch : candidate.priced, input);
  if (!quote.priced && !revision.policy().routing().allow_unpriced()) {
    pending_.Publish(call, ticket);
    return false;
  }
  const int64_t more_nanos = std::max<int64_t>(quote.worst_nanos - call->held_nanos, 0);
  budget::Amounts more =
      budget::Amounts::Call(more_nanos, more_output_tokens, more_output_tokens, /*steps=*/0);
  more[budget::Dimension::kRequests] = 0;
  bool held = accounts_->Extend(revision.plan(), ticket, more, now).status == budget::HoldStatus::kHeld;
  if (held) {
    call->held_nanos = AddSaturating(call->held_nanos, more_nanos);
    call->held_tokens = AddSaturating(call->held_tokens, more_output_tokens);
    call->held_output_tokens = AddSaturating(call->held_output_tokens, more_output_tokens);
    // What cannot be found again after a crash is not granted; until the call settles it stays set aside.
    if (call->dispatched) held = LogDispatch(*call, call->request.View(), ticket, now);
  }
  pending_.Publish(call, ticket);
  return held;
}

void EngineImpl::EndTask(std::string_view tenant, std::string_view task) {
  if (!own_.here()) return;
  if (std::max(tenant.size(), task.size()) > kMaxDimensionBytes) return;
  const int64_t now = ClockNow();
  const std::shared_ptr<const Revision> revision = Current();
  accounts_->EndTask(revision->plan(), tenant, task, now);
  if (journal_ == nullptr) return;
  ledger::TaskEndedView ended;
  ended.tenant = tenant;
  ended.task = task;
  ended.time_nanos = now;
  journal_->Append(ended);
}

void EngineImpl::EndSession(std::string_view tenant, std::string_view session) {
  if (!own_.here()) return;
  if (std::max(tenant.size(), session.size()) > kMaxDimensionBytes) return;
  const int64_t now = ClockNow();
  accounts_->EndSession(Current()->plan(), tenant, session, now);
  if (journal_ == nullptr) return;
  ledger::SessionEndedView ended;
  ended.tenant = tenant;
  ended.session = session;
  ended.time_nanos = now;
  journal_->Append(ended);
}

absl::Status EngineImpl::Forked() const {
  return absl::FailedPreconditionError(
      absl::StrCat("process ", getpid(), " is a fork of process ", own_.id(),
                   ", which opened this engine: open one after the fork (gunicorn: in post_fork, or without "
                   "--preload; php-fpm: in the worker)"));
}

absl::Status EngineImpl::LedgerFailure() const {
  return absl::UnavailableError(absl::StrCat("the ledger cannot be written: ", journal_->status().message()));
}

absl::Status EngineImpl::TopUp(std::string_view budget, const Request& account, int64_t nano_usd,
                               int64_t tokens, int64_t until_nanos, std::string_view reason) {
  if (!own_.here()) return Forked();
  if (absl::Status time = CheckTime(account); !time.ok()) return time;
  std::string beyond;
  if (!CheckLimits(account, &beyond)) return absl::InvalidArgumentError(beyond);
  if (reason.size() > kMaxReasonBytes) {
    return absl::InvalidArgumentError(
        BeyondLimit("reason of the top-up", reason.size(), kMaxReasonBytes, "bytes"));
  }
  const std::shared_ptr<const Revision> revision = Current();
  if (LedgerFails() && !revision->serves_unrecorded()) {
    return LedgerFailure();
  }
  const int64_t now = Now(account);
  const budget::Scope scope = ScopeOf(account);
  budget::Amounts amounts;
  amounts[budget::Dimension::kUsd] = nano_usd;
  amounts[budget::Dimension::kTokens] = tokens;
  const absl::Status topped_up = accounts_->TopUp(revision->plan(), budget, scope, amounts, until_nanos, now);
  if (!topped_up.ok() || journal_ == nullptr) return topped_up;
  const std::string key = EncodeScope(scope);
  ledger::ToppedUpView view;
  view.budget = budget;
  view.key = key;
  view.amount_nanos = nano_usd;
  view.tokens = tokens;
  view.until_nanos = until_nanos;
  view.time_nanos = now;
  view.reason = reason;
  const bool recorded = journal_->Append(view) != 0 || revision->serves_unrecorded();
  return recorded ? absl::OkStatus() : journal_->status();
}

void EngineImpl::Maintain() {
  if (!own_.here()) return;
  const int64_t now = ClockNow();
  accounts_->Expire(Current()->plan(), now, kAccountsPerSweep,
                    [&](const budget::ExpiringHold& hold) { return LogExpiry(hold, now); });
}

bool EngineImpl::LogPresumedFinal(Ticket ticket, int64_t now) {
  if (journal_ == nullptr) return true;
  ledger::PresumedFinalView view;
  view.ticket = ticket;
  view.time_nanos = now;
  return journal_->Append(view) != 0;
}

// The slot of a hold that ends is used again: were its end not in the log, the next opening would find two
// calls in one place.
bool EngineImpl::LogExpiry(const budget::ExpiringHold& hold, int64_t now) {
  PendingCall* call = pending_.ClaimOpen(hold.ticket);
  if (call == nullptr) {
    const std::lock_guard<std::mutex> lock(restored_mutex_);
    const auto restored = restored_.find(hold.ticket);
    if (restored == restored_.end()) {
      // Of a snapshot that does not say whose it is; or another thread is at it: next time.
      return budget::IncarnationOf(hold.ticket) != accounts_->incarnation() &&
             (hold.phase != budget::HoldPhase::kPresumed || LogPresumedFinal(hold.ticket, now));
    }
    if (restored->second.empty()) return false;
    if (hold.phase == budget::HoldPhase::kDispatched) return LogPresumed(restored->second, hold, now);
    if (!LogPresumedFinal(hold.ticket, now)) return false;
    restored_.erase(restored);
    return true;
  }
  bool logged = true;
  switch (hold.phase) {
    case budget::HoldPhase::kHeld:
      logged = LogAttemptEnd(call, hold.ticket, /*failed=*/false, now);
      break;
    case budget::HoldPhase::kDispatched:
      logged = LogPresumed(*call, hold, now);
      if (logged) call->presumed = true;
      break;
    case budget::HoldPhase::kPresumed:
      logged = LogPresumedFinal(hold.ticket, now);
      if (logged) {
        call->presumed_final = true;
        call->counted = hold.counted;
      }
      break;
  }
  pending_.Publish(call, hold.ticket);
  return logged;
}

std::shared_ptr<const Revision> EngineImpl::Current() {
  const std::lock_guard<std::mutex> lock(revision_mutex_);
  return revision_;
}

}  // namespace purser
