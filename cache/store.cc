// The writers' side of the cache: everything here holds the mutex, and nothing here makes a reader wait.

#include <algorithm>
#include <cmath>

#include "cache/binomial.h"
#include "cache/cache_impl.h"
#include "cache/kernels.h"

namespace purser::cache {
namespace {

// Besides its record: places in the two heaps (eviction.h counts those), in the map of ids.
constexpr size_t kBookkeepingBytes = 2 * (sizeof(uint64_t) + sizeof(StoredEntry*) + 1);

// Namespaces without entries are remembered, with their counts, as long as there are fewer than these.
constexpr size_t kRememberedNamespaces = 1024;

// Entries looked at per Store for what has expired or was invalidated.
constexpr size_t kSweepPerStore = 8;

bool Finite(std::span<const float> embedding) {
  std::vector<float> unit;
  return embedding.empty() || Normalise(embedding, &unit);
}

GraphParameters GraphParametersOf(const Options& options) {
  return {options.hnsw_m, options.hnsw_ef_construction, options.hnsw_least_ef};
}

using LabelTexts = std::vector<std::pair<uint8_t, std::string_view>>;

LabelTexts LabelsOf(const Entry& entry) {
  LabelTexts labels;
  const auto add = [&](LabelKind kind, std::string_view text) {
    labels.emplace_back(static_cast<uint8_t>(kind), text);
  };
  add(LabelKind::kNamespace, entry.query.name_space);
  if (!entry.model.empty()) add(LabelKind::kModel, entry.model);
  if (!entry.policy.empty()) add(LabelKind::kPolicy, entry.policy);
  for (const std::string_view tag : entry.tags) add(LabelKind::kTag, tag);
  for (const std::string_view source : entry.source_versions) add(LabelKind::kSourceVersion, source);
  return labels;
}

}  // namespace

Cache::Impl::Impl(Options options)
    : options_(std::move(options)),
      verified_(std::any_of(
          options_.classes.begin(), options_.classes.end(),
          [](const ClassOptions& class_settings) { return class_settings.mode == Mode::kVerified; })),
      worth_(options_.classes.size()) {}

Cache::Impl::~Impl() {
  StopBuilder();
  log_.reset();
  Clear();
}

StoreResult Cache::Impl::Store(const Entry& entry, int64_t now_nanos, uint64_t* id) {
  const Query& query = entry.query;
  const size_t class_index = ClassOf(query.request_class);
  if (query.bypass || class_index == options_.classes.size()) return StoreResult::kOff;
  const ClassOptions& class_settings = options_.classes[class_index];
  const int64_t ttl =
      entry.ttl_nanos > 0 ? std::min(entry.ttl_nanos, class_settings.ttl_nanos) : class_settings.ttl_nanos;
  if (class_settings.mode == Mode::kOff || ttl <= 0) return StoreResult::kOff;
  if (!entry.complete || entry.answer.empty()) return StoreResult::kIncomplete;
  if (!Finite(query.embedding)) return StoreResult::kBadEmbedding;

  std::vector<float> unit;
  std::string_view embedding_model = query.embedding_model;
  size_t dimension = query.embedding.size();
  if (class_settings.mode != Mode::kExact) {
    if (!query.embedding.empty()) {
      Normalise(query.embedding, &unit);
    } else if (options_.embedder != nullptr && !query.text.empty()) {
      std::vector<float> raw(static_cast<size_t>(options_.embedder->dimension()));
      if (options_.embedder->Embed(query.text, raw)) Normalise(raw, &unit);
      embedding_model = options_.embedder->id();
      dimension = raw.size();
    }
  }

  Draft draft;
  draft.name_space = query.name_space;
  draft.key = query.key;
  draft.compatibility = query.compatibility;
  draft.text = query.text;
  draft.answer = entry.answer;
  draft.embedding_model = embedding_model;
  draft.raw_dimension = dimension;
  draft.unit = unit;
  draft.class_index = class_index;
  draft.labels = LabelsOf(entry);
  draft.stored_nanos = now_nanos;
  draft.expires_nanos = now_nanos > INT64_MAX - ttl ? INT64_MAX : now_nanos + ttl;
  draft.saved_nano_usd = entry.saved_nano_usd;
  draft.answer_hash = HashBytes(entry.answer_key.empty() ? entry.answer : entry.answer_key).low;

  const std::lock_guard lock(mutex_);
  if (Outdated(draft, entry.generation)) return StoreResult::kOutdated;
  draft.generation = entry.generation != 0 ? entry.generation : generation_.load();
  if (entry.trial.entry_id != 0) Learn(entry.trial, entry.trial.answer_hash == draft.answer_hash);
  last_now_nanos_ = now_nanos;
  const bool replaces = FindExact(draft.name_space, draft.key) != nullptr;
  uint64_t stored_id = 0;
  const StoreResult result = Add(draft, now_nanos, &stored_id);
  if (stored_id == 0) {
    if (replaces && FindExact(draft.name_space, draft.key) == nullptr) NoteLeft(draft.name_space, draft.key);
    return result;
  }
  NoteStored(*by_id_.at(stored_id));
  if (id != nullptr) *id = stored_id;
  return result;
}

StoreResult Cache::Impl::Add(const Draft& draft, int64_t now_nanos, uint64_t* id) {
  std::vector<Label*> labels;
  for (const auto& [kind, text] : draft.labels) labels.push_back(labels_.Acquire(kind, text));
  StoredEntry* record = StoredEntry::Make(
      {.key = draft.key, .text = draft.text, .answer = draft.answer, .labels = labels, .unit = draft.unit});
  if (record->payload_bytes() > options_.max_entry_bytes || record->bytes() > options_.memory_bytes) {
    for (Label* label : labels) labels_.Release(label);
    StoredEntry::Free(record);
    return StoreResult::kTooLarge;
  }
  const uint64_t stored_id = next_id_++;
  record->hash = KeyHash(draft.name_space, draft.key);
  record->id = stored_id;
  record->generation = draft.generation;
  record->stored_nanos = draft.stored_nanos;
  record->expires_nanos = draft.expires_nanos;
  record->saved_nano_usd = draft.saved_nano_usd;
  record->answer_hash = draft.answer_hash;
  record->request_class = static_cast<uint32_t>(draft.class_index);
  record->hits.store(draft.hits, std::memory_order_relaxed);
  record->tried.store(draft.tried, std::memory_order_relaxed);
  record->right.store(draft.right, std::memory_order_relaxed);
  StoredEntry* replaced = FindExact(draft.name_space, draft.key);
  record->name_space = replaced != nullptr ? replaced->name_space : MakeNamespace(draft.name_space);
  if (!draft.unit.empty()) record->partition = MakePartition(record->name_space, draft);
  Link(record, replaced);
  Sweep(now_nanos, kSweepPerStore);
  MakeRoom(now_nanos);
  epochs_.Reclaim();
  if (!by_id_.contains(stored_id)) return StoreResult::kTooLarge;
  if (id != nullptr) *id = stored_id;
  return replaced != nullptr ? StoreResult::kReplaced : StoreResult::kStored;
}

bool Cache::Impl::Outdated(const Draft& draft, uint64_t generation) const {
  if (generation == 0) return false;
  if (labels_.Forgotten(generation)) return true;
  return std::any_of(draft.labels.begin(), draft.labels.end(), [&](const auto& label) {
    return labels_.Outdated(label.first, label.second, generation);
  });
}

Namespace* Cache::Impl::MakeNamespace(std::string_view name) {
  if (Namespace* known = FindNamespace(name)) return known;
  auto* fresh = new Namespace;
  fresh->hash = HashBytes(name);
  fresh->name = std::string(name);
  fresh->id = next_namespace_id_++;
  if (verified_) fresh->verifier = std::make_unique<Verifier>(options_.verified, &epochs_);
  namespaces_.Put(fresh, nullptr);
  namespace_by_id_[fresh->id] = fresh;
  CountNamespace(fresh);
  return fresh;
}

Partition* Cache::Impl::MakePartition(Namespace* name_space, const Draft& draft) {
  if (Partition* known =
          FindPartition(draft.name_space, draft.embedding_model, draft.raw_dimension, draft.compatibility)) {
    return known;
  }
  auto* fresh = new Partition(draft.unit.size(), GraphParametersOf(options_), &epochs_);
  fresh->hash =
      PartitionHash(draft.name_space, draft.embedding_model, draft.raw_dimension, draft.compatibility);
  fresh->name_space = name_space;
  fresh->embedding_model = std::string(draft.embedding_model);
  fresh->compatibility = std::string(draft.compatibility);
  fresh->raw_dimension = draft.raw_dimension;
  partitions_.Put(fresh, nullptr);
  ++name_space->partitions;
  return fresh;
}

// Readers find the new entry by its key before it can be found by its vector; the one it replaces goes last.
void Cache::Impl::Link(StoredEntry* record, StoredEntry* replaced) {
  record_bytes_ += record->bytes();
  payload_bytes_ += record->payload_bytes();
  ++record->name_space->entries;
  record->name_space->record_bytes += record->bytes();
  record->name_space->counts.stores.fetch_add(1, std::memory_order_relaxed);
  by_id_[record->id] = record;
  eviction_.Add(record);
  exact_.Put(record, replaced);
  if (record->partition != nullptr) {
    ++record->partition->entries;
    record->partition->flat.Insert(record);
    CountPartition(record->partition);
    if (MergeDue(*record->partition)) WakeBuilder();
  }
  if (replaced != nullptr) Erase(replaced, Leaving::kReplaced);
}

void Cache::Impl::Erase(StoredEntry* record, Leaving why) {
  Namespace* name_space = record->name_space;
  Partition* partition = record->partition;
  if (why != Leaving::kReplaced) exact_.Remove(record);
  if (partition != nullptr) {
    if (record->in_graph) {
      partition->graph.Erase(record);
    } else {
      partition->flat.Erase(record);
    }
    --partition->entries;
    CountPartition(partition);
  }
  eviction_.Remove(record);
  by_id_.erase(record->id);
  record_bytes_ -= record->bytes();
  payload_bytes_ -= record->payload_bytes();
  --name_space->entries;
  name_space->record_bytes -= record->bytes();
  Namespace::Counts& counts = name_space->counts;
  if (why == Leaving::kEvicted) counts.evictions.fetch_add(1, std::memory_order_relaxed);
  if (why == Leaving::kExpired) counts.expirations.fetch_add(1, std::memory_order_relaxed);
  if (why == Leaving::kInvalidated) counts.invalidations.fetch_add(1, std::memory_order_relaxed);
  // Readers may look at the record's labels as long as at the record: both wait for the same epoch.
  epochs_.Retire(record, StoredEntry::FreeErased, record->bytes());
  for (Label* label : record->labels()) labels_.Release(label);
  if (partition != nullptr) DropIfEmpty(partition);
  DropIfEmpty(name_space);
}

void Cache::Impl::CountNamespace(Namespace* name_space) {
  const size_t bytes = name_space->bytes();
  space_bytes_ += bytes - name_space->counted_bytes;
  name_space->counted_bytes = bytes;
}

void Cache::Impl::CountPartition(Partition* partition) {
  const size_t bytes = partition->bytes();
  space_bytes_ += bytes - partition->counted_bytes;
  partition->counted_bytes = bytes;
}

void Cache::Impl::DropIfEmpty(Partition* partition) {
  if (partition->entries > 0 || partition->merging) return;
  partitions_.Remove(partition);
  space_bytes_ -= partition->counted_bytes;
  --partition->name_space->partitions;
  epochs_.Retire(partition, partition->counted_bytes);
}

void Cache::Impl::DropIfEmpty(Namespace* name_space) {
  if (name_space->entries > 0 || name_space->partitions > 0) return;
  if (namespaces_.size() < kRememberedNamespaces) return;
  namespaces_.Remove(name_space);
  namespace_by_id_.erase(name_space->id);
  space_bytes_ -= name_space->counted_bytes;
  epochs_.Retire(name_space, name_space->counted_bytes);
}

void Cache::Impl::Sweep(int64_t now_nanos, size_t most) {
  for (size_t i = 0; i < most; ++i) {
    StoredEntry* expired = eviction_.NextExpired(now_nanos);
    if (expired == nullptr) break;
    Erase(expired, Leaving::kExpired);
  }
  for (size_t i = 0; i < most; ++i) {
    StoredEntry* record = eviction_.NextToSweep();
    if (record == nullptr) break;
    if (!record->ServesAt(now_nanos)) {
      Erase(record, now_nanos >= record->expires_nanos ? Leaving::kExpired : Leaving::kInvalidated);
    }
  }
}

size_t Cache::Impl::BytesHeld() const {
  return record_bytes_ + space_bytes_ + exact_.bytes() + namespaces_.bytes() + partitions_.bytes() +
         labels_.bytes() + eviction_.bytes() + by_id_.size() * kBookkeepingBytes;
}

void Cache::Impl::MakeRoom(int64_t now_nanos) {
  while (BytesHeld() > options_.memory_bytes) {
    StoredEntry* victim = eviction_.NextVictim(now_nanos);
    if (victim == nullptr) return;
    Erase(victim, now_nanos >= victim->expires_nanos ? Leaving::kExpired : Leaving::kEvicted);
  }
}

bool Cache::Impl::InvalidateId(uint64_t id) {
  const std::lock_guard lock(mutex_);
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return false;
  const StoredEntry& record = *found->second;
  std::vector<std::string_view> key;
  record.ForEachKeyPart([&key](std::string_view part) { key.push_back(part); });
  NoteLeft(record.name_space->name, key);
  Erase(found->second, Leaving::kInvalidated);
  epochs_.Reclaim();
  return true;
}

void Cache::Impl::Invalidate(LabelKind kind, std::string_view label) {
  const std::lock_guard lock(mutex_);
  labels_.Invalidate(static_cast<uint8_t>(kind), label, generation_.fetch_add(1) + 1);
  NoteInvalidated(kind, label);
}

void Cache::Impl::Clear() {
  const std::lock_guard lock(mutex_);
  NoteCleared();
  while (eviction_.size() > 0) Erase(eviction_.NextToSweep(), Leaving::kCleared);
  std::vector<Namespace*> all;
  // One whose partition is being merged stays until that has ended.
  namespaces_.ForEach([&all](Namespace* name_space) {
    if (name_space->partitions == 0) all.push_back(name_space);
  });
  for (Namespace* name_space : all) {
    namespaces_.Remove(name_space);
    namespace_by_id_.erase(name_space->id);
    space_bytes_ -= name_space->counted_bytes;
    epochs_.Retire(name_space, name_space->counted_bytes);
  }
  epochs_.Reclaim();
}

void Cache::Impl::Feedback(const Trial& trial, bool right) {
  const std::lock_guard lock(mutex_);
  Learn(trial, right);
  epochs_.Reclaim();
}

void Cache::Impl::Learn(const Trial& trial, bool right) {
  const auto name_space = namespace_by_id_.find(trial.name_space_id);
  if (name_space == namespace_by_id_.end() || name_space->second->verifier == nullptr) return;
  name_space->second->verifier->Learn(trial, right);
  CountNamespace(name_space->second);
  const auto entry = by_id_.find(trial.entry_id);
  if (entry == by_id_.end()) return;
  StoredEntry& record = *entry->second;
  if (record.tried.load(std::memory_order_relaxed) == UINT16_MAX) return;
  record.tried.fetch_add(1, std::memory_order_relaxed);
  if (right) record.right.fetch_add(1, std::memory_order_relaxed);
}

void Cache::Impl::Maintain(int64_t now_nanos) {
  if (!options_.background) {
    BuildGraphs();
    KeepIfDue();
  }
  const std::lock_guard lock(mutex_);
  Sweep(now_nanos, eviction_.size());
  epochs_.Reclaim();
}

// Audits are a sample of the would-be hits: their share of wrong answers is that of the hits, and times the
// share of hits that of all requests.
void Cache::Impl::ReportVerified(const Verifier::Report& report, NamespaceStats* stats) const {
  const auto wrong = static_cast<double>(report.audits_wrong);
  const auto audits = static_cast<double>(report.audits_judged);
  const double scale = options_.verified.bound == Bound::kHits ? 1.0 : report.hit_share;
  stats->judged = report.judged;
  stats->least_score = report.least_score;
  stats->error = audits > 0.0 ? scale * wrong / audits : 0.0;
  stats->error_low = scale * LowerLimit(wrong, audits, 0.025);
  stats->error_high = scale * UpperLimit(wrong, audits, 0.025);
}

NamespaceStats Cache::Impl::StatsOf(std::string_view name) const {
  NamespaceStats stats;
  const std::lock_guard lock(mutex_);
  const Namespace* name_space = FindNamespace(name);
  if (name_space == nullptr) return stats;
  const Namespace::Counts& counts = name_space->counts;
  stats.exact_hits = counts.exact_hits.load(std::memory_order_relaxed);
  stats.semantic_hits = counts.semantic_hits.load(std::memory_order_relaxed);
  stats.misses = counts.misses.load(std::memory_order_relaxed);
  for (size_t i = 0; i < stats.vetoes.size(); ++i) {
    stats.vetoes[i] = counts.vetoes[i].load(std::memory_order_relaxed);
  }
  stats.stores = counts.stores.load(std::memory_order_relaxed);
  stats.evictions = counts.evictions.load(std::memory_order_relaxed);
  stats.expirations = counts.expirations.load(std::memory_order_relaxed);
  stats.invalidations = counts.invalidations.load(std::memory_order_relaxed);
  stats.saved_nano_usd = counts.saved_nano_usd.load(std::memory_order_relaxed);
  stats.audits = counts.audits.load(std::memory_order_relaxed);
  stats.entries = name_space->entries;
  stats.bytes = name_space->record_bytes + name_space->bytes();
  if (name_space->verifier != nullptr) ReportVerified(name_space->verifier->GetReport(), &stats);
  partitions_.ForEach([&](const Partition* partition) {
    if (partition->name_space == name_space) stats.bytes += partition->bytes();
  });
  eviction_.ForEach([&](const StoredEntry* record) {
    if (record->name_space != name_space) return;
    if (stats.oldest_nanos == 0 || record->stored_nanos < stats.oldest_nanos) {
      stats.oldest_nanos = record->stored_nanos;
    }
  });
  return stats;
}

CacheStats Cache::Impl::Stats() const {
  CacheStats stats;
  const std::lock_guard lock(mutex_);
  stats.entries = eviction_.size();
  stats.namespaces = namespaces_.size();
  stats.partitions = partitions_.size();
  stats.bytes = BytesHeld();
  stats.payload_bytes = payload_bytes_;
  for (const Worth& worth : worth_) stats.lookups_skipped += worth.skipped();
  stats.transient_bytes = epochs_.retired_bytes() + merging_bytes_.load(std::memory_order_relaxed);
  return stats;
}

std::vector<std::string> Cache::Impl::Namespaces() const {
  std::vector<std::string> names;
  const std::lock_guard lock(mutex_);
  namespaces_.ForEach([&names](const Namespace* name_space) { names.push_back(name_space->name); });
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace purser::cache
