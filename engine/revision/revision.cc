#include "engine/revision/revision.h"

#include <purser/clock.h>
#include <purser/request.h>
#include <xxhash.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "engine/base/name_hash.h"
#include "engine/pricing/price_gaps.h"
#include "engine/revision/bundled_books.h"
#include "engine/revision/cache_settings.h"
#include "engine/revision/check_budgets.h"
#include "policies/amount.h"
#include "policies/check.h"
#include "policies/textproto.h"

namespace purser {
namespace {

constexpr int64_t kDefaultExpectedOutputTokens = 400;

uint64_t HashText(std::string_view text) { return XXH3_64bits(text.data(), text.size()); }

// The hash is of the very text that was parsed.
Diagnostics ReadPolicy(const PolicySource& source, policy::Policy* policy, uint64_t* hash) {
  if (source.policy_file.empty()) {
    *hash = HashText(source.policy_text);
    return ParseTextproto(source.policy_text, "policy", policy);
  }
  std::string text;
  Diagnostics diagnostics = ReadTextproto(source.policy_file, policy, &text);
  *hash = HashText(text);
  return diagnostics;
}

std::shared_ptr<const pricing::PriceBook> ReadBooks(const std::vector<std::string>& paths,
                                                    std::vector<Diagnostics>* diagnostics) {
  if (!paths.empty()) return pricing::PriceBook::Load(paths, diagnostics);
  const pricing::PriceBook::Text bundled = {"well_known.textproto", std::string(kWellKnownPrices)};
  return pricing::PriceBook::Parse({&bundled, 1}, diagnostics);
}

bool HasBatchSheet(const pricing::ModelPrices& prices) {
  for (const pricing::Sheet& sheet : prices.sheets) {
    if ((sheet.service_tiers & (1u << static_cast<int>(ServiceTier::kBatch))) != 0) return true;
  }
  return false;
}

Revision::Candidate MakeCandidate(const policy::Candidate& config, const pricing::ModelPrices* prices) {
  Revision::Candidate candidate;
  candidate.name = config.name().empty() ? config.model() : config.name();
  candidate.model = config.model();
  candidate.provider = !config.provider().empty() || prices == nullptr ? config.provider() : prices->provider;
  candidate.service_tier = config.service_tier();
  candidate.prices = prices;
  const std::vector<std::string> regions(config.regions().begin(), config.regions().end());
  candidate.priced = {prices, ParseServiceTier(config.service_tier()), regions};
  if (prices != nullptr && HasBatchSheet(*prices)) candidate.batch = {prices, ServiceTier::kBatch, regions};
  candidate.family = estimates::TokenFamilyOf(candidate.provider, candidate.model);
  candidate.model_hash = HashModel(candidate.provider, candidate.model);
  candidate.max_output_tokens = config.max_output_tokens();
  if (candidate.max_output_tokens == 0 && prices != nullptr)
    candidate.max_output_tokens = prices->max_output_tokens;
  candidate.expected_output_tokens = config.expected_output_tokens();
  candidate.expected_latency_ms = static_cast<int32_t>(config.expected_latency_ms());
  return candidate;
}

routing::CandidateFacts FactsOf(const Revision::Candidate& candidate) {
  routing::CandidateFacts facts;
  facts.priced = candidate.prices != nullptr;
  facts.provider = candidate.provider;
  // Where the books say nothing of what a model can do, nothing follows from their silence.
  facts.capabilities = ~0u;
  if (candidate.prices == nullptr) return facts;
  const pricing::ModelPrices& prices = *candidate.prices;
  if (prices.capabilities_known) facts.capabilities = prices.capabilities;
  facts.context_window = prices.context_window > 0 ? prices.context_window : prices.max_input_tokens;
  facts.max_output_tokens = prices.max_output_tokens;
  return facts;
}

Revision::RequestClass MakeRequestClass(const policy::RequestClass& config) {
  Revision::RequestClass request_class;
  request_class.name = config.name();
  request_class.hash = HashName(config.name());
  request_class.expected_output_tokens = config.expected_output_tokens();
  // CheckPolicy has seen that these parse.
  if (!config.single_shot_usd().empty())
    request_class.single_shot_nanos = ParseUsd(config.single_shot_usd()).value_or(0);
  if (!config.revenue_per_request_usd().empty()) {
    request_class.revenue_nanos = ParseUsd(config.revenue_per_request_usd()).value_or(-1);
  } else if (config.plan_requests_per_month() > 0) {
    request_class.revenue_nanos =
        ParseUsd(config.plan_revenue_per_month_usd()).value_or(0) / config.plan_requests_per_month();
  }
  return request_class;
}

// A price that is not known gates a candidate out at the very time at which it is missed most.
void WarnOfPriceGaps(const Revision& revision, int64_t now_nanos, Diagnostics* of_policy) {
  for (size_t i = 0; i < revision.candidates().size(); ++i) {
    const Revision::Candidate& candidate = revision.candidates()[i];
    for (const std::string& gap : pricing::DescribePriceGaps(candidate.priced, now_nanos)) {
      of_policy->Warning(
          absl::StrCat("candidates[", i, "].model"),
          absl::StrCat("\"", candidate.model, "\" is not chosen while it has no price: ", gap));
    }
  }
}

// Names of the policy and of the book reach the ledger with every call.
void CheckNameLengths(const Revision& revision, Diagnostics* of_policy) {
  const auto check = [of_policy](const std::string& path, const std::string& name) {
    if (name.size() <= kMaxPolicyNameBytes) return;
    of_policy->Error(
        path, absl::StrCat("the name has ", name.size(), " bytes; expected at most ", kMaxPolicyNameBytes));
  };
  const policy::Policy& policy = revision.policy();
  check("name", policy.name());
  for (size_t i = 0; i < revision.candidates().size(); ++i) {
    const Revision::Candidate& candidate = revision.candidates()[i];
    const std::string path = absl::StrCat("candidates[", i, "]");
    check(policy.candidates(static_cast<int>(i)).name().empty() ? absl::StrCat(path, ".model")
                                                                : absl::StrCat(path, ".name"),
          candidate.name);
    if (candidate.model != candidate.name) check(absl::StrCat(path, ".model"), candidate.model);
    check(absl::StrCat(path, ".provider"), candidate.provider);
  }
  for (int i = 0; i < policy.request_classes_size(); ++i)
    check(absl::StrCat("request_classes[", i, "].name"), policy.request_classes(i).name());
  for (int i = 0; i < policy.budgets_size(); ++i)
    check(absl::StrCat("budgets[", i, "].name"), policy.budgets(i).name());
}

}  // namespace

uint64_t Revision::NextSerial() {
  static std::atomic<uint64_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

void Revision::Attach(ModelStatsTable* models, ClassStatsTable* classes) {
  for (Candidate& candidate : candidates_) candidate.stats = models->Get(candidate.provider, candidate.model);
  for (RequestClass& request_class : request_classes_) request_class.stats = classes->Get(request_class.name);
  no_class_.stats = classes->Get("");
}

absl::Status Revision::PrepareCache(const Revision* previous, CacheUse use,
                                    std::shared_ptr<const cache::Embedder> embedder, int64_t now_nanos) {
  if (!policy_.has_caching()) return absl::OkStatus();
  const policy::Caching& caching = policy_.caching();
  cache::Options options = cache_options_;
  if (options.embedder == nullptr) options.embedder = std::move(embedder);
  cache::Cache* const serving = previous == nullptr ? nullptr : previous->cache();
  if (serving != nullptr && previous->policy().caching().SerializeAsString() == caching.SerializeAsString() &&
      (caching.has_embedder() || serving->options().embedder == options.embedder)) {
    cache_ = previous->cache_;
    return absl::OkStatus();
  }
  cache_ = std::make_shared<cache::Cache>(std::move(options));
  const std::string& directory = caching.persistence_directory();
  if (directory.empty() || use == CacheUse::kTrial) return absl::OkStatus();
  if (serving != nullptr && previous->policy().caching().persistence_directory() == directory) {
    return serving->PrepareSuccessor(cache_.get(), now_nanos);
  }
  // What is damaged, foreign or in use is refused whole.
  const absl::Status kept = cache_->KeepIn(directory, now_nanos);
  if (kept.ok()) return kept;
  cache_warning_ = absl::StrCat("the cache starts empty: ", kept.message());
  // What is damaged was set aside, and the cache is kept. Otherwise what is in the directory would come back
  // at the next start, whatever is invalidated until then.
  if (previous == nullptr || absl::IsDataLoss(kept)) return absl::OkStatus();
  return absl::Status(kept.code(), absl::StrCat("the cache cannot be kept: ", kept.message()));
}

void Revision::ServeCache(const Revision* previous, int64_t now_nanos) {
  cache::Cache* const serving = previous == nullptr ? nullptr : previous->cache();
  if (serving == nullptr || serving == cache_.get()) return;
  const std::string& directory = previous->policy().caching().persistence_directory();
  if (!directory.empty() && directory != policy_.caching().persistence_directory()) {
    (void)serving->Keep(now_nanos);
    serving->StopKeeping();
  }
  if (cache_ != nullptr) serving->HandOver(cache_);
}

void Revision::GiveUpCache(const Revision* previous) {
  if (previous != nullptr && previous->cache() != nullptr) previous->cache()->GiveUpSuccessor();
}

std::shared_ptr<Revision> Revision::Compile(const PolicySource& source, int64_t now_nanos,
                                            std::vector<Diagnostics>* diagnostics) {
  std::shared_ptr<Revision> revision(new Revision());
  Diagnostics of_policy = ReadPolicy(source, &revision->policy_, &revision->policy_hash_);
  revision->book_ = ReadBooks(source.price_books, diagnostics);
  const bool readable = of_policy.ok();
  if (!readable && revision->policy_.ByteSizeLong() == 0) {
    // Nothing could be parsed, so further checks would only add noise.
    diagnostics->push_back(std::move(of_policy));
    return nullptr;
  }
  CheckPolicy(revision->policy_, &of_policy);

  std::vector<routing::CandidateFacts> facts;
  for (int i = 0; i < revision->policy_.candidates_size(); ++i) {
    const policy::Candidate& config = revision->policy_.candidates(i);
    const pricing::ModelPrices* prices = nullptr;
    if (revision->book_ != nullptr && !config.model().empty()) {
      const absl::StatusOr<const pricing::ModelPrices*> found =
          revision->book_->Resolve(config.model(), config.provider());
      if (found.ok()) {
        prices = *found;
      } else {
        of_policy.Warning(
            absl::StrCat("candidates[", i, "].model"),
            absl::StrCat("no price is known, so this candidate is never chosen: ", found.status().message()));
      }
    }
    revision->candidates_.push_back(MakeCandidate(config, prices));
  }
  CheckNameLengths(*revision, &of_policy);
  if (!revision->policy_.routing().allow_unpriced())
    WarnOfPriceGaps(*revision, now_nanos > 0 ? now_nanos : SystemClock().NowNanos(), &of_policy);
  for (const Candidate& candidate : revision->candidates_) facts.push_back(FactsOf(candidate));

  // A policy that could not be read in full is still checked in full: its mistakes are mended in one round.
  const std::string directory = std::filesystem::path(source.policy_file).parent_path().string();
  revision->program_ =
      routing::Program::Compile(revision->policy_, facts, {.directory = directory}, &of_policy);
  revision->plan_ = budget::Plan::Compile(revision->policy_, &of_policy);

  for (const policy::RequestClass& config : revision->policy_.request_classes()) {
    revision->request_classes_.push_back(MakeRequestClass(config));
  }
  const policy::Policy& policy = revision->policy_;
  revision->expected_output_tokens_ = policy.routing().expected_output_tokens() > 0
                                          ? policy.routing().expected_output_tokens()
                                          : kDefaultExpectedOutputTokens;
  WarnOfBudgetsBelowACall(*revision, now_nanos > 0 ? now_nanos : SystemClock().NowNanos(), &of_policy);
  for (const policy::Signal& signal : policy.signals()) {
    revision->reads_headroom_ |= signal.measure() == policy::BUDGET_HEADROOM;
  }
  const std::string& name_space = policy.caching().namespace_template();
  const auto parsed = NamespaceTemplate::Parse(name_space.empty() ? "{tenant}/{feature}" : name_space);
  if (parsed.ok()) {
    revision->cache_namespace_ = *parsed;
  } else {
    of_policy.Error("caching.namespace_template", std::string(parsed.status().message()));
  }
  if (revision->book_ != nullptr) {
    revision->price_hash_ = std::strtoull(revision->book_->revision().c_str(), nullptr, 16);
  }

  revision->cache_options_ = ReadCacheSettings(policy, directory, &of_policy);

  const bool ok = readable && of_policy.ok() && revision->book_ != nullptr && revision->program_ != nullptr;
  diagnostics->push_back(std::move(of_policy));
  return ok ? revision : nullptr;
}

int Revision::FindRequestClass(std::string_view name) const {
  for (size_t i = 0; i < request_classes_.size(); ++i) {
    if (request_classes_[i].name == name) return static_cast<int>(i);
  }
  return -1;
}

}  // namespace purser
