#ifndef PURSER_ENGINE_PURSER_H_
#define PURSER_ENGINE_PURSER_H_

// Purser decides which model serves a call and what the call may spend, and books what it actually cost.
//
// The first half of this page is a tutorial. Its code is compiled and run as a test
// (tests/tutorial_test.cc), so
// what it claims is true. The promises and units follow; each method states its own contract.
//
// -----------------------------------------------------------------------
// A POLICY AND AN ENGINE
//
// A policy is protobuf text: models, rules, budgets, a cache. Prices come from price books. Without one,
// the book
// bundled with Purser is used.
//
//     const char* kPolicy = R"pb(
//       name: "tutorial"
//       candidates { model: "gpt-5-nano" provider: "openai" quality: 30 }
//       candidates { model: "gpt-5" provider: "openai" quality: 90 }
//       rules { name: "hard" when { signal: "proof" } min_quality: 80 }
//       signals { name: "proof" patterns { keyword: "prove" } }
//       budgets { name: "task cap" scope: TASK usd: "0.01" when_short: DENY }
//       caching { namespace_template: "{tenant}/{feature}" defaults { mode: EXACT ttl: "1h" } }
//     )pb";
//
// Check a policy before you serve by it. Findings carry file, line and column.
//
//     for (const purser::PolicyFinding& finding : purser::CheckPolicy({.policy_text = kPolicy})) {
//       CHECK(finding.severity == purser::PolicyFinding::Severity::kWarning);
//     }
//     CHECK(!purser::CheckPolicy({.policy_text = "candidates { modl: \"gpt-5\" }"}).empty());
//
// One engine serves all threads. Its ledger is a directory; here, one that the test removes.
//
//     auto opened = purser::Engine::Open({.source = {.policy_text = kPolicy},
//                                         .ledger_dir = ledger_dir});
//     CHECK(opened.ok());
//     purser::Engine& engine = **opened;
//
// -----------------------------------------------------------------------
// DECIDE, DISPATCH, SETTLE
//
// Describe the call that you are about to make. Everything in a Request is a view, read during the call only.
//
//     const purser::Message question{purser::Role::kUser, "What is a quorum?"};
//     purser::Request request;
//     request.id = "request-1";
//     request.tenant = "acme";
//     request.feature = "chat";
//     request.task = "task-1";
//     request.messages = {&question, 1};
//     request.max_output_tokens = 1000;
//
// Keep one Decision per thread and use it again and again: its strings keep their memory.
//
//     purser::Decision decision;
//     engine.Decide(request, &decision);
//     CHECK(decision.action == purser::Action::kDispatch);
//     CHECK(decision.model == "gpt-5-nano");  // The cheapest that the rules find good enough.
//     CHECK(decision.held_nanos > 0);         // Its worst case, set aside in the task's budget.
//
// Announce the dispatch before you send. From then on silence means "presumed spent", since the provider
// may have
// billed the call. Do not send if MarkDispatched returns false: the hold has expired.
//
//     CHECK(engine.MarkDispatched(decision.ticket));
//     std::string body = provider.Call(decision.model, decision.max_output_tokens);
//
// Settle books what the call really cost, from the provider's own usage block, and frees the rest of the
// hold.
// Settling a ticket twice books once.
//
//     purser::Settlement settlement = engine.Settle(decision.ticket, {.response_json = body});
//     CHECK(settlement.result == purser::SettleResult::kSettled);
//     CHECK(settlement.cost_nanos > 0 && !settlement.overrun);
//     settlement = engine.Settle(decision.ticket, {.response_json = body});
//     CHECK(settlement.result == purser::SettleResult::kAlreadySettled);
//
// A rule can ask for a better model.
//
//     const purser::Message proof{purser::Role::kUser, "Please prove that 2 has no rational root."};
//     request.id = "request-2";
//     request.messages = {&proof, 1};
//     request.max_output_tokens = 500;
//     engine.Decide(request, &decision);
//     CHECK(decision.model == "gpt-5");
//
// -----------------------------------------------------------------------
// NOTHING WAS SENT
//
// Give the hold back if you change your mind. Void only what was not sent, or what the provider did not bill.
//
//     CHECK(engine.Void(decision.ticket));
//     CHECK(!engine.MarkDispatched(decision.ticket));  // The ticket is closed.
//
// A hold that is neither dispatched nor voided expires (budget_settings.hold_expires_after) and is released.
// One that was dispatched and never settled stays presumed spent. Call Maintain every few seconds so that
// both happen.
//
//     engine.Maintain();
//
// -----------------------------------------------------------------------
// STREAMS
//
// While a stream runs, ask how many more output tokens the hold covers. At 0, extend the hold or stop the
// stream.
//
//     engine.Decide(request, &decision);
//     CHECK(engine.MarkDispatched(decision.ticket));
//     CHECK(engine.Progress(decision.ticket, /*output_tokens=*/400) == 100);
//     CHECK(engine.Extend(decision.ticket, /*more_output_tokens=*/50));
//     CHECK(engine.Progress(decision.ticket, 400) == 150);
//
// Usage that you counted yourself is as good as a response body.
//
//     purser::Usage usage;
//     usage.Set(purser::Meter::kInputTokens, 20);
//     usage.Set(purser::Meter::kOutputTokens, 510);
//     CHECK(engine.Settle(decision.ticket, {.usage = &usage}).cost_nanos == 5'125'000);  // $0.005125
//
// -----------------------------------------------------------------------
// REFUSALS
//
// That task has spent half of its cent. What would not fit is refused before it is sent, and says why.
//
//     request.id = "request-3";
//     request.max_output_tokens = 2000;
//     engine.Decide(request, &decision);
//     CHECK(decision.action == purser::Action::kRefuse);
//     CHECK(decision.refusal == purser::Refusal::kBudget);
//     CHECK(decision.reason.find("task cap") != std::string::npos);
//
// Look at the accounts that a request draws on.
//
//     const std::vector<purser::AccountStatus> accounts = engine.Accounts(request);
//     CHECK(accounts.size() == 1 && accounts[0].key == "acme/task-1");
//     CHECK(accounts[0].limits[0].settled > 5'125'000);
//     CHECK(accounts[0].limits[0].headroom() < 5'000'000);
//
// Give the account more, for now. `until_nanos` 0 means the rest of its window.
//
//     CHECK(engine.TopUp("task cap", request, /*nano_usd=*/20'000'000, /*tokens=*/0,
//                        /*until_nanos=*/0, "approved by the on-call engineer").ok());
//     engine.Decide(request, &decision);
//     CHECK(decision.action == purser::Action::kDispatch);
//
// -----------------------------------------------------------------------
// FAILOVER
//
// The dispatch failed. FailOver moves the hold to the next candidate that passes, in one step. Announce it
// again.
//
//     CHECK(engine.MarkDispatched(decision.ticket));
//     engine.FailOver(request, &decision);
//     CHECK(decision.action == purser::Action::kRefuse);  // Only gpt-5 is good enough for a proof.
//
// -----------------------------------------------------------------------
// THE CACHE
//
// Store an answer once its call has settled. The same request of the same tenant and feature is then answered
// without a call.
//
//     request.id = "request-4";
//     request.task = "task-2";
//     request.messages = {&question, 1};
//     request.max_output_tokens = 1000;
//     engine.Decide(request, &decision);
//     CHECK(engine.MarkDispatched(decision.ticket));
//     body = provider.Call(decision.model, decision.max_output_tokens);
//     settlement = engine.Settle(decision.ticket, {.response_json = body});
//     engine.StoreInCache(request, decision,
//                         {.text = "A majority.", .cost_nanos = settlement.cost_nanos});
//
//     request.id = "request-5";
//     engine.Decide(request, &decision);
//     CHECK(decision.action == purser::Action::kAnswer && decision.answer == "A majority.");
//     CHECK(decision.saved_nanos == settlement.cost_nanos);
//     request.id = "request-6";
//     request.tenant = "another";
//     engine.Decide(request, &decision);
//     CHECK(decision.action == purser::Action::kDispatch);  // Nothing crosses a namespace.
//     CHECK(engine.Void(decision.ticket));
//
// -----------------------------------------------------------------------
// RELOAD AND EXPLAIN
//
// Replace the policy while calls are pending; they settle at the prices that they were granted under. A
// policy
// that does not load changes nothing.
//
//     CHECK(!engine.Reload({.policy_text = "candidates { modl: \"gpt-5\" }"}).ok());
//     CHECK(engine.Reload({.policy_text = kPolicy}).ok());
//
// Every decision can be explained, without taking it.
//
//     const purser::Explanation explanation = engine.Explain(request);
//     CHECK(explanation.candidates[0].name == "gpt-5-nano");
//     CHECK(explanation.candidates[0].rank == 1);
//     CHECK(explanation.text.find("input_tokens") != std::string::npos);
//
// -----------------------------------------------------------------------
// PROMISES
//
//   Caps hold. For every account, settled + held + presumed <= limit at every moment, under any concurrency,
//   unless a provider bills more than the quoted worst case; then the overrun is booked in full, flagged, and
//   blocks new holds.
//
//   All or nothing. A hold is taken in every account that the request touches (task and its ancestors,
//   session, customer ...), or in none.
//
//   Nothing settled is lost. See Durability.
//
//   Presumed spent. An undispatched hold that expires is released. A dispatched one stays presumed spent
//   until it is settled: the provider may have billed it. Settling a ticket twice books once.
//
//   Unknown is never free. A candidate without a price is not chosen; a response without usage settles at the
//   hold's expected cost, flagged.
//
//   Nothing crosses a namespace: no cached answer, no account, whatever bytes the ids contain.
//
//   The last good policy serves. A policy that does not load changes nothing.
//
// Units: money in nano-dollars (int64), sizes in tokens, times in nanoseconds since the Unix epoch, UTC.
//
// Threads: every method of Engine may be called from any thread at any time. A Decision is for one thread.
//
// Fork: an engine belongs to the process that opened it. In a child that was forked since (gunicorn
// --preload, php-fpm, multiprocessing), whoever holds a copy of it may only destroy it, which touches neither
// threads nor files: Decide refuses (Refusal::kForked), Settle answers kForked, what returns a Status says
// FAILED_PRECONDITION, and the rest says no or does nothing. Open an engine in each child, on a ledger of its
// own, or ask one process for all of them. To tell costs three or four instructions a call; a child made by
// the bare system call instead of fork() is not told.
//
// Files: nobody else may change a ledger that is open. If its folder, its lock or its newest segment is
// removed, moved, replaced or cut short, that is noticed within 0.2 seconds, or by the store that meets it,
// and from then on every call is refused as for a full disk (Refusal::kLedger, naming the file) until the
// ledger is opened again. Until it is noticed, what is booked is where the files are. The host is never ended
// by it: a signal handler takes SIGBUS for the ledger's own memory and passes on every other.
//
// Errors: set-up returns absl::Status. Decide and Settle do not fail and do not throw: what went wrong is in
// the values that they fill. After warm-up they do not allocate.

