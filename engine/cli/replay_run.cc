#include "engine/cli/replay_run.h"

#include <chrono>
#include <cmath>
#include <thread>
#include <unordered_map>

#include "absl/hash/hash.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "engine/cli/request_file.h"
#include "engine/pricing/cost.h"
#include "engine/pricing/usage_block.h"
#include "engine/revision/revision.h"

namespace purser::cli {
namespace {

using SteadyClock = std::chrono::steady_clock;

const char* RefusalName(Refusal refusal) {
  switch (refusal) {
    case Refusal::kNone:
      return "none";
    case Refusal::kNoCandidate:
      return "no candidate";
    case Refusal::kRule:
      return "rule";
    case Refusal::kBudget:
      return "budget";
    case Refusal::kLoopGuard:
      return "loop guard";
    case Refusal::kBadRequest:
      return "bad request";
    case Refusal::kLedger:
      return "ledger";
    case Refusal::kForked:
      return "forked";
  }
  return "";
}

class Replayer {
 public:
  Replayer(Engine* engine, const LoadedPolicy& shadow, ManualClock* clock)
      : engine_(*engine), shadow_(shadow), clock_(*clock) {}

  absl::Status Play(const TracedCall& traced) {
    const trace::TraceCall& call = traced.call;
    clock_.Set(traced.time_nanos);
    if (const absl::Status read = reader_.ReadNormalised(traced.usage_json, &usage_); !read.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("request ", call.request_id(), ": usage: ", read.message()));
    }
    const Request request = MakeRequest(traced);
    ++totals_.calls;
    ReplayTotals::FeatureRow& feature = totals_.features[call.feature()];
    ++feature.calls;

    const SteadyClock::time_point start = SteadyClock::now();
    engine_.Decide(request, &decision_);
    const int64_t decided_nanos = NanosSince(start);
    // Asked before anything of the outcome is learned, as it would be in service; not part of the overhead.
    if (shadow_) engine_.DecideShadow(shadow_, request, decision_, &watched_);
    const SteadyClock::time_point settling = SteadyClock::now();
    Settlement settlement;
    if (decision_.action == Action::kDispatch) {
      engine_.MarkDispatched(decision_.ticket);
      CallResult outcome;
      outcome.usage = &usage_;
      outcome.latency_ms = call.latency_ms();
      outcome.revenue_nanos = traced.revenue_nanos;
      if (call.has_task_success()) outcome.success = call.task_success() ? 1 : 0;
      settlement = engine_.Settle(decision_.ticket, outcome);
    }
    totals_.overhead_nanos.push_back(decided_nanos + NanosSince(settling));
    if (shadow_) CompareShadow(request, settlement);

    if (decision_.action == Action::kRefuse) {
      Refused(request, &feature);
    } else {
      Served(request, settlement, &feature);
    }
    if (totals_.calls % 64 == 0) engine_.Maintain();
    return absl::OkStatus();
  }

  ReplayTotals Finish() { return std::move(totals_); }

 private:
  Request MakeRequest(const TracedCall& traced) {
    const trace::TraceCall& call = traced.call;
    Request request = RequestOf(call, &parts_);
    request.cached_input_tokens = usage_.cache_read_tokens();
    request.time_nanos = traced.time_nanos;
    // A call that opens with a system prompt starts a context of its own; any other continues its task's.
    const bool fresh = parts_.messages.empty() || parts_.messages.front().role == Role::kSystem;
    Context& context = contexts_[call.task().empty() ? call.request_id() : call.task()];
    if (fresh) context = {};
    request.history_tokens = context.tokens;
    seen_digest_ = context.digest;
    if (seen_digest_ != 0) {
      request.unseen_digest = {reinterpret_cast<const char*>(&seen_digest_), sizeof(seen_digest_)};
    }
    context.tokens = usage_.input_tokens() + usage_.output_tokens();
    for (const Message& message : parts_.messages) {
      context.digest = absl::HashOf(context.digest, static_cast<int>(message.role),
                                    absl::string_view(message.content.data(), message.content.size()));
    }
    return request;
  }

  static int64_t NanosSince(SteadyClock::time_point start) {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(SteadyClock::now() - start).count();
  }

  void CompareShadow(const Request& request, const Settlement& settlement) {
    ReplayTotals::Shadow& shadow = totals_.shadow;
    ++shadow.calls;
    shadow.no_signal += watched_.no_signal ? 1 : 0;
    const bool refused = decision_.action == Action::kRefuse;
    if (watched_.refused) {
      ++shadow.refusals[watched_.reason];
      shadow.only_shadow_refuses += refused ? 0 : 1;
    } else {
      shadow.only_policy_refuses += refused ? 1 : 0;
    }
    if (!watched_.comparable) return;
    const Revision::Candidate& candidate = shadow_.revision()->candidates()[watched_.candidate_index];
    int64_t cost = 0;
    int64_t unpriced = 0;
    AddCost(candidate.prices, candidate.priced.service_tier, request, &cost, &unpriced);
    shadow.unpriced += unpriced;
    if (unpriced > 0) return;
    ++shadow.compared;
    shadow.same += watched_.candidate == decision_.candidate ? 1 : 0;
    shadow.cost_nanos += settlement.cost_nanos;
    shadow.shadow_cost_nanos += cost;
    shadow.expected_difference_nanos += watched_.difference_nanos;
    ReplayTotals::Shadow::Move& move = shadow.moves[{decision_.candidate, watched_.candidate}];
    ++move.calls;
    move.cost_nanos += settlement.cost_nanos;
    move.shadow_cost_nanos += cost;
  }

