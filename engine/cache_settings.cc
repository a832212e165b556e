#include "engine/cache_settings.h"

#include <memory>
#include <string>

#include "absl/time/time.h"
#include "cache/lexical_embedder.h"
#include "policies/amount.h"

namespace purser {
namespace {

using policy::Caching;

int64_t NanosOf(const std::string& duration, int64_t otherwise) {
  absl::Duration parsed;
  if (duration.empty() || !absl::ParseDuration(duration, &parsed)) return otherwise;
  return absl::ToInt64Nanoseconds(parsed);
}

cache::Mode ModeOf(Caching::Mode mode, cache::Mode otherwise) {
  switch (mode) {
    case Caching::OFF:
      return cache::Mode::kOff;
    case Caching::EXACT:
      return cache::Mode::kExact;
    case Caching::SEMANTIC:
      return cache::Mode::kSemantic;
    case Caching::VERIFIED:
      return cache::Mode::kVerified;
    default:
      return otherwise;
  }
}

cache::IndexKind IndexOf(Caching::Index index) {
  switch (index) {
    case Caching::FLAT:
      return cache::IndexKind::kFlat;
    case Caching::HNSW:
      return cache::IndexKind::kHnsw;
    default:
      return cache::IndexKind::kAuto;
  }
}

// What `said` leaves out is as in `defaults`.
cache::ClassOptions ClassOf(const Caching::Class& said, const cache::ClassOptions& defaults) {
  cache::ClassOptions made = defaults;
  made.name = said.request_class();
  made.mode = ModeOf(said.mode(), defaults.mode);
  made.ttl_nanos = NanosOf(said.ttl(), defaults.ttl_nanos);
  if (said.threshold() > 0) made.threshold = static_cast<float>(said.threshold());
  if (!said.lookup_cost_usd().empty())
    made.lookup_cost_nano_usd = ParseUsd(said.lookup_cost_usd()).value_or(0);
  return made;
}

cache::VerifiedOptions VerifiedOf(const Caching::Verified& said) {
  cache::VerifiedOptions made;
  if (said.delta() > 0) made.delta = said.delta();
  if (said.bound() == Caching::Verified::REQUESTS) made.bound = cache::Bound::kRequests;
  if (said.audit_rate() > 0) made.audit_rate = said.audit_rate();
  if (said.confidence() > 0) made.alpha = 1 - said.confidence();
  return made;
}

}  // namespace

cache::Options CacheOptionsOf(const Caching& caching, Diagnostics* diagnostics) {
  cache::Options options;
  const cache::ClassOptions defaults = ClassOf(caching.defaults(), cache::ClassOptions{});
  options.classes = {defaults};
  options.classes[0].name.clear();
  for (const Caching::Class& said : caching.classes()) options.classes.push_back(ClassOf(said, defaults));
  options.verified = VerifiedOf(caching.verified());
  options.guards = !caching.without_guards();
  options.index = IndexOf(caching.index());
  if (caching.memory_mib() > 0) options.memory_bytes = static_cast<size_t>(caching.memory_mib()) << 20;
  if (caching.max_entry_kib() > 0)
    options.max_entry_bytes = static_cast<size_t>(caching.max_entry_kib()) << 10;
  if (caching.embedder().lexical()) options.embedder = std::make_shared<const cache::LexicalEmbedder>();
  if (!caching.embedder().static_model().empty()) {
    diagnostics->Error("caching.embedder.static_model",
                       "no static model can be loaded by this build; expected lexical: true");
  }
  return options;
}

}  // namespace purser
