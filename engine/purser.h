#ifndef PURSER_ENGINE_PURSER_H_
#define PURSER_ENGINE_PURSER_H_

// Purser: which model serves a call, what the call may spend, and what it did cost.
//
//   absl::StatusOr<std::unique_ptr<purser::Engine>> engine = purser::Engine::Open({
//       .policy_file = "policy.textproto",
//       .price_books = {"prices.textproto"},
//       .ledger_dir = "/var/lib/gateway/ledger",
//   });
//   purser::Decision decision;                     // One per thread, used again and again.
//   (*engine)->Decide(request, &decision);
//   switch (decision.action) {
//     case purser::Action::kDispatch:              // Ask decision.model for at most max_output_tokens.
//       (*engine)->MarkDispatched(decision.ticket);
//       response = provider.Call(...);
//       (*engine)->Settle(decision.ticket, {.response_json = response.body});
//       break;                                     // ... or Void(decision.ticket) if nothing was sent.
//     case purser::Action::kAnswer:                // decision.answer, from the cache; nothing to settle.
//     case purser::Action::kRefuse:                // decision.reason: which rule, gate or budget.
//   }
//
// Promises
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
// Errors: set-up returns absl::Status. Decide and Settle do not fail and do not throw: what went wrong is in
// the values that they fill. After warm-up they do not allocate.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cache/cache.h"
#include "engine/clock.h"
#include "engine/pricing/usage.h"
#include "engine/request.h"

namespace purser::books {
class LiveBooks;
}  // namespace purser::books
namespace purser::ledger {
class FileSystem;
}  // namespace purser::ledger

namespace purser {

class Revision;  // A policy with its price books, compiled.

// What a settled call survives once Settle has returned.
enum class Durability {
  kProcess,  // The death of this process at any instruction: the record is in the kernel's hands.
  kSync,     // Loss of power: the record is on the device (one fdatasync, shared by concurrent calls).
};

struct Options {
  // What it does.
  std::string policy_file{};               // Protobuf text of purser.policy.Policy ...
  std::string policy_text{};               // ... or that text itself, if policy_file is empty.
  std::vector<std::string> price_books{};  // Protobuf text of purser.pricing.PriceBook. Later ones override.
  std::string ledger_dir{};                // Made if it does not exist. Empty: nothing outlives the engine.
  Durability durability = Durability::kProcess;
  // A snapshot of the accounts is kept each time that so many frames (two for each call) were written, so
  // that opening the ledger after a kill reads about so many, at 0.7 us each. A thread of the engine's reads
  // them once more for it, and rebuilds the accounts beside those in use: their memory is needed twice
  // meanwhile. 0: snapshots are kept only when the ledger is opened or closed.
  int64_t frames_between_snapshots = 1'000'000;

  // Embeds the last user turn of requests that bring no embedding, where the policy names no embedder. It is
  // asked only for what is not answered exactly. Null: such requests are answered exactly or not.
  std::shared_ptr<const cache::Embedder> embedder = nullptr;
  // False: the policy's persistence_directory is not touched. For trying a policy beside the engine that
  // serves by it.
  bool keep_cache = true;

  // How it does it.
  const Clock* clock = nullptr;  // Must outlive the engine. Null: the system's.
  // Told of every settled call and every answer from the cache, for metrics and alerts
  // (engine/books/live_books.h). Must outlive the engine. Null: nobody.
  books::LiveBooks* live_books = nullptr;
  // Through which the ledger's files are written (engine/ledger/file_system.h): a seam for tests. Must
  // outlive the engine. Null: the operating system's.
  ledger::FileSystem* ledger_files = nullptr;
};

enum class Action : uint8_t { kRefuse, kDispatch, kAnswer };

enum class Refusal : uint8_t {
  kNone,
  kNoCandidate,  // No candidate passed the gates and rules.
  kRule,         // A rule refuses such requests.
  kBudget,       // An account has too little left, even for the cheapest that passed.
  kLoopGuard,    // The task looks like a loop.
  kLedger,       // The ledger cannot be written: nothing is granted that could not be booked, unless the
                 // policy says to serve on (budget_settings.when_ledger_fails).
};

// Names one pending call. 0: none.
using Ticket = uint64_t;

// One candidate in a decision. What it says of a candidate never changes what another one gets.
struct CandidateOutcome {
  bool passed = false;
  // Quoted for this request; 0 where the candidate was rejected before it was priced.
  int64_t expected_nanos = 0;
  int64_t worst_nanos = 0;
};

// What Decide answers. Reuse one object per thread: its strings keep their memory.
struct Decision {
  Action action = Action::kRefuse;

