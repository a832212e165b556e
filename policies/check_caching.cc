#include "policies/check_caching.h"

#include <algorithm>
#include <string>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "policies/amount.h"
#include "policies/duration.h"

namespace purser {
namespace {

using policy::Caching;

void CheckClass(const Caching::Class& settings, const std::string& path, Diagnostics* diagnostics) {
  if (!settings.ttl().empty()) {
    const absl::StatusOr<int64_t> ttl = ParseDurationNanos(settings.ttl());
    if (!ttl.ok()) {
      diagnostics->Error(path + ".ttl", std::string(ttl.status().message()));
    } else if (*ttl <= 0) {
      diagnostics->Error(path + ".ttl", absl::StrCat("\"", settings.ttl(),
                                                     "\" is not a valid time to live; expected more "
                                                     "than 0, or mode: OFF"));
    }
  }
  if (settings.threshold() < 0 || settings.threshold() > 1) {
    diagnostics->Error(
        path + ".threshold",
        absl::StrCat(settings.threshold(), " is not a cosine; expected more than 0, at most 1"));
  } else if (settings.threshold() > 0 && settings.threshold() < 0.5) {
    diagnostics->Warning(path + ".threshold", absl::StrCat(settings.threshold(),
                                                           " lets unrelated requests share answers; most "
                                                           "embedding models need 0.8 and more"));
  }
  if (!settings.lookup_cost_usd().empty()) {
    const absl::StatusOr<int64_t> cost = ParseUsd(settings.lookup_cost_usd());
    if (!cost.ok()) {
      diagnostics->Error(path + ".lookup_cost_usd", std::string(cost.status().message()));
    } else if (*cost < 0) {
      diagnostics->Error(path + ".lookup_cost_usd", absl::StrCat("\"", settings.lookup_cost_usd(),
                                                                 "\" is negative; expected at least 0"));
    }
  }
}

void CheckShare(double share, const std::string& path, Diagnostics* diagnostics) {
  if (share < 0 || share >= 1) {
    diagnostics->Error(path, absl::StrCat(share, " is not a fraction; expected more than 0, less than 1"));
  }
}

bool IsVerified(const Caching& caching) {
  return caching.defaults().mode() == Caching::VERIFIED ||
         std::any_of(caching.classes().begin(), caching.classes().end(),
                     [](const Caching::Class& settings) { return settings.mode() == Caching::VERIFIED; });
}

}  // namespace

void CheckCaching(const policy::Policy& policy, Diagnostics* diagnostics) {
  if (!policy.has_caching()) return;
  const Caching& caching = policy.caching();
  CheckClass(caching.defaults(), "caching.defaults", diagnostics);
  if (!caching.defaults().request_class().empty()) {
    diagnostics->Error("caching.defaults.request_class",
                       "the defaults are for every class; expected this in classes { ... }");
  }
  absl::flat_hash_set<std::string> known;
  for (const policy::RequestClass& request_class : policy.request_classes())
    known.insert(request_class.name());
  absl::flat_hash_set<std::string> seen;
  for (int i = 0; i < caching.classes_size(); ++i) {
    const Caching::Class& settings = caching.classes(i);
    const std::string path = absl::StrCat("caching.classes[", i, "]");
    if (settings.request_class().empty()) {
      diagnostics->Error(path, "names no class; expected request_class: \"...\"");
    } else if (!known.contains(settings.request_class())) {
      diagnostics->Error(path + ".request_class",
                         absl::StrCat("no request class is named \"", settings.request_class(),
                                      "\"; expected one of request_classes"));
    } else if (!seen.insert(settings.request_class()).second) {
      diagnostics->Error(path + ".request_class",
                         absl::StrCat("a second entry for request class \"", settings.request_class(), "\""));
    }
    CheckClass(settings, path, diagnostics);
  }
  if (caching.memory_mib() < 0 || caching.memory_mib() > (int64_t{1} << 30)) {
    diagnostics->Error("caching.memory_mib", absl::StrCat(caching.memory_mib(), " MiB is out of range"));
  }
  if (caching.max_entry_kib() < 0 || caching.max_entry_kib() > (int64_t{1} << 19)) {
    diagnostics->Error(
        "caching.max_entry_kib",
        absl::StrCat(caching.max_entry_kib(), " KiB is out of range; expected at most 524288"));
  }
  CheckShare(caching.verified().delta(), "caching.verified.delta", diagnostics);
  CheckShare(caching.verified().audit_rate(), "caching.verified.audit_rate", diagnostics);
  CheckShare(caching.verified().confidence(), "caching.verified.confidence", diagnostics);
  if (caching.has_verified() && !IsVerified(caching)) {
    diagnostics->Warning("caching.verified", "has no effect: no class has mode: VERIFIED");
  }
}

}  // namespace purser
