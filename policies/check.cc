#include "policies/check.h"

#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "policies/amount.h"
#include "policies/check_caching.h"

namespace purser {
namespace {

void CheckUsd(const std::string& text, const std::string& path, Diagnostics* diagnostics) {
  if (text.empty()) return;
  const absl::StatusOr<int64_t> amount = ParseUsd(text);
  if (!amount.ok()) {
    diagnostics->Error(path, std::string(amount.status().message()));
  } else if (*amount < 0) {
    diagnostics->Error(path, absl::StrCat("\"", text, "\" is negative; expected at least 0"));
  }
}

void CheckNotNegative(int64_t value, const std::string& path, Diagnostics* diagnostics) {
  if (value < 0) diagnostics->Error(path, absl::StrCat(value, " is negative; expected at least 0"));
}

const std::string& CandidateName(const policy::Candidate& candidate) {
  return candidate.name().empty() ? candidate.model() : candidate.name();
}

void CheckCandidates(const policy::Policy& policy, Diagnostics* diagnostics) {
  if (policy.candidates().empty()) {
    diagnostics->Error("",
                       "the policy has no candidates; expected at least one: candidates { model: \"...\" }");
  }
  absl::flat_hash_map<std::string, int> first_with_name;
  for (int i = 0; i < policy.candidates_size(); ++i) {
    const policy::Candidate& candidate = policy.candidates(i);
    const std::string path = absl::StrCat("candidates[", i, "]");
    if (candidate.model().empty()) {
      diagnostics->Error(path, "the candidate names no model; expected model: \"...\"");
      continue;
    }
    const auto [first, fresh] = first_with_name.emplace(CandidateName(candidate), i);
    if (!fresh) {
      diagnostics->Error(path,
                         absl::StrCat("a second candidate named \"", first->first, "\" (the first is number ",
                                      first->second + 1, "); expected another name: \"...\""));
    }
    CheckNotNegative(candidate.quality(), path + ".quality", diagnostics);
    CheckNotNegative(candidate.context_window(), path + ".context_window", diagnostics);
    CheckNotNegative(candidate.max_output_tokens(), path + ".max_output_tokens", diagnostics);
    CheckNotNegative(candidate.expected_output_tokens(), path + ".expected_output_tokens", diagnostics);
    CheckNotNegative(candidate.expected_latency_ms(), path + ".expected_latency_ms", diagnostics);
  }
}

void CheckRequestClasses(const policy::Policy& policy, Diagnostics* diagnostics) {
  absl::flat_hash_map<std::string, int> first_with_name;
  for (int i = 0; i < policy.request_classes_size(); ++i) {
    const policy::RequestClass& request_class = policy.request_classes(i);
    const std::string path = absl::StrCat("request_classes[", i, "]");
    if (request_class.name().empty()) diagnostics->Error(path, "the request class has no name");
    if (!first_with_name.emplace(request_class.name(), i).second) {
      diagnostics->Error(path, absl::StrCat("a second request class named \"", request_class.name(), "\""));
    }
    CheckUsd(request_class.revenue_per_request_usd(), path + ".revenue_per_request_usd", diagnostics);
    CheckUsd(request_class.plan_revenue_per_month_usd(), path + ".plan_revenue_per_month_usd", diagnostics);
    CheckUsd(request_class.single_shot_usd(), path + ".single_shot_usd", diagnostics);
    CheckNotNegative(request_class.plan_requests_per_month(), path + ".plan_requests_per_month", diagnostics);
    CheckNotNegative(request_class.expected_output_tokens(), path + ".expected_output_tokens", diagnostics);
    if (!request_class.plan_revenue_per_month_usd().empty() && request_class.plan_requests_per_month() == 0) {
      diagnostics->Error(path + ".plan_revenue_per_month_usd",
                         "a plan's revenue needs plan_requests_per_month to become revenue per request");
    }
  }
}

}  // namespace

void CheckPolicy(const policy::Policy& policy, Diagnostics* diagnostics) {
  CheckCandidates(policy, diagnostics);
  CheckRequestClasses(policy, diagnostics);
  CheckCaching(policy, diagnostics);
}

}  // namespace purser
