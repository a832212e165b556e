#ifndef PURSER_ENGINE_ENGINE_IMPL_H_
#define PURSER_ENGINE_ENGINE_IMPL_H_

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "cache/cache.h"
#include "engine/budget/accounts.h"
#include "engine/class_stats.h"
#include "engine/journal.h"
#include "engine/model_stats.h"
#include "engine/pending_calls.h"
#include "engine/pricing/output_estimate.h"
#include "engine/purser.h"
#include "engine/revision.h"
#include "engine/routing/choice.h"
#include "engine/served_before.h"
#include "engine/snapshot_keeper.h"

namespace purser {

struct DecideScratch;  // decide_scratch.h
struct LearnedEstimates;

// What the choice has to know of the request. After FindCurrent.
routing::ChoiceContext ChoiceContextOf(const Request& request, const DecideScratch& scratch);

// The engine behind purser.h. Its methods are in engine.cc (life and small ones), decide.cc (everything
// before dispatch), settle.cc (everything after), explain.cc and shadow.cc.
class EngineImpl final : public Engine {
 public:
  explicit EngineImpl(const Options& options);
  ~EngineImpl() override;

  // Reads policy and books, opens the ledger and rebuilds the accounts from it.
  absl::Status Start();

  void Decide(const Request& request, Decision* decision) override;
  void FailOver(const Request& request, Decision* decision) override;
  bool MarkDispatched(Ticket ticket) override;
  Settlement Settle(Ticket ticket, const Outcome& outcome) override;
  bool Void(Ticket ticket) override;
  int64_t Progress(Ticket ticket, int64_t output_tokens) const override;
  bool Extend(Ticket ticket, int64_t more_output_tokens) override;
  void StoreInCache(const Request& request, const Decision& decision, const AnswerToKeep& answer) override;
  std::shared_ptr<cache::Cache> cache() override { return Current()->shared_cache(); }
  void Feedback(const Decision& decision, bool right) override;
  void EndTask(std::string_view tenant, std::string_view task) override;
  void EndSession(std::string_view tenant, std::string_view session) override;
  absl::Status TopUp(std::string_view budget, const Request& account, int64_t nano_usd, int64_t tokens,
                     int64_t until_nanos, std::string_view reason) override;
  absl::Status Reload(const Options& options) override;
  void Maintain() override;
  std::string Explain(const Request& request) override;
  absl::StatusOr<std::shared_ptr<const Revision>> LoadShadow(const Options& options) override;
  void DecideInShadow(const Revision& shadow, const Request& request, const Decision& decision,
                      ShadowDecision* out) override;
  const Recovered& recovered() const override { return recovered_; }

 private:
  int64_t Now(const Request& request) const {
    return request.time_nanos != 0 ? request.time_nanos : clock_->NowNanos();
  }

  bool LedgerFails() const { return journal_ != nullptr && !journal_->writable(); }

  // Makes decision->revision the current one; takes a lock only after a reload.
  const Revision& Pin(Decision* decision);
  std::shared_ptr<const Revision> Current();
  absl::Status Adopt(std::shared_ptr<Revision> revision);

  // decide.cc, in the order of the path.
  void ReadTokens(const Revision& revision, const Request& request, DecideScratch* scratch) const;
  // `plan` is the engine's: a shadow's budgets have no accounts.
  void ReadSignals(const Revision& revision, const budget::Plan& plan, const Request& request, int64_t now,
                   DecideScratch* scratch) const;
  bool AnswerFromCache(const Revision& revision, const Request& request, int64_t now, DecideScratch* scratch,
                       Decision* decision);
  // Before candidates are quoted: what a switch loses is in the quotes.
  void FindCurrent(const Revision& revision, const Request& request, DecideScratch* scratch) const;
  const LearnedEstimates& ReadLearned(const Revision& revision, const Revision::RequestClass& request_class,
                                      const Request& request, DecideScratch* scratch) const;
  void QuoteCandidates(const Revision& revision, const Request& request, int64_t now, DecideScratch* scratch,
                       Decision* decision) const;
  bool Hold(const Revision& revision, const Request& request, int64_t now, DecideScratch* scratch,
            Decision* decision);
  void FindBestConstant(const Revision& revision, DecideScratch* scratch) const;
  void KeepPending(const Revision& revision, const Request& request, int64_t now,
                   const DecideScratch& scratch, Decision* decision);
  void RefuseForRouting(const Revision& revision, const DecideScratch& scratch, Decision* decision) const;
  void Route(const Request& request, int64_t now, DecideScratch* scratch, Decision* decision);

  bool LogDispatch(const PendingCall& call, const Request& request, Ticket ticket, int64_t now);

  // settle.cc
  void Learn(const PendingCall& call, const Outcome& outcome, const pricing::Usage* usage, int64_t cost_nanos,
             int64_t now);

  const Options options_;
  const SystemClock system_clock_;
  const Clock* const clock_;

  ModelStatsTable model_stats_;
  ClassStatsTable class_stats_;
  pricing::OutputEstimator outputs_;

  std::mutex reload_mutex_;  // Taken before revision_mutex_.
  std::mutex revision_mutex_;
  std::shared_ptr<const Revision> revision_;  // Guarded by revision_mutex_.
  std::atomic<const Revision*> current_{nullptr};

  std::unique_ptr<budget::Accounts> accounts_;
  std::unique_ptr<Journal> journal_;  // Null: no ledger.
  PendingCalls pending_;
  ServedBefore served_before_;
  Recovered recovered_;
  std::unique_ptr<SnapshotKeeper> snapshots_;  // Null: no ledger, or not started.
};

}  // namespace purser

#endif  // PURSER_ENGINE_ENGINE_IMPL_H_