#include <purser/clock.h>
#include <purser/decision.h>
#include <purser/explanation.h>
#include <purser/options.h>
#include <purser/policy_source.h>
#include <purser/request.h>
#include <purser/settlement.h>
#include <purser/usage.h>
#include <purser/version.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace purser {

namespace cache {
class Cache;  // <purser/cache/cache.h>
}  // namespace cache

class Engine {
 public:
  // Errors: INVALID_ARGUMENT with every mistake of the policy and the books, a line each (file:line:column);
  // DATA_LOSS for a ledger with damaged records; UNAVAILABLE for a ledger that another process
  // writes. A dead one writes no more, whatever helpers it left running.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<Engine>> Open(const Options& options);

  virtual ~Engine() = default;

  // ---- Before a call.

  // Prices every candidate, asks the cache, applies gates and rules, and holds the worst case of the cheapest
  // candidate that passes.
  virtual void Decide(const Request& request, Decision* decision) = 0;

  // The call is on its way to the provider: from now on, silence means presumed spent. False: there is no
  // such pending ticket; do not send.
  [[nodiscard]] virtual bool MarkDispatched(Ticket ticket) = 0;

  // Nothing was dispatched, or the provider did not bill it: everything held is free again. What a stream had
  // settled in part stays spent, and is booked. False: there is no such pending ticket, or the ledger cannot
  // be written.
  virtual bool Void(Ticket ticket) = 0;

