#include <pthread.h>
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
Cache::~Cache() {
  // To join a thread that is not there, or to wait at its lock, would be for ever.
  if (impl_->forked()) (void)impl_.release();
}

uint64_t Cache::Impl::ForksSoFar() {
  // The handler runs in the child before fork() returns there.
  static const int registered =
      pthread_atfork(nullptr, nullptr, [] { forks_so_far.fetch_add(1, std::memory_order_relaxed); });
  (void)registered;
  return forks_so_far.load(std::memory_order_relaxed);
}

namespace {

absl::Status Forked() {
  return absl::FailedPreconditionError(
      "this process is a fork of the one that made the cache; make one after the fork");
}

}  // namespace

Hit Cache::Lookup(const Query& query, int64_t now_nanos, std::string* answer) const {
  if (impl_->forked()) [[unlikely]]
    return {};
  return impl_->Lookup(query, now_nanos, answer);
}
StoreResult Cache::Store(const Entry& entry, int64_t now_nanos, uint64_t* id) {
  if (impl_->forked()) return StoreResult::kOff;
  return impl_->Store(entry, now_nanos, id);
}
bool Cache::InvalidateId(uint64_t id) { return !impl_->forked() && impl_->InvalidateId(id); }
void Cache::Invalidate(LabelKind kind, std::string_view label) {
  if (!impl_->forked()) impl_->Invalidate(kind, label);
}
void Cache::Clear() {
  if (!impl_->forked()) impl_->Clear();
}
void Cache::Feedback(const Trial& trial, bool right) {
  if (!impl_->forked()) impl_->Feedback(trial, right);
}
void Cache::Maintain(int64_t now_nanos) {
  if (!impl_->forked()) impl_->Maintain(now_nanos);
}
uint64_t Cache::generation() const { return impl_->generation_.load(); }
const Options& Cache::options() const { return impl_->options_; }
NamespaceStats Cache::StatsOf(std::string_view name_space) const {
  return impl_->forked() ? NamespaceStats{} : impl_->StatsOf(name_space);
}
CacheStats Cache::Stats() const { return impl_->forked() ? CacheStats{} : impl_->Stats(); }
std::vector<std::string> Cache::Namespaces() const {
  return impl_->forked() ? std::vector<std::string>{} : impl_->Namespaces();
}
absl::Status Cache::SaveTo(const std::string& path, int64_t now_nanos) const {
  return impl_->forked() ? Forked() : impl_->SaveTo(path, now_nanos);
}
absl::Status Cache::LoadFrom(const std::string& path, int64_t now_nanos) {
  return impl_->forked() ? Forked() : impl_->LoadFrom(path, now_nanos);
}

absl::Status Cache::KeepIn(const std::string& directory, int64_t now_nanos) {
  return impl_->forked() ? Forked() : impl_->KeepIn(directory, now_nanos);
}
absl::Status Cache::Keep(int64_t now_nanos) { return impl_->forked() ? Forked() : impl_->Keep(now_nanos); }
absl::Status Cache::PrepareSuccessor(Cache* next, int64_t now_nanos) {
  return impl_->forked() ? Forked() : impl_->PrepareSuccessor(next->impl_.get(), now_nanos);
}
void Cache::GiveUpSuccessor() {
  if (!impl_->forked()) impl_->GiveUpSuccessor();
}
void Cache::HandOver(std::shared_ptr<Cache> next) {
  if (!impl_->forked()) impl_->HandOver(std::move(next));
}
void Cache::StopKeeping() {
  if (!impl_->forked()) impl_->StopKeeping();
}

}  // namespace purser::cache
