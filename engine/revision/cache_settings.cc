#include "engine/revision/cache_settings.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cache/lexical_embedder.h"
#include "cache/static_embedder.h"
#include "policies/amount.h"
#include "policies/duration.h"

namespace purser {
namespace {

using policy::Caching;

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

class Settings {
 public:
  Settings(const policy::Policy& policy, std::string_view directory, Diagnostics* diagnostics)
      : caching_(policy.caching()), directory_(directory), diagnostics_(*diagnostics) {}

  cache::Options Read() {
    cache::Options options;
    const cache::ClassOptions defaults = ReadClass(caching_.defaults(), cache::ClassOptions{});
    options.classes = {defaults};
    for (const Caching::Class& said : caching_.classes()) {
      options.classes.push_back(ReadClass(said, defaults));
      options.classes.back().name = said.request_class();
    }
    ReadVerified(&options.verified);
    options.guards = !caching_.without_guards();
    options.index = IndexOf(caching_.index());
    if (caching_.memory_mib() > 0) {
      options.memory_bytes = static_cast<size_t>(caching_.memory_mib()) << 20;
    }
    if (caching_.max_entry_kib() > 0) {
      options.max_entry_bytes = static_cast<size_t>(caching_.max_entry_kib()) << 10;
    }
    ReadEmbedder(&options);
    return options;
  }

 private:
  // What `said` leaves out is as in `defaults`. CheckCaching has reported what does not parse.
  cache::ClassOptions ReadClass(const Caching::Class& said, const cache::ClassOptions& defaults) {
    cache::ClassOptions made = defaults;
    made.mode = ModeOf(said.mode(), defaults.mode);
    if (!said.ttl().empty()) made.ttl_nanos = ParseDurationNanos(said.ttl()).value_or(defaults.ttl_nanos);
    if (said.threshold() > 0) made.threshold = static_cast<float>(said.threshold());
    if (!said.lookup_cost_usd().empty())
      made.lookup_cost_nano_usd = ParseUsd(said.lookup_cost_usd()).value_or(0);
    return made;
  }

  void ReadVerified(cache::VerifiedOptions* made) {
    const Caching::Verified& said = caching_.verified();
    if (said.delta() > 0) made->delta = said.delta();
    if (said.bound() == Caching::Verified::REQUESTS) made->bound = cache::Bound::kRequests;
    if (said.audit_rate() > 0) made->audit_rate = said.audit_rate();
    if (said.confidence() > 0) made->alpha = 1 - said.confidence();
  }

  void ReadEmbedder(cache::Options* options) {
    const Caching::Embedder& said = caching_.embedder();
    if (said.lexical()) options->embedder = std::make_shared<const cache::LexicalEmbedder>();
    if (said.static_model().empty()) return;
    std::string folder = said.static_model();
    if (folder[0] != '/' && !directory_.empty()) folder = absl::StrCat(directory_, "/", folder);
    absl::StatusOr<std::unique_ptr<cache::StaticEmbedder>> loaded = cache::StaticEmbedder::Load(folder);
    if (loaded.ok()) {
      options->embedder = *std::move(loaded);
    } else {
      diagnostics_.Error("caching.embedder.static_model", std::string(loaded.status().message()));
    }
  }

  const Caching& caching_;
  const std::string directory_;
  Diagnostics& diagnostics_;
};

}  // namespace

cache::Options ReadCacheSettings(const policy::Policy& policy, std::string_view directory,
                                 Diagnostics* diagnostics) {
  return Settings(policy, directory, diagnostics).Read();
}

}  // namespace purser