  // The dispatch failed: moves the hold of `decision->ticket`, as one step, to the best other candidate that
  // passes, so that unused money is neither counted twice nor offered to others in between. The ticket stays
  // the same; it is undispatched again. If there is no other candidate (action kRefuse), the ticket is void.
  // The failure counts against the model's health.
  virtual void FailOver(const Request& request, Decision* decision) = 0;

  // ---- While a stream runs.

  // For a stream that has produced this many output tokens: how many more the hold covers. At 0, Extend or
  // stop. -1: there is no such pending ticket.
  virtual int64_t Progress(Ticket ticket, int64_t output_tokens) const = 0;
  // Sets aside what this many more output tokens cost, in every account or in none. False: it does not fit;
  // stop.
  [[nodiscard]] virtual bool Extend(Ticket ticket, int64_t more_output_tokens) = 0;

  // ---- After a call.

  // Books what the call cost and frees what was held beyond it.
  virtual Settlement Settle(Ticket ticket, const CallResult& result) = 0;

  // The same for a call that was dispatched before the ledger was opened, by this process or another (a batch
  // job, an agent that goes on from a checkpoint): by the tenant and the id of its request, at the prices of
  // the policy in force. Counts once, whether it was presumed spent by then or not. kUnknownTicket, and
  // nothing is booked: no such call is open (it has settled, or its presumed spending was booked for good),
  // or the policy has no candidate of its name. Of several with that id the one dispatched first is settled.
  virtual Settlement SettleByRequest(std::string_view tenant, std::string_view request_id,
                                     const CallResult& result) = 0;