  void Refused(const Request& request, ReplayTotals::FeatureRow* feature) {
    ++totals_.refused;
    ++feature->refused;
    ++totals_.refusals[RefusalName(decision_.refusal)];
    std::string key(request.task.empty() ? request.id : request.task);
    if (refused_tasks_.emplace(key, 1).second) {
      totals_.first_refused.push_back({std::string(request.id), std::string(request.task), decision_.reason});
    }
  }

  void Served(const Request& request, const Settlement& settlement, ReplayTotals::FeatureRow* feature) {
    PriceBaselines(request, feature);
    if (decision_.action == Action::kAnswer) {
      ++(decision_.exact ? totals_.answered_exact : totals_.answered_semantic);
      ++feature->answered;
      return;
    }
    ++totals_.dispatched;
    totals_.clamped += decision_.output_clamped ? 1 : 0;
    totals_.cost_nanos += settlement.cost_nanos;
    totals_.expected_nanos += decision_.expected_nanos;
    AddHold(decision_.held_nanos, settlement, &totals_.worst_case);
    if (decision_.likely_nanos > 0) AddHold(decision_.likely_nanos, settlement, &totals_.likely);
    feature->cost_nanos += settlement.cost_nanos;
    ++feature->candidates[decision_.candidate];
    ReplayTotals::Model& model = totals_.models[decision_.model];
    ++model.calls;
    model.input_tokens += usage_.input_tokens();
    model.output_tokens += usage_.output_tokens();
    model.cost_nanos += settlement.cost_nanos;
    if (usage_.input_tokens() > 0) {
      totals_.input_errors.push_back(
          std::abs(static_cast<double>(decision_.input_tokens - usage_.input_tokens())) /
          static_cast<double>(usage_.input_tokens()));
    }
    // The trace does not hold the answer; its id stands for it.
    engine_.StoreInCache(request, decision_, {.text = request.id, .cost_nanos = settlement.cost_nanos});
  }

  static void AddHold(int64_t held_nanos, const Settlement& settlement, ReplayTotals::Holds* holds) {
    holds->nanos += held_nanos;
    holds->exceeded += settlement.cost_nanos > held_nanos ? 1 : 0;
  }

  void PriceBaselines(const Request& request, ReplayTotals::FeatureRow* feature) {
    const Revision& revision = *decision_.policy.revision();
    const std::vector<Revision::Candidate>& candidates = revision.candidates();
    totals_.constants.resize(candidates.size());
    for (size_t i = 0; i < candidates.size(); ++i) {
      ReplayTotals::Constant& constant = totals_.constants[i];
      constant.candidate = candidates[i].name;
      AddCost(candidates[i].prices, candidates[i].priced.service_tier, request, &constant.cost_nanos,
              &constant.unpriced_calls);
    }
    const pricing::ModelPrices*& traced = traced_prices_[std::string(request.model)];
    if (traced == nullptr) {
      for (const Revision::Candidate& candidate : candidates) {
        if (candidate.model == request.model) traced = candidate.prices;
      }
      if (traced == nullptr) traced = revision.book().Resolve(request.model).value_or(nullptr);
    }
    const int64_t before = totals_.traced_nanos;
    AddCost(traced, ServiceTier::kUnstated, request, &totals_.traced_nanos, &totals_.traced_unpriced_calls);
    feature->traced_nanos += totals_.traced_nanos - before;
  }

  void AddCost(const pricing::ModelPrices* prices, ServiceTier tier, const Request& request, int64_t* nanos,
               int64_t* unpriced) {
    if (prices != nullptr)
      pricing::Realize(*prices, usage_, tier, request.region, request.time_nanos, &cost_);
    if (prices == nullptr || cost_.state != pricing::CostState::kPriced) {
      ++*unpriced;
    } else {
      *nanos += cost_.total_nanos;
    }
  }

  Engine& engine_;
  const LoadedPolicy shadow_;
  ManualClock& clock_;
  ReplayTotals totals_;
  Decision decision_;
  ShadowDecision watched_;
  pricing::UsageReader reader_;
  Usage usage_;
  pricing::Cost cost_;
  RequestParts parts_;
  // What was sent for a task before: its size, and what stands for it in the cache's key.
  struct Context {
    int64_t tokens = 0;
    uint64_t digest = 0;
  };
  std::unordered_map<std::string, Context> contexts_;  // By task.
  uint64_t seen_digest_ = 0;
  std::unordered_map<std::string, int> refused_tasks_;
  std::unordered_map<std::string, const pricing::ModelPrices*> traced_prices_;
};

}  // namespace

absl::StatusOr<ReplayTotals> RunReplay(const std::vector<TracedCall>& trace, const ReplayOptions& options,
                                       Engine* engine, ManualClock* clock) {
  Replayer replayer(engine, options.shadow, clock);
  const SteadyClock::time_point start = SteadyClock::now();
  int64_t played = 0;
  for (const TracedCall& call : trace) {
    if (options.calls_per_second > 0) {
      const double due_seconds = static_cast<double>(played) / options.calls_per_second;
      std::this_thread::sleep_until(start + std::chrono::duration_cast<SteadyClock::duration>(
                                                std::chrono::duration<double>(due_seconds)));
    }
    if (const absl::Status status = replayer.Play(call); !status.ok()) return status;
    ++played;
  }
  return replayer.Finish();
}

}  // namespace purser::cli