  // kDispatch.
  Ticket ticket = 0;      // Ends in Settle or Void.
  std::string candidate;  // Its name in the policy.
  std::string model;      // What to call.
  std::string provider;
  std::string service_tier;       // To ask the provider for. Empty: standard.
  int64_t max_output_tokens = 0;  // To send along: the hold covers no more.
  bool output_clamped = false;    // It is less than was asked, because a budget is short.
  int64_t expected_nanos = 0;     // What the call will probably cost.
  int64_t held_nanos = 0;         // Its worst case, set aside in the accounts it touches ...
  int64_t likely_nanos = 0;  // ... and this in those whose budget holds a quantile; 0: there is none such.

  // kAnswer.
  std::string answer;
  bool exact = false;        // The same request was asked before, byte for byte.
  float similarity = 0;      // Cosine to the question that was answered; 1 for an exact hit.
  uint64_t cache_entry = 0;  // For Feedback.
  int64_t saved_nanos = 0;   // The expected cost of the candidate that would have served it.

  // kRefuse.
  Refusal refusal = Refusal::kNone;
  std::string reason;  // For people; names the rule, the gate or the account. Filled for refusals only.

  // Always.
  int64_t input_tokens = 0;  // Estimated, or as the caller said.
  int64_t expected_output_tokens = 0;
  bool no_signal = false;                    // The policy saw nothing in this request that it knows.
  bool warned = false;                       // A budget is past a warn level.
  bool unrecorded = false;                   // The ledger cannot be written, and the policy serves on.
  std::vector<CandidateOutcome> candidates;  // In the policy's order.

  // The revision that decided; kept alive by this object.
  std::shared_ptr<const Revision> revision;
  // What the cache saw; for StoreInCache and Feedback.
  cache::Hit cache_hit;
};

// What else the same inference cost: the embedding of its query, the search, the reranking, a tool. It
// becomes line items of the call's record, and counts in its budgets, so that the record says what the whole
// answer cost.
struct ExtraCost {
  enum class Kind : uint8_t { kEmbedding, kSearch, kRerank, kTool, kOther };
  Kind kind = Kind::kOther;
  // Either what it cost ...
  int64_t cost_nanos = 0;
  // ... or what it used of a model in the price books.
  std::string_view model{};
  std::string_view provider{};
  const pricing::Usage* usage = nullptr;
};

// What became of a dispatched call. Give the usage in one of two forms; with neither it is unknown.
struct Outcome {
  // False: a stream goes on; `usage` is what it has used so far. Nothing is written to the ledger yet.
  bool final = true;
  const pricing::Usage* usage = nullptr;  // Normalised, or ...
  std::string_view response_json{};       // ... the provider's response body, with its usage block.
  std::string_view api_flavor{};  // Of response_json, where a provider has several ("chat", "responses").
  std::span<const ExtraCost> extras{};

  int32_t latency_ms = 0;  // 0: not measured.
  int32_t time_to_first_token_ms = 0;
  bool failed = false;         // No usable answer came. What was used is booked all the same.
  int8_t success = -1;         // Was the answer good? 1 yes, 0 no, -1 not known.
  int64_t revenue_nanos = -1;  // What this call earned. -1: by its request class.
};

enum class SettleResult : uint8_t {
  kSettled,
  kAlreadySettled,  // Booked once, by an earlier call.
  kUnknownTicket,   // Never granted, voided, or settled long ago.
  kNotBooked,       // The ledger cannot be written; the ticket stays pending. Try again.
  kNotRecorded,     // The same under a policy that serves on: settled in the accounts, and in no ledger.
  kNotSynced,       // Booked as kProcess promises; the device refused to make it kSync.
};

struct Settlement {
  SettleResult result = SettleResult::kUnknownTicket;
  int64_t cost_nanos = 0;
  int64_t input_nanos = 0;     // Of the cost: everything on the way in, caches included.
  int64_t output_nanos = 0;    // Of the cost: everything on the way out.
  bool usage_unknown = false;  // Booked at the expected cost.
  bool overrun = false;        // Above what was held.
};

// What a policy that only watches would have done with a request; see Engine::LoadShadow.
struct ShadowDecision {
  bool refused = false;  // By its rules or gates.
  std::string reason;    // Filled for refusals only.
  int candidate_index = -1;
  std::string candidate;
  std::string model;
  int64_t expected_nanos = 0;
  bool no_signal = false;

  // Whether both would have dispatched, so that there is something to compare ...
  bool comparable = false;
  // ... and what the shadow would have cost beyond the decision, as quoted: negative is a saving. 0 if not
  // comparable: an answer from the cache would have come under either policy, and what is refused costs
  // nothing.
  int64_t difference_nanos = 0;
};

// What StoreInCache keeps. Views: read during the call only.
struct AnswerToKeep {
  std::string_view text{};
  int64_t cost_nanos = -1;  // What the call cost (Settlement::cost_nanos), which a hit saves. -1: what was
                            // expected.
  int64_t ttl_nanos = 0;    // Shorter than the policy's; 0: the policy's.
  // Handles for cache()->Invalidate, besides the model and the policy's name.
  std::span<const std::string_view> tags{};
  std::span<const std::string_view> source_versions{};  // "pricing.md@7": the documents that it draws on.
  // Equal for answers that mean the same, for verified mode. Empty: the text itself.
  std::string_view meaning{};
};

class Engine {
 public:
  // Errors: INVALID_ARGUMENT with every mistake of the policy and the books, a line each (file:line:column);
  // DATA_LOSS for a ledger with damaged records; UNAVAILABLE for a ledger that another process writes.
  static absl::StatusOr<std::unique_ptr<Engine>> Open(const Options& options);

