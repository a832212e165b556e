// The readers' side of the cache: no locks, no allocation once a thread has warmed up.

#include <algorithm>
#include <array>
#include <cmath>

#include "cache/cache_impl.h"
#include "cache/guards.h"
#include "cache/kernels.h"

namespace purser::cache {
namespace {

// Candidates that are looked at, so that a veto of the best does not hide the next.
constexpr size_t kCandidates = 4;

void Count(std::atomic<uint64_t>& counter) { counter.fetch_add(1, std::memory_order_relaxed); }

std::vector<float>& UnitScratch() {
  thread_local std::vector<float> unit;
  return unit;
}

// Asks the guards about one query and its candidates; reads the query only if there are any.
class Guards {
 public:
  Guards(const Options& options, std::string_view text) : on_(options.guards && !text.empty()), text_(text) {}

  Veto Judge(const StoredEntry& record) {
    if (!on_ || record.text_size == 0) return Veto::kNone;
    thread_local Facts asked;
    thread_local Facts stored;
    if (!read_) asked.Read(text_);
    read_ = true;
    stored.Read(record.text());
    return Conflict(asked, stored);
  }

 private:
  bool on_;
  std::string_view text_;
  bool read_ = false;
};

}  // namespace

bool Normalise(std::span<const float> embedding, std::vector<float>* unit) {
  double square = 0.0;
  for (const float x : embedding) square += double{x} * x;
  if (!std::isfinite(square) || square <= 0.0) return false;
  const double scale = 1.0 / std::sqrt(square);
  if (!std::isfinite(scale)) return false;
  const size_t padded = (embedding.size() + Kernels::kPadding - 1) / Kernels::kPadding * Kernels::kPadding;
  unit->resize(padded);
  for (size_t i = 0; i < embedding.size(); ++i) (*unit)[i] = static_cast<float>(embedding[i] * scale);
  std::fill(unit->begin() + static_cast<ptrdiff_t>(embedding.size()), unit->end(), 0.0F);
  return true;
}

Hash128 KeyHash(std::string_view name_space, std::span<const std::string_view> key) {
  return HashParts(HashBytes(name_space), key);
}

Hash128 PartitionHash(std::string_view name_space, std::string_view embedding_model, size_t dimension,
                      std::string_view compatibility) {
  const std::string_view parts[] = {embedding_model, compatibility};
  Hash128 seed = HashBytes(name_space);
  seed.low ^= dimension;
  return HashParts(seed, parts);
}

size_t Cache::Impl::ClassOf(std::string_view name) const {
  size_t fallback = options_.classes.size();
  for (size_t i = 0; i < options_.classes.size(); ++i) {
    if (options_.classes[i].name == name) return i;
    if (options_.classes[i].name.empty()) fallback = i;
  }
  return fallback;
}

StoredEntry* Cache::Impl::FindExact(std::string_view name_space,
                                    std::span<const std::string_view> key) const {
  return exact_.Find(KeyHash(name_space, key), [&](const StoredEntry& record) {
    return record.name_space->name == name_space && record.HasKey(key);
  });
}

Namespace* Cache::Impl::FindNamespace(std::string_view name) const {
  return namespaces_.Find(HashBytes(name), [name](const Namespace& other) { return other.name == name; });
}

Partition* Cache::Impl::FindPartition(std::string_view name_space, std::string_view embedding_model,
                                      size_t dimension, std::string_view compatibility) const {
  const Hash128 hash = PartitionHash(name_space, embedding_model, dimension, compatibility);
  return partitions_.Find(hash, [&](const Partition& other) {
    return other.raw_dimension == dimension && other.name_space->name == name_space &&
           other.embedding_model == embedding_model && other.compatibility == compatibility;
  });
}

Hit Cache::Impl::Lookup(const Query& query, int64_t now_nanos, std::string* answer) const {
  Hit hit;
  hit.generation = generation_.load();
  const size_t class_index = ClassOf(query.request_class);
  if (query.bypass || class_index == options_.classes.size()) return hit;
  const ClassOptions& class_settings = options_.classes[class_index];
  if (class_settings.mode == Mode::kOff) return hit;

  const Epochs::Guard guard = epochs_.Enter();
  if (const StoredEntry* record = FindExact(query.name_space, query.key);
      record != nullptr && record->ServesAt(now_nanos)) {
    Answer(*record, Hit::kExact, 1.0F, now_nanos, answer, &hit);
    if (class_settings.mode == Mode::kVerified) record->name_space->verifier->Skip();
    return hit;
  }
  Namespace* name_space = FindNamespace(query.name_space);
  if (class_settings.mode != Mode::kExact &&
      worth_[class_index].LookUp(class_settings.lookup_cost_nano_usd)) {
    LookupSemantic(query, class_settings, now_nanos, answer, name_space, &hit);
    if (hit.kind != Hit::kNone) worth_[class_index].Saved(hit.saved_nano_usd);
  }
  if (hit.kind == Hit::kNone && name_space != nullptr) Count(name_space->counts.misses);
  return hit;
}

void Cache::Impl::LookupSemantic(const Query& query, const ClassOptions& class_settings, int64_t now_nanos,
                                 std::string* answer, Namespace* name_space, Hit* hit) const {
  std::vector<float>& unit = UnitScratch();
  std::string_view embedding_model = query.embedding_model;
  size_t dimension = query.embedding.size();
  if (!query.embedding.empty()) {
    if (name_space == nullptr || !Normalise(query.embedding, &unit)) return;
  } else if (options_.embedder == nullptr) {
    hit->wants_embedding = true;
    return;
  } else {
    if (name_space == nullptr || query.text.empty()) return;
    thread_local std::vector<float> raw;
    dimension = static_cast<size_t>(options_.embedder->dimension());
    raw.resize(dimension);
    if (!options_.embedder->Embed(query.text, raw) || !Normalise(raw, &unit)) return;
    embedding_model = options_.embedder->id();
  }
  const Partition* partition =
      FindPartition(query.name_space, embedding_model, dimension, query.compatibility);
  if (partition == nullptr) {
    if (class_settings.mode == Mode::kVerified) name_space->verifier->Skip();
    return;
  }

  if (class_settings.mode == Mode::kVerified) {
    LookupVerified(query, *partition, unit.data(), now_nanos, answer, hit);
    return;
  }
  std::array<Candidate, kCandidates> places;
  Nearest nearest(places, std::max(class_settings.threshold, query.least_similarity));
  partition->Search(unit.data(), now_nanos, /*one_is_enough=*/true, &nearest);
  Guards guards(options_, query.text);
  for (size_t i = 0; i < nearest.size(); ++i) {
    const Veto veto = guards.Judge(*places[i].record);
    if (veto == Veto::kNone) {
      Answer(*places[i].record, Hit::kSemantic, places[i].similarity, now_nanos, answer, hit);
      return;
    }
    NoteVeto(veto, places[i].similarity, *name_space, hit);
  }
}

void Cache::Impl::NoteVeto(Veto veto, float similarity, Namespace& name_space, Hit* hit) const {
  if (hit->veto != Veto::kNone) return;
  hit->veto = veto;
  hit->similarity = similarity;
  Count(name_space.counts.vetoes[static_cast<size_t>(veto)]);
}

void Cache::Impl::LookupVerified(const Query& query, const Partition& partition, const float* unit,
                                 int64_t now_nanos, std::string* answer, Hit* hit) const {
  std::array<Candidate, Verifier::kNeighbours> places;
  Nearest nearest(places, Verifier::kMinSimilarity);
  partition.Search(unit, now_nanos, /*one_is_enough=*/false, &nearest);
  const std::span<const Candidate> neighbours(places.data(), nearest.size());
  Guards guards(options_, query.text);
  const Verifier::Decision decision = partition.name_space->verifier->Decide(
      neighbours, partition.flat.size(), [&](const Candidate& candidate) {
        if (candidate.similarity < query.least_similarity) return false;
        const Veto veto = guards.Judge(*candidate.record);
        if (veto != Veto::kNone) NoteVeto(veto, candidate.similarity, *partition.name_space, hit);
        return veto == Veto::kNone;
      });
  hit->trial = decision.trial;
  hit->trial.name_space_id = partition.name_space->id;
  if (decision.kind == Verifier::Decision::kAudit) {
    hit->audit = true;
    hit->similarity = decision.similarity;
    Count(partition.name_space->counts.audits);
  } else if (decision.kind == Verifier::Decision::kHit) {
    Answer(*decision.record, Hit::kSemantic, decision.similarity, now_nanos, answer, hit);
  }
}

void Cache::Impl::Answer(const StoredEntry& record, Hit::Kind kind, float similarity, int64_t now_nanos,
                         std::string* answer, Hit* hit) const {
  hit->kind = kind;
  hit->similarity = similarity;
  hit->entry_id = record.id;
  hit->age_nanos = now_nanos - record.stored_nanos;
  hit->saved_nano_usd = record.saved_nano_usd;
  if (answer != nullptr) answer->assign(record.answer());
  StoredEntry& marked = const_cast<StoredEntry&>(record);  // Its atomic counters only.
  marked.hits.fetch_add(1, std::memory_order_relaxed);
  eviction_.Used(marked);
  Namespace::Counts& counts = record.name_space->counts;
  Count(kind == Hit::kExact ? counts.exact_hits : counts.semantic_hits);
  counts.saved_nano_usd.fetch_add(record.saved_nano_usd, std::memory_order_relaxed);
}

}  // namespace purser::cache
