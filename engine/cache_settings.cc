#include "engine/cache_settings.h"

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
      : policy_(policy), caching_(policy.caching()), directory_(directory), diagnostics_(*diagnostics) {}

  cache::Options Read() {
    cache::Options options;
    const cache::ClassOptions defaults =
        ReadClass(caching_.defaults(), cache::ClassOptions{}, "caching.defaults");
    options.classes = {defaults};
    for (int i = 0; i < caching_.classes_size(); ++i) {
      const Caching::Class& said = caching_.classes(i);
      const std::string path = absl::StrCat("caching.classes[", i, "]");
      CheckClassName(said.request_class(), path + ".request_class");
      options.classes.push_back(ReadClass(said, defaults, path));
      options.classes.back().name = said.request_class();
    }
    ReadVerified(&options.verified);
    options.guards = !caching_.without_guards();
    options.index = IndexOf(caching_.index());
    if (Positive(caching_.memory_mib(), "caching.memory_mib")) {
      options.memory_bytes = static_cast<size_t>(caching_.memory_mib()) << 20;
    }
    if (Positive(caching_.max_entry_kib(), "caching.max_entry_kib")) {
      options.max_entry_bytes = static_cast<size_t>(caching_.max_entry_kib()) << 10;
    }
    ReadEmbedder(&options);
    return options;
  }

 private:
  // What `said` leaves out is as in `defaults`.
  cache::ClassOptions ReadClass(const Caching::Class& said, const cache::ClassOptions& defaults,
                                const std::string& path) {
    cache::ClassOptions made = defaults;
    made.mode = ModeOf(said.mode(), defaults.mode);
    if (!said.ttl().empty()) {
      const absl::StatusOr<int64_t> ttl = ParseDurationNanos(said.ttl());
      if (!ttl.ok()) diagnostics_.Error(path + ".ttl", std::string(ttl.status().message()));
      made.ttl_nanos = ttl.value_or(made.ttl_nanos);
    }
    if (Share(said.threshold(), path + ".threshold")) made.threshold = static_cast<float>(said.threshold());
    if (!said.lookup_cost_usd().empty()) {
      const absl::StatusOr<int64_t> cost = ParseUsd(said.lookup_cost_usd());
      if (!cost.ok()) diagnostics_.Error(path + ".lookup_cost_usd", std::string(cost.status().message()));
      made.lookup_cost_nano_usd = cost.value_or(0);
    }
    return made;
  }

  void CheckClassName(const std::string& name, const std::string& path) {
    for (const policy::RequestClass& request_class : policy_.request_classes()) {
      if (request_class.name() == name) return;
    }
    diagnostics_.Error(
        path, absl::StrCat("no request class is named \"", name, "\"; define it under request_classes"));
  }

  void ReadVerified(cache::VerifiedOptions* made) {
    const Caching::Verified& said = caching_.verified();
    if (Share(said.delta(), "caching.verified.delta")) made->delta = said.delta();
    if (said.bound() == Caching::Verified::REQUESTS) made->bound = cache::Bound::kRequests;
    if (Share(said.audit_rate(), "caching.verified.audit_rate")) made->audit_rate = said.audit_rate();
    if (Share(said.confidence(), "caching.verified.confidence")) made->alpha = 1 - said.confidence();
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

  // True if it is set and in range; reports it if it is set and not.
  bool Positive(int64_t value, const std::string& path) {
    if (value < 0) diagnostics_.Error(path, absl::StrCat(value, " is negative; expected at least 1"));
    return value > 0;
  }
  bool Share(double value, const std::string& path) {
    if (value == 0) return false;
    const bool good = value > 0 && value <= 1;
    if (!good) diagnostics_.Error(path, absl::StrCat(value, " is no share; expected above 0 and at most 1"));
    return good;
  }

  const policy::Policy& policy_;
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
