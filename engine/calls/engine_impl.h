#ifndef PURSER_ENGINE_CALLS_ENGINE_IMPL_H_
#define PURSER_ENGINE_CALLS_ENGINE_IMPL_H_

#include <purser/cache/cache.h>
#include <purser/purser.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "engine/base/own_process.h"
#include "engine/budget/accounts.h"
#include "engine/calls/pending_calls.h"
#include "engine/calls/served_before.h"
#include "engine/estimates/output_estimate.h"
#include "engine/recovery/journal.h"
#include "engine/recovery/rebuild.h"
#include "engine/recovery/snapshot_keeper.h"
#include "engine/revision/class_stats.h"
#include "engine/revision/model_stats.h"
#include "engine/revision/revision.h"
#include "engine/routing/choice.h"

namespace purser {

struct DecideScratch;  // decide_scratch.h
struct EngineState;    // rank.h
struct Realized;       // settle.cc
struct SettleScratch;  // settle.cc

// A request's own time may be so much later than the engine's clock.
inline constexpr int64_t kMostAheadNanos = int64_t{86'400} * 1'000'000'000;

// The engine behind purser.h. Its methods are in engine.cc (life and small ones), decide.cc (everything
// before dispatch), settle.cc (everything after), explain_call.cc and shadow.cc.
class EngineImpl final : public Engine {
 public:
  // `ledger_files`: through which the ledger's files are written; null: the operating system's.
  EngineImpl(const Options& options, ledger::FileSystem* ledger_files);
  ~EngineImpl() override;

  // Reads policy and books, opens the ledger and rebuilds the accounts from it.
  absl::Status Start();

  void Decide(const Request& request, Decision* decision) override;
  void FailOver(const Request& request, Decision* decision) override;
  bool MarkDispatched(Ticket ticket) override;
  Settlement Settle(Ticket ticket, const CallResult& result) override;
  Settlement SettleByRequest(std::string_view tenant, std::string_view request_id,
                             const CallResult& result) override;
  bool Void(Ticket ticket) override;
  int64_t Progress(Ticket ticket, int64_t output_tokens) const override;
  bool Extend(Ticket ticket, int64_t more_output_tokens) override;
  void StoreInCache(const Request& request, const Decision& decision, const CacheableAnswer& answer) override;
  std::shared_ptr<cache::Cache> cache() override { return own_.here() ? Current()->shared_cache() : nullptr; }
  void Feedback(const Decision& decision, bool right) override;
  void EndTask(std::string_view tenant, std::string_view task) override;
  void EndSession(std::string_view tenant, std::string_view session) override;
  absl::Status TopUp(std::string_view budget, const Request& account, int64_t nano_usd, int64_t tokens,
                     int64_t until_nanos, std::string_view reason) override;
  absl::Status Reload(const PolicySource& source) override;
  void Maintain() override;
  std::vector<AccountStatus> Accounts(const Request& request) override;
  Explanation Explain(const Request& request) override;
  absl::StatusOr<LoadedPolicy> LoadShadowPolicy(const PolicySource& source) override;
  void DecideShadow(const LoadedPolicy& shadow, const Request& request, const Decision& decision,
                    ShadowDecision* out) override;
  const Recovered& recovered() const override { return recovered_; }

 private:
  // When a request is: as it says, if that can be.
  int64_t Now(const Request& request) const {
    return request.time_nanos == 0 || !TimeCanBe(request) ? ClockNow() : request.time_nanos;
  }
  bool TimeCanBe(const Request& request) const {
    return request.time_nanos >= 0 && request.time_nanos - kMostAheadNanos <= ClockNow();
  }
  // INVALID_ARGUMENT for a time that cannot be.
  absl::Status CheckTime(const Request& request) const;
  // What the clock says; what it said last, while it says what cannot be.
  int64_t ClockNow() const;

  // What every method that returns a Status says in a forked child.
  absl::Status Forked() const;

  bool LedgerFails() const { return journal_ != nullptr && !journal_->writable(); }
  // UNAVAILABLE, with the reason. If LedgerFails().
  absl::Status LedgerFailure() const;

  // Makes decision->policy the current one; takes a lock only after a reload.
  const Revision& Pin(Decision* decision);
  std::shared_ptr<const Revision> Current();
  // Joins a compiled policy to the engine and serves by it. On an error nothing has changed.
  absl::Status Adopt(std::shared_ptr<Revision> revision);
  // Says in the ledger that it serves. On an error the ledger says what it said before.
  absl::Status LogLoaded(const Revision& revision, int64_t now);

  // What ranking reads of this engine; `plan` is the engine's, not a shadow's.
  EngineState StateFor(const budget::Plan& plan);

  // decide.cc, in the order of the path.
  void Route(const Request& request, int64_t now, DecideScratch* scratch, Decision* decision);
  bool AnswerFromCache(const Revision& revision, const Request& request, int64_t now, DecideScratch* scratch,
                       Decision* decision);
  void FindBestConstant(const Revision& revision, DecideScratch* scratch) const;
  bool Hold(const Revision& revision, const Request& request, int64_t now, DecideScratch* scratch,
            Decision* decision);
  void KeepPending(const Revision& revision, const Request& request, int64_t now,
                   const DecideScratch& scratch, Decision* decision);

  bool LogDispatch(const PendingCall& call, const Request& request, Ticket ticket, int64_t now);

  // Whether a hold may leave its phase: the log knows of it first.
  bool LogExpiry(const budget::ExpiringHold& hold, int64_t now);
  bool LogPresumedFinal(Ticket ticket, int64_t now);

  // settle.cc
  // The log is told that what was dispatched under this ticket is over, and what it had used until then.
  // False: it did not take it.
  bool LogAttemptEnd(PendingCall* call, Ticket ticket, bool failed, int64_t now);
  bool LogPresumed(const PendingCall& call, const budget::ExpiringHold& hold, int64_t now);
  bool LogPresumed(std::string_view dispatched, const budget::ExpiringHold& hold, int64_t now);
  // Books what has no hold in the accounts, under the call's candidate.
  void ChargeCall(const PendingCall& call, const Request& request, const budget::Amounts& amounts,
                  int64_t now);
  Settlement SettlePart(PendingCall* call, Ticket ticket, const Realized& realized, int64_t now);
  Settlement Book(PendingCall* call, const Request& request, Ticket ticket, const CallResult& result,
                  const Realized& realized, int64_t now, SettleScratch* scratch);
  void Learn(const PendingCall& call, const Request& request, const CallResult& result, const Usage* usage,
             int64_t cost_nanos, int64_t now);

  const OwnProcess own_;  // Asked before anything else, since a child may wait at a lock for ever.
  const Options options_;
  ledger::FileSystem* const ledger_files_;
  const SystemClock system_clock_;
  const Clock* const clock_;
  mutable std::atomic<int64_t> last_reading_{0};

  ModelStatsTable model_stats_;
  ClassStatsTable class_stats_;
  estimates::OutputEstimator outputs_;

  std::mutex reload_mutex_;  // Taken before revision_mutex_.
  std::mutex revision_mutex_;
  std::shared_ptr<const Revision> revision_;  // Guarded by revision_mutex_.
  std::atomic<const Revision*> current_{nullptr};

  std::unique_ptr<budget::Accounts> accounts_;
  std::unique_ptr<Journal> journal_;  // Null: no ledger.
  PendingCalls pending_;
  ServedBefore served_before_;
  Recovered recovered_;
  std::mutex restored_mutex_;
  // Of earlier runs; empty while one is being settled. Guarded by restored_mutex_.
  OpenDispatches restored_;
  std::unique_ptr<SnapshotKeeper> snapshots_;  // Null: no ledger, or not started.
};

}  // namespace purser

#endif  // PURSER_ENGINE_CALLS_ENGINE_IMPL_H_
