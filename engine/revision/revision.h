#ifndef PURSER_ENGINE_REVISION_REVISION_H_
#define PURSER_ENGINE_REVISION_REVISION_H_

#include <purser/cache/cache.h>
#include <purser/policy_source.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/budget/plan.h"
#include "engine/estimates/output_estimate.h"
#include "engine/estimates/token_estimate.h"
#include "engine/pricing/price_book.h"
#include "engine/pricing/quote.h"
#include "engine/revision/always_passed.h"
#include "engine/revision/class_stats.h"
#include "engine/revision/model_stats.h"
#include "engine/revision/namespace_template.h"
#include "engine/routing/program.h"
#include "policies/diagnostics.h"
#include "purser/policy.pb.h"

namespace purser {

// A policy with its price books, compiled: immutable but for the cache that it owns, shared by everything
// that decides under it, and kept alive by the tickets that were granted under it.
//
// It comes about in steps, so that a policy that is never served leaves no trace: Compile only reads; Attach
// joins it to what outlives policies; PrepareCache may touch the disk and may fail; ServeCache takes the
// cache over from the policy before, which cannot fail. Then it is shared, and from then on it is const.
class Revision {
 public:
  struct Candidate {
    std::string name;
    std::string model;     // As the policy calls it: what the caller has to call.
    std::string provider;  // The policy's, else the book's.
    std::string service_tier;
    const pricing::ModelPrices* prices = nullptr;  // Null: unpriced.
    pricing::PricedCandidate priced;
    pricing::PricedCandidate batch;  // prices is null if there is no batch price list.
    estimates::TokenFamily family = estimates::TokenFamily::kMistralV1;
    uint64_t model_hash = 0;
    int64_t max_output_tokens = 0;       // 0: not known.
    int64_t expected_output_tokens = 0;  // Cold start; 0: the class's or the policy's.
    int32_t expected_latency_ms = 0;
    ModelStats* stats = nullptr;  // After Attach.
  };
  struct RequestClass {
    std::string name;
    uint64_t hash = 0;
    int64_t expected_output_tokens = 0;
    int64_t revenue_nanos = -1;     // Per request; -1: not stated.
    int64_t single_shot_nanos = 0;  // 0: learned.
    ClassStats* stats = nullptr;    // After Attach.
    // Under this revision.
    std::shared_ptr<AlwaysPassed> always_passed = std::make_shared<AlwaysPassed>();
  };

  // Compiles what `source` names; `now_nanos` picks the prices that budgets are compared with. Every mistake
  // of the policy and the books is added to `diagnostics`, one entry per file; null if any of them is an
  // error. What is returned belongs to the caller alone until it is shared.
  static std::shared_ptr<Revision> Compile(const PolicySource& source, int64_t now_nanos,
                                           std::vector<Diagnostics>* diagnostics);

  // Finds what was learned about its candidates and request classes. Needed before it decides. The tables
  // must outlive the revision.
  void Attach(ModelStatsTable* models, ClassStatsTable* classes);

  // Who uses the cache. kTrial: it is not kept in the policy's directory, which belongs to whoever serves.
  enum class CacheUse : uint8_t { kTrial, kServing };
  // Starts the cache that the policy describes, if any: the previous revision's if its policy said the same
  // of caching, else a new one, with what was kept on disk or, where the previous one is kept in the same
  // directory, with what is in it. `embedder` is for what the caller does not embed, where the policy names
  // no embedder. Both may be null. The previous revision's cache serves on as it was, and is kept as it was.
  // An error: the policy's directory cannot be used. Not without a previous revision: then cache_warning().
  absl::Status PrepareCache(const Revision* previous, CacheUse use,
                            std::shared_ptr<const cache::Embedder> embedder, int64_t now_nanos);
  // Serves with it from now on: whatever is invalidated in the previous revision's cache since PrepareCache,
  // and by those who still have it, is so in this one.
  void ServeCache(const Revision* previous, int64_t now_nanos);
  // Instead of ServeCache.
  static void GiveUpCache(const Revision* previous);

  const policy::Policy& policy() const { return policy_; }
  const pricing::PriceBook& book() const { return *book_; }
  const routing::Program& program() const { return *program_; }
  const budget::Plan& plan() const { return plan_; }
  budget::Plan* mutable_plan() { return &plan_; }  // To register before the revision is shared.
  const std::vector<Candidate>& candidates() const { return candidates_; }
  // By the class's index in the policy; -1: requests of no class.
  const RequestClass& request_class(int index) const {
    return index < 0 ? no_class_ : request_classes_[index];
  }
  // -1: the policy has no class of this name.
  int FindRequestClass(std::string_view name) const;
  int64_t expected_output_tokens() const { return expected_output_tokens_; }
  // Tells revisions apart, whatever is in them and wherever they are. Never 0.
  uint64_t serial() const { return serial_; }
  // Hashes of the policy's text and of the books' content, recorded with every call.
  uint64_t policy_hash() const { return policy_hash_; }
  uint64_t price_hash() const { return price_hash_; }
  // Whether calls go on while the ledger cannot be written.
  bool serves_unrecorded() const {
    return policy_.budget_settings().when_ledger_fails() == policy::BudgetSettings::SERVE_UNRECORDED;
  }
  // Whether a signal asks how much is left of the budgets.
  bool reads_headroom() const { return reads_headroom_; }
  // Null: the policy caches nothing.
  cache::Cache* cache() const { return cache_.get(); }
  const std::shared_ptr<cache::Cache>& shared_cache() const { return cache_; }
  const NamespaceTemplate& cache_namespace() const { return cache_namespace_; }
  // Why what was kept of the cache is not in it. Empty: it is.
  const std::string& cache_warning() const { return cache_warning_; }

 private:
  Revision() : serial_(NextSerial()) {}
  static uint64_t NextSerial();

  const uint64_t serial_;

  policy::Policy policy_;
  std::shared_ptr<const pricing::PriceBook> book_;
  std::shared_ptr<const routing::Program> program_;
  budget::Plan plan_;
  std::vector<Candidate> candidates_;
  std::vector<RequestClass> request_classes_;
  RequestClass no_class_;
  cache::Options cache_options_;  // For StartCache.
  std::shared_ptr<cache::Cache> cache_;
  NamespaceTemplate cache_namespace_;
  std::string cache_warning_;
  bool reads_headroom_ = false;
  int64_t expected_output_tokens_ = 400;
  uint64_t policy_hash_ = 0;
  uint64_t price_hash_ = 0;
};

}  // namespace purser

#endif  // PURSER_ENGINE_REVISION_REVISION_H_