  virtual ~Engine() = default;

  // Prices every candidate, asks the cache, applies gates and rules, and holds the worst case of the cheapest
  // that passes. The request is read during the call only.
  virtual void Decide(const Request& request, Decision* decision) = 0;

  // The call is on its way to the provider: from now on, silence means presumed spent. False: no such pending
  // ticket.
  virtual bool MarkDispatched(Ticket ticket) = 0;

  // Books what the call cost and frees what was held beyond it.
  virtual Settlement Settle(Ticket ticket, const Outcome& outcome) = 0;

  // Nothing was dispatched: everything held is free again. False: no such pending ticket.
  virtual bool Void(Ticket ticket) = 0;

  // Keeps an answer for requests like this one. Call it after a successful Settle with the request that was
  // decided. What may not be cached (see Request and the policy) is not.
  virtual void StoreInCache(const Request& request, const Decision& decision, const AnswerToKeep& answer) = 0;
  void StoreInCache(const Request& request, const Decision& decision, std::string_view answer) {
    StoreInCache(request, decision, AnswerToKeep{.text = answer});
  }
  // The cache that new decisions ask: to invalidate entries, to read its counts, to save it. Null where the
  // policy has no `caching`. A Reload that changes `caching` starts another one. Its Namespaces() are the
  // policy's template with every field behind its length.
  virtual std::shared_ptr<cache::Cache> cache() = 0;

  // Replaces policy and prices as one. On an error nothing changes. Pending tickets settle at the prices that
  // they were granted under.
  virtual absl::Status Reload(const Options& options) = 0;

  // Compiles a policy that decides beside the engine's own without acting. It has no cache, its budgets hold
  // and refuse nothing (headroom is that of the engine's budgets), and it learns what the engine learns. It
  // stays valid across Reload, but not beyond the engine. Errors as Open; options other than policy and
  // prices are ignored.
  virtual absl::StatusOr<std::shared_ptr<const Revision>> LoadShadow(const Options& options) = 0;

  // What `shadow` would do with a request that was decided. Nothing is held, booked, cached or learned. Reuse
  // one ShadowDecision per thread: after warm-up only a refusal's reason allocates.
  virtual void DecideInShadow(const Revision& shadow, const Request& request, const Decision& decision,
                              ShadowDecision* out) = 0;

  // The dispatch failed: moves the hold of `decision->ticket`, as one step, to the best other candidate that
  // passes, so that unused money is neither counted twice nor offered to others in between. The ticket stays
  // the same; it is undispatched again. If there is no other (action kRefuse), the ticket is void. The
  // failure counts against the model's health.
  virtual void FailOver(const Request& request, Decision* decision) = 0;

  // For a stream that has produced this many output tokens: how many more the hold covers. At 0, Extend or
  // stop. -1: no such pending ticket.
  virtual int64_t Progress(Ticket ticket, int64_t output_tokens) const = 0;
  // Sets aside what this many more output tokens cost, in every account or in none.
  virtual bool Extend(Ticket ticket, int64_t more_output_tokens) = 0;

  // Tells the cache whether the answer that it gave was right.
  virtual void Feedback(const Decision& decision, bool right) = 0;

  // The task or session is over: what it spent stays in the accounts above it; calls in its name are refused.
  virtual void EndTask(std::string_view tenant, std::string_view task) = 0;
  virtual void EndSession(std::string_view tenant, std::string_view session) = 0;

  // Raises an account's limits: `budget` as the policy names it, the account by the request's fields.
  // NOT_FOUND: no such budget. UNAVAILABLE: the ledger cannot be written.
  virtual absl::Status TopUp(std::string_view budget, const Request& account, int64_t nano_usd,
                             int64_t tokens, int64_t until_nanos, std::string_view reason) = 0;

  // What is due: expires holds, ends idle tasks and sessions. Call it every few seconds from any thread.
  virtual void Maintain() = 0;

  // What the ledger held when it was opened.
  struct Recovered {
    int64_t records = 0;          // Settled calls.
    int64_t presumed = 0;         // Dispatched calls that nobody settled: presumed spent.
    int64_t torn_bytes = 0;       // Cut off the end: never acknowledged.
    std::string cache_refused{};  // Why what the policy keeps of its cache was not taken. Empty: it was.
  };
  virtual const Recovered& recovered() const = 0;

  // The whole reasoning for one request, as text for people; decides without holding anything.
  virtual std::string Explain(const Request& request) = 0;
};

}  // namespace purser

#endif  // PURSER_ENGINE_PURSER_H_