  // Keeps an answer for requests like this one. Call it after a successful Settle, with the request that was
  // decided. What may not be cached (see Request and the policy) is not, nor what is beyond a limit.
  virtual void StoreInCache(const Request& request, const Decision& decision,
                            const CacheableAnswer& answer) = 0;

  // Tells the cache whether the answer that it gave was right.
  virtual void Feedback(const Decision& decision, bool right) = 0;

  // The task or session is over: what it spent stays in the accounts above it; calls in its name are refused.
  // An id above kMaxDimensionBytes names no task or session that Decide would accept: nothing happens.
  virtual void EndTask(std::string_view tenant, std::string_view task) = 0;
  virtual void EndSession(std::string_view tenant, std::string_view session) = 0;

  // ---- To look at.

  // The accounts that this request draws on, with headroom, holds and reset times. Budgets per provider or
  // model are those of the candidate that Decide would try first. Empty for a request that is beyond a limit.
  [[nodiscard]] virtual std::vector<AccountStatus> Accounts(const Request& request) = 0;

  // The whole reasoning for one request. Decides without holding, booking or learning anything.
  [[nodiscard]] virtual Explanation Explain(const Request& request) = 0;

  // The cache that new decisions ask: to invalidate entries, to read its counts, to save it
  // (<purser/cache/cache.h>). Null where the policy has no `caching`. A Reload that changes `caching` starts
  // another one. Its Namespaces() are the policy's template with every field behind its length.
  [[nodiscard]] virtual std::shared_ptr<cache::Cache> cache() = 0;

  // What the ledger held when it was opened.
  struct Recovered {
    int64_t records = 0;     // Settled calls.
    int64_t presumed = 0;    // Dispatched calls that nobody settled: presumed spent.
    int64_t torn_bytes = 0;  // Cut off the end: never acknowledged.
    // Frames of the ledger that contradict each other, and the first of them in words. The reading in which
    // the most is spent was taken.
    int64_t conflicts = 0;
    std::string first_conflict{};
    std::string cache_refused{};  // Why what the policy keeps of its cache was not taken. Empty: it was.
  };
  virtual const Recovered& recovered() const = 0;

  // ---- To operate.

  // Replaces policy and prices as one. On an error nothing changes, in memory or on the disk. A budget of a
  // new name counts from zero from now on, here and after every restart. Pending tickets settle at the prices
  // that they were granted under. Errors as Open.
  [[nodiscard]] virtual absl::Status Reload(const PolicySource& source) = 0;

  // Compiles a policy that decides beside the engine's own without acting. It has no cache, its budgets hold
  // and refuse nothing (headroom is that of the engine's budgets), and it learns what the engine learns. It
  // stays valid across Reload, but not beyond the engine. Errors as Open.
  [[nodiscard]] virtual absl::StatusOr<LoadedPolicy> LoadShadowPolicy(const PolicySource& source) = 0;

  // What `shadow` would do with a request that was decided. Nothing is held, booked, cached or learned. Reuse
  // one ShadowDecision per thread: after warm-up only a refusal's reason allocates. An empty `shadow`
  // refuses.
  virtual void DecideShadow(const LoadedPolicy& shadow, const Request& request, const Decision& decision,
                            ShadowDecision* out) = 0;

  // Raises an account's limits: `budget` as the policy names it, the account by the request's fields.
  // `until_nanos` 0: for the rest of the account's window. NOT_FOUND: no such budget. UNAVAILABLE: the ledger
  // cannot be written. INVALID_ARGUMENT: `reason` or a field of `account` is beyond its limit (Request).
  [[nodiscard]] virtual absl::Status TopUp(std::string_view budget, const Request& account, int64_t nano_usd,
                                           int64_t tokens, int64_t until_nanos, std::string_view reason) = 0;

  // Does what is due: expires holds, ends idle tasks and sessions. Call it every few seconds from any thread.
  virtual void Maintain() = 0;
};

}  // namespace purser

#endif  // PURSER_ENGINE_PURSER_H_
