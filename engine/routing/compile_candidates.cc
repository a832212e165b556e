#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "engine/routing/compiler.h"
#include "policies/amount.h"
#include "xxhash.h"

namespace purser::routing {
namespace {

constexpr int64_t kNoGate = std::numeric_limits<int64_t>::max();
constexpr int kDefaultReadBytes = 8192;

uint32_t Bits(const google::protobuf::RepeatedField<int>& capabilities) {
  uint32_t bits = 0;
  for (const int capability : capabilities) {
    if (capability > 0 && capability < 32) bits |= 1u << capability;
  }
  return bits;
}

// The first that is above 0, or no gate.
int64_t Limit(int64_t stated, int64_t known) { return stated > 0 ? stated : known > 0 ? known : kNoGate; }

void CompileStanding(std::span<const CandidateFacts> facts, CompiledPolicy* out, Diagnostics* diagnostics) {
  const policy::Routing& routing = out->policy.routing();
  const CandidateSet all = CandidateSet::FirstN(out->candidates);
  const CandidateSet allowed =
      routing.has_allow() ? Resolve(routing.allow(), *out, "routing.allow", diagnostics) : all;
  const CandidateSet denied =
      routing.has_deny() ? Resolve(routing.deny(), *out, "routing.deny", diagnostics) : CandidateSet();
  out->standing.resize(out->candidates);
  for (int i = 0; i < out->candidates; ++i) {
    Reject& reject = out->standing[i].reject;
    if (!allowed.Has(i)) {
      reject = Reject::kNotAllowed;
    } else if (denied.Has(i)) {
      reject = Reject::kDenied;
    } else if (!facts.empty() && !facts[i].priced && !routing.allow_unpriced()) {
      reject = Reject::kUnpriced;
    } else {
      out->standing_candidates.Add(i);
    }
  }
  if (out->candidates > 0 && allowed.Without(denied).empty()) {
    diagnostics->Error("routing", "allow and deny together leave no candidate");
  }
}

// `field`: "use_cases" or "features" of class `index`, which are `names`. The first class that says a name
// has it.
void AddToClass(const google::protobuf::RepeatedPtrField<std::string>& names, int index, const char* field,
                const CompiledPolicy& compiled, absl::flat_hash_map<std::string, int>* class_of,
                Diagnostics* diagnostics) {
  for (int i = 0; i < names.size(); ++i) {
    const auto [first, fresh] = class_of->emplace(names[i], index);
    if (fresh) continue;
    diagnostics->Warning(
        absl::StrCat("request_classes[", index, "].", field, "[", i, "]"),
        absl::StrCat("\"", names[i], "\" belongs to the request class \"",
                     compiled.policy.request_classes(first->second).name(), "\", which says it first"));
  }
}

void CompileClasses(CompiledPolicy* out, Diagnostics* diagnostics) {
  for (int i = 0; i < out->policy.request_classes_size(); ++i) {
    const policy::RequestClass& request_class = out->policy.request_classes(i);
    AddToClass(request_class.use_cases(), i, "use_cases", *out, &out->class_of_use_case, diagnostics);
    AddToClass(request_class.features(), i, "features", *out, &out->class_of_feature, diagnostics);
  }
}

int64_t Usd(const std::string& text, const std::string& path, Diagnostics* diagnostics) {
  if (text.empty()) return 0;
  const absl::StatusOr<int64_t> nanos = ParseUsd(text);
  if (!nanos.ok()) {
    diagnostics->Error(path, std::string(nanos.status().message()));
    return 0;
  }
  if (*nanos < 0) diagnostics->Error(path, absl::StrCat("\"", text, "\" is negative; expected at least 0"));
  return *nanos;
}

double NotNegative(double value, double most, const std::string& path, Diagnostics* diagnostics) {
  if (!(value >= 0 && value <= most)) {
    diagnostics->Error(path, most < 2 ? absl::StrCat(value, " is not a fraction; expected 0 to ", most)
                                      : absl::StrCat(value, " is out of range; expected at least 0"));
  }
  return value;
}

void CompileChoice(CompiledPolicy* out, Diagnostics* diagnostics) {
  const policy::Routing& routing = out->policy.routing();
  ChoiceSettings& choice = out->choice;
  constexpr double kAny = 1e6;
  choice.equal_cost_share =
      NotNegative(routing.equal_cost_share(), 1, "routing.equal_cost_share", diagnostics);
  choice.nanos_per_second = Usd(routing.usd_per_second(), "routing.usd_per_second", diagnostics);
  choice.batch_if_deferrable = routing.batch_if_deferrable();
  choice.allow_unpriced = routing.allow_unpriced();
  choice.switch_margin_share =
      NotNegative(routing.switch_margin_share(), kAny, "routing.switch_margin_share", diagnostics);
  choice.switch_margin_nanos = Usd(routing.switch_margin_usd(), "routing.switch_margin_usd", diagnostics);
  choice.escalate_only_in_tool_loop = routing.escalate_only_in_tool_loop();
  const policy::Exploration& exploration = routing.exploration();
  choice.exploration_share = NotNegative(exploration.share(), 1, "routing.exploration.share", diagnostics);
  choice.exploration_most_times_cheapest = NotNegative(
      exploration.most_times_cheapest(), kAny, "routing.exploration.most_times_cheapest", diagnostics);
  if (exploration.most_times_cheapest() > 0 && exploration.most_times_cheapest() < 1) {
    diagnostics->Warning(
        "routing.exploration.most_times_cheapest",
        absl::StrCat("no candidate costs ", exploration.most_times_cheapest(),
                     " times the cheapest or less: none is ever drawn; expected at least 1"));
  }
  choice.exploration_salt = XXH3_64bits(exploration.salt().data(), exploration.salt().size());
  choice.quality = out->quality;
  if (routing.expected_output_tokens() < 0) {
    diagnostics->Error("routing.expected_output_tokens", "is negative; expected at least 0");
  }
  if (routing.read_bytes() < 0) {
    diagnostics->Error("routing.read_bytes", "is negative; expected at least 0");
  }
  out->read_bytes = routing.read_bytes() > 0 ? routing.read_bytes() : kDefaultReadBytes;
}

}  // namespace

std::string Defined(std::span<const std::string> names) {
  if (names.empty()) return "; none is defined";
  return absl::StrCat("; defined are: \"", absl::StrJoin(names, "\", \""), "\"");
}

CandidateSet Resolve(const policy::Select& select, const CompiledPolicy& compiled, const std::string& path,
                     Diagnostics* diagnostics) {
  CandidateSet result;
  const auto add = [&](const std::string& wanted, const std::string& field, auto has) {
    bool found = false;
    for (int i = 0; i < compiled.candidates; ++i) {
      if (!has(i)) continue;
      found = true;
      result.Add(i);
    }
    if (!found) {
      diagnostics->Error(
          absl::StrCat(path, ".", field),
          absl::StrCat("no candidate has \"", wanted, "\" among its ", field, Defined(compiled.names)));
    }
  };
  for (int i = 0; i < select.names_size(); ++i) {
    const std::string& name = select.names(i);
    if (std::find(compiled.names.begin(), compiled.names.end(), name) == compiled.names.end()) {
      diagnostics->Error(absl::StrCat(path, ".names[", i, "]"),
                         absl::StrCat("no candidate is named \"", name, "\"", Defined(compiled.names)));
      continue;
    }
    add(name, "names", [&](int c) { return compiled.names[c] == name; });
  }
  for (int i = 0; i < select.labels_size(); ++i) {
    add(select.labels(i), absl::StrCat("labels[", i, "]"), [&](int c) {
      const auto& labels = compiled.policy.candidates(c).labels();
      return std::find(labels.begin(), labels.end(), select.labels(i)) != labels.end();
    });
  }
  for (int i = 0; i < select.providers_size(); ++i) {
    add(select.providers(i), absl::StrCat("providers[", i, "]"),
        [&](int c) { return compiled.providers[c] == select.providers(i); });
  }
  if (select.names().empty() && select.labels().empty() && select.providers().empty()) {
    diagnostics->Error(path, "selects nothing; expected names, labels or providers");
  }
  return result;
}

void CompileCandidates(std::span<const CandidateFacts> facts, CompiledPolicy* out, Diagnostics* diagnostics) {
  const policy::Policy& policy = out->policy;
  out->candidates = std::min(policy.candidates_size(), kMaxCandidates);
  if (policy.candidates_size() > kMaxCandidates) {
    diagnostics->Error(absl::StrCat("candidates[", kMaxCandidates, "]"),
                       absl::StrCat("too many candidates; expected at most ", kMaxCandidates));
  }
  for (int i = 0; i < out->candidates; ++i) {
    const policy::Candidate& candidate = policy.candidates(i);
    const CandidateFacts known = facts.empty() ? CandidateFacts() : facts[i];
    out->names.push_back(candidate.name().empty() ? candidate.model() : candidate.name());
    out->providers.push_back(candidate.provider().empty() ? std::string(known.provider)
                                                          : candidate.provider());
    out->quality.push_back(candidate.quality());
    out->capabilities.push_back((known.capabilities | Bits(candidate.capabilities())) &
                                ~Bits(candidate.lacks()));
    out->context_window.push_back(Limit(candidate.context_window(), known.context_window));
    out->max_output.push_back(Limit(candidate.max_output_tokens(), known.max_output_tokens));
    for (const std::string& region : candidate.regions()) {
      CandidateSet here;
      here.Add(i);
      out->in_region.emplace_back(region, here);
    }
    for (const std::string& cleared : candidate.data_policies()) out->cleared_for[cleared].Add(i);
    if ((Bits(candidate.capabilities()) & Bits(candidate.lacks())) != 0) {
      diagnostics->Error(absl::StrCat("candidates[", i, "].lacks"),
                         "names a capability that the candidate has by its own capabilities");
    }
  }
  CompileStanding(facts, out, diagnostics);
  CompileClasses(out, diagnostics);
  CompileChoice(out, diagnostics);
}

}  // namespace purser::routing
