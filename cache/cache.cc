#include <purser/cache/cache.h>

#include <utility>

#include "cache/cache_impl.h"

namespace purser::cache {

std::string_view VetoName(Veto veto) {
  static constexpr std::string_view kNames[kVetoes] = {"none",     "number", "date",  "unit", "negation",
                                                       "opposite", "name",   "quote", "code", "language"};
  return kNames[static_cast<size_t>(veto)];
}

Cache::Cache(Options options) : impl_(std::make_unique<Impl>(std::move(options))) {}
Cache::~Cache() = default;

Hit Cache::Lookup(const Query& query, int64_t now_nanos, std::string* answer) const {
  return impl_->Lookup(query, now_nanos, answer);
}
StoreResult Cache::Store(const Entry& entry, int64_t now_nanos, uint64_t* id) {
  return impl_->Store(entry, now_nanos, id);
}
bool Cache::InvalidateId(uint64_t id) { return impl_->InvalidateId(id); }
void Cache::Invalidate(LabelKind kind, std::string_view label) { impl_->Invalidate(kind, label); }
void Cache::Clear() { impl_->Clear(); }
void Cache::Feedback(const Trial& trial, bool right) { impl_->Feedback(trial, right); }
void Cache::Maintain(int64_t now_nanos) { impl_->Maintain(now_nanos); }
uint64_t Cache::generation() const { return impl_->generation_.load(); }
const Options& Cache::options() const { return impl_->options_; }
NamespaceStats Cache::StatsOf(std::string_view name_space) const { return impl_->StatsOf(name_space); }
CacheStats Cache::Stats() const { return impl_->Stats(); }
std::vector<std::string> Cache::Namespaces() const { return impl_->Namespaces(); }
absl::Status Cache::SaveTo(const std::string& path, int64_t now_nanos) const {
  return impl_->SaveTo(path, now_nanos);
}
absl::Status Cache::LoadFrom(const std::string& path, int64_t now_nanos) {
  return impl_->LoadFrom(path, now_nanos);
}

absl::Status Cache::KeepIn(const std::string& directory, int64_t now_nanos) {
  return impl_->KeepIn(directory, now_nanos);
}
absl::Status Cache::Keep(int64_t now_nanos) { return impl_->Keep(now_nanos); }
void Cache::StopKeeping() { impl_->StopKeeping(); }

}  // namespace purser::cache
