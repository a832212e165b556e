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

cache::Mode ModeOf(Caching::Mode mode, cache::Mode fallback) {
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
      return fallback;
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
    for (const Caching::Class& config : caching_.classes()) {
      options.classes.push_back(ReadClass(config, defaults));
      options.classes.back().name = config.request_class();
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
  // What `config` leaves out is as in `defaults`. CheckCaching has reported what does not parse.
  cache::ClassOptions ReadClass(const Caching::Class& config, const cache::ClassOptions& defaults) {
    cache::ClassOptions settings = defaults;
    settings.mode = ModeOf(config.mode(), defaults.mode);
    if (!config.ttl().empty())
      settings.ttl_nanos = ParseDurationNanos(config.ttl()).value_or(defaults.ttl_nanos);
    if (config.threshold() > 0) settings.threshold = static_cast<float>(config.threshold());
    if (!config.lookup_cost_usd().empty())
      settings.lookup_cost_nano_usd = ParseUsd(config.lookup_cost_usd()).value_or(0);
    return settings;
  }

  void ReadVerified(cache::VerifiedOptions* options) {
    const Caching::Verified& config = caching_.verified();
    if (config.delta() > 0) options->delta = config.delta();
    if (config.bound() == Caching::Verified::REQUESTS) options->bound = cache::Bound::kRequests;
    if (config.audit_rate() > 0) options->audit_rate = config.audit_rate();
    if (config.confidence() > 0) options->alpha = 1 - config.confidence();
  }

  void ReadEmbedder(cache::Options* options) {
    const Caching::Embedder& config = caching_.embedder();
    if (config.lexical()) options->embedder = std::make_shared<const cache::LexicalEmbedder>();
    if (config.static_model().empty()) return;
    std::string folder = config.static_model();
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
